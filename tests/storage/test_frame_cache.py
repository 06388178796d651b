"""The cache of frames: within its bytes, the least recent go, many who ask cost one read."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from casework.errors import Unavailable
from storage.frame_cache import FrameCache

ROOM = 256  # what an entry takes beside its bytes


def never() -> bytes:
    raise AssertionError("it was read again")


def test_a_frame_is_read_once_and_kept() -> None:
    cache = FrameCache(10_000)
    assert cache.get(("a", 1), lambda: b"one") == b"one"
    assert cache.get(("a", 1), never) == b"one"
    assert cache.get(("a", 2), lambda: b"two") == b"two"
    figures = cache.figures()
    assert (figures.hits, figures.misses, figures.hit_ratio) == (1, 2, pytest.approx(1 / 3))


def test_the_least_recently_asked_for_goes_when_the_bytes_are_used_up() -> None:
    cache = FrameCache(3 * (1000 + ROOM))
    for name in "abc":
        cache.get((name, 1), lambda: bytes(1000))
    cache.get(("a", 1), never)
    cache.get(("d", 1), lambda: bytes(1000))
    for name in "acd":
        cache.get((name, 1), never)
    assert cache.get(("b", 1), lambda: b"again") == b"again"


def test_it_never_holds_more_than_its_bytes() -> None:
    cache = FrameCache(50_000)
    for number in range(500):
        cache.get(("a", number), lambda n=number: bytes(n * 37 % 20_000))
        assert cache.figures().size_bytes <= 50_000


@pytest.mark.parametrize("limit_bytes", [0, 999])
def test_a_frame_larger_than_the_whole_is_given_and_not_kept(limit_bytes: int) -> None:
    cache = FrameCache(limit_bytes)
    assert cache.get(("a", 1), lambda: bytes(1000)) == bytes(1000)
    assert cache.figures().size_bytes == 0
    assert cache.get(("a", 1), lambda: b"again") == b"again"


def test_ten_who_ask_at_once_cost_one_read() -> None:
    cache, reads, all_asked = FrameCache(10_000), [], threading.Event()

    def slow() -> bytes:
        reads.append(1)
        assert all_asked.wait(10)
        return b"frame"

    with ThreadPoolExecutor(10) as viewers:
        asked = [viewers.submit(cache.get, ("a", 1), slow) for _ in range(10)]
        all_asked.set()
        assert [each.result(10) for each in asked] == [b"frame"] * 10
    assert len(reads) == 1
    figures = cache.figures()
    assert (figures.hits, figures.misses) == (9, 1)


def test_a_read_that_fails_fails_for_all_who_wait_and_is_not_kept() -> None:
    cache, begun, go_on = FrameCache(10_000), threading.Event(), threading.Event()

    def fails() -> bytes:
        begun.set()
        assert go_on.wait(10)
        raise Unavailable("The store is away.", code="store-away")

    with ThreadPoolExecutor(2) as viewers:
        first = viewers.submit(cache.get, ("a", 1), fails)
        assert begun.wait(10)
        second = viewers.submit(cache.get, ("a", 1), fails)
        go_on.set()
        for each in (first, second):
            with pytest.raises(Unavailable):
                each.result(10)
    assert cache.get(("a", 1), lambda: b"back") == b"back"


def test_what_is_read_ahead_is_waited_for_and_read_by_oneself_when_it_does_not_come() -> None:
    cache = FrameCache(10_000)
    cache.get(("a", 1), lambda: b"1")
    assert cache.claim([("a", 1), ("a", 2), ("a", 3)]) == {("a", 2), ("a", 3)}
    assert cache.claim([("a", 2)]) == set()
    with ThreadPoolExecutor(2) as viewers:
        second = viewers.submit(cache.get, ("a", 2), never)
        third = viewers.submit(cache.get, ("a", 3), lambda: b"own")
        cache.give(("a", 2), b"2")
        cache.give_up([("a", 3)])
        assert (second.result(10), third.result(10)) == (b"2", b"own")
    assert cache.figures().read_ahead == 1
