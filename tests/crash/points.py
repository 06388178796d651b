"""The steps of the protocol at which a bridge is killed, and what each must leave behind.

Wraps the functions of the product from outside: the product knows nothing of this.
"""

from __future__ import annotations

import functools
import os
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import storage.indexer
import storage.mover
import storage.objects.folder
import storage.packs
import storage.recovery
import storage.segments
from pacs_bridge.link import Link
from pacs_bridge.session import Session
from storage.commit import GroupCommit
from storage.indexer import Indexer
from storage.intake import Intake
from storage.mover import Mover
from storage.objects import FolderStore
from storage.segments import Segment
from storage.spool import Spool


class Fate(Enum):
    """What becomes of the object in whose course the process was killed."""

    GONE = "gone"
    KEPT = "kept"
    EITHER = "either"


class Trigger:
    """Kills the whole group of this process when a point is passed for the n-th time."""

    def __init__(self, *, count: int, told: Path) -> None:
        self._left = count
        self._told = told
        self._lock = threading.Lock()
        self.own = threading.local()  # the object that a thread is at

    def passed(self, uid: str = "") -> None:
        """Pass the point, perhaps never to return."""
        with self._lock:
            self._left -= 1
            if self._left:
                return
            self._told.write_text(uid)
            os.killpg(os.getpgrp(), signal.SIGKILL)
            signal.pause()


Install = Callable[[Trigger], None]
Uid = Callable[..., str]
"""Returns the object's UID from the arguments of a call; an empty one: it is not passed."""


@dataclass(frozen=True)
class Point:
    """One step, and what a kill there leaves."""

    name: str
    leaves: str
    install: Install
    fate: tuple[Fate, Fate] = (Fate.EITHER, Fate.EITHER)
    """Of the object that was under way: after a kill, and after a power cut."""
    passes: int = 3  # the n-th passing is chosen up to here
    trace: str = ""  # a file that a kill must leave, as a pattern under the data folder
    of_start: bool = False  # a step of recovery, not of receiving


def die_before(owner: Any, name: str, uid: Uid | None = None) -> Install:
    """Return how to pass the point at each call of a function, before it does anything."""

    def install(trigger: Trigger) -> None:
        real = getattr(owner, name)

        @functools.wraps(real)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            found = uid(*args) if uid else ""
            if found or uid is None:
                trigger.passed(found)
            return real(*args, **kwargs)

        setattr(owner, name, wrapped)

    return install


def die_after(owner: Any, name: str, uid: Uid | None = None) -> Install:
    """Return how to pass the point at each call of a function, once it has done its work."""

    def install(trigger: Trigger) -> None:
        real = getattr(owner, name)

        @functools.wraps(real)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            result = real(*args, **kwargs)
            found = uid(*args) if uid else ""
            if found or uid is None:
                trigger.passed(found)
            return result

        setattr(owner, name, wrapped)

    return install


def _of_intake(intake: Intake, *_: Any) -> str:
    return intake._sop_instance_uid


def _of_stream(intake: Intake, *_: Any) -> str:
    return "" if intake._held is not None else intake._sop_instance_uid


def _noting(trigger: Trigger) -> None:
    """Let a thread know which object it is at, where a function is not told."""
    real = Intake.commit

    def commit(intake: Intake) -> Any:
        trigger.own.uid = intake._sop_instance_uid
        return real(intake)

    Intake.commit = commit  # type: ignore


def _synced(trigger: Trigger) -> None:
    _noting(trigger)
    die_after(Spool, "make_durable", lambda *_: trigger.own.uid)(trigger)


def _answered(trigger: Trigger) -> None:
    """Nothing is indexed in this life: it is killed between the answer and the index."""
    _noting(trigger)
    die_after(Link, "_send", lambda *_: getattr(trigger.own, "uid", ""))(trigger)
    Indexer._take_over = lambda *_: threading.Event().wait()  # type: ignore


def _half_of_a_group(trigger: Trigger) -> None:
    """Die when the first segment of several is synced."""
    lead = GroupCommit._lead

    def leading(commit: GroupCommit, batch: dict[Segment, int]) -> None:
        sync = commit._sync

        def first(segment: Segment) -> None:
            sync(segment)
            trigger.passed()
            commit._sync = sync

        commit._sync = first if len(batch) > 1 else sync
        try:
            lead(commit, batch)
        finally:
            commit._sync = sync

    GroupCommit._lead = leading  # type: ignore


