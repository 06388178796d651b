"""Names the series that are to be packed at once, because a waiting commitment asks for them."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import ColumnElement, Connection, and_, literal_column, select, true

from storage.casebook_tables import commitment_items, commitments
from storage.positions import lies_with
from storage.tables import IN_SPOOL, instances


def series_asked_for(
    conn: Connection,
    *,
    node: str | None,
    limit: int,
    sites: Collection[str] | None = None,
    but_sites: Collection[str] = (),
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
            of_sites(sites, but_sites),
        )
        .order_by(*keys)
        .limit(limit)
    )
    return [(row.site, row.study_uid, row.series_uid) for row in found]


def of_sites(sites: Collection[str] | None, but_sites: Collection[str]) -> ColumnElement[bool]:
    """Return that an instance is of one of these sites (None: of any), and of none of those."""
    if sites is not None:
        return instances.c.site.in_(sorted(sites))
    return instances.c.site.not_in(sorted(but_sites)) if but_sites else true()
