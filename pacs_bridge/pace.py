"""Decides whether a sender trickles: keeps a message open with hardly any bytes. No I/O."""

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
