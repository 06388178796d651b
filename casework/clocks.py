"""When an answer is due. The clock runs only while the specialist is the one being waited for."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from casework.model import Priority, Specialty

TARGETS: Mapping[tuple[Specialty, Priority], timedelta] = {
    (Specialty.RADIOLOGY, Priority.ROUTINE): timedelta(days=3),
    (Specialty.RADIOLOGY, Priority.URGENT): timedelta(hours=24),
    (Specialty.RADIOLOGY, Priority.ASAP): timedelta(hours=4),
    (Specialty.RADIOLOGY, Priority.STAT): timedelta(hours=1),
    (Specialty.DERMATOLOGY, Priority.ROUTINE): timedelta(days=5),
    (Specialty.DERMATOLOGY, Priority.URGENT): timedelta(days=2),
    (Specialty.DERMATOLOGY, Priority.ASAP): timedelta(hours=24),
    (Specialty.DERMATOLOGY, Priority.STAT): timedelta(hours=4),
}
"""How long a signed answer may take, from submission."""


def due_at(submitted_at: datetime, priority: Priority, specialty: Specialty) -> datetime:
    """Return when an answer is due."""
    return submitted_at + TARGETS[specialty, priority]


def resumed(due_at: datetime, *, paused_at: datetime, now: datetime) -> datetime:
    """Return when an answer is due after a pause: as much later as the pause was long."""
    return due_at + max(now - paused_at, timedelta(0))
