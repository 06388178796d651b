"""The commands for what goes out: destinations, routing rules, the queue and its dead letters."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lysbro.calling import Desk
from tests.ports import free_port


@pytest.fixture
def ready(desk: Desk, slices: Path) -> Desk:
    """Return a desk with the study 1.2.1 of hammer, and the nodes VNA and OWN."""
    desk.must("import", slices, "--site", "hammer")
    for title, site in (("VNA", "nordlys"), ("OWN", "hammer")):
        desk.must("ae", "add", title, "--site", site, "--host", "127.0.0.1", "--port", free_port())
    return desk


def test_how_a_node_is_sent_to_is_set_and_shown(ready: Desk) -> None:
    shown = ready.must("ae", "set", "VNA", "--json").json
    assert (shown["most_at_once"], shown["form"], shown["asks_commitment"]) == (
        1, "as-stored", False,
    )  # fmt: skip
    words = ("--at-once", 4, "--form", "jpeg-ls", "--rate", 500000, "--commit", "--attempts", 9)
    changed = ready.must("ae", "set", "VNA", *words, "--json").json
    assert (changed["most_at_once"], changed["form"], changed["rate_bytes"]) == (
        4, "jpeg-ls", 500000,
    )  # fmt: skip
    back = ("--form", "as-stored", "--rate", 0, "--attempts", 0, "--no-commit")
    ready.must("ae", "set", "VNA", *back)
    assert "as-stored" in ready.must("ae", "set", "VNA").out
    assert len(ready.audit("destination-set")) == 2
    for words, status, told in (
        (("NOBODY", "--commit"), 1, "There is no application entity NOBODY"),
        (("VNA", "--at-once", 0), 1, "between 1 and 32"),
        (("VNA", "--form", "jpeg"), 2, "Invalid value"),
    ):
        answer = ready("ae", "set", *words)
        assert (answer.status, told in answer.err) == (status, True), answer


def test_a_rule_is_tried_kept_turned_off_and_removed(ready: Desk) -> None:
    rule = ("CT", "--to", "VNA", "--site", "hammer", "--modality", "ct")
    tried = ready.must("route", "test", *rule)
    assert "it would take 1:" in tried.out
    assert ready.must("route", "list", "--json").json == []
    near = ready.must("route", "test", "MR", "--to", "VNA", "--modality", "MR")
    assert "Nearly:" in near.out
    assert "none of its series is MR" in near.out
    added = ready.must("route", "add", *rule, "--priority", "stat", "--yes", "--json").json
    assert (added["would_take"], added["on"], added["priority"]) == (1, True, "stat")
    unasked = ready("route", "add", "other", "--to", "VNA", given="n\n")
    assert unasked.status != 0
    assert "it would take 1" in unasked.out
    assert "is off" in ready.must("route", "turn", added["id"], "off").out
    (row,) = ready.must("route", "list", "--json").json
    assert (row["name"], row["on"]) == ("CT", False)
    assert "is gone" in ready.must("route", "remove", added["id"]).out
    assert [len(ready.audit(f"route-{did}")) for did in ("added", "turned-off", "removed")] == [
        1, 1, 1,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("x", "--to", "NOBODY"), "There is no node NOBODY"),
        (("x", "--to", "VNA", "--between", "22"), "no window of time"),
        (("x", "--to", "VNA", "--between", "22:00-26:00"), "no time of day"),
        (("x", "--to", "VNA", "--days", "mon,some"), "is no day"),
        (("x", "--to", "VNA", "--site", "No Such"), "is no site"),
        (("x", "--to", "VNA", "--from", "VNA"), "never sent back"),
    ],
)
def test_what_can_be_no_rule_is_told(ready: Desk, words: tuple[str, ...], told: str) -> None:
    for verb in ("test", "add"):
        answer = ready("route", verb, *words)
        assert (answer.status, told in answer.err) == (1, True), answer
    assert ready.must("route", "list").out.strip() == "none"


def test_a_rule_does_not_send_within_a_site_unless_it_says_so(ready: Desk) -> None:
    assert "it would take 0" in ready.must("route", "test", "x", "--to", "OWN").out
    assert "it would take 1" in ready.must("route", "test", "x", "--to", "OWN", "--own-site").out
    held = ("x", "--to", "VNA", "--between", "22:00-06:00", "--days", "sat", "--hold", "--json")
    (tried,) = ready.must("route", "test", *held).json
    assert tried["not_before"]


def test_the_queue_is_listed_paused_cancelled_and_replayed(ready: Desk) -> None:
    job = ready.must("send", "1.2.1", "--to", "VNA", "--priority", "stat", "--json").json["job"]
    assert ready.must("send", "1.2.1", "--to", "VNA ", "--json").json["job"] == job
    (listed,) = ready.must("outbox", "list", "--to", "VNA", "--json").json
    assert (listed["id"], listed["urgency"], listed["state"]) == (job, 3, "queued")
    assert "queued" in ready.must("outbox", "list").out
    assert ready.must("outbox", "missing", job).out.split() == ["1.2.1.1", "1.2.1.2", "1.2.1.3"]
    ready.must("outbox", "pause", "VNA")
    told = ready.must("status").out
    assert "to          VNA: 1 wait" in told
    assert "PAUSED" in told
    ready.must("outbox", "resume", "VNA")
    with ready.parts() as parts:
        parts.destinations.set("VNA", most_attempts=1)
        assert parts.outbox.lease_send(lease_s=60) is not None
        parts.outbox.send_failed(job, "VNA is away.")
    assert "1 jobs" in ready.must("outbox", "replay", job).out
    assert ready("outbox", "replay", job).status == 1
    assert "0 jobs" in ready.must("outbox", "replay", "--all-of", "VNA").out
    assert ready("outbox", "replay").status == 2
    assert "out of the queue" in ready.must("outbox", "cancel", job).out
    assert ready("outbox", "cancel", job).status == 1
    assert ready.must("outbox", "list").out.strip() == "none"
    assert len(ready.audit("send-cancelled")) == 1


def test_channels_are_added_listed_turned_and_removed(desk: Desk) -> None:
    words = ("channel", "add", "epj", "hl7", "epj.example:2575", "--site", "hammer")
    told = desk.must(*words, "--set", "application=EPJ", "--json").json
    assert told == {
        "name": "epj", "site": "hammer", "way": "hl7", "address": "epj.example:2575", "on": True,
        "options": {"application": "EPJ"},
    }  # fmt: skip
    assert "already" in desk(*words).err
    assert desk("channel", "add", "x", "hl7", "y", "--site", "hammer", "--set", "z").status == 2
    assert "application=EPJ" in desk.must("channel", "list").out
    assert desk.must("channel", "turn", "epj", "off", "--json").json["on"] is False
    assert desk.must("channel", "remove", "epj").out == "epj is removed.\n"
    assert desk.must("channel", "list", "--json").json == []
    assert "no channel epj" in desk("channel", "remove", "epj").err
