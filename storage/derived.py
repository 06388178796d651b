"""Derives from a journal record what the index takes over: the record is the promise, rows follow.

Used by the start, by whoever follows a journal that another process writes. Judges nothing.
"""

from __future__ import annotations

from datetime import datetime

import structlog

from casework.errors import Invalid
from storage.header import Header
from storage.journal import Entry
from storage.part10 import walk
from storage.records import SpoolRecord
from storage.source import FileSource
from storage.walker import WalkLimits

log = structlog.get_logger()


def header_of(descriptor: int, entry: Entry, walk_limits: WalkLimits) -> Header | None:
    """Return the header of a record's object, or None when it is not judged sound any more."""
    told = entry.header
    source = FileSource(
        descriptor, offset=entry.payload_offset + told.dataset_offset, size=told.size_bytes
    )
    try:
        return walk(source, transfer_syntax_uid=told.transfer_syntax_uid, limits=walk_limits)
    except Invalid as error:
        # whole by its hash, so it was judged sound when it came: the judgement has changed since
        log.error("record_not_adopted", sop=told.sop_instance_uid, reason=error.code)
        return None


def record_of(
    entry: Entry,
    header: Header,
    segment: str,
    *,
    synced_at: datetime | None,
    adopted: bool = True,
) -> SpoolRecord:
    """Return the record as the index takes it; `adopted` when no living process answers for it."""
    told = entry.header
    return SpoolRecord(
        origin=told.origin,
        header=header,
        received_at=told.received_at,
        sha256=told.sha256,
        size_bytes=told.size_bytes,
        segment=segment,
        offset=entry.payload_offset,
        length=told.payload_bytes,
        dataset_offset=told.dataset_offset,
        end=entry.end,
        adopted=adopted,
        synced_at=synced_at,
    )
