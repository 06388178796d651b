"""Group commit: one round of syncs makes every record durable that waits for it.

The first to wait leads: it syncs each segment that has a waiter, then wakes those who are covered.
A sync that failed is never tried again: the kernel may have dropped the pages since. When the disk
says that it is full, only that segment is given up, and its object refused; any other failure is
final for the node.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from casework.errors import NoRoom, Unavailable
from storage.disk import is_out_of_room
from storage.segments import Segment


class GroupCommit:
    """Makes records durable; after a failure of the disk it refuses for ever and says why."""

    def __init__(self, sync: Callable[[Segment], None] = Segment.sync) -> None:
        self._sync = sync
        self._condition = threading.Condition()
        self._waiting: dict[Segment, int] = {}
        self._is_leading = False
        self._failure = ""

    @property
    def failure(self) -> str:
        """Return why nothing is taken in any more; empty while all is well."""
        return self._failure

    def make_durable(self, segment: Segment, end: int) -> None:
        """Return when the segment is on stable storage up to `end`.

        Else the segment is broken: NoRoom is raised when the disk was full, or Unavailable.
        """
        with self._condition:
            self._waiting[segment] = end
            while True:
                if segment.synced_to >= end:
                    return
                if self._failure or segment.is_broken:
                    raise self._refusal(segment)
                if not self._is_leading:
                    break
                self._condition.wait()
            self._is_leading = True
            batch = dict(self._waiting)
            self._waiting.clear()
        self._lead(batch)
        if segment.synced_to < end:
            raise self._refusal(segment)

    def _refusal(self, segment: Segment) -> Unavailable:
        segment.is_broken = True
        return read_only(self._failure) if self._failure else no_room()

    def _lead(self, batch: dict[Segment, int]) -> None:
        failure = "a sync was interrupted"
        durable: dict[Segment, int] = {}
        full: list[Segment] = []
        try:
            for segment, end in batch.items():
                try:
                    self._sync(segment)
                except OSError as error:
                    if not is_out_of_room(error):
                        failure = f"syncing {segment.name} failed ({error.strerror or error})"
                        break
                    full.append(segment)
                else:
                    durable[segment] = end
        finally:
            with self._condition:
                for segment, end in durable.items():
                    segment.synced_to = max(segment.synced_to, end)
                for segment in full:
                    segment.is_broken = True
                if len(durable) + len(full) < len(batch):
                    self._failure = self._failure or failure
                self._is_leading = False
                self._condition.notify_all()


def no_room() -> NoRoom:
    """Return the error of an object for which the disk has no room."""
    return NoRoom(
        "The disk of the spool is full; nothing was kept. Make room on it, then send again.",
        code="disk-full",
    )


def read_only(failure: str) -> Unavailable:
    """Return the error of an archive that takes nothing in any more."""
    return Unavailable(
        f"Nothing can be taken in: {failure}. Look at the disk of the spool, then restart Lysbro; "
        "what was acknowledged is kept.",
        code="read-only",
    )
