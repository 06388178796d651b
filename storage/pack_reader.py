"""Reads a pack where it lies in the store, by ranges: what it says of itself, and its members.

What is not a pack, or not whole, is a BrokenPack, whatever the reason. Checks no hash of an object.
"""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zipfile import BadZipFile, ZipFile, ZipInfo

from casework.custody import CustodyRow
from casework.errors import NotFound
from storage.forms import Received
from storage.objects import ObjectStore
from storage.packs import CUSTODY, received_of

_LOCAL_HEADER = struct.Struct("<4s22xHH")
_SIGNATURE = b"PK\x03\x04"
_AHEAD_OF_LARGE = 64 << 10
_AHEAD_OF_SMALL = 4 << 20
_SMALL_MEMBER = 256 << 10
_TAIL = 256 << 10


class BrokenPack(Exception):
    """A pack does not say what is in it, or does not have it."""


@dataclass(frozen=True)
class Note:
    """What a pack says of one of its members."""

    site: str
    study_uid: str
    series_uid: str
    sop_instance_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    sha256: str
    size_bytes: int
    state: str
    received_at: datetime
    ledger: Sequence[CustodyRow]
    header_offset: int  # of the ZIP's local header; the file follows it
    length: int
    dataset_offset: int
    kept_sha256: str = ""
    received: Received | None = None  # when it is in another form than it came in


@dataclass(frozen=True)
class Directory:
    """What a pack says of itself."""

    site: str
    study_uid: str
    series_uid: str
    notes: tuple[Note, ...]


class PackReader:
    """Reads one pack; what is read ahead serves the next member."""

    def __init__(self, store: ObjectStore, key: str, size_bytes: int) -> None:
        self.key = key
        self.size_bytes = size_bytes
        self._stretch = _Stretch(store, key, size_bytes)

    def directory(self) -> Directory:
        """Return what the pack says of itself, or raise BrokenPack."""
        try:
            self._stretch.ahead = _TAIL
            self._stretch.fetch_tail()
            with ZipFile(self._stretch) as archive:
                entries = {entry.filename: entry for entry in archive.infolist()}
                told = json.loads(archive.read(CUSTODY))
            return directory_of(told, entries)
        except NotFound as error:
            raise BrokenPack("is not there any more") from error
        except (BadZipFile, EOFError, NotImplementedError) as error:
            raise BrokenPack(f"is not a whole ZIP ({error})") from error
        except (KeyError, ValueError, TypeError, AttributeError, RecursionError) as error:
            raise BrokenPack(f"does not say what is in it ({type(error).__name__})") from error

    def read_on_for(self, notes: Sequence[Note]) -> None:
        """Choose how much is read at once: small members together, of large ones the header."""
        mean = sum(note.length for note in notes) // max(1, len(notes))
        self._stretch.ahead = _AHEAD_OF_SMALL if mean < _SMALL_MEMBER else _AHEAD_OF_LARGE

    def start_of(self, note: Note) -> int:
        """Return where the Part 10 file of a member begins, or raise BrokenPack."""
        try:
            raw = self._stretch.read_at(note.header_offset, _LOCAL_HEADER.size)
        except NotFound as error:
            raise BrokenPack("is not there any more") from error
        if len(raw) < _LOCAL_HEADER.size:
            raise BrokenPack("ends before one of its members")
        signature, name_bytes, extra_bytes = _LOCAL_HEADER.unpack(raw)
        if signature != _SIGNATURE:
            raise BrokenPack("has no member where its directory says")
        return note.header_offset + _LOCAL_HEADER.size + int(name_bytes) + int(extra_bytes)

    def read_at(self, offset: int, length: int) -> bytes:
        """Return bytes of the pack, fewer at its end, or raise BrokenPack when it is gone."""
        try:
            return self._stretch.read_at(offset, length)
        except NotFound as error:
            raise BrokenPack("is not there any more") from error

    def source(self, offset: int, size: int) -> PackSource:
        """Return a stretch of the pack as what a walk reads."""
        return PackSource(self._stretch, offset, size)


