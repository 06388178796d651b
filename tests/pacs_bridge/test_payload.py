"""Loading ahead: in order, with every failure at its own turn, by threads only when it is slow."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from casework.errors import Unavailable
from pacs_bridge.payload import Job, Payload, ahead


def load(number: int, *, took_s: float, seen: list[str], fails: int = -1) -> Callable[[], Payload]:
    def loading() -> Payload:
        seen.append(threading.current_thread().name)
        time.sleep(took_s)
        if number == fails:
            raise Unavailable("away")
        return Payload(number, iter((bytes(number),)))

    return loading


@pytest.mark.parametrize("took_s", [0.0, 0.006])
def test_jobs_come_in_order_and_fail_at_their_turn(took_s: float) -> None:
    seen: list[str] = []
    loads = [load(n, took_s=took_s, seen=seen, fails=13) if n % 5 else None for n in range(30)]
    jobs = [Job(number, each) for number, each in enumerate(loads)]

    got = []
    for number, loading in ahead(jobs):
        try:
            got.append((number, None if loading is None else loading().size_bytes))
        except Unavailable:
            got.append((number, -1))

    assert got == [(n, None if n % 5 == 0 else -1 if n == 13 else n) for n in range(30)]
    assert any(name.startswith("retrieve") for name in seen) == (took_s > 0)


def test_large_objects_wait_for_their_turn_and_little_is_read_ahead() -> None:
    seen: list[str] = []
    jobs = (Job(n, load(n, took_s=0.006, seen=seen), n % 2 == 0) for n in range(100))

    coming = ahead(jobs)
    for number, loading in coming:
        assert loading is not None
        if number == 20:
            break
        loading()
    before = len(seen)
    coming.close()  # type: ignore[attr-defined]

    assert before <= 20 + 1 + 4
    assert len(seen) <= before + 2
