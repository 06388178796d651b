"""Moves quiet series from the spool into packs in the store, then releases what the spool held.

Build, put, verify by reading back, locate, release: in that order, each harmless when repeated.
One mover works on a data folder at a time; another finds the lock taken and does nothing.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import structlog

from casework.custody import CustodyEvent, CustodyRow
from casework.errors import Conflict, LysbroError, Unavailable
from storage.archive import Archive
from storage.codec import Codec
from storage.custodian import lines_of
from storage.disk import free_bytes
from storage.intents import fulfilled
from storage.leftovers import retire_copies, settle_intents, take_in_again
from storage.locate import (
    Packed,
    ReadySeries,
    are_there,
    form_of,
    live_records,
    located,
    recompression_detail,
    series_ready_to_pack,
)
from storage.merge import MergeRule, merge_next
from storage.pace import Pace, Trip
from storage.packs import BuiltPack, Member, build_pack, remove_temporaries
from storage.positions import forget, positions
from storage.putting import put_pack
from storage.recompression_counts import count
from storage.recompressor import (
    Outcome,
    RecompressionRule,
    Recompressor,
    codecs_of_sites,
    tallies_of,
    words_of,
)
from storage.rows import InstanceRow

log = structlog.get_logger()

_SERIES_A_RUN = 20
_FIRST_PAUSE = timedelta(seconds=5)
_LONGEST_PAUSE = timedelta(minutes=5)
_COPIES_EVERY = timedelta(seconds=30)
_MERGE_EVERY = timedelta(minutes=1)
_ANOTHER_MERGES = timedelta(seconds=2)


@dataclass(frozen=True)
class MoverReport:
    """What one run did."""

    packed: int = 0  # instances that lie in the store now
    packs: int = 0
    released: int = 0  # segments
    rotten: int = 0  # records that no longer have their hash, left where they are
    failure: str = ""  # why the run ended early; it is tried again
    is_elsewhere: bool = False  # another mover works on this data folder
    merged: int = 0  # small packs that became one
    waiting: int = 0  # series that wait for their recompression


class Mover:
    """Packs and releases for one data folder."""

    def __init__(  # noqa: PLR0913 - what an operator may set, each by its name
        self,
        archive: Archive,
        *,
        quiet_s: float,
        grace_s: float = 60,
        large_bytes: int = 1 << 30,
        pack_bytes: int = 2 << 30,
        pack_members: int = 4000,
        copies_grace_s: float = 3600,
        merge: MergeRule | None = None,
        recompression: RecompressionRule | None = None,
    ) -> None:
        self._archive = archive
        self._quiet_s = quiet_s
        self._grace = timedelta(seconds=grace_s)
        self._large_bytes = large_bytes
        self._pack_bytes = pack_bytes
        self._pack_members = pack_members
        self._copies_grace = timedelta(seconds=copies_grace_s)
        self._copies_seen_at: datetime | None = None
        self._merge_rule = merge or MergeRule()
        self._merge_not_before: datetime | None = None
        self._folder = packing_folder(archive.data)
        self._is_tidy = False
        self._rotten: set[int] = set()
        self._free_since: dict[str, datetime] = {}
        self._pause = timedelta(0)
        self._not_before: datetime | None = None
        self._pace = Pace(archive.data)
        self._recompressor = Recompressor(
            archive, self._folder, recompression or RecompressionRule()
        )
        self._waiting = 0

    def run_once(self, now: datetime) -> MoverReport:
        """Pack some series that are ready and release what is free."""
        if self._not_before is not None and now < self._not_before:
            return MoverReport(failure="waiting after a failure")
        with packing_lock(self._archive.data, wait=False) as is_ours:
            if not is_ours:
                return MoverReport(is_elsewhere=True)
            try:
                self._archive.require_store()
                self._tidy()
                settle_intents(self._archive, self._folder, now=now)
            except Unavailable as error:
                return MoverReport(failure=self._pause_after(error, now))
            packed, packs, rotten, failure = self._pack_ready(now)
            released = self._release(now)
            if packed or self._is_time_for_copies(now):
                failure = self._retire_copies(now) or failure
            merged = 0 if packed or failure else self._merge(now)
        return MoverReport(
            packed, packs, released, rotten, failure, merged=merged, waiting=self._waiting
        )

    def _tidy(self) -> None:
        """Remove what a mover that died left behind; none can be at work while the lock is ours."""
        if not self._is_tidy:
            stale = remove_temporaries(self._folder) + self._archive.store.tidy()
            self._is_tidy = True
            if stale:
                log.info("stale_packs_removed", count=stale)

    def _pack_ready(self, now: datetime) -> tuple[int, int, int, str]:
        packed = packs = rotten = 0
        for series, codec in self._ready(now):
            for part in self._parts(series):
                begun = time.perf_counter()
                try:
                    outcomes = self._prepared(part, codec, now)
                    if outcomes is None:
                        self._waiting += 1
                        break
                    built = self._build(series, [each.instance for each in outcomes])
                except Unavailable as error:
                    return packed, packs, rotten, self._pause_after(error, now)
                try:
                    rotten += len(built.rotten)
                    if built.placed:
                        packed += self._keep(series, built, now, outcomes if codec else ())
                        packs += 1
                        self._pace.note(Trip(built.size_bytes, time.perf_counter() - begun))
                except Conflict as error:  # a person must look; the other series go on meanwhile
                    self._rotten |= {p.instance.pk for p in built.placed}
                    log.error("pack_differs", key=built.key, message=error.message)
                except Unavailable as error:
                    return packed, packs, rotten, self._pause_after(error, now)
                finally:
                    built.path.unlink(missing_ok=True)
                self._recompressor.forget({each.instance.pk for each in outcomes})
        self._pause, self._not_before = timedelta(0), None
        self._archive.spool.notices.take_down("packing")
        return packed, packs, rotten, ""

    def _ready(self, now: datetime) -> list[tuple[ReadySeries, Codec | None]]:
        """Return the series that are ready: those that nothing is done to come first."""
        with self._archive.database.read() as conn:
            codecs = codecs_of_sites(conn)

            def ready(sites: Collection[str] | None) -> list[ReadySeries]:
                return series_ready_to_pack(
                    conn,
                    node=self._archive.spool.node,
                    now=now,
                    quiet_s=self._quiet_s,
                    large_bytes=self._large_bytes,
                    limit=_SERIES_A_RUN + len(self._rotten),
                    sites=sites,
                    but_sites=codecs.keys(),
                )

            plain: list[tuple[ReadySeries, Codec | None]] = [(s, None) for s in ready(None)]
            to_do = ready(codecs.keys()) if codecs else []
        self._recompressor.begin_run()
        self._recompressor.keep_only({i.pk for series in to_do for i in series.instances})
        self._waiting = 0
        return plain + [(series, codecs[series.site]) for series in to_do]

    def _prepared(
        self, part: Sequence[InstanceRow], codec: Codec | None, now: datetime
    ) -> list[Outcome] | None:
        """Return a part as it is to be packed, or None while it is being recompressed."""
        if codec is None:
            return [Outcome(instance, "") for instance in part]
        return self._recompressor.prepare(part, codec, now=now)

    def _parts(self, series: ReadySeries) -> Iterator[list[InstanceRow]]:
        """Yield a series' instances in parts that make packs of a handy size.

        On a disk that is nearly full smaller ones: the pack lies there thrice for a moment, in the
        spool, while it is made, and in a store on the same disk; only what is moved makes room.
        """
        pack_bytes = min(self._pack_bytes, free_bytes(self._folder) // 3)
        part: list[InstanceRow] = []
        size = 0
        for instance in series.instances:
            if instance.pk in self._rotten:
                continue
            length = instance.location.length
            if part and (size + length > pack_bytes or len(part) >= self._pack_members):
                yield part
                part, size = [], 0
            part.append(instance)
            size += length
        if part:
            yield part

    def _build(self, series: ReadySeries, part: Sequence[InstanceRow]) -> BuiltPack:
        with self._archive.database.read() as conn:
            members = [Member(i, [*lines_of(conn, i.pk), *_recompressed(i)]) for i in part]
        try:
            built = build_pack(
                self._folder,
                site=series.site,
                study_uid=series.study_uid,
                series_uid=series.series_uid,
                members=members,
                open_part10=self._recompressor.open,
                limits=self._archive.walk_limits,
            )
        except OSError as error:
            raise Unavailable(
                f"No pack can be written in {self._folder} ({error.strerror or error}). "
                "Look at that disk.",
                code="packing-failed",
            ) from error
        for instance in built.rotten:
            if instance.kept_sha256:  # of a file of ours, which is made again
                self._recompressor.forget({instance.pk})
                continue
            self._rotten.add(instance.pk)
            log.error(
                "hash_mismatch",
                sop=instance.sop_instance_uid,
                site=instance.site,
                segment=instance.location.container,
            )
        return built

    def _keep(
        self, series: ReadySeries, built: BuiltPack, now: datetime, outcomes: Sequence[Outcome]
    ) -> int:
        """Put the pack, read it back, and only then say that its instances lie in it."""
        pack = put_pack(
            self._archive,
            built,
            site=series.site,
            study_uid=series.study_uid,
            series_uid=series.series_uid,
            undone="Nothing was released",
            now=now,
        )
        members = [
            Packed(p.instance.pk, p.offset, p.length, form_of(p.instance)) for p in built.placed
        ]
        in_it = {p.instance.pk for p in built.placed}
        done = [each for each in outcomes if each.instance.pk in in_it]
        with self._archive.database.begin() as conn:
            moved = located(conn, pack, members, now=now)
            if are_there(conn, [m.instance_pk for m in members]):
                fulfilled(conn, [built.key])
            # else something of it was erased meanwhile: its intent stays, and leads there
            count(conn, tallies_of(done))
        if done:
            log.info("recompressed", key=built.key, site=series.site, outcomes=words_of(done))
        log.info("packed", key=built.key, instances=moved, bytes=built.size_bytes)
        return moved

    def _is_time_for_copies(self, now: datetime) -> bool:
        return self._copies_seen_at is None or now - self._copies_seen_at >= _COPIES_EVERY

    def _retire_copies(self, now: datetime) -> str:
        """Remove small packs whose members have lain in packs of their series for the grace."""
        self._copies_seen_at = now
        try:
            take_in_again(self._archive, self._folder, now=now)
            count = retire_copies(self._archive, now=now, grace=self._copies_grace)
        except Unavailable as error:
            return self._pause_after(error, now)
        if count:
            log.info("copies_removed", packs=count)
        return ""

    def _merge(self, now: datetime) -> int:
        """Merge the small packs of one series, while there is nothing to pack."""
        is_early = self._merge_not_before is not None and now < self._merge_not_before
        if is_early or not self._merge_rule.packs:
            return 0
        try:
            merged = self._merge_in_turn(now)
        except Unavailable as error:
            log.warning("merging_failed", reason=error.code, message=error.message)
            self._merge_not_before = now + _LONGEST_PAUSE
            return 0
        if merged is None:
            self._merge_not_before = now + _ANOTHER_MERGES
            return 0
        self._merge_not_before = None if merged else now + _MERGE_EVERY
        return merged

    def _merge_in_turn(self, now: datetime) -> int | None:
        """Merge one series; None while another node merges."""
        turns = self._merge_rule.turns
        with nullcontext(True) if turns is None else turns.held("merge") as is_ours:
            if not is_ours:
                return None
            return merge_next(self._archive, self._folder, self._merge_rule, now=now)

    def _pause_after(self, error: LysbroError, now: datetime) -> str:
        self._pause = min(self._pause * 2 or _FIRST_PAUSE, _LONGEST_PAUSE)
        self._not_before = now + self._pause
        log.warning("packing_failed", reason=error.code, message=error.message)
        self._archive.spool.notices.put_up("packing", error.message, at=now)
        return error.message

    def _release(self, now: datetime) -> int:
        """Unlink sealed, wholly indexed segments that have held nothing live for the grace."""
        spool = self._archive.spool
        released = 0
        with self._archive.database.read() as conn:
            known = positions(conn, node=spool.node)
            free = {n for n, p in known.items() if p.is_sealed and not live_records(conn, n)}
        self._free_since = {n: self._free_since.get(n, now) for n in free}
        for name, since in sorted(self._free_since.items()):
            if now - since < self._grace:
                continue
            with self._archive.database.begin() as conn:
                if live_records(conn, name):
                    continue
                spool.unlink(name)
                forget(conn, name)
            released += 1
            log.info("segment_released", segment=name)
        return released


def _recompressed(instance: InstanceRow) -> list[CustodyRow]:
    """Return the line of the ledger that tells of a recompression, to be packed with the others."""
    if instance.received is None:
        return []
    at, detail = instance.received.recompressed_at, recompression_detail(instance)
    return [CustodyRow(CustodyEvent.RECOMPRESSED.value, at, detail)]


def packing_folder(data: Path) -> Path:
    """Return the folder where packs are made."""
    folder = data / "packing"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


@contextmanager
def packing_lock(data: Path, *, wait: bool) -> Iterator[bool]:
    """Hold the one right to pack and release in a data folder; yields whether it is ours."""
    descriptor = os.open(
        packing_folder(data) / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600
    )
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
            return
        yield True
    finally:
        os.close(descriptor)
