"""How much each site keeps and how much it may, and what follows from the two. Refuses nobody.

The use is kept beside the instances, in the transaction that adds or removes them (triggers of the
migration), so that asking costs one small row for each site. Bytes are those of the Part 10 files.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Connection, and_, delete, func, insert, or_, select

from casework.errors import Invalid, NotFound
from storage.casebook_tables import site_quotas, sites
from storage.database import Database
from storage.tables import instances, site_usage


class Standing(StrEnum):
    """How a site stands with its quota."""

    FREE = "free"
    NEAR = "near"
    USED_UP = "used-up"


@dataclass(frozen=True)
class Usage:
    """What a site keeps, and the most that it may; None: no bound."""

    site: str
    used_bytes: int = 0
    used_instances: int = 0
    most_bytes: int | None = None
    most_instances: int | None = None

    @property
    def percent(self) -> float | None:
        """Return how much of its quota the site uses, of the two bounds the nearer."""
        shares = [
            100.0 * used / most if most else 100.0
            for used, most in (
                (self.used_bytes, self.most_bytes),
                (self.used_instances, self.most_instances),
            )
            if most is not None
        ]
        return max(shares, default=None)

    def standing(self, warn_percent: int) -> Standing:
        """Return how the site stands; near from a share on that is a setting."""
        percent = self.percent
        if percent is None:
            return Standing.FREE
        if percent >= 100:
            return Standing.USED_UP
        return Standing.NEAR if percent >= warn_percent else Standing.FREE


class Quotas:
    """The quotas of one database, for those who set them and those who look."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def usage(self) -> list[Usage]:
        """Return the use and the quota of every site that is registered."""
        with self._database.read() as conn:
            return usage(conn)

    def of(self, site: str) -> Usage:
        """Return the use and the quota of a site, or raise NotFound."""
        with self._database.read() as conn:
            for found in usage(conn, site):
                return found
        raise _no_such(site)

    def bound(self, site: str, *, most_bytes: int | None, most_instances: int | None) -> Usage:
        """Bound what a site may keep; see `set_quota`."""
        with self._database.begin() as conn:
            return set_quota(conn, site, most_bytes=most_bytes, most_instances=most_instances)


def usage(conn: Connection, site: str | None = None) -> list[Usage]:
    """Return the use and the quota of every site that is registered, or of one."""
    asked = (
        select(
            sites.c.slug,
            func.coalesce(site_usage.c.used_bytes, 0),
            func.coalesce(site_usage.c.used_instances, 0),
            site_quotas.c.most_bytes,
            site_quotas.c.most_instances,
        )
        .outerjoin(site_usage, site_usage.c.site == sites.c.slug)
        .outerjoin(site_quotas, site_quotas.c.site == sites.c.slug)
        .order_by(sites.c.slug)
    )
    if site is not None:
        asked = asked.where(sites.c.slug == site)
    return [Usage(*row) for row in conn.execute(asked)]


def limited(conn: Connection) -> dict[str, Usage]:
    """Return the use of those sites that have a quota."""
    found = conn.execute(
        select(
            site_quotas.c.site,
            func.coalesce(site_usage.c.used_bytes, 0),
            func.coalesce(site_usage.c.used_instances, 0),
            site_quotas.c.most_bytes,
            site_quotas.c.most_instances,
        ).outerjoin(site_usage, site_usage.c.site == site_quotas.c.site)
    )
    return {row.site: Usage(*row) for row in found}


def set_quota(
    conn: Connection, site: str, *, most_bytes: int | None, most_instances: int | None
) -> Usage:
    """Bound what a site may keep, by either or both; nothing that is kept is touched."""
    if conn.execute(select(sites.c.slug).where(sites.c.slug == site)).first() is None:
        raise _no_such(site)
    if any(most is not None and most < 0 for most in (most_bytes, most_instances)):
        raise Invalid("A quota is not negative; say none to have no quota.", code="bad-quota")
    conn.execute(delete(site_quotas).where(site_quotas.c.site == site))
    if most_bytes is not None or most_instances is not None:
        conn.execute(
            insert(site_quotas).values(
                site=site, most_bytes=most_bytes, most_instances=most_instances
            )
        )
    return usage(conn, site)[0]


def differing(conn: Connection) -> dict[str, tuple[int, int]]:
    """Return the sites whose kept figures are not the sum over their instances, with that sum.

    Reads every instance: it is for `lysbro verify`, not for receiving.
    """
    summed = (
        select(
            instances.c.site,
            func.sum(instances.c.length).label("sum_bytes"),
            func.count().label("number"),
        )
        .group_by(instances.c.site)
        .subquery()
    )
    wrong = conn.execute(
        select(summed.c.site, summed.c.sum_bytes, summed.c.number)
        .outerjoin(site_usage, site_usage.c.site == summed.c.site)
        .where(
            or_(
                site_usage.c.site.is_(None),
                site_usage.c.used_bytes != summed.c.sum_bytes,
                site_usage.c.used_instances != summed.c.number,
            )
        )
    )
    found = {row.site: (int(row.sum_bytes), int(row.number)) for row in wrong}
    empty = conn.execute(
        select(site_usage.c.site)
        .outerjoin(summed, summed.c.site == site_usage.c.site)
        .where(
            and_(
                summed.c.site.is_(None),
                or_(site_usage.c.used_bytes != 0, site_usage.c.used_instances != 0),
            )
        )
    ).scalars()
    return found | dict.fromkeys(empty, (0, 0))


def recount(conn: Connection) -> list[str]:
    """Put the kept figures right from the instances, and return the sites that were wrong."""
    wrong = differing(conn)
    for site, (used_bytes, used_instances) in wrong.items():
        conn.execute(delete(site_usage).where(site_usage.c.site == site))
        conn.execute(
            insert(site_usage).values(
                site=site, used_bytes=used_bytes, used_instances=used_instances
            )
        )
    return sorted(wrong)


def _no_such(site: str) -> NotFound:
    return NotFound(f"There is no site {site}.", code="no-such-site")
