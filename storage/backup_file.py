"""The file that a backup of the casebook is: a ZIP of JSON lines, one member for each table.

Anything that opens a ZIP and reads JSON can read it without Lysbro. Knows no database.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

MANIFEST = "manifest.json"
FORMAT = 1


@dataclass(frozen=True)
class Part:
    """The rows of one table in a backup."""

    name: str
    columns: tuple[str, ...]
    rows: int
    sha256: str  # of its JSON lines


@dataclass(frozen=True)
class Manifest:
    """What a backup says of itself."""

    at: datetime
    schema: str  # revision of the tables
    written_by: str
    parts: Mapping[str, Part]


class BackupWriter:
    """Writes one backup; what is given first comes first."""

    def __init__(self, path: Path) -> None:
        self._archive = zipfile.ZipFile(path, "x", zipfile.ZIP_DEFLATED, allowZip64=True)
        self._parts: dict[str, Part] = {}

    def add(self, name: str, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
        """Write the rows of a table, one JSON object a line."""
        digest = hashlib.sha256()
        count = 0
        with self._archive.open(f"{name}.jsonl", "w", force_zip64=True) as stream:
            for row in rows:
                line = _json({column: row[column] for column in columns}) + b"\n"
                digest.update(line)
                stream.write(line)
                count += 1
        self._parts[name] = Part(name, tuple(columns), count, digest.hexdigest())

    def close(self, *, at: datetime, schema: str, written_by: str) -> int:
        """Write the manifest, end the file, and return how many rows it has."""
        told = {
            "format": FORMAT,
            "at": at,
            "schema": schema,
            "written_by": written_by,
            "tables": [
                {"name": p.name, "columns": p.columns, "rows": p.rows, "sha256": p.sha256}
                for p in self._parts.values()
            ],
        }
        # without the time of writing, so that the same rows are the same file wherever it is made
        with self._archive as archive, archive.open(MANIFEST, "w") as stream:
            stream.write(_json(told))
        return sum(part.rows for part in self._parts.values())


class BackupReader:
    """Reads one backup from a file."""

    def __init__(self, path: Path) -> None:
        """Raise ValueError (or BadZipFile) when the file is not a backup that this code reads."""
        self._archive = zipfile.ZipFile(path)
        try:
            self.manifest = _manifest(json.loads(self._archive.read(MANIFEST)))
        except (KeyError, TypeError) as error:
            self._archive.close()
            raise ValueError("it has no manifest that says what is in it") from error

    def rows(self, name: str) -> Iterator[dict[str, Any]]:
        """Yield the rows of a table as they were written, none when it has no such table."""
        part = self.manifest.parts.get(name)
        if part is None:
            return
        digest = hashlib.sha256()
        with self._archive.open(f"{name}.jsonl") as stream:
            for line in stream:
                digest.update(line)
                yield json.loads(line)
        if digest.hexdigest() != part.sha256:
            raise ValueError(f"its table {name} is not what its manifest says")

    def close(self) -> None:
        """Close the file."""
        self._archive.close()


def _manifest(told: Mapping[str, Any]) -> Manifest:
    if told["format"] != FORMAT:
        raise ValueError(f"it is of the format {told['format']}")
    parts = [
        Part(str(t["name"]), tuple(t["columns"]), int(t["rows"]), str(t["sha256"]))
        for t in told["tables"]
    ]
    return Manifest(
        at=datetime.fromisoformat(told["at"]),
        schema=str(told["schema"]),
        written_by=str(told["written_by"]),
        parts={part.name: part for part in parts},
    )


def _json(value: Any) -> bytes:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=_plain)
    return text.encode("utf-8", errors="surrogatepass")


def _plain(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat(timespec="microseconds")
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no place in a backup")
