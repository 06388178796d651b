"""Takes orders, and messages that an operator has still to look at, out with what is erased.

In the caller's transaction. Knows no bytes of the store.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from sqlalchemy import ColumnElement, Connection, delete, select, tuple_

from storage.database import chunks
from storage.erasing_find import StudyKey
from storage.holds import PatientKey
from storage.order_tables import hl7_messages, order_stations, order_steps, orders


def forget_orders(conn: Connection, keys: Sequence[StudyKey]) -> None:
    """Delete the orders of studies, and refused messages that speak of them."""
    for some in chunks(keys):
        _delete(conn, tuple_(orders.c.site, orders.c.study_uid).in_(some))
    _delete_refused(conn, [(site, [uid]) for site, uid in keys])


def forget_orders_of(conn: Connection, people: Sequence[PatientKey]) -> None:
    """Delete the orders for patients of whom nothing stays, and refused messages about them."""
    name = (orders.c.site, orders.c.patient_issuer, orders.c.patient_id)
    for some in chunks(people):
        _delete(conn, tuple_(*name).in_(some))
    _delete_refused(conn, [(site, [number]) for site, _, number in people])


def _delete(conn: Connection, which: ColumnElement[bool]) -> None:
    rows = conn.execute(
        select(
            orders.c.id,
            orders.c.site,
            orders.c.accession_number,
            orders.c.placer_number,
        ).where(which)
    ).all()
    _delete_refused(conn, [(r.site, [r.accession_number, r.placer_number]) for r in rows])
    for ids in chunks([row.id for row in rows]):
        for table in (order_stations, order_steps):
            conn.execute(delete(table).where(table.c.order_id.in_(ids)))
        conn.execute(delete(orders).where(orders.c.id.in_(ids)))


def _delete_refused(conn: Connection, named: Iterable[tuple[str, Sequence[str]]]) -> None:
    """Delete refused messages, of the site or of nobody known, in which one of the numbers stands.

    They could not be read as orders, so that their bytes are looked through.
    """
    wanted: dict[str, list[bytes]] = {}
    for site, words in named:
        wanted.setdefault(site, []).extend(re.escape(word.encode()) for word in words if word)
    spoken_of = {
        site: re.compile(rb"(?<![\w.-])(?:" + b"|".join(words) + rb")(?![\w.-])")
        for site, words in wanted.items()
        if words
    }
    if not spoken_of:
        return
    rows = conn.execute(
        select(hl7_messages.c.id, hl7_messages.c.site, hl7_messages.c.content).where(
            hl7_messages.c.state == "refused"
        )
    )
    gone = [
        row.id
        for row in rows
        if any(
            row.site in ("", site) and pattern.search(row.content)
            for site, pattern in spoken_of.items()
        )
    ]
    for ids in chunks(gone):
        conn.execute(delete(hl7_messages).where(hl7_messages.c.id.in_(ids)))
