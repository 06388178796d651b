"""The small pack of records just synced: like the pack of a series, of what is known by then.

Made before the index has taken the records over. Puts nothing anywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from casework.custody import CustodyEvent, CustodyRow
from casework.errors import Unavailable
from storage import custodian
from storage.copies import Copy, ObjectKey
from storage.levels import integer_of
from storage.packs import BuiltPack, Member, build_pack
from storage.records import SpoolRecord
from storage.rows import InstanceRow, Location
from storage.tables import CURRENT, IN_SPOOL
from storage.walker import WalkLimits

Series = tuple[str, str, str]
"""Site, Study and Series Instance UID."""


def build_small_pack(
    folder: Path,
    series: Series,
    group: Sequence[SpoolRecord],
    *,
    open_part10: Callable[[InstanceRow], BinaryIO],
    limits: WalkLimits,
) -> BuiltPack:
    """Write the pack of some records of one series into a folder; the caller removes the file."""
    site, study_uid, series_uid = series
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    pack = build_pack(
        folder,
        site=site,
        study_uid=study_uid,
        series_uid=series_uid,
        members=[Member(_as_instance(record), _ledger(record)) for record in group],
        open_part10=open_part10,
        limits=limits,
        durable=False,  # the put is what makes it so
    )
    if pack.rotten:
        pack.path.unlink(missing_ok=True)
        raise Unavailable(
            "The spool gives other bytes back than it was given; the object was not taken. "
            "Look at its disk.",
            code="spool-differs",
        )
    return pack


def series_of(record: SpoolRecord) -> Series:
    """Return which series a record is of."""
    return record.origin.site, record.header.study_uid, record.header.series_uid


def key_of(record: SpoolRecord) -> ObjectKey:
    """Return what makes the object of a record the same as another."""
    return record.origin.site, record.header.sop_instance_uid, record.sha256


def copies_in(pack: BuiltPack) -> Iterator[Copy]:
    """Yield the copies that a small pack holds."""
    for placed in pack.placed:
        instance = placed.instance
        yield Copy(
            site=instance.site,
            sop_instance_uid=instance.sop_instance_uid,
            sha256=instance.sha256,
            container=pack.key,
            offset=placed.offset,
            length=placed.length,
            dataset_offset=instance.location.dataset_offset,
        )


def _as_instance(record: SpoolRecord) -> InstanceRow:
    """Return a record as the instance that it will be in the index, unless it is in conflict."""
    header = record.header
    return InstanceRow(
        pk=0,
        site=record.origin.site,
        study_uid=header.study_uid,
        series_uid=header.series_uid,
        sop_instance_uid=header.sop_instance_uid,
        sop_class_uid=header.sop_class_uid,
        transfer_syntax_uid=header.transfer_syntax_uid,
        sha256=record.sha256,
        size_bytes=record.size_bytes,
        number=integer_of(header.attributes, "InstanceNumber"),
        rows=integer_of(header.attributes, "Rows"),
        columns=integer_of(header.attributes, "Columns"),
        frames=integer_of(header.attributes, "NumberOfFrames"),
        attributes=header.attributes,
        pixel=header.pixel,
        location=Location(
            IN_SPOOL, record.segment, record.offset, record.length, record.dataset_offset
        ),
        state=CURRENT,
        received_at=record.received_at,
    )


def _ledger(record: SpoolRecord) -> list[CustodyRow]:
    detail = custodian.origin_detail(record.origin)
    if record.synced_at is not None:
        detail["synced_at"] = record.synced_at.isoformat(timespec="microseconds")
    return [CustodyRow(CustodyEvent.RECEIVED.value, record.received_at, detail)]
