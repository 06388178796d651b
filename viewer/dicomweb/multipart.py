"""Reads and writes multipart/related bodies (RFC 2387) as streams, in little memory."""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Protocol

from werkzeug.http import parse_options_header

from casework.errors import Invalid

_CHUNK_BYTES = 256 << 10
_MAX_HEAD_BYTES = 16 << 10


class Readable(Protocol):
    """Something to read bytes from."""

    def read(self, size: int = -1, /) -> bytes:
        """Return up to `size` bytes, none at the end."""


_DICOM = "application/dicom"
_AS_IT_IS = frozenset({"", "identity", "binary", "8bit", "7bit"})


@dataclass(frozen=True)
class Head:
    """What the header lines of a part say."""

    media_type: str
    options: Mapping[str, str] = field(default_factory=dict)  # of the media type
    location: str = ""  # Content-Location
    is_encoded: bool = False  # the content is not itself, but compressed or in base 64


@dataclass(frozen=True)
class Part:
    """One part that was received: its media type, and its bytes in a file of its own."""

    media_type: str
    file: BinaryIO
    is_encoded: bool = False


@dataclass(frozen=True)
class Piece:
    """One part that was received into a file with others: what it says it is, and where it lies."""

    head: Head
    offset: int
    length: int


def read_parts(stream: Readable, boundary: str, *, folder: Path | None = None) -> Iterator[Part]:
    """Yield the parts of a body; each file is closed when the next is asked for."""
    for reader, head in _each(stream, boundary, default=_DICOM):
        with tempfile.TemporaryFile(dir=folder) as file:
            reader.copy_body(file)
            file.seek(0)
            yield Part(head.media_type, file, head.is_encoded)


def read_onto(stream: Readable, boundary: str, file: BinaryIO) -> Iterator[Piece]:
    """Yield the parts of a body, all in one file, one behind the other."""
    for reader, head in _each(stream, boundary, default=""):
        offset = file.tell()
        reader.copy_body(file)
        yield Piece(head, offset, file.tell() - offset)


def read_single(stream: Readable, media_type: str, *, folder: Path | None = None) -> Iterator[Part]:
    """Yield the only part of a body that is not multipart."""
    with tempfile.TemporaryFile(dir=folder) as file:
        while chunk := stream.read(_CHUNK_BYTES):
            file.write(chunk)
        file.seek(0)
        yield Part(media_type, file)


def new_boundary() -> str:
    """Return a boundary that no content has."""
    return f"lysbro-{secrets.token_hex(16)}"


def around(boundary: str, head: str) -> tuple[bytes, bytes]:
    """Return what stands before and behind the content of a body of one part."""
    return _before(boundary, head), b"\r\n" + _end(boundary)


def write_parts(boundary: str, parts: Iterable[tuple[str, Iterable[bytes]]]) -> Iterator[bytes]:
    """Yield the body for (part header lines, chunks) one after the other."""
    behind = b""  # goes out with what stands before the next part: each piece costs the server
    for head, chunks in parts:
        yield behind + _before(boundary, head)
        yield from chunks
        behind = b"\r\n"
    yield behind + _end(boundary)


def length_of(boundary: str, parts: Iterable[tuple[str, int]]) -> int:
    """Return the bytes of the body for (part header lines, length of the content)."""
    framing = sum(len(_before(boundary, head)) + length + 2 for head, length in parts)
    return framing + len(_end(boundary))


def _before(boundary: str, head: str) -> bytes:
    return f"--{boundary}\r\n{head}\r\n\r\n".encode("latin-1")


def _end(boundary: str) -> bytes:
    return f"--{boundary}--\r\n".encode("latin-1")


def _each(stream: Readable, boundary: str, *, default: str) -> Iterator[tuple[_Reader, Head]]:
    """Yield the reader at the body of each part, which the caller copies, with its head."""
    reader = _Reader(stream, b"\r\n--" + boundary.encode("latin-1"))
    reader.skip_preamble()
    while not reader.at_end():
        yield reader, reader.read_head(default)


class _Reader:
    """Finds delimiters in a stream; holds one chunk at a time."""

    def __init__(self, stream: Readable, delimiter: bytes) -> None:
        self._stream = stream
        self._delimiter = delimiter
        self._held = (
            b"\r\n"  # so that a delimiter in the very first line is found as the others are
        )
        self._closing = False

    def skip_preamble(self) -> None:
        """Read to behind the first delimiter."""
        self._to_delimiter(None)
        self._after_delimiter()

    def at_end(self) -> bool:
        """Tell whether the closing delimiter has been read."""
        return self._closing

    def read_head(self, default: str) -> Head:
        """Read the header lines of a part; `default` is the media type of one that has none."""
        if self._fill(2) and self._held[:2] == b"\r\n":  # no header line at all
            self._held = self._held[2:]
            return Head(default)
        while b"\r\n\r\n" not in self._held:
            if len(self._held) > _MAX_HEAD_BYTES or not self._more():
                raise Invalid("A part of the body has no end to its header.", code="bad-request")
        head, _, self._held = self._held.partition(b"\r\n\r\n")
        lines: dict[str, str] = {}
        for line in head.decode("latin-1").split("\r\n"):
            name, _, value = line.partition(":")
            lines.setdefault(name.strip().lower(), value.strip())
        media_type, options = parse_options_header(lines.get("content-type") or default)
        encodings = (lines.get("content-encoding", ""), lines.get("content-transfer-encoding", ""))
        return Head(
            media_type.lower(),
            options,
            lines.get("content-location", ""),
            is_encoded=any(each.lower() not in _AS_IT_IS for each in encodings),
        )

    def copy_body(self, target: BinaryIO) -> None:
        """Copy the bytes up to the next delimiter."""
        self._to_delimiter(target)
        self._after_delimiter()

    def _to_delimiter(self, target: BinaryIO | None) -> None:
        keep = len(self._delimiter) - 1
        while True:
            at = self._held.find(self._delimiter)
            if at >= 0:
                if target is not None:
                    target.write(self._held[:at])
                self._held = self._held[at + len(self._delimiter) :]
                return
            if target is not None:
                target.write(self._held[:-keep])
            self._held = self._held[-keep:]
            if not self._more():
                raise Invalid(
                    "The body ends before its closing boundary. Send it again.", code="bad-request"
                )

    def _after_delimiter(self) -> None:
        """Read the rest of a delimiter's line: `--` after the last part, blanks otherwise."""
        if self._fill(2) and self._held[:2] == b"--":
            self._closing = True
            return
        while b"\r\n" not in self._held:
            if len(self._held) > _MAX_HEAD_BYTES or not self._more():
                raise Invalid("The body is cut off after a boundary.", code="bad-request")
        self._held = self._held.partition(b"\r\n")[2]

    def _fill(self, size: int) -> bool:
        while len(self._held) < size:
            if not self._more():
                return False
        return True

    def _more(self) -> bool:
        chunk = self._stream.read(_CHUNK_BYTES)
        self._held += chunk
        return bool(chunk)
