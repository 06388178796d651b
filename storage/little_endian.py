"""Turns explicit VR big endian elements to little endian: in place, since no length changes."""

from __future__ import annotations

import struct

from casework.errors import Invalid
from storage.bulk import swapped, word_bytes
from storage.walker import LONG_VRS, UNDEFINED


def to_little_endian(data: bytes) -> bytes:
    """Return the elements of a data set, or of a part of one, in little endian (PS3.5 7.3)."""
    out, at = bytearray(data), 0
    while at < len(data):
        try:
            group, number = struct.unpack_from(">HH", data, at)
            struct.pack_into("<HH", out, at, group, number)
            if group == 0xFFFE:  # an item or a delimiter: what is inside are elements again
                struct.pack_into("<L", out, at + 4, *struct.unpack_from(">L", data, at + 4))
                at += 8
                continue
            vr = data[at + 4 : at + 6]
            how, length_at = ("L", at + 8) if vr in LONG_VRS else ("H", at + 6)
            (length,) = struct.unpack_from(">" + how, data, length_at)
            struct.pack_into("<" + how, out, length_at, length)
        except struct.error as error:
            raise _broken() from error
        at = length_at + (4 if how == "L" else 2)
        if vr == b"SQ":
            continue
        if length == UNDEFINED or at + length > len(data):
            raise _broken()
        width = word_bytes(vr.decode("latin-1"))
        out[at : at + length] = swapped(data[at : at + length], width)
        at += length
    return bytes(out)


def _broken() -> Invalid:
    return Invalid("The header is not whole, or of mixed form.", code="header")
