"""How much smaller images become in each lossless form, and how fast.

Run it with `python -m benchmarks.recompress`.

Measures the whole way that the mover goes for each object: read, encode, write, read back, decode,
compare. Takes its images from the large collection, those that are compressed without loss
decompressed first, and photographs decoded; what stays as it came is counted, not measured.
"""

from __future__ import annotations

import argparse
import os
import platform
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import imagecodecs
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.uid import VLPhotographicImageStorage

from casework.errors import Invalid
from pacs_bridge.transcode import to_uncompressed
from storage.codec import Codec
from storage.filemeta import EXPLICIT_LE, build_file_meta
from storage.journal import new_digest
from storage.part10 import BytesSource, WalkLimits, read_file_meta, walk
from storage.recompressed_file import LeftAlone, recompress, run_through
from storage.recompression import why_not
from storage.rows import InstanceRow, Location
from storage.tables import CURRENT, IN_SPOOL

COLLECTION = Path(__file__).parents[2] / "shared" / "fixtures"
RESULT = Path(__file__).parent / "results" / "recompress.md"
KINDS = {
    "CT": ("CT",),
    "MR": ("MR",),
    "X-ray (CR, DX, MG)": ("CR", "DX", "MG", "RF", "XA"),
    "ultrasound": ("US",),
    "photographs and slides": ("XC", "GM", "SM", "ES", "OP", "DMS"),
    "PET and NM": ("PT", "NM"),
}
_LOSSLESS = frozenset(f"1.2.840.10008.1.2.4.{n}" for n in (57, 70, 80, 90))
_LARGEST_FILE = 64 << 20


@dataclass
class Measured:
    """What was found for one kind of image and one form."""

    objects: int = 0
    received_bytes: int = 0
    kept_bytes: int = 0
    seconds: float = 0.0
    left: Counter[str] = field(default_factory=Counter)

    @property
    def ratio(self) -> float:
        """Return how many times smaller the objects have become."""
        return self.received_bytes / max(1, self.kept_bytes)

    @property
    def mb_per_s(self) -> float:
        """Return the speed, of received bytes."""
        return self.received_bytes / 1e6 / max(1e-9, self.seconds)


