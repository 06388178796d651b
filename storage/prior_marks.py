"""Tells of a study that arrives whether it was fetched as an earlier one, and so makes no case.

What came as the answer to our C-GET or C-MOVE says so itself (`Door.PRIOR`). A node that does not
name the C-MOVE that its objects are part of is believed while that C-MOVE is under way.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from sqlalchemy import Connection, and_, not_, select

from casework.custody import CustodyEvent, Door
from storage.prior_tables import prior_fetches
from storage.tables import custody, instances, series, studies

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


def priors_among(conn: Connection, study_pks: Collection[int]) -> frozenset[int]:
    """Return which studies are here as earlier ones only: nobody has sent them, nor is asked."""
    marked = (
        select(studies.c.pk, prior_fetches.c.moving_from, prior_fetches.c.moving_until)
        .join(
            prior_fetches,
            and_(
                prior_fetches.c.site == studies.c.site,
                prior_fetches.c.study_uid == studies.c.study_uid,
            ),
        )
        .where(studies.c.pk.in_(study_pks), studies.c.case_id.is_(None))
    )
    return frozenset(
        row.pk
        for row in conn.execute(marked).all()
        if not _was_sent(conn, row.pk, row.moving_from, row.moving_until)
    )


def _was_sent(
    conn: Connection, study_pk: int, moving_from: datetime | None, moving_until: datetime | None
) -> bool:
    """Tell whether anything of a study came by itself."""
    door = custody.c.detail["door"].as_string()
    by_itself = [door != Door.PRIOR.value]
    if moving_from is not None and moving_until is not None:
        meanwhile = custody.c.at.between(moving_from - _SKEW, moving_until + _SKEW)
        by_itself.append(not_(and_(door == Door.DICOM.value, meanwhile)))
    asked = (
        select(custody.c.pk)
        .join(instances, instances.c.pk == custody.c.instance_pk)
        .join(series, series.c.pk == instances.c.series_pk)
        .where(
            series.c.study_pk == study_pk,
            custody.c.event.in_((CustodyEvent.RECEIVED.value, CustodyEvent.REPEATED.value)),
            *by_itself,
        )
        .limit(1)
    )
    return conn.execute(asked).first() is not None
