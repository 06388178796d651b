"""The table of what becomes of each photograph of the large collection, and the photographs."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from casework.errors import Invalid
from derm_capture import jpeg
from derm_capture.photo import Photo, open_photo
from derm_capture.srgb import SRGB
from derm_capture.stored import JPEG_BASELINE, JPEG_LS_LOSSLESS, Stored, store

FOLDERS = ("photo_exif_icc", "skin_clinical", "skin_dermoscopic", "malformed/pillow")
NO_PICTURES = frozenset({".json", ".txt", ".dcm", ".eps"})
TABLE = Path(__file__).with_name("matrix.tsv")
SYNTAXES = {JPEG_BASELINE: "jpeg-baseline", JPEG_LS_LOSSLESS: "jpeg-ls-lossless"}


@dataclass(frozen=True)
class Row:
    """What becomes of a photograph: refused with a code, or how it is stored."""

    path: str
    outcome: str  # a refusal's code, or: kept, turned, sequential, turned sequential, decoded
    syntax: str = ""
    photometric: str = ""
    size: str = ""
    lossy: str = ""  # Lossy Image Compression Method (0028,2114)
    profile: str = ""  # own, sRGB or none
    changes: str = ""  # of pixels

    @property
    def is_refused(self) -> bool:
        return not self.syntax


def files_of(folder: Path) -> Iterator[Path]:
    for name in FOLDERS:
        for path in sorted((folder / name).rglob("*")):
            if path.is_file() and path.suffix not in NO_PICTURES:
                yield path


@cache
def table() -> dict[str, Row]:
    with TABLE.open(encoding="utf-8", newline="") as lines:
        rows = [Row(**row) for row in csv.DictReader(lines, delimiter="\t")]
    return {row.path: row for row in rows}


def row_of(path: str, data: bytes) -> Row:
    """Return what becomes of a photograph now."""
    try:
        photo = open_photo(data)
        kept = store(photo)
    except Invalid as refused:
        return Row(path, refused.code)
    own = "none" if not kept.icc else "sRGB" if kept.icc == SRGB else "own"
    size, changes = f"{kept.columns}x{kept.rows}", "; ".join(kept.changes)
    return Row(
        path, _outcome(photo, kept), SYNTAXES[kept.transfer_syntax_uid], kept.photometric,
        size, kept.lossy_method, own, changes,
    )  # fmt: skip


def _outcome(photo: Photo, kept: Stored) -> str:
    if kept.transfer_syntax_uid == JPEG_LS_LOSSLESS:
        return "decoded"
    assert photo.stream is not None
    words = ["turned"] if photo.camera.orientation != 1 else []
    if photo.stream.process != jpeg.SOF_BASELINE:
        words.append("sequential")
    return " ".join(words) or "kept"


def write_table(folder: Path) -> None:
    """Write the table anew; what has changed in it is to be read before it is kept."""
    names = list(Row.__dataclass_fields__)
    with TABLE.open("w", encoding="utf-8", newline="") as target:
        lines = csv.writer(target, delimiter="\t", lineterminator="\n")
        lines.writerow(names)
        for path in files_of(folder):
            row = row_of(str(path.relative_to(folder)), path.read_bytes())
            lines.writerow([getattr(row, name) for name in names])
