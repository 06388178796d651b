"""Inflates a deflated data set under a cap (PS3.5 section A.5). Keeps nothing."""

from __future__ import annotations

import zlib

from casework.errors import Invalid, TooLarge
from storage.source import Source

_CHUNK = 1 << 18
_STEP = 1 << 20  # unfolded at a time, so that no second copy of the whole is ever held
_TRAILER_BYTES = 9  # a pad byte; some writers leave the check sum and size of gzip as well


def inflate(source: Source, *, ratio: int, floor_bytes: int, cap_bytes: int) -> bytes:
    """Return the inflated bytes; what comes out is counted, a declared size is never trusted.

    Raises TooLarge over `cap_bytes`, and over `ratio` times what went in beyond `floor_bytes`.
    A pad byte or a trailer after the end of the stream is allowed.
    """
    engine = zlib.decompressobj(wbits=-zlib.MAX_WBITS)
    ceiling = min(cap_bytes, max(floor_bytes, ratio * source.size))
    inflated = bytearray()
    offset = 0
    while offset < source.size and not engine.eof:
        waiting = source.read_at(offset, _CHUNK)
        offset += len(waiting)
        while waiting and not engine.eof:
            try:
                inflated += engine.decompress(waiting, min(_STEP, ceiling + 1 - len(inflated)))
            except zlib.error as error:
                raise Invalid(
                    f"The deflated data set cannot be inflated ({error}). Send it again.",
                    code="bad-structure",
                ) from error
            if len(inflated) > ceiling:
                raise TooLarge(
                    f"The deflated data set of {source.size} bytes unfolds to more than {ceiling}. "
                    "Send it uncompressed.",
                    code="too-large",
                )
            waiting = engine.unconsumed_tail
    if not engine.eof:
        raise Invalid("The deflated data set ends too early. Send it again.", code="truncated")
    left = len(engine.unused_data) + source.size - offset
    if left > _TRAILER_BYTES:
        raise Invalid(
            f"{left} bytes follow the end of the deflated data set. Send it again.",
            code="bad-structure",
        )
    return bytes(inflated)
