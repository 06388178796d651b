"""Decides whether a sender trickles, and how long we wait so as not to send too fast. No I/O."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Floor:
    """The fewest bytes per second that a sender must keep over one message, after a grace."""

    rate: float = 1000.0  # bytes per second
    grace_s: float = 30.0

    def is_undercut(self, *, size_bytes: int, waited_s: float) -> bool:
        """Tell whether so many bytes are too few for so long a wait for the sender.

        Only the time spent waiting for the sender counts, not that which our own disk took.
        """
        return size_bytes < self.rate * (waited_s - self.grace_s)


class Brake:
    """The most bytes per second that are sent over an association, on the average."""

    def __init__(self, rate: float | None, *, now: float) -> None:
        self._rate = rate
        self._free_at = now

    def sent(self, size_bytes: int, *, now: float) -> None:
        """Count what was sent; what an idle while would have allowed is not saved up."""
        if self._rate:
            self._free_at = max(self._free_at, now) + size_bytes / self._rate

    def wait_s(self, now: float) -> float:
        """Return how long to wait before the next object."""
        return max(0.0, self._free_at - now)
