"""The process that is killed: a whole bridge with its archive, its index and a mover at work.

Run as `python -m tests.crash.bridge`: a nursery that has everything imported and forks one bridge
for each plan that it reads, a line of JSON, from standard input; `reap` waits until all of its
process group are dead.
"""

from __future__ import annotations

import ctypes
import errno
import faulthandler
import json
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import structlog

from pacs_bridge.link import Link
from pacs_bridge.service import Bridge, BridgeSettings
from pacs_bridge.sinks import StoreSink
from pacs_bridge.status import SUCCESS, Answer
from storage.archive import Archive, SpoolLimits, utc_now
from storage.database import Database, open_database
from storage.index import Index
from storage.ledger import Ledger
from storage.mover import Mover
from storage.objects import FolderStore
from storage.people import People
from storage.segments import Segment
from tests.crash.platter import Platter
from tests.crash.points import BY_NAME, RANDOM, Trigger
from tests.storage import following

Sync = Callable[[Segment], None]

_SUBREAPER = 36  # prctl(2)
_MOVES_EVERY_S = 0.02


@dataclass(frozen=True)
class Plan:
    """One life of a bridge."""

    data: str
    platter: str  # where what is synced is kept
    told: str  # a file that is written at the moment of death
    point: str = RANDOM
    count: int = 1
    sync: str = "honest"  # or `none`, or `eio`: the sync of that number fails, once
    failing_sync: int = 0
    early: bool = False  # broken on purpose: answers before it commits
    follows: bool = False  # a process beside it indexes, as beside the bridge of an exchange

    def as_line(self) -> bytes:
        return json.dumps(asdict(self)).encode() + b"\n"


def make_archive(
    data: Path, database: Database, *, sync: Sync | None = None, follows: bool = False
) -> Archive:
    """Build the archive as every process of the harness has it; `follows`: another indexes."""
    return Archive(
        data=data,
        database=database,
        store=FolderStore(data / "store"),
        limits=SpoolLimits(
            spool_bytes=8 << 30, reserve_bytes=0, segment_bytes=300_000, segment_age_s=0.15
        ),
        sync=sync or honest,
        follower=following.command(data) if follows else (),
    )


def honest(segment: Segment) -> None:
    """Sync; not by the segment's own function, so that the points of its sealing are its own."""
    os.fdatasync(segment.descriptor)


def dishonest(_: Segment) -> None:
    """Say that it is synced."""


def failing(number: int) -> Sync:
    """Return a sync that fails once, and works when it is tried again, as disks do."""
    lock = threading.Lock()
    passes = iter(range(1, 1 << 30))

    def sync(segment: Segment) -> None:
        with lock:
            is_it = next(passes) == number
        if is_it:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        honest(segment)

    return sync


def live(plan: Plan) -> None:
    """Run a bridge until it is killed."""
    data = Path(plan.data)
    Platter(data, Path(plan.platter)).listen()
    database = open_database("sqlite", data=data)
    syncs = {"honest": honest, "none": dishonest, "eio": failing(plan.failing_sync)}
    archive = make_archive(data, database, sync=syncs[plan.sync], follows=plan.follows)
    trigger = Trigger(count=plan.count, told=Path(plan.told))
    point = BY_NAME.get(plan.point)
    if point is not None and point.of_start:
        point.install(trigger)
    archive.start()
    if point is not None and not point.of_start:
        point.install(trigger)
    if plan.early:
        answer_before_commit()
    settings = BridgeSettings(port=0, maximum_associations=50, maximum_per_peer=50)
    people = People(database, utc_now)
    bridge = Bridge(settings, archive, Index(database), people, Ledger(database))
    bridge.start()
    tell(f"listening {bridge.port}")
    mover = Mover(archive, quiet_s=0.05, grace_s=0.1)
    pause = threading.Event()
    while True:
        mover.run_once(utc_now())
        pause.wait(_MOVES_EVERY_S)


def answer_before_commit() -> None:
    """Break the order of steps: success is sent, and only then is the object committed."""
    serve, finish = Link._serve, StoreSink.finish

    def served(link: Link, message: Any) -> None:
        serve(link, message)
        if isinstance(message.sink, StoreSink):
            finish(message.sink)

    Link._serve = served  # type: ignore
    StoreSink.finish = lambda _: Answer(SUCCESS)  # type: ignore


def tell(line: str) -> None:
    os.write(sys.stdout.fileno(), line.encode() + b"\n")  # one write: a line is told whole


def nursery() -> None:
    """Fork a bridge for each plan; the orphans of its group come here to be reaped."""
    ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0)
    child = 0
    for line in sys.stdin:
        if line.strip() == "reap":
            tell(f"reaped {reap(child)}")
            continue
        child = os.fork()
        if child == 0:
            os.setsid()
            tell(f"born {os.getpid()}")  # by itself, so that it comes before what it tells later
            live(Plan(**json.loads(line)))


def reap(group: int) -> int:
    """Wait until all of a process group are dead, and return the status of its first."""
    status = 0
    while True:
        try:
            process, found = os.waitpid(-group, 0)
        except ChildProcessError:
            return status
        if process == group:
            status = os.waitstatus_to_exitcode(found)


if __name__ == "__main__":
    faulthandler.register(signal.SIGUSR1)  # says where every thread is, when one is waited for
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    nursery()
