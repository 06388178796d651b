"""Finds the bytes of a value, or of all native pixels, and gives any stretch of them.

In little endian, whatever they came in (PS3.18 section 8.7.3.3); a chunk is in memory at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from casework.errors import NotFound
from storage.bulk import find_value, swapped, word_bytes
from storage.content import content_of, stretch_of
from storage.forms import frame_shape
from storage.part10 import EXPLICIT_BE
from storage.rows import InstanceRow
from viewer.dicomweb.bodies import Read
from viewer.dicomweb.negotiation import FrameForm
from viewer.imaging import imaging
from viewer.making import vr_of_pixels
from viewer.services import services
from viewer.syntaxes import OCTETS

DOCUMENT = 0x00420011
_HARMLESS = frozenset({"application/pdf", "application/sla", "model/mtl", "model/obj", "model/stl"})
"""Documents that a browser runs nothing of; others (HTML, XML, scripts) are octets to it."""


@dataclass(frozen=True)
class Value:
    """A value that is given out: its media type, its length, and its bytes from here to there."""

    media_type: str
    length: int
    read: Read


def value_at(row: InstanceRow, tags: tuple[int, ...]) -> Value | None:
    """Return the value at a path of tags and item numbers, or None when there is none."""
    archive = services().archive
    content = content_of(archive, row)
    found = find_value(
        content, tags, transfer_syntax_uid=row.transfer_syntax_uid, limits=archive.walk_limits
    )
    if found is None:
        return None
    media_type = OCTETS
    if tags == (DOCUMENT,):
        told = str(row.attributes.get("MIMETypeOfEncapsulatedDocument", "")).strip().lower()
        media_type = told if told in _HARMLESS else OCTETS
    width = word_bytes(found.vr) if row.transfer_syntax_uid == EXPLICIT_BE else 1

    def stretch(offset: int, length: int) -> Iterator[bytes]:
        return stretch_of(content, found.offset + offset, length)

    return Value(media_type, found.length, _in_order(stretch, found.length, width))


def _in_order(stretch: Callable[[int, int], Iterator[bytes]], length: int, width: int) -> Read:
    """Return what reads a value in little endian; a part of it begins and ends at whole words."""

    def read(start: int, stop: int) -> Iterator[bytes]:
        at, end = start // width * width, min(length, -(-stop // width) * width)
        for chunk in stretch(at, end - at):  # of a length that every width divides
            yield swapped(chunk, width)[max(start - at, 0) : stop - at]
            at += len(chunk)

    return read


def native_pixels(row: InstanceRow, form: FrameForm) -> Value:
    """Return native pixel data: where it lies, or frame by frame as it is made."""
    pixel, archive = row.pixel, services().archive
    if pixel is None:
        raise NotFound("The object has no pixel data.", code="no-pixels")
    if not pixel.encapsulated:
        content = content_of(archive, row)
        is_turned = form.is_made and row.transfer_syntax_uid == EXPLICIT_BE
        width = word_bytes(vr_of_pixels(archive, row)) if is_turned else 1

        def stretch(offset: int, length: int) -> Iterator[bytes]:
            return stretch_of(content, pixel.offset + offset, length)

        return Value(OCTETS, pixel.length, _in_order(stretch, pixel.length, width))
    size, maker = frame_shape(row.attributes).size_bytes, imaging().maker

    def read(start: int, stop: int) -> Iterator[bytes]:
        for number in range(start // size + 1, -(-stop // size) + 1):
            before = (number - 1) * size
            frame = maker.native(row, number)
            yield frame[max(start - before, 0) : stop - before]

    return Value(OCTETS, pixel.frames * size, read)
