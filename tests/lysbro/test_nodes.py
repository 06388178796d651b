"""The names of nodes, and the door by which they read from each other's spools."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from casework.errors import Invalid, NotFound, Unavailable
from lysbro.node_door import open_door
from lysbro.other_nodes import OtherNodes
from lysbro.settings import load
from storage.database import Database
from storage.nodes import Nodes, folder_id
from storage.tables import nodes as nodes_table
from storage.tables import segments
from storage.testing import fresh_database

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
SECRET = "a secret between the nodes"
CONTENT = bytes(range(256)) * 4000


class Clock:
    now = NOON

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def database(tmp_path: Path, database_server: str) -> Iterator[Database]:
    with fresh_database(tmp_path, server=database_server) as fresh:
        yield fresh


@pytest.fixture
def nodes(database: Database, clock: Clock) -> Nodes:
    return Nodes(database, clock)


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    folder = tmp_path / "spool"
    folder.mkdir()
    (folder / "one.seg").write_bytes(CONTENT)
    (tmp_path / "secret.seg").write_bytes(b"not of the spool")
    return folder


@pytest.fixture
def north(nodes: Nodes, database: Database, spool: Path) -> Iterator[int]:
    """Give the port of a node that has two segments, of which one is released."""
    nodes.claim("north", "folder-a")
    with open_door(spool, host="127.0.0.1", port=0, secret=SECRET) as port:
        nodes.heard("north", "folder-a", address=f"127.0.0.1:{port}")
        _tell_of(database, "one.seg", "gone.seg")
        yield port


def _tell_of(database: Database, *names: str, node: str = "north") -> None:
    with database.begin() as conn:
        rows = [{"name": name, "node": node, "created_at": NOON} for name in names]
        conn.execute(segments.insert(), rows)


def _node_of(database: Database, segment: str) -> str:
    with database.read() as conn:
        asked = select(segments.c.node).where(segments.c.name == segment)
        return str(conn.execute(asked).scalar_one())


def test_a_name_is_refused_to_a_second_folder_while_the_first_lives(
    nodes: Nodes, clock: Clock
) -> None:
    nodes.claim("north", "folder-a")
    nodes.heard("north", "folder-a", address="")
    with pytest.raises(Unavailable, match="LYSBRO_NODE") as caught:
        nodes.claim("north", "folder-b")
    assert caught.value.code == "node-name-taken"
    nodes.claim("north", "folder-a")  # another process of the same folder
    nodes.claim("south", "folder-b")
    clock.now += timedelta(minutes=1)
    nodes.claim("north", "folder-c")


def test_a_name_is_free_at_once_when_its_node_was_stopped_in_order(nodes: Nodes) -> None:
    nodes.claim("north", "folder-a")
    nodes.heard("north", "folder-a", address="")
    nodes.leave("north", "folder-a")
    nodes.claim("north", "folder-b")
    assert nodes.listed() == ()


def test_a_renamed_folder_keeps_its_segments(nodes: Nodes, database: Database) -> None:
    nodes.claim("north", "folder-a")
    _tell_of(database, "indexed.seg")
    _tell_of(database, "of-another-time.seg", node="some-container")
    _tell_of(database, "other.seg", node="south")
    nodes.claim("polar", "folder-a", holding=["of-another-time.seg"])
    found = [_node_of(database, f"{n}.seg") for n in ("indexed", "of-another-time", "other")]
    assert found == ["polar", "polar", "south"]
    with database.read() as conn:
        assert list(conn.execute(select(nodes_table.c.name)).scalars()) == ["polar"]


def test_a_folder_is_known_wherever_it_is_moved(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    first = folder_id(tmp_path / "a")
    assert folder_id(tmp_path / "a") == first != folder_id(tmp_path / "b")
    (tmp_path / "a").rename(tmp_path / "c")
    assert folder_id(tmp_path / "c") == first
    assert [path.name for path in (tmp_path / "c").iterdir()] == ["node-id"]


def test_a_stretch_is_read_from_the_node_that_has_it(
    nodes: Nodes, north: int, tmp_path: Path
) -> None:
    others = OtherNodes(nodes, secret=SECRET, scratch=tmp_path)
    assert others.read("one.seg", 1000, 5000) == CONTENT[1000:6000]
    assert others.read("one.seg", 0, 0) == b""
    with others.open("one.seg", 64, len(CONTENT) - 64) as stream:
        assert stream.read() == CONTENT[64:]
        stream.seek(0)
        assert stream.read(2) == CONTENT[64:66]


def test_a_node_may_have_an_address_of_the_new_kind(
    nodes: Nodes, database: Database, spool: Path, tmp_path: Path
) -> None:
    if not socket.has_dualstack_ipv6():
        pytest.skip("this machine has no IPv6")
    nodes.claim("north", "folder-a")
    _tell_of(database, "one.seg")
    with open_door(spool, host="::1", port=0, secret=SECRET) as port:
        nodes.heard("north", "folder-a", address=f"[::1]:{port}")
        others = OtherNodes(nodes, secret=SECRET, scratch=tmp_path)
        assert others.read("one.seg", 5, 10) == CONTENT[5:15]


def test_what_was_released_there_is_not_found(nodes: Nodes, north: int, tmp_path: Path) -> None:
    others = OtherNodes(nodes, secret=SECRET, scratch=tmp_path)
    for segment in ("gone.seg", "never-heard-of.seg"):
        with pytest.raises(NotFound):
            others.read(segment, 0, 10)


@pytest.mark.parametrize("secret", ["", "another secret altogether"])
def test_without_the_secret_nothing_is_read(
    nodes: Nodes, north: int, tmp_path: Path, secret: str
) -> None:
    with pytest.raises(Unavailable, match="SECRET") as caught:
        OtherNodes(nodes, secret=secret, scratch=tmp_path).read("one.seg", 0, 10)
    assert caught.value.code == "node-away"


@pytest.mark.parametrize("name", ["../secret.seg", "..%2Fsecret.seg", "a/../../secret.seg", ".seg"])
def test_nothing_outside_the_spool_is_read(
    nodes: Nodes, north: int, database: Database, tmp_path: Path, name: str
) -> None:
    _tell_of(database, name)
    others = OtherNodes(nodes, secret=SECRET, scratch=tmp_path)
    with pytest.raises(Unavailable, match="answers 400"):
        others.read(name, 0, 10)


def test_a_stretch_past_the_end_is_refused(nodes: Nodes, north: int, tmp_path: Path) -> None:
    others = OtherNodes(nodes, secret=SECRET, scratch=tmp_path)
    with pytest.raises(Unavailable, match="answers 416"):
        others.read("one.seg", len(CONTENT) - 5, 10)


def test_a_node_that_is_away_is_named(
    nodes: Nodes, database: Database, spool: Path, tmp_path: Path
) -> None:
    nodes.claim("north", "folder-a")
    with open_door(spool, host="127.0.0.1", port=0, secret=SECRET) as port:
        nodes.heard("north", "folder-a", address=f"127.0.0.1:{port}")
    _tell_of(database, "one.seg")
    with pytest.raises(Unavailable, match="node north, which does not answer") as caught:
        OtherNodes(nodes, secret=SECRET, scratch=tmp_path).read("one.seg", 0, 10)
    assert caught.value.code == "node-away"


def test_a_door_needs_a_secret_and_postgresql() -> None:
    with pytest.raises(Invalid) as caught:
        load(environment={"LYSBRO_NODE_PORT": "8082"})
    assert "LYSBRO_NODE_SECRET: is needed" in str(caught.value)
    assert "LYSBRO_NODE_PORT: several nodes need PostgreSQL" in str(caught.value)


@pytest.mark.parametrize(
    ("variable", "value"),
    [("NODE", "two words"), ("NODE", "x" * 65), ("NODE_SECRET", "short"), ("LEASE_SECONDS", "1")],
)
def test_a_name_or_secret_that_cannot_serve_is_refused(variable: str, value: str) -> None:
    with pytest.raises(Invalid, match=f"LYSBRO_{variable}"):
        load(environment={f"LYSBRO_{variable}": value})


def test_the_secret_may_come_from_a_file_and_is_not_shown(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(SECRET + "\n")
    settings = load(environment={"LYSBRO_NODE_SECRET_FILE": str(tmp_path / "secret")})
    assert settings.node_secret == SECRET
    assert SECRET not in repr(settings)
