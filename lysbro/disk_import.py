"""Finds DICOM objects on disk: files, folders and ZIPs.

Reads only; the archive judges what it finds.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from casework.errors import Invalid, LysbroError

_SKIPPED = frozenset({"DICOMDIR", ".DS_Store", "Thumbs.db"})


@dataclass(frozen=True)
class ImportLimits:
    """Bounds on what a ZIP may unfold to."""

    object_bytes: int
    zip_members: int = 200_000
    ratio: int = 100


@dataclass(frozen=True)
class Found:
    """One candidate: its name for messages, and its file, its bytes, or why it cannot be read."""

    name: str
    content: Path | bytes | LysbroError


def objects_under(paths: Iterable[Path], limits: ImportLimits) -> Iterator[Found]:
    """Yield what lies at the paths, in a stable order; without DICOMDIR and hidden files."""
    for path in paths:
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if (
                not file.is_file()
                or file.name in _SKIPPED
                or (path.is_dir() and file.name.startswith("."))
            ):
                continue
            if _is_zip(file):
                yield from _members(file, limits)
            else:
                yield Found(str(file), file)


def _is_zip(file: Path) -> bool:
    """Tell whether a file is a ZIP, and not an object that holds one at its end."""
    try:
        with file.open("rb") as stream:
            return stream.read(132)[128:] != b"DICM" and zipfile.is_zipfile(stream)
    except OSError:
        return False  # the intake says why it cannot be read


def _members(path: Path, limits: ImportLimits) -> Iterator[Found]:
    with zipfile.ZipFile(path) as archive:
        members = [m for m in archive.infolist() if not m.is_dir()]
        if len(members) > limits.zip_members:
            yield Found(
                str(path),
                Invalid(
                    f"{path} has {len(members)} members; at most {limits.zip_members} are read."
                ),
            )
            return
        for member in members:
            if Path(member.filename).name in _SKIPPED or member.filename.endswith(".json"):
                continue
            yield Found(f"{path}!{member.filename}", _unfold(archive, member, limits))


def _unfold(
    archive: zipfile.ZipFile, member: zipfile.ZipInfo, limits: ImportLimits
) -> bytes | LysbroError:
    """Return a member's bytes; its declared size is never trusted, what comes out is counted."""
    ceiling = min(limits.object_bytes, max(member.compress_size, 1 << 16) * limits.ratio)
    unfolded = io.BytesIO()
    try:
        with archive.open(member) as stream:
            while chunk := stream.read(1 << 20):
                if unfolded.tell() + len(chunk) > ceiling:
                    return Invalid(
                        f"{member.filename} unfolds to more than {ceiling} bytes and was not read."
                    )
                unfolded.write(chunk)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError) as error:
        return Invalid(f"{member.filename} cannot be read from the ZIP ({error}).")
    return unfolded.getvalue()
