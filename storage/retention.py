"""Keeps the rules of retention, and finds the studies whose time is over. Erases nothing.

Which rule is for a study, and when its time is over, is decided by `casework.retention`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, and_, delete, func, insert, select

from casework.audit import Deed
from casework.errors import NotFound
from casework.model import Actor, CaseState
from casework.retention import Age, Rule, due_since, is_due, rule_for
from storage.casebook_tables import case_studies, cases, messages, sites
from storage.database import Database
from storage.erasure_tables import retention_rules
from storage.holds import holds_on
from storage.ledger import append_entry
from storage.tables import patients, studies

RULE_SET, RULE_REMOVED = "retention-set", "retention-removed"
"""What the audit calls a change of the rules."""

_PAGE = 500


@dataclass(frozen=True)
class Due:
    """A study whose time is over, since when, by which rule; or the hold that keeps it."""

    site: str
    study_uid: str
    since: datetime
    rule: Rule
    hold: str = ""


class Retention:
    """The rules of one casebook."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock

    def set_rule(
        self, site: str, *, modality: str, keep_days: int, since: str, actor: Actor
    ) -> Rule:
        """Give a site, or a modality of it, its rule in place of the one that it had."""
        now = self._clock()
        with self._database.begin() as conn:
            if conn.execute(select(sites.c.slug).where(sites.c.slug == site)).first() is None:
                raise NotFound(f"There is no site {site}. See 'lysbro site list'.")
            conn.execute(
                delete(retention_rules).where(
                    retention_rules.c.site == site, retention_rules.c.modality == modality
                )
            )
            detail = {"modality": modality, "keep_days": keep_days, "since": since}
            deed = Deed(actor, RULE_SET, site, site=site, detail=detail)
            pk = append_entry(conn, deed, at=now).seq  # never given again
            conn.execute(
                insert(retention_rules).values(
                    id=pk,
                    site=site,
                    modality=modality,
                    keep_days=keep_days,
                    since=since,
                    set_by=actor.id,
                    set_at=now,
                )
            )
        return Rule(pk, site, modality, keep_days, since)

    def remove_rule(self, rule_id: int, *, actor: Actor) -> Rule:
        """Take a rule away: what it was for is kept for ever, or by the site's other rule."""
        with self._database.begin() as conn:
            found = next((rule for rule in _rules(conn) if rule.id == rule_id), None)
            if found is None:
                raise NotFound(f"There is no rule {rule_id}.", code="no-such-rule")
            conn.execute(delete(retention_rules).where(retention_rules.c.id == rule_id))
            detail = {"modality": found.modality, "keep_days": found.keep_days}
            deed = Deed(actor, RULE_REMOVED, f"rule {rule_id}", site=found.site, detail=detail)
            append_entry(conn, deed, at=self._clock())
        return found

    def rules(self) -> tuple[Rule, ...]:
        """Return every rule, by site."""
        with self._database.read() as conn:
            return tuple(_rules(conn))

    def due(self, *, limit: int) -> tuple[Due, ...]:
        """Return studies whose time is over, the longest first; those held are among them."""
        now = self._clock()
        found: list[Due] = []
        with self._database.read() as conn:
            rules = _rules(conn)
            for site in sorted({rule.site for rule in rules}):
                of_site = [rule for rule in rules if rule.site == site]
                for some in _aged(conn, site, of_site, now=now):
                    found += [_with_hold(conn, one) for one in _due(of_site, some, now=now)]
                    if sum(not one.hold for one in found) >= limit:
                        break
        kept_back = [one for one in found if one.hold]
        going = sorted((one for one in found if not one.hold), key=lambda one: one.since)
        return (*going[:limit], *kept_back)


def _due(rules: Sequence[Rule], ages: Sequence[Age], *, now: datetime) -> Iterator[Due]:
    for age in ages:
        rule = rule_for(rules, age)
        since = None if rule is None else due_since(rule, age)
        if rule is not None and since is not None and is_due(rules, age, now=now):
            yield Due(age.site, age.study_uid, since, rule)


def _rules(conn: Connection) -> list[Rule]:
    columns = ("id", "site", "modality", "keep_days", "since")
    rows = conn.execute(
        select(*(retention_rules.c[name] for name in columns)).order_by(
            retention_rules.c.site, retention_rules.c.modality
        )
    )
    return [Rule(*row) for row in rows]


def _aged(
    conn: Connection, site: str, rules: Sequence[Rule], *, now: datetime
) -> Iterator[list[Age]]:
    """Yield the studies of a site that are older than its shortest rule, the oldest first."""
    before = now - timedelta(days=min(rule.keep_days for rule in rules))
    last_word = (
        select(func.max(messages.c.at)).where(messages.c.case_id == cases.c.id).scalar_subquery()
    )
    asked = (
        select(
            studies.c.pk,
            studies.c.study_uid,
            studies.c.modalities,
            studies.c.last_received_at,
            cases.c.state,
            func.coalesce(
                cases.c.closed_at, last_word, cases.c.submitted_at, cases.c.created_at
            ).label("ended_at"),
        )
        .outerjoin(
            case_studies,
            and_(
                case_studies.c.site == studies.c.site,
                case_studies.c.study_uid == studies.c.study_uid,
            ),
        )
        .outerjoin(cases, cases.c.id == case_studies.c.case_id)
        .where(studies.c.site == site, studies.c.last_received_at <= before)
        .order_by(studies.c.last_received_at, studies.c.pk)
        .limit(_PAGE)
    )
    offset = 0
    while rows := conn.execute(asked.offset(offset)).all():
        offset += len(rows)
        yield [
            Age(
                site,
                row.study_uid,
                frozenset(filter(None, row.modalities.split("\\"))),
                row.last_received_at,
                None if row.state is None else CaseState(row.state),
                _time(row.ended_at),
            )
            for row in rows
        ]


def _with_hold(conn: Connection, due: Due) -> Due:
    whose = conn.execute(
        select(patients.c.site, patients.c.issuer, patients.c.patient_id)
        .join(studies, studies.c.patient_pk == patients.c.pk)
        .where(studies.c.site == due.site, studies.c.study_uid == due.study_uid)
    ).all()
    of_case = conn.execute(
        select(cases.c.site, cases.c.patient_issuer, cases.c.patient_id)
        .join(case_studies, case_studies.c.case_id == cases.c.id)
        .where(case_studies.c.site == due.site, case_studies.c.study_uid == due.study_uid)
    ).all()
    people = [(row[0], row[1], row[2]) for row in (*whose, *of_case)]
    holds = holds_on(conn, [(due.site, due.study_uid)], people)
    if not holds:
        return due
    return Due(due.site, due.study_uid, due.since, due.rule, f"{holds[0].id}: {holds[0].reason}")


def _time(value: object) -> datetime | None:
    return datetime.fromisoformat(value) if isinstance(value, str) else value  # type: ignore[return-value]
