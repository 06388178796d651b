"""Tells of a study that arrives whether it was fetched as an earlier one, and so makes no case.

What came as the answer to our C-GET or C-MOVE says so itself (`Door.PRIOR`). A node that does not
name the C-MOVE that its objects are part of is believed while that C-MOVE is under way.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection, select

from casework.custody import Door
from storage.prior_tables import prior_fetches

_SKEW = timedelta(seconds=2)  # of the clocks of two machines of the exchange


def came_as_prior(
    conn: Connection, *, site: str, study_uid: str, door: Door, received_at: datetime
) -> bool:
    """Tell whether something of a study came because we have asked for it, and not by itself.

    What claims to be an answer to us, and is of a study that we never asked for, is not.
    """
    if door not in (Door.PRIOR, Door.DICOM):
        return False
    row = conn.execute(
        select(prior_fetches.c.moving_from, prior_fetches.c.moving_until).where(
            prior_fetches.c.site == site, prior_fetches.c.study_uid == study_uid
        )
    ).one_or_none()
    if row is None:
        return False
    if door is Door.PRIOR:
        return True
    if row.moving_from is None or row.moving_until is None:
        return False
    return bool(row.moving_from - _SKEW <= received_at <= row.moving_until + _SKEW)


def is_prior(conn: Connection, *, site: str, study_uid: str) -> bool:
    """Tell whether a study was ever fetched as an earlier one."""
    asked = select(prior_fetches.c.id).where(
        prior_fetches.c.site == site, prior_fetches.c.study_uid == study_uid
    )
    return conn.execute(asked).first() is not None
