"""Builds images whose pixels compress, in any form that a scanner sends."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from storage.codec import Codec
from storage.filemeta import DEFLATED_LE, EXPLICIT_LE, IMPLICIT_LE
from storage.journal import new_digest
from storage.part10 import BytesSource, WalkLimits, build_file_meta, read_file_meta, walk
from storage.recompressed_file import recompress, run_through
from storage.rows import InstanceRow, Location
from storage.tables import CURRENT, IN_SPOOL
from tests.storage.building import deflated, element, encapsulated, item, sequence, us

CT = "1.2.840.10008.5.1.4.1.1.2"
RLE = "1.2.840.10008.1.2.5"
NOON = datetime(2025, 3, 1, 12, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Picture:
    """An image as it is to be built."""

    rows: int = 64
    columns: int = 48
    samples: int = 1
    allocated: int = 16
    stored: int = 12
    is_signed: bool = False
    photometric: str = "MONOCHROME2"
    frames: int = 1
    planar: int = 0
    seed: int = 1

    @property
    def pixels(self) -> bytes:
        """Return values over the whole range that the header allows, smooth for the most part."""
        random = np.random.default_rng(self.seed)
        shape = (self.frames, self.rows, self.columns, self.samples)
        half = 1 << (self.stored - 1)
        low, high = (-half, half - 1) if self.is_signed else (0, 2 * half - 1)
        ramp = np.add.outer(np.arange(self.rows) * 3, np.arange(self.columns) * 2)
        values = (ramp[None, :, :, None] + random.integers(0, 3, shape)) % (2 * half) + low
        values[..., 0, 0, 0], values[..., -1, -1, -1] = low, high
        kind = f"<{'i' if self.is_signed else 'u'}{self.allocated // 8}"
        return values.astype(kind).tobytes()

    def dataset(
        self,
        uid: str = "1.2.3.1.1",
        *,
        syntax: str = EXPLICIT_LE,
        pixels: bytes | None = None,
        number: int = 1,
        after: bytes = b"",
        study: str = "1.2.3",
    ) -> bytes:
        """Return the data set in a transfer syntax."""
        how = {"implicit": syntax == IMPLICIT_LE}
        content = self.pixels if pixels is None else pixels
        code = sequence(
            0x00081032, [item(element(0x00080100, "SH", "CT1", **how))], undefined=True, **how
        )
        parts = [
            element(0x00080016, "UI", CT, **how),
            element(0x00080018, "UI", uid, **how),
            element(0x00080060, "CS", "CT", **how),
            code,
            element(0x00090010, "LO", "MAKER 1.0", **how),
            element(0x00091001, "UN" if not how["implicit"] else "LO", b"\x01\x02\x03\x04", **how),
            element(0x00100010, "PN", "NESS^KARI", **how),
            element(0x00100020, "LO", "12345", **how),
            element(0x0020000D, "UI", study, **how),
            element(0x0020000E, "UI", study + ".1", **how),
            element(0x00200013, "IS", str(number), **how),
            us(0x00280002, self.samples, **how),
            element(0x00280004, "CS", self.photometric, **how),
        ]
        if self.samples > 1:
            parts.append(us(0x00280006, self.planar, **how))
        if self.frames > 1:
            parts.append(element(0x00280008, "IS", str(self.frames), **how))
        parts += [
            us(0x00280010, self.rows, **how),
            us(0x00280011, self.columns, **how),
            us(0x00280100, self.allocated, **how),
            us(0x00280101, self.stored, **how),
            us(0x00280102, self.stored - 1, **how),
            us(0x00280103, int(self.is_signed), **how),
            element(0x00280106, "SS" if self.is_signed else "US", b"\x00\x00", **how),
        ]
        if syntax == RLE:
            parts.append(encapsulated(self._rle(content)))
        else:
            vr = "OW" if self.allocated == 16 else "OB"
            parts.append(element(0x7FE00010, vr, content, **how))
        whole = b"".join(parts) + after
        return deflated(whole) if syntax == DEFLATED_LE else whole

    def _rle(self, pixels: bytes) -> list[bytes]:
        size = len(pixels) // self.frames
        return [self._rle_frame(pixels[n * size : (n + 1) * size]) for n in range(self.frames)]

    def _rle_frame(self, frame: bytes) -> bytes:
        each = self.allocated // 8
        values = np.frombuffer(frame, np.uint8).reshape(-1, self.samples, each)
        segments = []
        for sample in range(self.samples):
            for byte in reversed(range(each)):
                plane = values[:, sample, byte].tobytes()
                rows = (plane[i : i + 128] for i in range(0, len(plane), 128))
                packed = b"".join(bytes([len(row) - 1]) + row for row in rows)
                segments.append(packed + b"\x80" * (len(packed) % 2))
        offsets = [64 + sum(map(len, segments[:n])) for n in range(len(segments))]
        header = struct.pack("<16L", len(segments), *offsets, *[0] * (15 - len(segments)))
        return header + b"".join(segments)


def row_of(content: bytes, syntax: str = EXPLICIT_LE) -> InstanceRow:
    """Return the row that the index has of a data set."""
    header = walk(content, transfer_syntax_uid=syntax)
    digest = new_digest(syntax)
    digest.update(content)
    meta = _meta(header.sop_instance_uid, header.sop_class_uid, syntax)
    return InstanceRow(
        pk=1,
        site="hammer",
        study_uid=header.study_uid,
        series_uid=header.series_uid,
        sop_instance_uid=header.sop_instance_uid,
        sop_class_uid=header.sop_class_uid,
        transfer_syntax_uid=syntax,
        sha256=digest.hexdigest(),
        size_bytes=len(content),
        number=1,
        rows=None,
        columns=None,
        frames=None,
        attributes=header.attributes,
        pixel=header.pixel,
        location=Location(IN_SPOOL, "segment", 0, len(meta) + len(content), len(meta)),
        state=CURRENT,
        received_at=NOON,
    )


def recompressed(
    content: bytes, path: Path, *, codec: Codec, syntax: str = EXPLICIT_LE
) -> InstanceRow:
    """Write a data set in another form and return its row, or raise LeftAlone."""
    row = row_of(content, syntax)
    return run_through(
        recompress(
            BytesSource(content),
            row,
            meta=_meta(row.sop_instance_uid, row.sop_class_uid, syntax),
            codec=codec,
            path=path,
            limits=WalkLimits(),
            now=NOON,
        )
    )


def dataset_in(part10: bytes) -> bytes:
    """Return the data set of a Part 10 file."""
    return part10[read_file_meta(BytesSource(part10)).dataset_offset :]


def _meta(uid: str, sop_class: str, syntax: str) -> bytes:
    return build_file_meta(
        sop_class_uid=sop_class, sop_instance_uid=uid, transfer_syntax_uid=syntax
    )
