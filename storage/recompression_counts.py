"""Counts what became of the objects of sites that have them recompressed: the form, or why none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection, select, update

from storage.database import insert_if_absent
from storage.tables import recompressions


@dataclass(frozen=True)
class Tally:
    """How many objects of a site met an outcome, and their bytes as received and as kept."""

    site: str
    outcome: str
    instances: int
    received_bytes: int
    kept_bytes: int


def count(conn: Connection, found: Sequence[Tally]) -> None:
    """Add to the counts."""
    sums: dict[tuple[str, str], Tally] = {}
    for each in found:
        key = (each.site, each.outcome)
        was = sums.get(key, Tally(*key, 0, 0, 0))
        sums[key] = replace(
            was,
            instances=was.instances + each.instances,
            received_bytes=was.received_bytes + each.received_bytes,
            kept_bytes=was.kept_bytes + each.kept_bytes,
        )
    table = recompressions.c
    rows = [{"site": site, "outcome": outcome} for site, outcome in sorted(sums)]
    insert_if_absent(conn, recompressions, rows)
    for key, each in sorted(sums.items()):
        conn.execute(
            update(recompressions)
            .where(table.site == key[0], table.outcome == key[1])
            .values(
                instances=table.instances + each.instances,
                received_bytes=table.received_bytes + each.received_bytes,
                kept_bytes=table.kept_bytes + each.kept_bytes,
            )
        )


def tallies(conn: Connection, site: str | None = None) -> list[Tally]:
    """Return what became of the objects of sites, or of one."""
    asked = select(recompressions).order_by(recompressions.c.site, recompressions.c.outcome)
    if site is not None:
        asked = asked.where(recompressions.c.site == site)
    return [Tally(*row) for row in conn.execute(asked)]
