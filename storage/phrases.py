"""Keeps what people write often, each phrase under its short form. A person sees only their own."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, delete, func, insert, select, update

from casework.errors import Conflict, Invalid, NotFound
from casework.model import Actor
from storage.database import Database
from storage.template_tables import phrases

MAX_PHRASES = 500
MAX_TEXT = 4_000
_SHORT = re.compile(r"[\w-]{1,32}")


@dataclass(frozen=True)
class Phrase:
    """A text with its short form."""

    id: int
    short: str
    text: str


class Phrases:
    """The phrases of the people of one exchange."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock

    def of(self, actor: Actor) -> Sequence[Phrase]:
        """Return a person's phrases by their short forms."""
        with self._database.read() as conn:
            rows = conn.execute(
                select(phrases.c.id, phrases.c.short, phrases.c.text)
                .where(phrases.c.actor_id == actor.id)
                .order_by(phrases.c.short)
            )
            return [Phrase(*row) for row in rows]

    def add(self, actor: Actor, *, short: str, text: str) -> Phrase:
        """Keep a phrase; Conflict when its short form is another's of the same person."""
        short, text = _read(short, text)
        with self._database.begin() as conn:
            _require_free(conn, actor, short)
            count = conn.execute(
                select(func.count()).where(phrases.c.actor_id == actor.id)
            ).scalar_one()
            if count >= MAX_PHRASES:
                raise Invalid(
                    f"You have {MAX_PHRASES} phrases. Remove one that you do not use.",
                    code="too-many-phrases",
                )
            made = conn.execute(
                insert(phrases)
                .values(actor_id=actor.id, short=short, text=text, made_at=self._clock())
                .returning(phrases.c.id)
            )
            return Phrase(made.scalar_one(), short, text)

    def change(self, actor: Actor, phrase_id: int, *, short: str, text: str) -> Phrase:
        """Give a phrase of a person another text or short form."""
        short, text = _read(short, text)
        with self._database.begin() as conn:
            _require_free(conn, actor, short, but=phrase_id)
            changed = conn.execute(
                update(phrases)
                .where(_own(actor, phrase_id))
                .values(short=short, text=text, made_at=self._clock())
            )
            if not changed.rowcount:
                raise _no_phrase(phrase_id)
        return Phrase(phrase_id, short, text)

    def remove(self, actor: Actor, phrase_id: int) -> None:
        """Forget a phrase of a person."""
        with self._database.begin() as conn:
            if not conn.execute(delete(phrases).where(_own(actor, phrase_id))).rowcount:
                raise _no_phrase(phrase_id)


def forget_phrases(conn: Connection, actor_id: str) -> None:
    """Forget all phrases of a person who is gone."""
    conn.execute(delete(phrases).where(phrases.c.actor_id == actor_id))


def _own(actor: Actor, phrase_id: int) -> ColumnElement[bool]:
    return and_(phrases.c.id == phrase_id, phrases.c.actor_id == actor.id)


def _require_free(conn: Connection, actor: Actor, short: str, but: int = 0) -> None:
    taken = conn.execute(
        select(phrases.c.id).where(
            phrases.c.actor_id == actor.id, phrases.c.short == short, phrases.c.id != but
        )
    ).first()
    if taken is not None:
        raise Conflict(
            f"You have a phrase /{short} already. Take another short form.", code="phrase-exists"
        )


def _read(short: str, text: str) -> tuple[str, str]:
    short, text = short.strip().removeprefix("/").casefold(), text.strip()
    if not _SHORT.fullmatch(short):
        raise Invalid(
            "A short form has 1 to 32 letters, digits, hyphens or underscores.",
            code="invalid-short-form",
        )
    if not 0 < len(text) <= MAX_TEXT:
        raise Invalid(
            f"A phrase has 1 to {MAX_TEXT} characters. Shorten it.", code="invalid-phrase"
        )
    return short, text


def _no_phrase(phrase_id: int) -> NotFound:
    return NotFound(f"You have no phrase {phrase_id}.", code="no-such-phrase")
