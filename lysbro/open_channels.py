"""How many event channels are open, told by their process to the others of its data folder.

A file holds the number; what is told there is read by the status, and by nobody else.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FILE = "events.open"


@contextmanager
def counting(data: Path) -> Iterator[None]:
    """Begin with none, and take the number away at the end."""
    note_open(data, 0)
    try:
        yield
    finally:
        (data / FILE).unlink(missing_ok=True)


def note_open(data: Path, count: int) -> None:
    """Keep how many are open now."""
    fresh = data / f".{FILE}"
    fresh.write_text(str(count), "ascii")
    fresh.replace(data / FILE)


def open_channels_of(data: Path) -> int:
    """Return how many are open; none while no process has told."""
    try:
        return int((data / FILE).read_text("ascii"))
    except (FileNotFoundError, ValueError):
        return 0
