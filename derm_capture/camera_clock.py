"""Judges the camera's clock against the moment when the photograph came; refuses nothing.

The object keeps the camera's time, the custody of the instance that of the receipt.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from derm_capture.exif import Camera
from derm_capture.quality import Advice, Verdict

FAR_OFF = timedelta(hours=24)


def clock_advice(camera: Camera, *, received_at: datetime, zone: str) -> tuple[Advice, ...]:
    """Return a note when the camera says another day, or nothing when it says none."""
    taken = camera.taken_at
    if taken is None:
        return ()
    if taken.tzinfo is None:
        taken = taken.replace(tzinfo=ZoneInfo(zone))
    off = received_at - taken
    if abs(off) <= FAR_OFF:
        return ()
    hours = round(off / timedelta(hours=1), 1)
    when = f"{taken:%Y-%m-%d %H:%M}"
    words = (
        f"The camera says that this was taken {when}. If that is wrong, set its clock; the picture "
        "is good all the same.",
        f"Kameraet sier at bildet ble tatt {when}. Er det feil, still klokken; bildet er like bra.",
    )
    most = FAR_OFF / timedelta(hours=1)
    return (Advice("clock", Verdict.DOUBTFUL, hours, most, *words),)
