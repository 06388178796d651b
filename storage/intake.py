"""One object on its way into the journal: received, judged, appended, synced; or nothing at all.

The order is the promise (durability): bytes, structure, header, sync, and only then a receipt.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from datetime import datetime
from types import TracebackType
from typing import Self

from casework.custody import Origin, Receipt
from casework.errors import Invalid, LysbroError, TooLarge, Unavailable
from casework.identifiers import is_receivable_uid
from storage.commit import no_room
from storage.disk import Buffer, is_out_of_room
from storage.filemeta import DEFLATED_LE, build_file_meta
from storage.header import Header
from storage.journal import RECORD_FIXED_BYTES, encode_fields, encode_record_header, new_digest
from storage.part10 import check_identity, walk
from storage.records import SpoolRecord
from storage.source import BytesSource, FileSource
from storage.spool import Spool
from storage.walker import WalkLimits

_HELD_BYTES = 96 << 10  # smaller objects are gathered and written with one call
_ADMIT_AGAIN_BYTES = 64 << 20


class Intake:
    """Takes one object in. Leaving the `with` block without `commit` leaves nothing behind."""

    def __init__(  # noqa: PLR0913 - what it is, and whom it asks
        self,
        spool: Spool,
        origin: Origin,
        *,
        sop_class_uid: str,
        sop_instance_uid: str,
        transfer_syntax_uid: str,
        walk_limits: WalkLimits,
        acknowledged: Callable[[SpoolRecord], None],
        keep: Callable[[SpoolRecord], None] | None = None,
        require: Callable[[Header], None] | None = None,
    ) -> None:
        for name, uid in (
            ("SOP Class UID", sop_class_uid),
            ("SOP Instance UID", sop_instance_uid),
            ("transfer syntax UID", transfer_syntax_uid),
        ):
            if not is_receivable_uid(uid):
                raise Invalid(
                    f"The {name} is not made of digits and dots, 64 at most. It was not taken.",
                    code="uid-malformed",
                )
        spool.admit()
        self._spool = spool
        self._origin = origin
        self._sop_class_uid = sop_class_uid
        self._sop_instance_uid = sop_instance_uid
        self._transfer_syntax_uid = transfer_syntax_uid
        self._walk_limits = walk_limits
        self._acknowledged = acknowledged
        self._keep = keep
        self._require = require
        self._meta = build_file_meta(
            sop_class_uid=sop_class_uid,
            sop_instance_uid=sop_instance_uid,
            transfer_syntax_uid=transfer_syntax_uid,
            source_ae=origin.calling_ae,
        )
        self._fields = encode_fields(
            origin,
            sop_class_uid=sop_class_uid,
            sop_instance_uid=sop_instance_uid,
            transfer_syntax_uid=transfer_syntax_uid,
        )
        self._digest = new_digest(transfer_syntax_uid)
        self._held: list[bytes] | None = []  # None once the bytes go to the segment as they come
        self._size = 0
        self._admit_at = _ADMIT_AGAIN_BYTES
        self._is_open = True
        try:
            self._segment = spool.borrow()
        except OSError as error:
            raise _disk_said_no(error) from error
        self._header_bytes = RECORD_FIXED_BYTES + len(self._fields)
        self._part10_at = self._segment.end + self._header_bytes
        self._dataset_at = self._part10_at + len(self._meta)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.abort()

    def write(self, chunk: Buffer) -> None:
        """Take the next bytes of the data set; a caller's buffer may be used again afterwards."""
        length = chunk.nbytes if isinstance(chunk, memoryview) else len(chunk)
        if self._size + length > self._spool.limits.object_bytes:
            raise TooLarge(
                f"The object has more than {self._spool.limits.object_bytes} bytes. "
                "It was not taken; the limit is a setting.",
                code="too-large",
            )
        self._digest.update(chunk)
        if self._held is not None and self._size + length <= _HELD_BYTES:
            self._held.append(bytes(chunk))
            self._size += length
            return
        if self._size + length > self._admit_at:
            self._admit_at += _ADMIT_AGAIN_BYTES
            self._spool.admit()
        if self._held is None:
            self._append([chunk], self._dataset_at + self._size)
        else:  # the header's place stays empty until the object is whole
            hole = bytes(self._header_bytes)
            self._append([hole, self._meta, *self._held, chunk], self._segment.end)
            self._held = None
        self._size += length

    def commit(self) -> Receipt:
        """Judge the object, make it durable, return the promise; else raise and keep nothing.

        Where the store must have it too and has not, it stays in the spool without a promise.
        """
        if not self._is_open:
            raise RuntimeError("this intake is closed")
        try:
            header = self._judge()
            record = self._write_header(header, self._spool.clock())
            synced_at = self._spool.make_durable(self._segment, record.end)
        except LysbroError:
            self.abort()
            raise
        self._is_open = False
        segment = self._segment
        record = replace(record, synced_at=synced_at)
        try:
            segment.took(record.end)
            self._spool.add_to_gauge(record.length + self._header_bytes)
            self._acknowledged(record)
        except BaseException:
            segment.is_broken = True  # a durable record that nobody knows of: for the next start
            raise
        finally:
            self._spool.give_back(segment)
        if self._keep is not None:
            self._keep(record)
        return _receipt(record)

    def abort(self) -> None:
        """Leave nothing behind; does nothing once the object is committed."""
        if not self._is_open:
            return
        self._is_open = False
        if self._segment.is_broken:
            self._spool.give_back(self._segment)
            return
        try:
            self._segment.cut_back()
        except OSError as error:
            self._spool.break_off(
                self._segment, f"cutting {self._segment.name} back failed ({error.strerror})"
            )
            return
        self._spool.give_back(self._segment)

    def _judge(self) -> Header:
        if self._held is not None:
            source: BytesSource | FileSource = BytesSource(
                self._held[0] if len(self._held) == 1 else b"".join(self._held)
            )
        else:
            source = FileSource(self._segment.descriptor, offset=self._dataset_at, size=self._size)
        is_deflated = self._transfer_syntax_uid == DEFLATED_LE
        try:
            # a few kilobytes may unfold to a quarter of a gigabyte: only one such object at a time
            with self._spool.unfolding if is_deflated else nullcontext():
                header = walk(
                    source, transfer_syntax_uid=self._transfer_syntax_uid, limits=self._walk_limits
                )
        except OSError as error:
            raise _disk_said_no(error) from error
        check_identity(
            header, sop_class_uid=self._sop_class_uid, sop_instance_uid=self._sop_instance_uid
        )
        if self._require is not None:
            self._require(header)
        return header

    def _write_header(self, header: Header, received_at: datetime) -> SpoolRecord:
        length = len(self._meta) + self._size
        head = encode_record_header(
            self._fields,
            nonce=self._segment.nonce,
            received_at=received_at,
            sha256=self._digest.digest(),
            payload_bytes=length,
            dataset_offset=len(self._meta),
            meta_crc=zlib.crc32(self._meta),
            synced_to=self._segment.synced_to,
        )
        if self._held is not None:
            self._append([head, self._meta, *self._held], self._segment.end)
        else:
            self._append([head], self._segment.end)
        return SpoolRecord(
            origin=self._origin,
            header=header,
            received_at=received_at,
            sha256=self._digest.hexdigest(),
            size_bytes=self._size,
            segment=self._segment.name,
            offset=self._part10_at,
            length=length,
            dataset_offset=len(self._meta),
            end=self._part10_at + length,
        )

    def _append(self, buffers: list[Buffer], offset: int) -> None:
        try:
            self._segment.write_at(buffers, offset)
        except OSError as error:
            raise _disk_said_no(error) from error


def _receipt(record: SpoolRecord) -> Receipt:
    header = record.header
    return Receipt(
        site=record.origin.site,
        sop_class_uid=header.sop_class_uid,
        sop_instance_uid=header.sop_instance_uid,
        study_uid=header.study_uid,
        series_uid=header.series_uid,
        transfer_syntax_uid=header.transfer_syntax_uid,
        sha256=record.sha256,
        size_bytes=record.size_bytes,
        received_at=record.received_at,
        warning="; ".join(header.warnings),
    )


def _disk_said_no(error: OSError) -> Unavailable:
    if is_out_of_room(error):
        return no_room()
    return Unavailable(
        f"The disk of the spool did not take the object ({error.strerror}); nothing was kept. "
        "Look at that disk.",
        code="disk-failed",
    )
