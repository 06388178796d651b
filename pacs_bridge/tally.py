"""Counts the sub-operations of a retrieve and says how it ended (PS3.4 C.4.2.1.5 to 9). No I/O."""

from __future__ import annotations

from dataclasses import dataclass

from pacs_bridge import status
from pacs_bridge.dimse import SubOperations
from pacs_bridge.status import Answer

MAX_SUB_OPERATIONS = 65535  # what a count of 16 bits holds


@dataclass(frozen=True)
class Outcome:
    """What became of one sub-operation; without a status, nothing was sent, or nobody answered."""

    sop_instance_uid: str
    status: int | None
    comment: str = ""
    code: str = ""  # of the error, where there is no status
    sent_in: str = ""  # transfer syntax

    @property
    def has_arrived(self) -> bool:
        """Tell whether the receiver has it: success, or a warning, which means stored."""
        return self.status is not None and Answer(self.status).is_kept


class Tally:
    """The sub-operations of one retrieve."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.completed = 0
        self.warning = 0
        self.failed: list[str] = []

    @property
    def remaining(self) -> int:
        """Return how many have not been tried."""
        return self.total - self.completed - self.warning - len(self.failed)

    def take(self, outcome: Outcome) -> None:
        """Count one sub-operation."""
        if not outcome.has_arrived:
            self.failed.append(outcome.sop_instance_uid)
        elif outcome.status == status.SUCCESS:
            self.completed += 1
        else:
            self.warning += 1

    def pending(self) -> SubOperations:
        """Return the counts of a pending response."""
        return self._counts(self.remaining)

    def final(self, *, is_cancelled: bool) -> tuple[Answer, SubOperations]:
        """Return the last answer and its counts, those remaining only after a cancel."""
        counts = self._counts(self.remaining if is_cancelled else None)
        if is_cancelled:
            return Answer(status.CANCELLED), counts
        if self.total and len(self.failed) == self.total:
            return Answer(status.NONE_SENT, "No sub-operation succeeded"), counts
        if self.failed or self.warning:
            return Answer(status.SOME_FAILED), counts
        return Answer(status.SUCCESS), counts

    def _counts(self, remaining: int | None) -> SubOperations:
        return SubOperations(remaining, self.completed, len(self.failed), self.warning)


class Pace:
    """Says when a pending response is due: after so many sub-operations, or so many seconds."""

    def __init__(self, *, every: int, seconds: float, now: float) -> None:
        self._every = every
        self._seconds = seconds
        self._told_at = now
        self._since = 0

    def is_due(self, *, done: int, now: float) -> bool:
        """Tell whether one is due after so many more sub-operations, and begin to count anew."""
        self._since += done
        if self._since < self._every and now - self._told_at < self._seconds:
            return False
        self._told_at, self._since = now, 0
        return True