class PackSource:
    """A stretch of a pack in the store."""

    def __init__(self, stretch: _Stretch, offset: int, size: int) -> None:
        self._stretch = stretch
        self._offset = offset
        self.size = size

    def read_at(self, offset: int, length: int) -> bytes:
        """Return a slice, fewer bytes at the end."""
        length = min(length, self.size - offset)
        return self._stretch.read_at(self._offset + offset, length) if length > 0 else b""


class _Stretch(io.RawIOBase):
    """An object of the store as a file that is read in large pieces, one of which is held."""

    def __init__(self, store: ObjectStore, key: str, size_bytes: int) -> None:
        self._store = store
        self._key = key
        self._size = size_bytes
        self._position = 0
        self._held_at = 0
        self._held = b""
        self.ahead = _AHEAD_OF_LARGE

    def fetch_tail(self) -> None:
        """Hold the end, where a ZIP has its directory and a pack its custody."""
        self._fetch(max(0, self._size - _TAIL), _TAIL)

    def read_at(self, offset: int, length: int) -> bytes:
        """Return a slice, fewer bytes at the end of the object only."""
        at = offset - self._held_at
        if at < 0 or at + length > len(self._held):
            if offset >= self._size:
                return b""
            self._fetch(offset, max(length, self.ahead))
            at = 0
        return self._held[at : at + length]

    def seekable(self) -> bool:
        """Tell that any place can be read."""
        return True

    def readable(self) -> bool:
        """Tell that it can be read."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        if start + offset < 0:
            raise ValueError("before the beginning")
        self._position = start + offset
        return self._position

    def tell(self) -> int:
        """Return the place."""
        return self._position

    def read(self, size: int | None = -1) -> bytes:
        """Return the next bytes, all that is asked for but at the end."""
        left = max(0, self._size - self._position)
        wanted = left if size is None or size < 0 else min(size, left)
        data = self.read_at(self._position, wanted) if wanted else b""
        self._position += len(data)
        return data

    def _fetch(self, offset: int, length: int) -> None:
        length = min(length, self._size - offset)
        with self._store.open_range(self._key, offset, length) as stream:
            parts = []
            while chunk := stream.read(1 << 20):
                parts.append(chunk)
        self._held_at, self._held = offset, b"".join(parts)


def directory_of(told: Mapping[str, Any], entries: Mapping[str, ZipInfo]) -> Directory:
    """Return what a custody says of the members that a ZIP has; KeyError or ValueError if odd."""
    site, study_uid, series_uid = str(told["site"]), str(told["study_uid"]), str(told["series_uid"])
    notes = []
    for note in told["instances"]:
        entry = entries[note["member"]]
        if entry.compress_type or entry.flag_bits & 1 or entry.file_size < note["dataset_offset"]:
            raise ValueError("a member is not stored as it is")
        kept_sha256, received = received_of(note)
        notes.append(
            Note(
                site=site,
                study_uid=study_uid,
                series_uid=series_uid,
                sop_instance_uid=str(note["sop_instance_uid"]),
                sop_class_uid=str(note["sop_class_uid"]),
                transfer_syntax_uid=str(note["transfer_syntax_uid"]),
                sha256=str(note["sha256"]),
                size_bytes=int(note["size_bytes"]),
                state=str(note["state"]),
                received_at=_time(note["received_at"]),
                ledger=tuple(
                    CustodyRow(str(line["event"]), _time(line["at"]), dict(line["detail"]))
                    for line in note["custody"]
                ),
                header_offset=entry.header_offset,
                length=entry.file_size,
                dataset_offset=int(note["dataset_offset"]),
                kept_sha256=kept_sha256,
                received=received,
            )
        )
    return Directory(site, study_uid, series_uid, tuple(notes))


def _time(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError("a time without a zone")
    return at
