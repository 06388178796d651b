"""Sessions, bearer tokens and failed sign-ins. Keeps hashes of secrets, never the secrets."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, Table, delete, insert, or_, select, update

from casework.errors import Invalid, NotFound
from casework.model import Actor, Role, SiteKind
from casework.patience import FORGOTTEN_AFTER, wait_s
from casework.token_scopes import parse_scopes
from storage.casebook_tables import sessions, sign_in_failures, sites, tokens, users
from storage.database import Database, insert_if_absent

IDLE = timedelta(minutes=30)
ABSOLUTE = timedelta(hours=12)
_SEEN_EVERY = timedelta(seconds=60)  # so that a page with many requests is not as many writes


@dataclass(frozen=True)
class TokenRow:
    """A bearer token as it is listed; the secret itself was shown once."""

    id: int
    email: str
    name: str
    created_at: datetime
    expires_at: datetime
    seen_at: datetime | None
    revoked_at: datetime | None
    scopes: str = ""  # separated by blanks; empty: all that the person may


@dataclass(frozen=True)
class Bearer:
    """Who a bearer token acts for, and what it is limited to: None for nothing."""

    actor: Actor
    scopes: frozenset[str] | None = None


class SignIn:
    """How people and their machines prove who they are."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock

    def open_session(self, user_id: str, *, now: datetime) -> str:
        """Return the secret of a new session of the person `user:N`; ended ones are cleared."""
        token = secrets.token_urlsafe(32)
        with self._database.begin() as conn:
            conn.execute(
                delete(sessions).where(
                    or_(sessions.c.seen_at <= now - IDLE, sessions.c.opened_at <= now - ABSOLUTE)
                )
            )
            conn.execute(
                insert(sessions).values(
                    token_hash=_hash(token), user_id=_number(user_id), opened_at=now, seen_at=now
                )
            )
        return token

    def actor_by_session(
        self, token: str, now: datetime, *, is_use: bool = True
    ) -> tuple[Actor, str] | None:
        """Return who has a session and its CSRF token, or None when it has ended.

        A look that is no use of it does not keep it from ending.
        """
        row = self._holder(sessions, token)
        if row is None or now - row.seen_at >= IDLE or now - row.opened_at >= ABSOLUTE:
            return None
        if is_use:
            self._seen(sessions, token, row.seen_at, now)
        return actor_of(row), _hash(f"csrf:{token}")

    def proved_at(self, token: str) -> datetime | None:
        """Return when the person of a session last proved who they are; None without a session."""
        with self._database.read() as conn:
            row = conn.execute(
                select(sessions.c.opened_at, sessions.c.proved_at).where(
                    sessions.c.token_hash == _hash(token)
                )
            ).one_or_none()
        if row is None:
            return None
        found: datetime = row.proved_at or row.opened_at
        return found

    def prove(self, token: str, *, now: datetime) -> None:
        """Note that the person of a session has proved anew who they are."""
        with self._database.begin() as conn:
            conn.execute(
                update(sessions).where(sessions.c.token_hash == _hash(token)).values(proved_at=now)
            )

    def close_session(self, token: str) -> None:
        """End a session."""
        with self._database.begin() as conn:
            conn.execute(delete(sessions).where(sessions.c.token_hash == _hash(token)))

    def close_sessions_of(self, user_id: str) -> None:
        """End every session of a person."""
        with self._database.begin() as conn:
            conn.execute(delete(sessions).where(sessions.c.user_id == _number(user_id)))

    def add_token(
        self, email: str, *, days: int = 365, name: str = "", scopes: Collection[str] = ()
    ) -> str:
        """Return the secret of a new bearer token with a person's rights; it is shown this once.

        With scopes it has no more of these rights than they cover.
        """
        if days < 1:
            raise Invalid("A token lasts at least one day.", code="invalid-days")
        limits = parse_scopes(scopes)
        secret, now = f"lysbro_{secrets.token_urlsafe(32)}", self._clock()
        with self._database.begin() as conn:
            user_id = conn.execute(
                select(users.c.id).where(users.c.email == email.strip().casefold())
            ).scalar()
            if user_id is None:
                raise NotFound(f"There is no person with the address {email}.", code="no-such-user")
            conn.execute(
                insert(tokens).values(
                    token_hash=_hash(secret),
                    user_id=user_id,
                    name=name,
                    created_at=now,
                    expires_at=now + timedelta(days=days),
                    scopes=" ".join(sorted(limits)),
                )
            )
        return secret

    def bearer(self, token: str, now: datetime) -> Bearer | None:
        """Return who a bearer token acts for and what it is limited to.

        None when it is no token, has ended or was revoked.
        """
        row = self._holder(tokens, token)
        if row is None or row.revoked_at is not None or row.expires_at <= now:
            return None
        self._seen(tokens, token, row.seen_at, now)
        return Bearer(actor_of(row), frozenset(row.scopes.split()) or None)

    def tokens(self) -> tuple[TokenRow, ...]:
        """Return every token, newest first."""
        names = [tokens.c[name] for name in TokenRow.__dataclass_fields__ if name != "email"]
        asked = select(*names, users.c.email).join(users, users.c.id == tokens.c.user_id)
        with self._database.read() as conn:
            rows = conn.execute(asked.order_by(tokens.c.id.desc()))
            return tuple(TokenRow(**row._mapping) for row in rows)

    def revoke_token(self, token_id: int) -> None:
        """End a token."""
        with self._database.begin() as conn:
            changed = conn.execute(
                update(tokens)
                .where(tokens.c.id == token_id, tokens.c.revoked_at.is_(None))
                .values(revoked_at=self._clock())
            )
        if not changed.rowcount:
            raise NotFound(f"There is no token {token_id} in use.", code="no-such-token")

    def note_failed_sign_in(self, key: str) -> None:
        """Count a failure of an account (`account:…`) or address (`address:…`)."""
        now = self._clock()
        with self._database.begin() as conn:
            stale = sign_in_failures.c.last_at <= now - FORGOTTEN_AFTER
            conn.execute(delete(sign_in_failures).where(stale))
            first = {"key_hash": _hash(key), "failures": 0, "last_at": now}
            insert_if_absent(conn, sign_in_failures, [first])
            conn.execute(
                update(sign_in_failures)
                .where(sign_in_failures.c.key_hash == _hash(key))
                .values(failures=sign_in_failures.c.failures + 1, last_at=now)
            )

    def sign_in_delay(self, key: str) -> float:
        """Return how many seconds an account or address must wait before it is tried again."""
        with self._database.read() as conn:
            row = conn.execute(
                select(sign_in_failures).where(sign_in_failures.c.key_hash == _hash(key))
            ).one_or_none()
        if row is None:
            return 0.0
        return wait_s(key, row.failures, last_at=row.last_at, now=self._clock())

    def clear_failed(self, key: str) -> None:
        """Forget the failures of an account or address."""
        with self._database.begin() as conn:
            conn.execute(delete(sign_in_failures).where(sign_in_failures.c.key_hash == _hash(key)))

    def _holder(self, table: Table, token: str) -> Row[*tuple[Any, ...]] | None:
        """Return the row of a session or token with its person, unless the person is disabled."""
        person = (users.c.id, users.c.name, users.c.site, users.c.role, users.c.email)
        own = [column for column in table.c if column.name not in {"id", "name"}]
        asked = (
            select(*own, *person, sites.c.kind.label("site_kind"))
            .select_from(table)
            .join(users, users.c.id == table.c.user_id)
            .join(sites, sites.c.slug == users.c.site)
            .where(table.c.token_hash == _hash(token), users.c.disabled_at.is_(None))
        )
        with self._database.read() as conn:
            return conn.execute(asked).one_or_none()

    def _seen(self, table: Table, token: str, before: datetime | None, now: datetime) -> None:
        if before is not None and now - before < _SEEN_EVERY:
            return
        with self._database.begin() as conn:
            conn.execute(
                update(table).where(table.c.token_hash == _hash(token)).values(seen_at=now)
            )


def actor_of(row: Row[*tuple[Any, ...]]) -> Actor:
    """Return the person of a row of `users` that has the `site_kind` too."""
    return Actor(
        id=f"user:{row.id}",
        name=row.name,
        site=row.site,
        site_kind=SiteKind(row.site_kind),
        role=Role(row.role),
        email=row.email,
    )


def _hash(secret: str) -> str:
    """Return the hash of a random secret; 256 random bits need no slow hash."""
    return hashlib.sha256(secret.encode()).hexdigest()


def _number(user_id: str) -> int:
    kind, _, number = user_id.partition(":")
    if kind != "user" or not number.isdigit():
        raise ValueError(f"{user_id!r} is not a person")
    return int(number)
