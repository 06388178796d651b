"""The pages for what goes out: rules are tried before they are kept; destinations and the queue."""

from __future__ import annotations

import re

import pytest
from flask.testing import FlaskClient

from casework.model import AePermission
from tests.viewer.conftest import World
from tests.viewer.test_pages import page, signed_in, submit, token_of, words_of
from viewer.error_words import error_in

RULES, OUT = "/admin/routing", "/admin/outgoing"
RULE = {"name": "CT to the archive", "destination": "VNA", "modalities": "ct", "trigger": "study"}


@pytest.fixture
def sending(world: World) -> World:
    """Return a world with the node VNA, and a CT and an MR of hammer."""
    world.parts.people.add_ae("VNA", "centre", "10.0.0.9", 104, frozenset({AePermission.QUERY}))
    for n, modality in ((1, "CT"), (2, "MR")):
        world.store(
            "hammer", StudyInstanceUID=f"1.2.5{n}", SeriesInstanceUID=f"1.2.5{n}.1",
            SOPInstanceUID=f"1.2.5{n}.1.1", Modality=modality, StudyDescription=f"{modality} Hode",
        )  # fmt: skip
    return world


def digest_on(text: str) -> str:
    found = re.search(r'name="digest" value="([0-9a-f]{64})"', text)
    assert found is not None
    return found[1]


def press(client: FlaskClient, path: str, **fields: str) -> int:
    """Press a button whose form has a field with the name of an argument of `submit`."""
    data = {**fields, "csrf_token": token_of(client, OUT)}
    return client.post(path, data=data, headers={"Accept": "text/html"}).status_code


def test_a_rule_is_tried_shown_and_only_then_kept(sending: World) -> None:
    client = signed_in(sending, "admin@centre")
    assert "studies go nowhere by themselves" in words_of(page(client, RULES))
    unseen = submit(client, RULES, on=RULES, **RULE)
    assert (unseen.status_code, "Try the rule first" in words_of(unseen.text)) == (422, True)

    shown = submit(client, f"{RULES}/try", on=RULES, **RULE)
    said = words_of(shown.text)
    assert re.search(r"It would have taken 1 of \d studies", said)
    assert "CT Hode" in said
    assert "none of its series is CT" in said
    digest = digest_on(shown.text)
    other = submit(client, RULES, on=RULES, **{**RULE, "modalities": "MR"}, digest=digest)
    assert other.status_code == 422
    assert sending.parts.routing.rules() == ()

    kept = submit(client, RULES, on=RULES, **RULE, digest=digest)
    assert (kept.status_code, kept.headers["Location"]) == (302, f"{RULES}#rules")
    (route,) = sending.parts.routing.rules()
    assert (route.rule.name, route.rule.destination) == ("CT to the archive", "VNA")
    assert "modality CT" in words_of(page(client, RULES))
    assert "modalitet CT" in words_of(page(client, RULES, language="nb"))
    (entry,) = sending.parts.ledger.entries(limit=1)
    assert (entry.action, entry.subject) == ("route-added", "CT to the archive")


def test_a_rule_is_changed_turned_off_and_deleted(sending: World) -> None:
    client = signed_in(sending, "admin@centre")
    window = {"start": "22:00", "end": "06:00", "weekdays": ["0", "4"], "within": "hold"}
    shown = submit(client, f"{RULES}/try", on=RULES, **RULE, **window)
    submit(client, RULES, on=RULES, **RULE, **window, digest=digest_on(shown.text))
    (route,) = sending.parts.routing.rules()
    assert "sent 22:00–06:00, Mon, Fri" in words_of(page(client, RULES))
    form = page(client, f"{RULES}?change={route.id}")
    assert 'value="22:00"' in form
    changed = {**RULE, "number": str(route.id), "only_matching": "1", "study_description": "CT*"}
    shown = submit(client, f"{RULES}/try", on=RULES, **changed)
    assert "1 series" in words_of(shown.text)
    submit(client, RULES, on=RULES, **changed, digest=digest_on(shown.text))
    (route,) = sending.parts.routing.rules()
    assert (route.rule.only_matching, route.rule.conditions.window) == (True, None)
    assert press(client, f"{RULES}/{route.id}/turn", on="0") == 302
    assert not sending.parts.routing.rules()[0].rule.enabled
    assert press(client, f"{RULES}/{route.id}/turn", on="1") == 302
    assert sending.parts.routing.rules()[0].rule.enabled
    assert submit(client, f"{RULES}/{route.id}/remove", on=RULES).status_code == 302
    assert sending.parts.routing.rules() == ()


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"name": ""}, "Give the rule a name"),
        ({"destination": "NOBODY"}, "There is no node NOBODY"),
        ({"modalities": "C!"}, "is no modality"),
        ({"sop_classes": "x"}, "is no SOP class"),
        ({"start": "xx"}, "no time of day"),
        ({"trigger": "never"}, "is not one of the choices"),
        ({"calling_aes": "VNA"}, "never sent back"),
    ],
)
def test_what_can_be_no_rule_is_told_on_the_page(
    sending: World, changes: dict[str, str], told: str
) -> None:
    client = signed_in(sending, "admin@centre")
    answer = submit(client, f"{RULES}/try", on=RULES, **{**RULE, **changes})
    assert (answer.status_code, told in words_of(answer.text)) == (422, True)


