"""What is kept of an instance that is not kept in the form in which it was received.

Values only; which objects are recompressed is `recompression`, how they come back `as_received`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from storage.header import PixelLayout

CODECS = ("htj2k", "jpeg-ls")
"""The lossless forms that images can be kept in."""


@dataclass(frozen=True)
class FrameShape:
    """How one native frame lies: colour by pixel, little endian (PS3.3 section C.7.6.3)."""

    rows: int
    columns: int
    samples: int
    bits_allocated: int  # 8 or 16
    bits_stored: int
    is_signed: bool

    @property
    def size_bytes(self) -> int:
        """Return the bytes of the frame."""
        return self.rows * self.columns * self.samples * self.bits_allocated // 8


@dataclass(frozen=True)
class Received:
    """How an instance came, and what has to be known to give it back so."""

    transfer_syntax_uid: str
    size_bytes: int  # of the data set
    pixel: PixelLayout
    recompressed_at: datetime
    restored_syntax: str  # explicit or implicit VR little endian
    restored_sha256: str  # of that syntax and the data set as it comes back
    restored_bytes: int
    vr: str  # of the native pixel data; empty in implicit VR
    padding: str  # what stands after the last frame, in hexadecimal

    @property
    def comes_back_whole(self) -> bool:
        """Tell whether the very bytes that were received come back, not only the same values."""
        return self.restored_syntax == self.transfer_syntax_uid

    def as_json(self) -> dict[str, Any]:
        """Return plain values for a JSON column, and for a pack."""
        return {
            "transfer_syntax_uid": self.transfer_syntax_uid,
            "size_bytes": self.size_bytes,
            "pixel": self.pixel.as_json(),
            "recompressed_at": self.recompressed_at.isoformat(),
            "restored_syntax": self.restored_syntax,
            "restored_sha256": self.restored_sha256,
            "restored_bytes": self.restored_bytes,
            "vr": self.vr,
            "padding": self.padding,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Received:
        """Return what `as_json` described."""
        return cls(
            transfer_syntax_uid=str(value["transfer_syntax_uid"]),
            size_bytes=int(value["size_bytes"]),
            pixel=PixelLayout.from_json(value["pixel"]),
            recompressed_at=datetime.fromisoformat(value["recompressed_at"]),
            restored_syntax=str(value["restored_syntax"]),
            restored_sha256=str(value["restored_sha256"]),
            restored_bytes=int(value["restored_bytes"]),
            vr=str(value["vr"]),
            padding=str(value["padding"]),
        )


def frame_shape(attributes: Mapping[str, Any]) -> FrameShape:
    """Return how the native frames of an object lie, as its header says."""

    def whole(keyword: str, default: int = 0) -> int:
        value = attributes.get(keyword, default)
        value = value[0] if isinstance(value, list) and value else value
        return int(value) if isinstance(value, int | float) else default

    allocated = whole("BitsAllocated")
    return FrameShape(
        rows=whole("Rows"),
        columns=whole("Columns"),
        samples=whole("SamplesPerPixel", 1),
        bits_allocated=allocated,
        bits_stored=whole("BitsStored", allocated),
        is_signed=whole("PixelRepresentation") == 1,
    )
