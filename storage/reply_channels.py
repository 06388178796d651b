"""Keeps the further ways by which the replies of sites go."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from casework.errors import Conflict, NotFound
from casework.reply_channels import ReplyChannel, Way, checked
from storage.casebook_tables import reply_channels, sites
from storage.database import Database


class ReplyChannels:
    """The ways of one exchange; a reply goes by those that are on when it is signed."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock

    def add(self, channel: ReplyChannel) -> ReplyChannel:
        """Add a way for the replies of a site that are signed from now on."""
        kept = checked(channel)
        try:
            with self._database.begin() as conn:
                known = conn.execute(select(sites.c.slug).where(sites.c.slug == kept.site)).first()
                if known is None:
                    raise NotFound(
                        f"There is no site {kept.site}. Add it first.", code="no-such-site"
                    )
                conn.execute(insert(reply_channels).values(**_values(kept), added_at=self._clock()))
        except IntegrityError as error:
            raise Conflict(
                f"There is a channel {kept.name} already. Remove it, or choose another name.",
                code="channel-exists",
            ) from error
        return kept

    def all(self) -> Sequence[ReplyChannel]:
        """Return every way, by site and name."""
        asked = select(reply_channels).order_by(reply_channels.c.site, reply_channels.c.name)
        with self._database.read() as conn:
            return [_channel(row) for row in conn.execute(asked)]

    def of(self, name: str) -> ReplyChannel:
        """Return a way, or raise NotFound."""
        with self._database.read() as conn:
            row = conn.execute(
                select(reply_channels).where(reply_channels.c.name == name)
            ).one_or_none()
        if row is None:
            raise _unknown(name)
        return _channel(row)

    def turn(self, name: str, *, on: bool) -> ReplyChannel:
        """Turn a way off, or on again; what is queued for it stays queued."""
        self._change(update(reply_channels).values(is_on=on), name)
        return self.of(name)

    def remove(self, name: str) -> None:
        """Take a way away; what is queued for it says so, and is given up."""
        self._change(delete(reply_channels), name)

    def _change(self, statement: Any, name: str) -> None:
        with self._database.begin() as conn:
            changed = conn.execute(statement.where(reply_channels.c.name == name))
        if changed.rowcount != 1:
            raise _unknown(name)


def channels_of_site(conn: Connection, site: str) -> list[ReplyChannel]:
    """Return the ways of a site that are on, for the transaction that signs."""
    asked = (
        select(reply_channels)
        .where(reply_channels.c.site == site, reply_channels.c.is_on)
        .order_by(reply_channels.c.name)
    )
    return [_channel(row) for row in conn.execute(asked)]


def _values(channel: ReplyChannel) -> dict[str, Any]:
    return {
        "name": channel.name,
        "site": channel.site,
        "way": channel.way.value,
        "address": channel.address,
        "options": dict(channel.options),
        "is_on": channel.is_on,
    }


def _channel(row: Row[*tuple[Any, ...]]) -> ReplyChannel:
    return ReplyChannel(row.name, row.site, Way(row.way), row.address, row.options, row.is_on)


def _unknown(name: str) -> NotFound:
    return NotFound(
        f"There is no channel {name}. See `lysbro channel list`.", code="no-such-channel"
    )
