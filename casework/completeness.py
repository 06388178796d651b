"""Whether all of a study has arrived. DICOM does not say, so silence is taken for the end."""

from __future__ import annotations

from datetime import datetime, timedelta

ARRIVING = "arriving"
PRESUMED = "presumed"


def completeness(last_received_at: datetime, now: datetime, quiet_s: float) -> str:
    """Return `arriving`, or `presumed` complete once nothing has come for `quiet_s` seconds."""
    quiet = now - last_received_at >= timedelta(seconds=quiet_s)
    return PRESUMED if quiet else ARRIVING
