"""Names the series that are to be packed at once, because a waiting commitment asks for them."""

from __future__ import annotations

from sqlalchemy import Connection, and_, literal_column, select

from storage.casebook_tables import commitment_items, commitments
from storage.positions import lies_with
from storage.tables import IN_SPOOL, instances


def series_asked_for(
    conn: Connection, *, node: str | None, limit: int
) -> list[tuple[str, str, str]]:
    """Return site, study and series UID of the series that wait with a node and are asked for."""
    keys = (instances.c.site, instances.c.study_uid, instances.c.series_uid)
    found = conn.execute(
        select(*keys)
        .distinct()
        .select_from(commitment_items)
        .join(commitments, commitments.c.id == commitment_items.c.commitment_id)
        .join(
            instances,
            and_(
                instances.c.sop_instance_uid == commitment_items.c.sop_instance_uid,
                instances.c.site == commitments.c.site,
            ),
        )
        .where(
            # written out, as the partial index is: a bound value would not find it
            commitment_items.c.result == literal_column("'packing'"),
            commitments.c.state == "waiting",
            instances.c.location == IN_SPOOL,
            lies_with(node),
        )
        .order_by(*keys)
        .limit(limit)
    )
    return [(row.site, row.study_uid, row.series_uid) for row in found]
