"""Reads and writes the boxes of MP4 and QuickTime files (ISO 14496-12), as few as are needed.

Knows no track, no codec and no DICOM; whatever the bytes say, it ends.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from casework.errors import Invalid

Bytes = bytes | memoryview

_MOST_BOXES = 200_000
"""Of one level; a clip of a minute in fragments has some hundreds."""


def damaged(what: str) -> Invalid:
    """Return the error of a file that contradicts itself."""
    return Invalid(
        f"The film is damaged: {what}. Record it again, or send it again from the phone.",
        code="damaged-clip",
    )


def truncated() -> Invalid:
    """Return the error of a file that ends too early."""
    return Invalid(
        "The film is not whole: its end is missing. Send it again from the phone.",
        code="truncated-clip",
    )


def places(data: Bytes) -> Iterator[tuple[bytes, int, int, int]]:
    """Yield the boxes of a stretch: kind, where it begins, where its content does, and its end;
    raise Invalid where one is not whole.
    """
    view, at = memoryview(data), 0
    for _ in range(_MOST_BOXES):
        if at == len(view):
            return
        if len(view) - at < 8:
            if not any(view[at:]):
                return  # QuickTime ends a list of boxes with a zero of four bytes
            raise truncated()
        size, kind, head = *struct.unpack_from(">I4s", view, at), 8
        if size == 1:
            if len(view) - at < 16:
                raise truncated()
            size, head = int(struct.unpack_from(">Q", view, at + 8)[0]), 16
        elif size == 0:
            size = len(view) - at
        if size < head:
            raise damaged("a box is shorter than its own head")
        if size > len(view) - at:
            raise truncated()
        yield kind, at, at + head, at + size
        at += size
    raise damaged("it has more boxes than any film needs")


def boxes(data: Bytes) -> Iterator[tuple[bytes, memoryview]]:
    """Yield the boxes of a stretch with their content; raise Invalid where one is not whole."""
    view = memoryview(data)
    for kind, _start, content, end in places(view):
        yield kind, view[content:end]


def find(data: Bytes, *path: bytes) -> memoryview | None:
    """Return the content of the first box at a path, or None."""
    found: memoryview | None = memoryview(data)
    for kind in path:
        found = next((box for name, box in boxes(found or b"") if name == kind), None)
        if found is None:
            return None
    return found


def need(data: Bytes, *path: bytes) -> memoryview:
    """Return the content of the first box at a path, or raise Invalid."""
    found = find(data, *path)
    if found is None:
        raise damaged(f"the box {path[-1].decode('latin-1')} is missing")
    return found


def unpack(form: str, data: Bytes, at: int = 0) -> tuple[int, ...]:
    """Return numbers, or raise Invalid where the box is too short for them."""
    try:
        return struct.unpack_from(f">{form}", data, at)
    except struct.error as error:
        raise damaged("a box is too short") from error


def box(kind: bytes, *content: Bytes) -> bytes:
    """Return a box."""
    return struct.pack(">I4s", 8 + sum(map(len, content)), kind) + b"".join(content)


def full_box(kind: bytes, *content: Bytes, version: int = 0, flags: int = 0) -> bytes:
    """Return a box with a version and flags."""
    return box(kind, struct.pack(">I", version << 24 | flags), *content)