def _uncommitted(trigger: Trigger) -> None:
    register = storage.indexer.register  # type: ignore

    def noting(conn: Any, records: Any) -> None:
        trigger.own.uid = records[0].header.sop_instance_uid
        register(conn, records)

    storage.indexer.register = noting  # type: ignore

    def uid(_: Any, through: Any) -> str:
        return str(getattr(trigger.own, "uid", ""))

    die_after(storage.indexer, "advance", uid)(trigger)


def _of_records(_: Indexer, records: Any) -> str:
    return str(records[0].header.sop_instance_uid)


def _is_dirty(segment: Segment) -> str:
    return "dirty" if segment._dirty_to > segment.end else ""


_KEPT = (Fate.KEPT, Fate.KEPT)
_GONE = (Fate.GONE, Fate.GONE)

# fmt: off
POINTS: tuple[Point, ...] = (
    # receiving
    Point("command-read", "nothing",
          die_before(Session, "sink_for", lambda _, __, command: command.affected_instance),
          passes=120, fate=_GONE),
    Point("bytes-written", "bytes without a header: torn, set aside",
          die_after(Intake, "write", _of_stream), passes=8, fate=_GONE),
    Point("whole-not-judged", "bytes without a header, or nothing",
          die_before(Intake, "_judge", _of_intake), passes=120, fate=_GONE),
    Point("header-written", "a whole record in the page cache: adopted, or torn by the cut",
          die_after(Intake, "_write_header", _of_intake), fate=(Fate.KEPT, Fate.EITHER),
          passes=120),
    Point("group-half-synced", "records of a group durable or not, none answered",
          _half_of_a_group, passes=20),
    Point("synced", "a durable record without an answer: adopted; the sender repeats it",
          _synced, passes=120, fate=_KEPT),
    Point("answered", "an acknowledged record without a row: indexed at the start",
          _answered, passes=120, fate=_KEPT),
    Point("cut-back", "bytes of an object that was broken off: torn, set aside",
          die_before(Segment, "cut_back", _is_dirty), passes=2),
    Point("room-made", "zeros ahead of the records: room, not damage",
          die_after(Segment, "make_room"), passes=2),
    # indexing
    Point("index-uncommitted", "records whose rows are rolled back: indexed at the start",
          _uncommitted, passes=8, fate=_KEPT),
    Point("index-committed", "rows and position in one: nothing is indexed twice",
          die_after(Indexer, "_commit", _of_records), passes=8, fate=_KEPT),
    # packing
    Point("pack-building", "a temporary pack: removed, built again",
          die_after(storage.packs, "_copy_member"), passes=20, trace="packing/.pack-*"),
    Point("pack-linked", "a pack in the store under both its names, without a row",
          die_before(storage.objects.folder, "sync_folder"), passes=6),
    Point("pack-put", "a pack in the store without a row: put again, or a spare copy",
          die_after(FolderStore, "put"), trace="store/v1/*/*/*.zip"),
    Point("pack-located", "both copies; the segment is released later",
          die_after(Mover, "_keep"), trace="packing/.pack-*"),
    # segments
    Point("seal-begun", "a segment without its last record: sealed by the start",
          die_before(storage.segments, "encode_seal")),
    Point("seal-written", "a last record that may not be on the disk",
          die_before(Segment, "sync")),
    Point("sealed", "a sealed segment that the index holds for open",
          die_after(Segment, "seal")),
    Point("segment-unlinked", "a row of a segment that is not there: forgotten later",
          die_before(storage.mover, "forget"), passes=2),
    Point("segment-unborn", "a segment without a name: removed",
          die_after(storage.segments, "_room_of_a_new"), passes=5, trace="spool/*.seg-new"),
    Point("segment-named", "an empty segment whose name may not be on the disk",
          die_before(storage.segments, "sync_folder"), passes=5),
    # the start itself, after a kill that left records without a row
    Point("start-adopted", "a record twice, in the old segment and anew: one row",
          die_after(storage.recovery, "_append_anew"), passes=2, of_start=True),
    Point("start-indexed", "rows without a position: read again, nothing twice",
          die_after(storage.recovery, "_index_in_place"), of_start=True),
    Point("start-set-aside", "torn bytes twice: in the segment and aside",
          die_after(storage.recovery, "_set_aside"), of_start=True),
    Point("start-cut", "a segment that is cut and sealed, without a position",
          die_after(storage.recovery, "_cut_and_seal"), of_start=True),
    Point("start-settling", "the same, in the transaction",
          die_after(storage.recovery, "mark_sealed"), of_start=True),
)
# fmt: on

RANDOM = "random"
BY_NAME = {point.name: point for point in POINTS}
