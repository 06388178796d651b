"""What an operator reads of the nodes, and how one that will not come back is struck off."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

from lysbro.presence import roles_of
from lysbro.processes import only_one
from lysbro.settings import Settings
from lysbro.wiring import Parts, utc_now
from storage.nodes import Nodes, Told
from tests.lysbro.calling import Desk

WAITING = Told("bridge,packer", "0.1.0", 12, 3_000_000, None, 40.0)


def nodes_at(parts: Parts, at: datetime) -> Nodes:
    return Nodes(parts.database, lambda: at)


def hear(desk: Desk, name: str, told: Told, *, ago_s: float = 0) -> None:
    with desk.parts() as parts:
        nodes = nodes_at(parts, utc_now() - timedelta(seconds=ago_s))
        nodes.claim(name, f"folder-of-{name}")
        nodes.heard(name, f"folder-of-{name}", address=f"{name}:8082", told=told)


def leave(desk: Desk, name: str, told: Told) -> None:
    with desk.parts() as parts:
        parts.nodes.leave(name, f"folder-of-{name}", told=told)


def test_status_says_what_runs_on_a_node_and_what_waits_there(desk: Desk) -> None:
    hear(desk, "north", WAITING)
    words = desk.must("status").out
    assert "node        north, up, spool read at north:8082, bridge+packer 0.1.0" in words
    assert "12 objects in its spool (3.0 MB), packed in about 40 s" in words
    (told,) = desk.must("node", "list", "--json").json
    assert told["kinds"] == ["bridge", "packer"]
    assert (told["state"], told["spool_instances"], told["drain_s"]) == ("up", 12, 40.0)


def test_a_silent_node_is_named_with_what_to_do(desk: Desk) -> None:
    hear(desk, "north", WAITING, ago_s=600)
    words = desk.must("node", "list").out
    assert "north, AWAY, last heard 10 min ago" in words
    assert "12 objects in its spool" in words
    assert "start it again" in words
    assert "packed in" not in words  # nobody packs them


def test_a_node_that_was_stopped_is_listed_for_as_long_as_its_spool_holds_something(
    desk: Desk,
) -> None:
    for name, told in (("north", WAITING), ("south", Told("web"))):
        hear(desk, name, Told())
        leave(desk, name, told)
    words = desk.must("node", "list").out
    assert "north, STOPPED" in words
    assert "south" not in words


def test_a_node_is_struck_off_only_when_nothing_is_lost_or_the_operator_says_so(desk: Desk) -> None:
    hear(desk, "north", WAITING, ago_s=600)
    hear(desk, "south", Told())
    refused = desk("node", "forget", "north")
    assert (refused.status, "--spool-lost" in refused.err) == (1, True)
    assert desk("node", "forget", "south").status == 1  # it is up
    assert desk("node", "forget", "west").status == 1
    desk.must("node", "forget", "north", "--spool-lost")
    assert "north" not in desk.must("node", "list").out
    assert [e.detail["spool_instances"] for e in desk.audit("node-forgotten")] == [12]


def test_what_runs_on_a_data_folder_is_told_by_its_locks(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path)
    assert roles_of(tmp_path) == []
    with only_one(settings, "bridge"), only_one(settings, "packer"):
        assert roles_of(tmp_path) == ["bridge", "packer"]
    assert roles_of(tmp_path) == []