def main(arguments: list[str] | None = None) -> None:
    """Measure, print the table, and write it down."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--collection", type=Path, default=COLLECTION)
    options.add_argument("--most", type=int, default=24, help="objects of each kind and folder")
    options.add_argument("--no-result", action="store_true", help="print only")
    given = options.parse_args(arguments)
    told = table(measure(given.collection, most=given.most))
    print(told)
    if not given.no_result:
        RESULT.write_text(told + "\n", encoding="utf-8")


def measure(collection: Path, *, most: int) -> dict[tuple[str, Codec], Measured]:
    """Recompress what the collection has of each kind, as the mover would."""
    found = {(kind, codec): Measured() for kind in KINDS for codec in Codec}
    with tempfile.TemporaryDirectory() as folder:
        for kind, content, row in _images(collection, most=most):
            for codec in Codec:
                _try(found[kind, codec], content, row, codec, Path(folder) / "kept.dcm")
    return found


def table(found: dict[tuple[str, Codec], Measured]) -> str:
    """Return the figures as a table in Markdown."""
    lines = [
        "# Recompression",
        "",
        f"Measured on {platform.machine()}, {os.cpu_count()} cores, one thread, with {_codecs()}. "
        "Speed is of received bytes in a second of processor time, the proof included. "
        "`python -m benchmarks.recompress`.",
        "",
        "| images | form | objects | MB received | ratio | MB / CPU s | stayed as they came |",
        "|---|---|---|---|---|---|---|",
    ]
    for (kind, codec), each in found.items():
        left = ", ".join(f"{count} {reason}" for reason, count in each.left.most_common()) or "–"
        figures = (
            f"{each.received_bytes / 1e6:.1f} | {each.ratio:.2f} | {each.mb_per_s:.0f}"
            if each.objects
            else "– | – | –"
        )
        lines.append(f"| {kind} | {codec.value} | {each.objects} | {figures} | {left} |")
    return "\n".join(lines)


def _try(into: Measured, content: bytes, row: InstanceRow, codec: Codec, path: Path) -> None:
    reason = why_not(row)
    if reason:
        into.left[reason] += 1
        return
    path.unlink(missing_ok=True)
    begun = time.process_time()
    try:
        kept = run_through(
            recompress(
                BytesSource(content[row.location.dataset_offset :]),
                row,
                meta=content[: row.location.dataset_offset],
                codec=codec,
                path=path,
                limits=WalkLimits(),
                now=datetime.now(UTC),
            )
        )
    except LeftAlone as left:
        into.left[left.reason] += 1
        return
    into.seconds += time.process_time() - begun
    into.objects += 1
    into.received_bytes += row.size_bytes
    into.kept_bytes += kept.size_bytes


def _images(collection: Path, *, most: int) -> Iterator[tuple[str, bytes, InstanceRow]]:
    """Yield the DICOM files of the collection by kind, some of each folder; not broken ones."""
    kinds = {modality: kind for kind, names in KINDS.items() for modality in names}
    taken: Counter[tuple[Path, str]] = Counter()
    for path in sorted(p for p in collection.rglob("*") if "malformed" not in p.parts):
        if not path.is_file() or path.stat().st_size > _LARGEST_FILE:
            continue
        content = path.read_bytes()
        if path.suffix.lower() in (".jpg", ".jpeg"):
            content = _photograph(path)
        if content[128:132] != b"DICM":
            continue
        row = _row(content)
        if row is not None and row.transfer_syntax_uid in _LOSSLESS:
            content = _decompressed(content, row)
            row = _row(content)
        kind = kinds.get(str(row.attributes.get("Modality", ""))) if row is not None else None
        if row is None or kind is None or row.pixel is None:
            continue
        if taken[path.parent, kind] < most:
            taken[path.parent, kind] += 1
            yield kind, content, row


def _decompressed(content: bytes, row: InstanceRow) -> bytes:
    try:
        dataset = to_uncompressed(content, EXPLICIT_LE, source=row.transfer_syntax_uid)
    except Invalid:
        return content
    return _part10(dataset, row.sop_class_uid, row.sop_instance_uid)


def _photograph(path: Path) -> bytes:
    """Return a photograph as an uncompressed object, empty when it cannot be decoded."""
    try:
        with Image.open(path) as image:
            pixels = image.convert("RGB")
    except (OSError, ValueError):
        return b""
    ds = Dataset()
    ds.SOPClassUID, ds.SOPInstanceUID = VLPhotographicImageStorage, "1.2.3.4"
    ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.Modality = "1.2.3", "1.2.3.1", "XC"
    ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.PlanarConfiguration = 3, "RGB", 0
    ds.Columns, ds.Rows = pixels.size
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 8, 8, 7, 0
    raw = pixels.tobytes()
    ds.add_new(0x7FE00010, "OB", raw + b"\0" * (len(raw) % 2))
    buffer = DicomBytesIO()
    buffer.is_implicit_VR, buffer.is_little_endian = False, True
    write_dataset(buffer, ds)
    return _part10(buffer.getvalue(), VLPhotographicImageStorage, "1.2.3.4")


def _part10(dataset: bytes, sop_class: str, uid: str) -> bytes:
    meta = build_file_meta(
        sop_class_uid=sop_class, sop_instance_uid=uid, transfer_syntax_uid=EXPLICIT_LE
    )
    return meta + dataset


def _row(content: bytes) -> InstanceRow | None:
    try:
        meta = read_file_meta(BytesSource(content))
        dataset = content[meta.dataset_offset :]
        header = walk(dataset, transfer_syntax_uid=meta.transfer_syntax_uid)
    except Invalid:
        return None
    digest = new_digest(meta.transfer_syntax_uid)
    digest.update(dataset)
    where = Location(IN_SPOOL, "", 0, len(content), meta.dataset_offset)
    return InstanceRow(
        pk=0,
        site="benchmark",
        study_uid=header.study_uid,
        series_uid=header.series_uid,
        sop_instance_uid=header.sop_instance_uid,
        sop_class_uid=header.sop_class_uid,
        transfer_syntax_uid=meta.transfer_syntax_uid,
        sha256=digest.hexdigest(),
        size_bytes=len(dataset),
        number=None,
        rows=None,
        columns=None,
        frames=None,
        attributes=header.attributes,
        pixel=header.pixel,
        location=where,
        state=CURRENT,
        received_at=datetime.now(UTC),
    )


def _codecs() -> str:
    versions = imagecodecs.htj2k_version(), imagecodecs.jpegls_version()
    return f"imagecodecs {imagecodecs.__version__} ({', '.join(versions)})"


if __name__ == "__main__":
    main()
