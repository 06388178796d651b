"""Works out which bytes of a data set one frame is, and cuts it out of them. Reads nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from casework.errors import Invalid, NotFound
from storage.header import PixelLayout, Span
from storage.pixels import native_frame_bits


@dataclass(frozen=True)
class Cut:
    """The stretch of a data set that one frame lies in, and how it is taken out of it."""

    offset: int  # from the first byte of the (inflated) data set
    length: int
    pieces: tuple[Span, ...] = ()  # the fragments inside the stretch; empty: it is the frame
    skip_bits: int = 0  # before the first bit of the frame
    bits: int = 0  # of a frame that does not fill its bytes; 0: it does

    @property
    def frame_bytes(self) -> int:
        """Return the length of the frame itself."""
        if self.pieces:
            return sum(length for _, length in self.pieces)
        return (self.bits + 7) // 8 if self.bits else self.length

    def frame_of(self, stretch: bytes) -> bytes:
        """Return the frame out of its stretch."""
        if self.pieces:
            return b"".join(stretch[o : o + n] for o, n in self.pieces)
        if not self.bits:
            return stretch
        # frames of single bits follow each other without a gap (PS3.5 section 8.1.1)
        packed = int.from_bytes(stretch, "little") >> self.skip_bits & ((1 << self.bits) - 1)
        return packed.to_bytes((self.bits + 7) // 8, "little")


def cut_of(pixel: PixelLayout | None, attributes: Mapping[str, Any], frame: int) -> Cut:
    """Return where a frame lies, counted from 1; NotFound when there is none of that number."""
    if pixel is None:
        raise NotFound("The object has no pixel data.", code="no-pixels")
    if not 1 <= frame <= pixel.frames:
        raise NotFound(
            f"The object has {pixel.frames} frames; there is no frame {frame}.",
            code="no-such-frame",
        )
    if pixel.encapsulated:
        return _encapsulated(pixel, frame)
    return _native(pixel, attributes, frame)


def _native(pixel: PixelLayout, attributes: Mapping[str, Any], frame: int) -> Cut:
    bits = native_frame_bits(attributes) or pixel.length * 8 // pixel.frames
    first_bit = bits * (frame - 1)
    start, end = first_bit // 8, (first_bit + bits + 7) // 8
    if end > pixel.length:
        raise Invalid(
            f"The pixel data ends before frame {frame}. Ask the site to send it again.",
            code="frame-missing",
        )
    whole = bits % 8 == 0
    return Cut(
        pixel.offset + start,
        end - start,
        skip_bits=first_bit % 8,
        bits=0 if whole else bits,
    )


def _encapsulated(pixel: PixelLayout, frame: int) -> Cut:
    if pixel.frame_table is None:
        raise Invalid(
            "The frames of this object cannot be told apart. Retrieve the whole object.",
            code="frames-unknown",
        )
    spans = pixel.frame_table[frame - 1]
    start = spans[0][0]
    end = spans[-1][0] + spans[-1][1]
    pieces = () if len(spans) == 1 else tuple((o - start, n) for o, n in spans)
    return Cut(start, end - start, pieces)
