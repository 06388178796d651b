"""Group commit: who waits is covered by some sync, and a sync that failed is never tried again."""

from __future__ import annotations

import errno
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from casework.errors import Unavailable
from storage.archive import utc_now
from storage.commit import GroupCommit
from storage.segments import Segment

MakeSegment = Callable[[], Segment]


@pytest.fixture
def make_segment(tmp_path: Path) -> Iterator[MakeSegment]:
    made: list[Segment] = []

    def make() -> Segment:
        made.append(Segment.create(tmp_path, node="test", at=utc_now(), durable=False))
        return made[-1]

    yield make
    for segment in made:
        segment.close()


def test_everyone_who_waits_is_durable_when_told_so(make_segment: MakeSegment) -> None:
    syncs: Counter[str] = Counter()
    lock = threading.Lock()

    def sync(segment: Segment) -> None:
        segment.sync()
        with lock:
            syncs[segment.name] += 1

    commit = GroupCommit(sync)
    segments = [make_segment() for _ in range(8)]

    def append(segment: Segment) -> None:
        for _ in range(20):
            end = segment.write_at([b"x" * 100], segment.end)
            commit.make_durable(segment, end)
            assert segment.synced_to >= end
            segment.end = end

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(append, segments))
    assert all(1 <= syncs[s.name] <= 20 for s in segments)
    assert commit.failure == ""


def test_a_failed_sync_fails_all_who_wait_and_all_who_come(make_segment: MakeSegment) -> None:
    calls: list[str] = []
    everyone = threading.Barrier(4)

    def sync(segment: Segment) -> None:
        calls.append(segment.name)
        raise OSError(errno.EIO, "Input/output error")

    commit = GroupCommit(sync)

    def append(_: int) -> str:
        segment = make_segment()
        end = segment.write_at([b"x"], segment.end)
        everyone.wait()
        with pytest.raises(Unavailable) as caught:
            commit.make_durable(segment, end)
        assert segment.is_broken
        return caught.value.code

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(append, range(4))) == ["read-only"] * 4
    assert len(calls) == 1
    segment = make_segment()
    with pytest.raises(Unavailable):
        commit.make_durable(segment, segment.write_at([b"x"], segment.end))
    assert len(calls) == 1


def test_what_is_durable_already_needs_no_sync(make_segment: MakeSegment) -> None:
    def never(segment: Segment) -> None:
        raise AssertionError("synced")

    segment = make_segment()
    GroupCommit(never).make_durable(segment, segment.end)