def test_a_destination_is_set_paused_and_resumed(sending: World) -> None:
    client = signed_in(sending, "admin@centre")
    form = {
        "title": "VNA", "most_at_once": "3", "form": "jpeg-ls", "rate_kb": "500",
        "asks_commitment": "1", "most_attempts": "", "commit_wait_s": "600",
    }  # fmt: skip
    assert submit(client, f"{OUT}/destinations", on=OUT, **form).status_code == 302
    found = sending.parts.destinations.of("VNA")
    assert (found.most_at_once, found.form, found.rate_bytes) == (3, "jpeg-ls", 500_000)
    assert (found.asks_commitment, found.most_attempts) == (True, None)
    wrong = submit(client, f"{OUT}/destinations", on=OUT, **{**form, "most_at_once": "99"})
    assert (wrong.status_code, "between 1 and 32" in words_of(wrong.text)) == (422, True)
    wrong = submit(client, f"{OUT}/destinations", on=OUT, **{**form, "rate_kb": "fast"})
    assert wrong.status_code == 422
    sending.parts.outbox.enqueue_send("1.2.51", "hammer", "VNA")
    assert press(client, f"{OUT}/pause", title="VNA", on="1") == 302
    assert "paused since" in words_of(page(client, OUT))
    assert "paused" in words_of(page(client, "/admin"))
    assert sending.parts.outbox.lease_send(lease_s=60) is None
    assert press(client, f"{OUT}/pause", title="VNA", on="0") == 302
    assert sending.parts.destinations.of("VNA").paused_at is None


def test_what_was_given_up_shows_why_and_what_is_missing_and_goes_again(sending: World) -> None:
    client = signed_in(sending, "admin@centre")
    number = sending.parts.outbox.enqueue_send("1.2.51", "hammer", "VNA")
    reason = (
        "VNA has no room: it answered A700, out of resources; 0 of 1 have arrived. "
        "Look at the disk of that node."
    )
    sending.parts.destinations.set("VNA", most_attempts=1)
    assert sending.parts.outbox.lease_send(lease_s=60) is not None
    sending.parts.outbox.send_failed(number, reason)
    said = words_of(page(client, OUT))
    assert reason in said
    assert "1.2.51.1.1" in said
    assert error_in(reason, "nb") in words_of(page(client, f"{OUT}?to=VNA", language="nb"))
    assert submit(client, f"{OUT}/replay", on=OUT, title="VNA").status_code == 302
    assert sending.parts.outbox.counts()["queued"] == 1
    assert "1.2.51" in words_of(page(client, OUT))
    assert submit(client, f"{OUT}/jobs/{number}/cancel", on=OUT).status_code == 302
    assert sum(sending.parts.outbox.counts().values()) == 0
    assert submit(client, f"{OUT}/jobs/{number}/cancel", on=OUT).status_code == 404


def test_figures_tell_what_waits_for_each_destination(sending: World) -> None:
    sending.parts.outbox.enqueue_send("1.2.51", "hammer", "VNA")
    told = sending.client("admin@centre").get("/metrics").text
    assert 'lysbro_destination_queued{destination="VNA"} 1.0' in told
    assert 'lysbro_destination_paused{destination="VNA"} 0.0' in told
