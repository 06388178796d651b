"""A stretch of a file gives its own bytes and no others, read whole or in pieces."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from storage.disk import open_stretch


@pytest.mark.parametrize(
    ("offset", "length", "found"),
    [(0, 10, b"0123456789"), (3, 4, b"3456"), (8, 9, b"89"), (5, 0, b""), (20, 3, b"")],
)
def test_stretch_is_read_whole_or_in_pieces(
    tmp_path: Path, offset: int, length: int, found: bytes
) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"0123456789")

    def opened() -> int:
        return os.open(file, os.O_RDONLY)

    with open_stretch(opened(), offset, length) as whole:
        assert whole.read() == found
        assert whole.read() == b""
    with open_stretch(opened(), offset, length) as pieces:
        assert pieces.read(2) + pieces.read() == found
    with open_stretch(opened(), offset, length) as pieces:
        assert b"".join(iter(lambda: pieces.read(3), b"")) == found
