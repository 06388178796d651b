"""Tells the time of all processes of a data folder, and does not follow a clock that jumps.

The wall clock is believed while it goes as the kernel's count of time since the start does. When
it jumps, the count goes on: nothing expires, waits or is deleted for it, until it is set right or
Lysbro is started anew. The processes share what they count from in a file of the data folder.
"""

from __future__ import annotations

import fcntl
import json
import os
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import structlog
from sqlalchemy import select

from storage.casebook_tables import audit
from storage.database import Database

log = structlog.get_logger()

FILE_NAME = "clock"
JUMP_S = 60.0
"""A wall clock that is further from our count than this has jumped; less is followed."""

_NOTED_EVERY_S = 30.0
_LINE_BYTES = 256
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True)
class Anchor:
    """A moment by both clocks, in one run of the machine."""

    boot: str
    wall_s: float
    counted_s: float

    def wall_at(self, counted_s: float) -> float:
        """Return what the wall clock would say, had it gone as the count."""
        return self.wall_s + counted_s - self.counted_s


@dataclass(frozen=True)
class Jump:
    """A wall clock that has jumped: what it says, and what it would say had it not."""

    wall: datetime
    counted: datetime

    @property
    def seconds(self) -> float:
        """Return how far it has jumped; forwards is positive."""
        return (self.wall - self.counted).total_seconds()

    def in_words(self) -> str:
        """Return what an operator is to know and do."""
        return (
            f"The clock of this machine has jumped: it says {_said(self.wall)}, and by our count "
            f"it is {_said(self.counted)}. We go by our count, and nothing expires or is deleted "
            "for the jump. Set the clock by NTP; if it is right now, restart `lysbro serve`."
        )


def count_s() -> float:
    """Return seconds since the machine was started, those included in which it slept."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class SteadyClock:
    """The clock of one process of a data folder; may be called by any thread."""

    def __init__(
        self,
        data: Path,
        *,
        wall: Callable[[], float] = time.time,
        count: Callable[[], float] = count_s,
    ) -> None:
        self._wall, self._count = wall, count
        self._lock = threading.Lock()
        self._is_told = False
        self._file = os.open(data / FILE_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._anchor = self._shared()
        self._noted_s = self._anchor.counted_s

    def __call__(self) -> datetime:
        """Return the time, aware and in UTC."""
        wall_s, counted_s = self._wall(), self._count()
        with self._lock:
            told_s = self._anchor.wall_at(counted_s)
            if abs(wall_s - told_s) <= JUMP_S:
                self._follow(wall_s, counted_s)
                return _time(wall_s)
            jump = Jump(_time(wall_s), _time(told_s))
            if not self._is_told:
                log.warning("clock_jumped", wall=_said(jump.wall), counted=_said(jump.counted))
                self._is_told = True
        return jump.counted

    def jump(self) -> Jump | None:
        """Return how far the wall clock has jumped, or None while it is believed."""
        wall_s, counted_s = self._wall(), self._count()
        with self._lock:
            told_s = self._anchor.wall_at(counted_s)
        if abs(wall_s - told_s) <= JUMP_S:
            return None
        return Jump(_time(wall_s), _time(told_s))

    def close(self) -> None:
        """Let the last process that ends allow the next one to believe the wall clock."""
        os.close(self._file)

    def _follow(self, wall_s: float, counted_s: float) -> None:
        """Go with a clock that is set by small steps, and let processes that start later know."""
        if self._is_told:
            log.info("clock_right_again", wall=_said(_time(wall_s)))
            self._is_told = False
        self._anchor = replace(self._anchor, wall_s=wall_s, counted_s=counted_s)
        if counted_s - self._noted_s >= _NOTED_EVERY_S:
            self._noted_s = counted_s
            self._write(self._anchor)

    def _shared(self) -> Anchor:
        """Return what the other processes of the folder count from; alone, begin to count."""
        boot = _boot()
        ours = Anchor(boot, self._wall(), self._count())
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:  # others run on the folder
            fcntl.flock(self._file, fcntl.LOCK_SH)
        else:
            self._write(ours)
            fcntl.flock(self._file, fcntl.LOCK_SH)
        found = self._read()
        return found if found is not None and found.boot == boot else ours

    def _read(self) -> Anchor | None:
        try:
            told = json.loads(os.pread(self._file, _LINE_BYTES, 0))
            return Anchor(str(told["boot"]), float(told["wall_s"]), float(told["counted_s"]))
        except (ValueError, KeyError, TypeError):
            return None

    def _write(self, anchor: Anchor) -> None:
        line = json.dumps(asdict(anchor)).ljust(_LINE_BYTES - 1) + "\n"
        os.pwrite(self._file, line.encode(), 0)


def warn_when_behind(database: Database, now: datetime) -> None:
    """Tell in the log when the clock is behind the last entry of the audit: one of them is wrong.

    Jobs and leases then wait for longer than they should; nothing else comes of it.
    """
    with database.read() as conn:
        last = conn.execute(select(audit.c.at).order_by(audit.c.seq.desc()).limit(1)).scalar()
    if last is not None and (last - now).total_seconds() > JUMP_S:
        log.warning("clock_behind", wall=_said(now), audited=_said(last), do="set the clock by NTP")


def _boot() -> str:
    try:
        return _BOOT_ID.read_text("ascii").strip()
    except OSError:
        return ""


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _said(at: datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M:%S UTC")
