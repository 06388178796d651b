"""Runs each kind of work at its own pace: alone in a loop, or for several peers at a time.

A peer that is slow or away keeps one hand busy, and only its own jobs wait. Knows neither queue nor
DICOM.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

import structlog

from casework.errors import LysbroError

log = structlog.get_logger()

J = TypeVar("J")

PEERS_AT_ONCE = 8
_BREATH_S = 0.5


class Work(Protocol[J]):
    """Jobs that go to peers, each taken before it is done."""

    def take(self, avoiding: Collection[str] = ()) -> J | None:
        """Take the next job that is due, of none of these peers; None when there is none."""

    def peer_of(self, job: J) -> str:
        """Return which peer a job goes to."""

    def at_once(self, peer: str) -> int:
        """Return how many jobs may go to a peer at a time."""

    def do(self, job: J) -> None:
        """Do a job that was taken, and say how it went."""


class Loop(Protocol):
    """One kind of work, and how it goes on."""

    @property
    def name(self) -> str:
        """Return what the log calls it."""

    def run_once(self) -> bool:
        """Do one piece; tell whether there may be more at once."""

    def run(self, stop: threading.Event) -> None:
        """Go on until told to stop."""


@dataclass(frozen=True)
class Chore:
    """A kind of work that is done piece by piece."""

    name: str
    run_once: Callable[[], bool]
    pace_s: float = _BREATH_S  # between looks while there is nothing to do

    def run(self, stop: threading.Event) -> None:
        """Do piece after piece until told to stop."""
        while not stop.is_set():
            if not attempt(self.name, self.run_once):
                stop.wait(self.pace_s)


@dataclass(frozen=True)
class Errands(Generic[J]):
    """A kind of work that goes to peers: several peers at a time, each as many jobs as it takes.

    No peer gets more than half of the hands, so that one that takes many leaves room for others.
    """

    name: str
    work: Work[J]
    pace_s: float = _BREATH_S
    hands: int = PEERS_AT_ONCE
    _busy: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _nudge: threading.Event = field(default_factory=threading.Event)

    def run_once(self) -> bool:
        """Do the next job; return False when there is none."""
        job = self.work.take()
        if job is None:
            return False
        self.work.do(job)
        return True

    def run(self, stop: threading.Event) -> None:
        """Take jobs as hands are free until told to stop; what was begun then is ended."""
        with ThreadPoolExecutor(self.hands, thread_name_prefix=self.name) as pool:
            while not stop.is_set():
                self._nudge.clear()
                if not attempt(self.name, lambda: self._hand_out(pool)):
                    self._nudge.wait(self.pace_s)

    def _hand_out(self, pool: ThreadPoolExecutor) -> bool:
        with self._lock:
            busy = dict(self._busy)
        if sum(busy.values()) >= self.hands:
            return False
        most = max(1, self.hands // 2)
        full = {peer for peer, n in busy.items() if n >= min(most, self.work.at_once(peer))}
        job = self.work.take(full)
        if job is None:
            return False
        peer = self.work.peer_of(job)
        with self._lock:
            self._busy[peer] += 1
        pool.submit(self._do, job, peer)
        return True

    def _did(self, job: J) -> bool:
        self.work.do(job)
        return True

    def _do(self, job: J, peer: str) -> None:
        try:
            attempt(self.name, lambda: self._did(job))
        finally:
            with self._lock:
                self._busy[peer] -= 1
                if not self._busy[peer]:
                    del self._busy[peer]
            self._nudge.set()


def attempt(name: str, run_once: Callable[[], bool]) -> bool:
    """Do a piece; one that fails is told in the log, and tried again later."""
    try:
        return run_once()
    except LysbroError as error:
        log.warning("chore failed", chore=name, reason=error.code, message=error.message)
    except Exception:
        log.exception("chore broke", chore=name)  # boundary of a loop that must go on
    return False
