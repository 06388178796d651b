"""The parts of a body that are bulk data: all in one file, found by their Content-Location.

Knows nothing of what they are for; remembers which nobody has asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import BinaryIO
from urllib.parse import urljoin

from casework.errors import Invalid
from storage.source import FileSource
from viewer.dicomweb.multipart import Piece

OCTETS = frozenset({"", "application/octet-stream"})
MAX_PARTS = 100_000


class Shelf:
    """Bulk data of one request."""

    def __init__(self, file: BinaryIO, *, base: str) -> None:
        """`base` is the address that locations are relative to (RFC 9110 section 8.7)."""
        self._file = file
        self._base = base
        self._pieces: dict[str, list[Piece]] = {}
        self._count = 0
        self._asked: set[str] = set()

    def put(self, piece: Piece) -> None:
        """Keep a part; several of one location are the frames of one element, in their order."""
        self._count += 1
        if self._count > MAX_PARTS:
            raise Invalid(f"The body has over {MAX_PARTS} parts.", code="bad-request")
        self._pieces.setdefault(self._whole(piece.head.location), []).append(piece)

    def take(self, address: str) -> Sequence[Piece]:
        """Return the parts of an address, or raise Invalid when none is there or can be used."""
        whole = self._whole(address)
        found = self._pieces.get(whole, [])
        if not address or not found:
            raise Invalid(f"No part has the location {address[:200]!r}.", code="part-missing")
        self._asked.add(whole)
        if any(piece.head.is_encoded for piece in found):
            raise Invalid(
                f"The part {address[:200]!r} has a content encoding, which is not taken.",
                code="part-encoded",
            )
        return found

    def octets(self, address: str) -> FileSource:
        """Return the bytes of the one part of an address that has no media type of its own."""
        found = self.take(address)
        if len(found) > 1 or found[0].head.media_type not in OCTETS:
            raise Invalid(
                f"{address[:200]!r} is not one part of application/octet-stream.", code="bad-part"
            )
        return self.source(found[0])

    @property
    def descriptor(self) -> int:
        """Return the file that all parts are in."""
        return self._file.fileno()

    def source(self, piece: Piece) -> FileSource:
        """Return the bytes of a part."""
        return FileSource(self.descriptor, offset=piece.offset, size=piece.length)

    def unasked(self) -> int:
        """Return how many parts nobody has referred to."""
        return sum(len(p) for where, p in self._pieces.items() if where not in self._asked)

    def _whole(self, location: str) -> str:
        try:
            return urljoin(self._base, location) if location else ""
        except ValueError:
            return location
