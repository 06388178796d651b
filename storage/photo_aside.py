"""Takes a photograph out of sight, and keeps it out: its bytes stay, nothing lists or sends them.

It stands as an object in quarantine does that lost and was settled, so that every list, query and
export that leaves those out leaves this out as well. Who may do it is not asked here.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, select, update

from casework.custody import CustodyEvent
from storage import custodian
from storage.casebook_tables import captures, cases
from storage.hierarchy import recount
from storage.tables import CURRENT, QUARANTINED, SET_ASIDE, instances


def hide(
    conn: Connection, *, site: str, sop_instance_uid: str, case_id: str, by: str, now: datetime
) -> bool:
    """Take an instance of a site out of its series; tell whether it stood in one."""
    row = conn.execute(
        select(instances.c.pk, instances.c.series_pk)
        .where(
            instances.c.site == site,
            instances.c.sop_instance_uid == sop_instance_uid,
            instances.c.state == CURRENT,
        )
        .with_for_update()
    ).one_or_none()
    if row is None:
        return False
    conn.execute(
        update(instances)
        .where(instances.c.pk == row.pk)
        .values(
            state=QUARANTINED, series_pk=None, conflict=SET_ASIDE, settled_at=now, settled_by=by
        )
    )
    recount(conn, {row.series_pk})
    line = custodian.Line(row.pk, CustodyEvent.SET_ASIDE, now, {"actor": by, "case": case_id})
    custodian.write(conn, [line])
    return True


def hide_again(conn: Connection, *, now: datetime) -> int:
    """Hide what the casebook knows to be set aside, after the index was made anew; count it."""
    found = conn.execute(
        select(
            cases.c.site, captures.c.case_id, captures.c.sop_instance_uid, captures.c.set_aside_by
        )
        .join(cases, cases.c.id == captures.c.case_id)
        .where(captures.c.set_aside_at.is_not(None))
    ).all()
    return sum(
        hide(
            conn,
            site=row.site,
            sop_instance_uid=row.sop_instance_uid,
            case_id=row.case_id,
            by=row.set_aside_by,
            now=now,
        )
        for row in found
    )
