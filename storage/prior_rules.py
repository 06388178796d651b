"""Keeps the rules by which earlier studies are fetched. `casework.priors` says what they mean."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, or_, select

from casework.errors import Invalid, NotFound
from casework.model import AePermission
from casework.prior_regions import region_named
from casework.priors import PriorRule
from storage.casebook_tables import aes, sites
from storage.database import Database
from storage.prior_tables import prior_rules

_MOST_YEARS, _MOST_STUDIES, _HOURS = 120, 100, 24


class PriorRules:
    """The rules of one exchange."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock

    def add(self, rule: PriorRule) -> PriorRule:
        """Keep a rule and return it with its number; raise Invalid when it cannot be followed."""
        with self._database.begin() as conn:
            _require_sense(conn, rule)
            made = conn.execute(
                insert(prior_rules)
                .values(
                    site=rule.site,
                    modality=rule.modality,
                    body_part=rule.body_part,
                    nodes=list(rule.nodes),
                    years=rule.years,
                    modalities=sorted(rule.modalities),
                    most_studies=rule.most_studies,
                    most_images=rule.most_images,
                    most_bytes=rule.most_bytes,
                    large_images=rule.large_images,
                    from_hour=rule.from_hour,
                    to_hour=rule.to_hour,
                    created_at=self._clock(),
                )
                .returning(prior_rules)
            )
            return _as_rule(made.one())

    def remove(self, rule_id: int) -> None:
        """Forget a rule; what was fetched by it stays."""
        with self._database.begin() as conn:
            gone = conn.execute(delete(prior_rules).where(prior_rules.c.id == rule_id))
        if not gone.rowcount:
            raise NotFound(
                f"There is no rule {rule_id}. 'lysbro prior-rule list' has them.",
                code="no-such-rule",
            )

    def listed(self) -> list[PriorRule]:
        """Return all rules by their numbers."""
        with self._database.read() as conn:
            rows = conn.execute(select(prior_rules).order_by(prior_rules.c.id))
            return [_as_rule(row) for row in rows]


def rules_of(conn: Connection, site: str) -> list[PriorRule]:
    """Return the rules that may be for cases of a site."""
    of_site = or_(prior_rules.c.site == site, prior_rules.c.site == "")
    rows = conn.execute(select(prior_rules).where(of_site).order_by(prior_rules.c.id))
    return [_as_rule(row) for row in rows]


def _require_sense(conn: Connection, rule: PriorRule) -> None:
    if not rule.nodes:
        raise Invalid("Name at least one node that is asked.", code="rule-without-node")
    if rule.site and _is_missing(conn, rule.site):
        raise Invalid(f"There is no site {rule.site}.", code="no-such-site")
    if rule.body_part and region_named(rule.body_part) is None:
        raise Invalid(
            f"{rule.body_part} is no part of the body that Lysbro knows. Use a word as HEAD, "
            "CHEST, ABDOMEN, SPINE, BREAST, ARM or LEG.",
            code="unknown-body-part",
        )
    bounds: Sequence[tuple[str, int | None, int, int]] = (
        ("years", rule.years, 1, _MOST_YEARS),
        ("studies", rule.most_studies, 1, _MOST_STUDIES),
        ("images", rule.most_images, 1, 1 << 31),
        ("bytes", rule.most_bytes, 1, 1 << 62),
        ("images of a large study", rule.large_images, 1, 1 << 31),
        ("from hour", rule.from_hour, 0, _HOURS - 1),
        ("to hour", rule.to_hour, 0, _HOURS - 1),
    )
    for name, value, least, most in bounds:
        if value is not None and not least <= value <= most:
            raise Invalid(f"{name}: give a number from {least} to {most}.", code="rule-bound")
    for node in rule.nodes:
        row = conn.execute(select(aes).where(aes.c.title == node)).one_or_none()
        if row is None:
            raise Invalid(f"There is no node {node}. Add it with 'lysbro ae add'.", code="no-node")
        if AePermission.FETCH.value not in row.permissions or not (row.host and row.port):
            raise Invalid(
                f"{node} may not be asked for earlier studies: it needs the permission 'fetch' and "
                "an address.",
                code="node-not-fetched-from",
            )


def _is_missing(conn: Connection, site: str) -> bool:
    return conn.execute(select(sites.c.slug).where(sites.c.slug == site)).first() is None


def _as_rule(row: Row[Any]) -> PriorRule:
    return PriorRule(
        id=row.id,
        nodes=tuple(row.nodes),
        site=row.site,
        modality=row.modality,
        body_part=row.body_part,
        years=row.years,
        modalities=frozenset(row.modalities),
        most_studies=row.most_studies,
        most_images=row.most_images,
        most_bytes=row.most_bytes,
        large_images=row.large_images,
        from_hour=row.from_hour,
        to_hour=row.to_hour,
    )
