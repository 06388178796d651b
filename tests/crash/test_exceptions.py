"""A defect at any step of receiving: the sender hears of a failure, nothing is left behind, and the
next object is taken.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import storage.intake
from storage.archive import Archive, RecoveryReport
from storage.indexer import Indexer
from storage.intake import Intake
from storage.journal import Entry, Seal, scan
from storage.part10 import EXPLICIT_LE
from storage.segments import Segment, read_segment_header, segment_paths
from storage.spool import Spool
from tests.crash.senders import KEPT, request, status_of
from tests.pacs_bridge.conftest import House, open_house
from tests.pacs_bridge.wire import CT, Peer, connected, p_data
from tests.storage.building import dataset

pytestmark = pytest.mark.slow

SMALL, STREAMED = 8, 400  # pixels a side: held in memory, and written as it comes
FRAGMENT_BYTES = 60_000

STEPS: tuple[tuple[Any, str], ...] = (
    (Archive, "begin"),
    (Spool, "admit"),
    (Spool, "borrow"),
    (Intake, "write"),
    (Segment, "write_at"),
    (Intake, "_judge"),
    (storage.intake, "walk"),
    (storage.intake, "check_identity"),
    (storage.intake, "encode_record_header"),
    (Spool, "make_durable"),
)
HANDS_OVER = {"begin", "borrow"}  # what they give is known to nobody when they fail at their end
AFTER_THE_SYNC: tuple[tuple[Any, str], ...] = (
    (Segment, "took"),
    (Spool, "add_to_gauge"),
    (Indexer, "add"),
)


class Defect(Exception):
    """What no table of errors knows."""


def break_once(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, *, last: bool) -> None:
    """Let the next call of a function fail; with `last` once it has done its work."""
    real: Callable[..., Any] = getattr(owner, name)
    broken = iter((True,))

    def failing(*args: Any, **kwargs: Any) -> Any:
        is_it = next(broken, False)
        if is_it and not last:
            raise Defect
        result = real(*args, **kwargs)
        if is_it:
            raise Defect
        return result

    monkeypatch.setattr(owner, name, failing)


def store(peer: Peer, uid: str, side: int) -> int:
    content = dataset(uid, rows=side, columns=side, pixels=os.urandom(side * side * 2))
    peer.send(request(uid))
    for start in range(0, len(content), FRAGMENT_BYTES):
        is_last = start + FRAGMENT_BYTES >= len(content)
        peer.send(p_data(1, 2 if is_last else 0, content[start : start + FRAGMENT_BYTES]))
    return status_of(peer)


def journal(house: House) -> list[str]:
    """Return the objects of a closed spool, whose segments hold nothing else than those."""
    found = []
    for path in segment_paths(house.archive.spool.folder):
        with path.open("rb") as stream:
            header = read_segment_header(stream.fileno())
            assert header is not None
            size = path.stat().st_size
            parts = list(scan(stream.fileno(), nonce=header.nonce, size=size))
        assert {type(part) for part in parts} <= {Entry, Seal}
        found += [part.header.sop_instance_uid for part in parts if isinstance(part, Entry)]
    return sorted(found)


def started_again(house: House) -> RecoveryReport:
    """Start once more on the folder, and close."""
    again = Archive(
        data=house.archive.data,
        database=house.database,
        store=house.archive.store,
        limits=house.archive.spool.limits,
    )
    report = again.start()
    again.settle()
    again.close()
    return report


@pytest.mark.parametrize("side", [SMALL, STREAMED])
@pytest.mark.parametrize(
    ("owner", "name", "last"),
    [
        pytest.param(owner, name, last, id=f"{name}-{'done' if last else 'begun'}")
        for owner, name in STEPS
        for last in (False, True)
        if not (last and name in HANDS_OVER)
    ],
)
def test_a_defect_before_the_sync_is_a_failure_and_leaves_nothing(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    owner: Any,
    name: str,
    side: int,
    last: bool,
) -> None:
    with open_house(tmp_path) as house:
        with connected(house.port) as peer:
            peer.associate([(CT, EXPLICIT_LE)])
            assert store(peer, "1.2.3.1", side) in KEPT
            with monkeypatch.context() as patched:
                break_once(patched, owner, name, last=last)
                status = store(peer, "1.2.3.2", side)
            assert status not in KEPT
            assert store(peer, "1.2.3.3", side) in KEPT
        house.bridge.stop()
        house.archive.close()
        assert journal(house) == ["1.2.3.1", "1.2.3.3"]
        report = started_again(house)
        assert (report.segments, report.torn, report.adopted) == (0, 0, 0)


@pytest.mark.parametrize(("owner", "name"), AFTER_THE_SYNC)
def test_a_defect_after_the_sync_is_a_failure_and_the_record_is_found_at_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, owner: Any, name: str
) -> None:
    with open_house(tmp_path) as house:
        with connected(house.port) as peer:
            peer.associate([(CT, EXPLICIT_LE)])
            assert store(peer, "1.2.3.1", SMALL) in KEPT
            with monkeypatch.context() as patched:
                break_once(patched, owner, name, last=False)
                status = store(peer, "1.2.3.2", SMALL)
            assert status not in KEPT
            assert store(peer, "1.2.3.3", SMALL) in KEPT
        house.bridge.stop()
        house.archive.close()
        report = started_again(house)
        assert (report.adopted, report.torn, report.is_alarming) == (1, 0, False)
        assert sorted(set(journal(house))) == ["1.2.3.1", "1.2.3.2", "1.2.3.3"]
