"""Keeps what each person's browser locks its unsent pictures with, for as long as the person is.

The browser is given it when the person has signed in, and forgets it when they sign out.
"""

from __future__ import annotations

import secrets

from sqlalchemy import select

from storage.casebook_tables import queue_keys
from storage.database import Database, insert_if_absent

_SECRET_BYTES = 32


class QueueKeys:
    """The secrets of the queues, one for each person."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def secret_of(self, actor_id: str) -> str:
        """Return the secret of a person in hex, made the first time."""
        asked = select(queue_keys.c.secret).where(queue_keys.c.actor_id == actor_id)
        with self._database.read() as conn:
            known: str | None = conn.execute(asked).scalar_one_or_none()
        if known is not None:
            return known
        fresh = {"actor_id": actor_id, "secret": secrets.token_hex(_SECRET_BYTES)}
        with self._database.begin() as conn:
            insert_if_absent(conn, queue_keys, [fresh])
            found: str = conn.execute(asked).scalar_one()
        return found
