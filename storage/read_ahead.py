"""Decides which frames are fetched together with one that was asked for: those that lie behind it.

Reads nothing itself but the index, which knows what lies side by side in a pack.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from threading import Lock

from sqlalchemy import ColumnElement, Connection, select

from casework.errors import LysbroError
from storage.frame_cache import Key
from storage.frames import Cut, cut_of
from storage.part10 import DEFLATED_LE
from storage.rows import InstanceRow, instance_row
from storage.series_order import in_series_of
from storage.tables import IN_PACK, instances

FIRST_FRAMES = 4  # while nobody knows yet whether the next ones will be asked for
MOST_FRAMES = 16
MOST_BYTES = 8 << 20
GAP_BYTES = 64 << 10  # headers between frames that are read along rather than asked for anew
_PACKS_KNOWN = 64


@dataclass(frozen=True)
class Placed:
    """A frame and where its stretch begins in the pack."""

    key: Key
    offset: int
    cut: Cut

    @property
    def end(self) -> int:
        """Return where its stretch ends in the pack."""
        return self.offset + self.cut.length


class Pace:
    """Remembers how far each pack was read ahead: who goes on from there is given more."""

    def __init__(self) -> None:
        self._ends: OrderedDict[str, int] = OrderedDict()
        self._lock = Lock()

    def frames_for(self, container: str, start: int) -> int:
        """Return how many frames to fetch along with one that begins at `start`."""
        with self._lock:
            end = self._ends.get(container)
        # several who read at once do not miss in the order of the frames
        goes_on = end is not None and abs(start - end) <= MOST_BYTES // 2
        return MOST_FRAMES if goes_on else FIRST_FRAMES

    def read_to(self, container: str, end: int) -> None:
        """Note how far a pack was read."""
        with self._lock:
            self._ends[container] = end
            self._ends.move_to_end(container)
            while len(self._ends) > _PACKS_KNOWN:
                self._ends.popitem(last=False)


def placed(row: InstanceRow, frame: int) -> Placed:
    """Return where a frame of an instance lies in its container."""
    cut = cut_of(row.pixel, row.attributes, frame)
    at = row.location
    return Placed((row.bytes_sha256, frame), at.offset + at.dataset_offset + cut.offset, cut)


def run_behind(first: Placed, others: Sequence[Placed], *, most_bytes: int) -> list[Placed]:
    """Return those of the others that follow the first side by side, within a bound of bytes."""
    run: list[Placed] = []
    end = first.end
    for other in others:
        near = 0 <= other.offset - end <= GAP_BYTES
        if not near or other.end - first.offset > most_bytes:
            break
        run.append(other)
        end = other.end
    return run


def following(conn: Connection, row: InstanceRow, frame: int, count: int) -> list[Placed]:
    """Return up to `count` frames behind one: of the object, else of the series in the pack."""
    if row.pixel is not None and row.pixel.frames > 1:
        last = min(row.pixel.frames, frame + count)
        return list(_placed(row, range(frame + 1, last + 1)))
    found = conn.execute(
        select(instances)
        .where(
            in_series_of(row),
            _not_before(row),
            instances.c.offset > row.location.offset,
            instances.c.location == IN_PACK,
            instances.c.container == row.location.container,
        )
        # packs are written by number; those of one number in whatever order
        .order_by(instances.c.number, instances.c.offset)
        .limit(count)
    )
    some = [one for each in found for one in _placed(instance_row(each), (1,))]
    return sorted(some, key=lambda one: one.offset)


def _not_before(row: InstanceRow) -> ColumnElement[bool]:
    if row.number is None:
        return instances.c.number.is_(None)
    return instances.c.number >= row.number


def _placed(row: InstanceRow, frames: Sequence[int]) -> Iterator[Placed]:
    if row.pixel is None or row.transfer_syntax_uid == DEFLATED_LE:
        return
    for frame in frames:
        try:
            yield placed(row, frame)
        except LysbroError:  # told to the one who asks for that frame
            return
