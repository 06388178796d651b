"""How fast packs have gone to the store of late, and so when what waits will be there.

Kept in a small file, so that any process on the data folder can tell; it costs nothing to lose.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import structlog

log = structlog.get_logger()

_LAST = 20


class Trip(NamedTuple):
    """One pack's way to the store: made, put, read back and noted."""

    size_bytes: int
    seconds: float


def drain_s(waiting_bytes: int, trips: Sequence[Trip]) -> float | None:
    """Return how many seconds the last packs' pace needs for what waits; None: no pace is known."""
    if not waiting_bytes:
        return 0.0
    size, seconds = sum(t.size_bytes for t in trips), sum(t.seconds for t in trips)
    return waiting_bytes * seconds / size if size and seconds > 0 else None


class Pace:
    """The last trips, in a file of the data folder."""

    def __init__(self, data: Path) -> None:
        self._path = data / "pace.json"

    def trips(self) -> list[Trip]:
        """Return the last trips, the oldest first; none when they cannot be read."""
        try:
            return [Trip(int(size), float(s)) for size, s in json.loads(self._path.read_text())]
        except (OSError, ValueError, TypeError):
            return []

    def note(self, trip: Trip) -> None:
        """Add a trip; only the one who holds the packing lock does."""
        temporary = self._path.with_suffix(".new")
        try:
            temporary.write_text(json.dumps([*self.trips(), trip][-_LAST:]))
            temporary.replace(self._path)
        except OSError as error:
            log.warning("pace_not_written", reason=str(error))
