"""Reads the size of an image from the head of its compressed stream. Decodes nothing."""

from __future__ import annotations

_SOF = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC} | {0xF7}  # 0xF7: JPEG-LS (T.87)
_ALONE = frozenset({0x01, *range(0xD0, 0xD9)})
_J2K_START, _SIZ = b"\xff\x4f", b"\xff\x51"
_XL_START, _XL_BOX = b"\xff\x0a", b"\x00\x00\x00\x0cJXL "


def stated_size(data: bytes) -> tuple[int, int] | None:
    """Return columns and rows as the stream states them, or None when it does not say."""
    if data[:2] == b"\xff\xd8":
        return _jpeg_size(data)
    if data[4:8] == b"jP  ":
        found = data.find(_J2K_START + _SIZ, 0, 4096)
        return _j2k_size(data[found:]) if found >= 0 else None
    if data[:4] == _J2K_START + _SIZ:
        return _j2k_size(data)
    if data[:2] == _XL_START:
        return _xl_size(data[2:14])
    if data.startswith(_XL_BOX):
        found = data.find(b"jxlc" + _XL_START, 0, 4096)
        return _xl_size(data[found + 6 : found + 18]) if found >= 0 else None
    return None


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    at = 2
    while at + 9 <= len(data):
        if data[at] != 0xFF:
            return None
        marker = data[at + 1]
        if marker == 0xFF:
            at += 1
        elif marker in _ALONE:
            at += 2
        elif marker in _SOF:
            rows = int.from_bytes(data[at + 5 : at + 7], "big")
            columns = int.from_bytes(data[at + 7 : at + 9], "big")
            return (columns, rows) if rows and columns else None
        else:
            at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return None


def _j2k_size(data: bytes) -> tuple[int, int] | None:
    """Return the size from the SIZ marker segment (ISO 15444-1 A.5.1): extent less offset."""
    if len(data) < 24:
        return None
    width, height, left, top = (int.from_bytes(data[i : i + 4], "big") for i in (8, 12, 16, 20))
    return width - left, height - top


def _xl_size(data: bytes) -> tuple[int, int] | None:
    """Return the size from a JPEG XL size header (ISO 18181-1 section D.2)."""
    bits, at = int.from_bytes(data, "little"), 0

    def take(count: int) -> int:
        nonlocal at
        at += count
        return (bits >> (at - count)) & ((1 << count) - 1)

    def length(is_small: bool) -> int:
        return 8 * (take(5) + 1) if is_small else take((9, 13, 18, 30)[take(2)]) + 1

    is_small = take(1) == 1
    rows = length(is_small)
    ratio = take(3)
    if ratio == 0:
        return length(is_small), rows
    up, down = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))[ratio - 1]
    return rows * up // down, rows
