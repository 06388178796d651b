"""Brings segments whose owner is gone into order, before anything new is taken in.

Torn tails are cut and set aside; good records without a row are indexed, and those beyond the last
known sync are first appended anew, as they may exist in the page cache only. What was acknowledged
and cannot be read is an alarm and is never cut. Running it again changes nothing.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import structlog

from storage import copies
from storage.database import Database
from storage.derived import header_of, record_of
from storage.disk import sync_folder, write_all, write_all_at
from storage.journal import (
    SEGMENT_HEADER_BYTES,
    Damage,
    Entry,
    Erased,
    Seal,
    Unused,
    encode_fields,
    encode_record_header,
    encode_seal,
    payload_is_whole,
    scan,
)
from storage.positions import Position, advance, extents, mark_sealed, positions
from storage.records import SpoolRecord
from storage.register import register
from storage.segments import adopt_orphan, read_segment_header, remove_unborn, segment_paths
from storage.source import read_exactly
from storage.spool import Spool
from storage.walker import WalkLimits

log = structlog.get_logger()

_BATCH = 500
_CHUNK = 1 << 20


@dataclass(frozen=True)
class RecoveryReport:
    """What a start found and did. `missing` and `rotten` must be zero: they were acknowledged."""

    segments: int = 0  # looked at: their owner was gone
    adopted: int = 0  # good records that had no row
    torn: int = 0  # stretches that were never acknowledged, cut and set aside
    set_aside_bytes: int = 0
    rotten: int = 0  # acknowledged records that cannot be read
    missing: int = 0  # rows whose record is not in the spool

    @property
    def is_alarming(self) -> bool:
        """Tell whether something that was acknowledged is lost or damaged."""
        return self.rotten > 0 or self.missing > 0


@dataclass
class _Tally:
    segments: int = 0
    adopted: int = 0
    torn: int = 0
    set_aside_bytes: int = 0
    rotten: int = 0


@dataclass
class SortedSegment:
    """The content of one segment, sorted by what must happen to it."""

    watermark: int
    settled: list[Entry] = field(default_factory=list)  # good, durable, without a row
    afresh: list[Entry] = field(default_factory=list)  # good, perhaps in the page cache only
    torn: list[tuple[int, int]] = field(default_factory=list)
    rotten: list[tuple[int, int]] = field(default_factory=list)
    seal: Seal | None = None


def recover(
    spool: Spool,
    database: Database,
    *,
    acknowledged: Callable[[SpoolRecord], None],
    walk_limits: WalkLimits,
) -> RecoveryReport:
    """Recover every orphaned segment of the spool; `acknowledged` takes records written anew."""
    remove_unborn(spool.folder)
    with database.read() as conn:
        known = positions(conn)
    tally = _Tally()
    for path in segment_paths(spool.folder):
        position = known.get(path.name)
        if position is not None and position.is_sealed and _size(path) == position.indexed_through:
            continue  # closed in peace and wholly indexed
        descriptor = adopt_orphan(path)
        if descriptor is None:
            continue
        try:
            _recover_segment(
                spool, database, path, descriptor, position, acknowledged, walk_limits, tally
            )
        finally:
            os.close(descriptor)
    report = RecoveryReport(
        segments=tally.segments,
        adopted=tally.adopted,
        torn=tally.torn,
        set_aside_bytes=tally.set_aside_bytes,
        rotten=tally.rotten,
        missing=_count_missing(spool, database),
    )
    tell = log.error if report.is_alarming else log.info
    tell(
        "spool_recovered",
        segments=report.segments,
        adopted=report.adopted,
        torn=report.torn,
        hash_mismatch=report.rotten,
        acked_missing=report.missing,
    )
    return report


def _recover_segment(
    spool: Spool,
    database: Database,
    path: Path,
    descriptor: int,
    position: Position | None,
    acknowledged: Callable[[SpoolRecord], None],
    walk_limits: WalkLimits,
    tally: _Tally,
) -> None:
    tally.segments += 1
    with database.begin() as conn:  # whose it is, before any row says that it lies in it
        advance(conn, {path.name: 0}, node=spool.node, now=spool.clock())
    size = os.fstat(descriptor).st_size
    header = read_segment_header(descriptor)
    indexed = position.indexed_through if position else 0
    if header is None:
        # a segment is named only with its header in place: this one is damaged or foreign
        tally.rotten += 1
        log.error("segment_unreadable", segment=path.name, bytes=size)
        return
    found = sort_segment(descriptor, nonce=header.nonce, size=size, indexed=indexed)
    for start, end in found.rotten:
        tally.rotten += 1
        log.error("record_rotten", segment=path.name, offset=start, bytes=end - start)
    for entry in found.afresh:
        record = _append_anew(spool, descriptor, entry, walk_limits)
        if record is not None:
            acknowledged(record)
            tally.adopted += 1
    tally.adopted += _index_in_place(
        database,
        descriptor,
        path.name,
        found.settled,
        walk_limits,
        found_at=spool.clock() if spool.is_durable else None,
    )
    if found.seal is None:
        tally.torn += len(found.torn)
        tally.set_aside_bytes += sum(end - start for start, end in found.torn)
        _set_aside(spool, descriptor, path.name, found.torn)
        end = _cut_and_seal(spool, descriptor, header.nonce, found.watermark)
    else:
        end = size
    with database.begin() as conn:
        if found.rotten:  # the position stays before it: told at every start, never released
            through = max(indexed, found.rotten[0][0])
            advance(conn, {path.name: through}, node=header.node, now=spool.clock())
        else:
            mark_sealed(conn, path.name, end=end, node=header.node, now=spool.clock())


def sort_segment(descriptor: int, *, nonce: bytes, size: int, indexed: int) -> SortedSegment:
    """Read a segment and tell torn from rotten by the highest offset known to be synced."""
    entries: list[Entry] = []
    damage: list[tuple[int, int]] = []
    unused_from = size
    found = SortedSegment(watermark=max(indexed, SEGMENT_HEADER_BYTES))
    for part in scan(descriptor, nonce=nonce, size=size):
        match part:
            case Entry():
                entries.append(part)
                found.watermark = max(found.watermark, part.header.synced_to)
            case Seal():
                found.seal = part
                found.watermark = max(found.watermark, part.synced_to, part.end)
            case Damage():
                damage.append((part.offset, part.end))
            case Erased():
                found.watermark = max(found.watermark, part.synced_to)
            case Unused():
                unused_from = part.offset
    for entry in entries:
        if entry.end <= indexed:
            continue  # it has its row; `lysbro verify` looks at its hash
        is_durable = entry.end <= found.watermark
        if payload_is_whole(descriptor, entry):
            (found.settled if is_durable else found.afresh).append(entry)
        else:
            damage.append((entry.offset, entry.end))
    _sort_damage(found, damage)
    _mark_emptied(found, unused_from)
    return found


def _sort_damage(found: SortedSegment, damage: list[tuple[int, int]]) -> None:
    for start, end in sorted(damage):
        if start < found.watermark:
            found.rotten.append((start, min(end, found.watermark)))
        if end > found.watermark:
            found.torn.append((max(start, found.watermark), end))


def _mark_emptied(found: SortedSegment, unused_from: int) -> None:
    """Note as rot what was acknowledged where there are only zeros now."""
    if unused_from >= found.watermark:
        return
    start = unused_from
    if found.rotten and found.rotten[-1][1] == start:
        start, _ = found.rotten.pop()
    found.rotten.append((start, found.watermark))


def _index_in_place(
    database: Database,
    descriptor: int,
    segment: str,
    entries: list[Entry],
    walk_limits: WalkLimits,
    *,
    found_at: datetime | None,
) -> int:
    """Give rows to records that were acknowledged and not indexed; return how many.

    When they were synced is not known; `found_at` is when they were found to be.
    """
    records = []
    for entry in entries:
        header = header_of(descriptor, entry, walk_limits)
        if header is not None:
            records.append(record_of(entry, header, segment, synced_at=found_at))
    for start in range(0, len(records), _BATCH):
        with database.begin() as conn:
            register(conn, records[start : start + _BATCH])
    return len(records)


def _append_anew(
    spool: Spool, descriptor: int, entry: Entry, walk_limits: WalkLimits
) -> SpoolRecord | None:
    """Write a record again into a segment of our own and sync it there."""
    header = header_of(descriptor, entry, walk_limits)
    if header is None:
        return None
    told = entry.header
    target = spool.borrow()
    try:
        encoded = encode_fields(
            told.origin,
            sop_class_uid=told.sop_class_uid,
            sop_instance_uid=told.sop_instance_uid,
            transfer_syntax_uid=told.transfer_syntax_uid,
        )
        head = encode_record_header(
            encoded,
            nonce=target.nonce,
            received_at=told.received_at,
            sha256=bytes.fromhex(told.sha256),
            payload_bytes=told.payload_bytes,
            dataset_offset=told.dataset_offset,
            meta_crc=told.meta_crc,
            synced_to=target.synced_to,
        )
        payload_at = target.write_at([head], target.end)
        end = payload_at
        position = entry.payload_offset
        while position < entry.end:
            chunk = read_exactly(descriptor, position, min(_CHUNK, entry.end - position))
            end = target.write_at([chunk], end)
            position += len(chunk)
        synced_at = spool.make_durable(target, end)
    except BaseException:
        target.is_broken = True
        spool.give_back(target)
        raise
    target.took(end)
    copy = Entry(target.end, payload_at, end, told)
    record = record_of(copy, header, target.name, synced_at=synced_at)
    spool.give_back(target)
    return record


def _set_aside(spool: Spool, descriptor: int, segment: str, torn: list[tuple[int, int]]) -> None:
    """Keep the bytes of torn records beside the spool, for whoever wants to look."""
    for start, end in torn:
        target = os.open(
            spool.aside / f"{segment}.{start}.torn",
            os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC,
            0o600,
        )
        try:
            for position in range(start, end, _CHUNK):
                write_all(target, read_exactly(descriptor, position, min(_CHUNK, end - position)))
            os.fsync(target)
        finally:
            os.close(target)
        log.warning("torn_record_set_aside", segment=segment, offset=start, bytes=end - start)
    if torn:
        sync_folder(spool.aside)


def _cut_and_seal(spool: Spool, descriptor: int, nonce: bytes, watermark: int) -> int:
    """Cut a segment at its watermark: all that follows is copied or set aside. Seal it."""
    os.ftruncate(descriptor, watermark)
    end = write_all_at(descriptor, [encode_seal(nonce=nonce, synced_to=watermark)], watermark)
    if spool.is_durable:
        os.fsync(descriptor)
    return end


def _count_missing(spool: Spool, database: Database) -> int:
    """Count segments that rows need more bytes of than there are, and that no copies stand for."""
    with database.read() as conn:
        needed = extents(conn, node=spool.node)
        short = {name: _size(spool.folder / name) for name in needed}
        short = {name: size for name, size in short.items() if size < needed[name]}
        lost = {name: copies.without_copy(conn, name, beyond=size) for name, size in short.items()}
    missing = 0
    for name, count in lost.items():
        if count:
            missing += 1
            log.error("acked_missing", segment=name, needed_bytes=needed[name], instances=count)
        else:
            log.warning("segment_lost", segment=name, instead="copies in the store")
    return missing


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return -1
