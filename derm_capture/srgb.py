"""The profiles given to pictures that bring none: sRGB, or Display P3 where they name its primaries
in numbers.

Fixed texts, so that a repeat gives the same object.
"""

from __future__ import annotations

import base64
import struct

SRGB = base64.b64decode(
    b"""
AAACTGxjbXMEQAAAbW50clJHQiBYWVogB+oAAQABAAAAAAAAYWNzcEFQUEwAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAPbW
AAEAAAAA0y1sY21zAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAALZGVzYwAAAQgAAAA2
Y3BydAAAAUAAAABMd3RwdAAAAYwAAAAUY2hhZAAAAaAAAAAsclhZWgAAAcwAAAAUYlhZWgAAAeAAAAAUZ1hZWgAAAfQAAAAU
clRSQwAAAggAAAAgZ1RSQwAAAggAAAAgYlRSQwAAAggAAAAgY2hybQAAAigAAAAkbWx1YwAAAAAAAAABAAAADGVuVVMAAAAa
AAAAHABzAFIARwBCACAAYgB1AGkAbAB0AC0AaQBuAABtbHVjAAAAAAAAAAEAAAAMZW5VUwAAADAAAAAcAE4AbwAgAGMAbwBw
AHkAcgBpAGcAaAB0ACwAIAB1AHMAZQAgAGYAcgBlAGUAbAB5WFlaIAAAAAAAAPbWAAEAAAAA0y1zZjMyAAAAAAABDEIAAAXe
///zJQAAB5MAAP2Q///7of///aIAAAPcAADAblhZWiAAAAAAAABvoAAAOPUAAAOQWFlaIAAAAAAAACSfAAAPhAAAtsNYWVog
AAAAAAAAYpcAALeHAAAY2XBhcmEAAAAAAAMAAAACZmYAAPKnAAANWQAAE9AAAApbY2hybQAAAAAAAwAAAACj1wAAVHsAAEzN
AACZmgAAJmYAAA9c
"""
)
"""sRGB (IEC 61966-2-1) as Little CMS writes it, with a fixed date; it says of itself "No
copyright, use freely".
"""

_P3_COLOURS = {  # adapted to D50 (SMPTE EG 432-1, ICC.1 annex E), as s15Fixed16Number
    b"rXYZ": (0.51512, 0.24120, -0.00105),
    b"gXYZ": (0.29198, 0.69225, 0.04189),
    b"bXYZ": (0.15710, 0.06657, 0.78407),
    b"chrm": (0.680, 0.320, 0.265, 0.690, 0.150, 0.060),
}


def _display_p3() -> bytes:
    made = bytearray(SRGB)
    for number in range(int.from_bytes(SRGB[128:132])):
        name, start, length = struct.unpack_from(">4sLL", SRGB, 132 + 12 * number)
        colours = _P3_COLOURS.get(name, ())
        fixed = struct.pack(f">{len(colours)}l", *(round(c * 65536) for c in colours))
        made[start + length - len(fixed) : start + length] = fixed
    return bytes(made).replace(
        "sRGB built-in".encode("utf-16-be"), "Display P3   ".encode("utf-16-be")
    )


DISPLAY_P3 = _display_p3()
"""Display P3: the primaries of DCI-P3, the white and the curve of sRGB."""
