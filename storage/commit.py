"""Group commit: one round of syncs makes every record durable that waits for it.

The first to wait leads: it syncs each segment that has a waiter, then wakes those who are covered.
A sync that failed is never tried again: the kernel may have dropped the pages since.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from casework.errors import Unavailable
from storage.segments import Segment


class GroupCommit:
    """Makes records durable; after one failure it refuses for ever and says why."""

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
        """Return when the segment is on stable storage up to `end`, or raise Unavailable."""
        with self._condition:
            self._waiting[segment] = end
            while True:
                if segment.synced_to >= end:
                    return
                if self._failure:
                    segment.is_broken = True
                    raise read_only(self._failure)
                if not self._is_leading:
                    break
                self._condition.wait()
            self._is_leading = True
            batch = dict(self._waiting)
            self._waiting.clear()
        self._lead(batch)
        if segment.synced_to < end:
            segment.is_broken = True
            raise read_only(self._failure)

    def _lead(self, batch: dict[Segment, int]) -> None:
        failure = ""
        durable: dict[Segment, int] = {}
        try:
            for segment, end in batch.items():
                self._sync(segment)
                durable[segment] = end
        except OSError as error:
            failure = f"syncing {segment.name} failed ({error.strerror or error})"
        finally:
            with self._condition:
                for segment, end in durable.items():
                    segment.synced_to = max(segment.synced_to, end)
                if len(durable) < len(batch):
                    self._failure = self._failure or failure or "a sync was interrupted"
                self._is_leading = False
                self._condition.notify_all()


def read_only(failure: str) -> Unavailable:
    """Return the error of an archive that takes nothing in any more."""
    return Unavailable(
        f"Nothing can be taken in: {failure}. Look at the disk of the spool, then restart Lysbro; "
        "what was acknowledged is kept.",
        code="read-only",
    )
