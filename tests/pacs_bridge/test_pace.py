"""Who trickles: too few bytes for too long a wait, and never before the grace is over."""

from __future__ import annotations

import pytest

from pacs_bridge.pace import Floor


@pytest.mark.parametrize(
    ("size_bytes", "waited_s", "undercut"),
    [
        (0, 0.0, False),
        (1, 10.0, False),
        (1, 10.1, True),
        (999, 11.0, True),
        (1000, 11.0, False),
        (89_999, 100.0, True),
        (90_000, 100.0, False),
        (8 << 30, 3600.0, False),
    ],
)
def test_floor_is_undercut_by_few_bytes_after_the_grace(
    size_bytes: int, waited_s: float, undercut: bool
) -> None:
    floor = Floor(rate=1000.0, grace_s=10.0)

    assert floor.is_undercut(size_bytes=size_bytes, waited_s=waited_s) is undercut


def test_no_floor_is_undercut_by_nobody() -> None:
    assert not Floor(rate=0).is_undercut(size_bytes=0, waited_s=1e9)
