"""The figures that the bridge gives out as it works: associations, objects, bytes, refusals."""

from __future__ import annotations

from typing import Protocol


class Meter(Protocol):
    """Is told what happens; called from many threads at once."""

    def associations(self, open_now: int) -> None:
        """Take the number of open associations."""

    def received(self, site: str, size_bytes: int, status: int) -> None:
        """Take one object that was answered with a status; no bytes when it was not kept."""

    def rejected(self, code: str) -> None:
        """Take one association that was rejected, and why."""


class NoMeter:
    """Measures nothing."""

    def associations(self, open_now: int) -> None:
        """Do nothing."""

    def received(self, site: str, size_bytes: int, status: int) -> None:
        """Do nothing."""

    def rejected(self, code: str) -> None:
        """Do nothing."""
