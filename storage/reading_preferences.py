"""Keeps how a person has hung a kind of case the last time. Knows no patient and no study."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, func, select, update

from storage.casebook_tables import reading_preferences
from storage.database import Database, insert_if_absent

MOST = 200
"""So many kinds of case a person has at most; the one that was hung longest ago goes first."""

_rows = reading_preferences


class ReadingPreferences:
    """How the people of one exchange hang their cases."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock

    def of_person(self, actor_id: str) -> dict[str, Mapping[str, Any]]:
        """Return what a person has chosen, by kind of case."""
        asked = select(_rows.c.kind, _rows.c.hung).where(_rows.c.actor_id == actor_id)
        with self._database.read() as conn:
            return {row.kind: row.hung for row in conn.execute(asked)}

    def keep(self, actor_id: str, kind: str, hung: Mapping[str, Any]) -> None:
        """Remember how a person hung a kind of case, in place of what was."""
        values = {"hung": dict(hung), "changed_at": self._clock()}
        mine = (_rows.c.actor_id == actor_id, _rows.c.kind == kind)
        with self._database.begin() as conn:
            insert_if_absent(conn, _rows, [{"actor_id": actor_id, "kind": kind, **values}])
            conn.execute(update(_rows).where(*mine).values(**values))
            _drop_oldest(conn, actor_id)

    def forget(self, actor_id: str, kind: str) -> None:
        """Go back to the standard for a kind of case; again is harmless."""
        mine = (_rows.c.actor_id == actor_id, _rows.c.kind == kind)
        with self._database.begin() as conn:
            conn.execute(delete(_rows).where(*mine))


def _drop_oldest(conn: Connection, actor_id: str) -> None:
    mine = _rows.c.actor_id == actor_id
    over = (conn.execute(select(func.count()).where(mine)).scalar() or 0) - MOST
    if over > 0:
        oldest = select(_rows.c.kind).where(mine).order_by(_rows.c.changed_at).limit(over)
        kinds = conn.execute(oldest).scalars().all()
        conn.execute(delete(_rows).where(mine, _rows.c.kind.in_(kinds)))
