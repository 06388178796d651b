"""Keeps the routing rules, and has what they take queued, in the transaction that looks at a study.

A study is looked at whenever it has changed, by what its row says: nothing is lost by a process
that ends. What a rule makes of it is decided by `casework.routing`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import (
    Connection,
    delete,
    func,
    insert,
    select,
    update,
)

from casework.errors import Conflict, Invalid, NotFound
from casework.routing import (
    URGENCY,
    Decision,
    Rule,
    StudySeen,
    decide,
    require_sound,
    rule_as_json,
    rule_from_json,
)
from storage.casebook_tables import aes, jobs, routes, sent_instances
from storage.database import Database
from storage.outbox_enqueue import Errand, enqueue
from storage.routing_studies import HAS_CHANGED, changed_since, seen, studies_to_see
from storage.tables import CURRENT, instances, studies

RECENT_STUDIES = 200
RECENT_DAYS = 30
_AT_ONCE = 50
_MAX_RULES = 200


@dataclass(frozen=True)
class Route:
    """A rule that is kept, under a number."""

    id: int
    rule: Rule
    changed_by: str = ""


@dataclass(frozen=True)
class Tried:
    """What a rule makes of one recent study."""

    study: StudySeen
    decision: Decision


class Routing:
    """The routing rules of one exchange."""

    def __init__(
        self, database: Database, clock: Callable[[], datetime], timezone: str = "Europe/Oslo"
    ) -> None:
        self._database = database
        self._clock = clock
        self._zone = ZoneInfo(timezone)

    def rules(self) -> tuple[Route, ...]:
        """Return the rules, in their order."""
        with self._database.read() as conn:
            return _routes(conn)

    def route(self, number: int) -> Route:
        """Return a rule, or raise NotFound."""
        for each in self.rules():
            if each.id == number:
                return each
        raise _no_such_rule(number)

    def add(self, rule: Rule, *, by: str) -> Route:
        """Keep a new rule, at the end or at its position; it speaks of what comes from now on."""
        sound = require_sound(rule)
        with self._database.begin() as conn:
            _require_destination(conn, sound)
            _require_free_name(conn, sound.name)
            present = _routes(conn)
            if len(present) >= _MAX_RULES:
                raise Conflict(f"There are {_MAX_RULES} rules already.", code="too-many-routes")
            position = sound.position or 1 + max((r.rule.position for r in present), default=0)
            made = insert(routes).values(
                name=sound.name,
                position=position,
                enabled=sound.enabled,
                rule=rule_as_json(sound),
                since=self._clock(),
                changed_by=by,
            )
            number = conn.execute(made.returning(routes.c.id)).scalar_one()
            return next(each for each in _routes(conn) if each.id == number)

    def change(self, number: int, rule: Rule, *, by: str) -> Route:
        """Keep a rule in place of the one of this number; it speaks of what comes from now on."""
        sound = require_sound(rule)
        with self._database.begin() as conn:
            _require_destination(conn, sound)
            _require_free_name(conn, sound.name, besides=number)
            _change(
                conn,
                number,
                name=sound.name,
                rule=rule_as_json(sound),
                since=self._clock(),
                changed_by=by,
                **({"position": sound.position} if sound.position else {}),
            )
            return next(each for each in _routes(conn) if each.id == number)

    def turn(self, number: int, *, on: bool, by: str) -> Route:
        """Turn a rule on or off; turned on, it speaks of what comes from now on."""
        values: dict[str, Any] = {"enabled": on, "changed_by": by}
        if on:
            values["since"] = self._clock()
        with self._database.begin() as conn:
            _change(conn, number, **values)
            return next(each for each in _routes(conn) if each.id == number)

    def remove(self, number: int) -> Rule:
        """Delete a rule and return it; what it has queued still goes."""
        gone = self.route(number)
        with self._database.begin() as conn:
            if not conn.execute(delete(routes).where(routes.c.id == number)).rowcount:
                raise _no_such_rule(number)
        return gone.rule

    def test(
        self, rule: Rule, *, studies_at_most: int = RECENT_STUDIES, days: int = RECENT_DAYS
    ) -> tuple[Tried, ...]:
        """Return what a rule would make of the recent studies, those it takes first; does nothing.

        Each is looked at as if it were whole and packed, and had come after the rule.
        """
        sound = replace(require_sound(rule), since=None)
        now = self._clock()
        with self._database.read() as conn:
            site = _require_destination(conn, sound)
            recent = (
                studies_to_see()
                .where(studies.c.last_received_at >= now - timedelta(days=days))
                .order_by(studies.c.last_received_at.desc(), studies.c.pk.desc())
                .limit(studies_at_most)
            )
            found = seen(conn, conn.execute(recent).all())
        tried = [
            Tried(
                study,
                decide(
                    sound,
                    _as_if_whole(study),
                    destination_site=site,
                    now=study.last_received_at,
                    zone=self._zone,
                ),
            )
            for study in found.values()
        ]
        return tuple(sorted(tried, key=lambda each: len(each.decision.reasons)))

    def run_once(self) -> bool:
        """Look at studies that have changed and queue what rules take; tell whether any was."""
        with self._database.read() as conn:
            rules = [each.rule for each in _routes(conn) if each.rule.enabled]
            if not rules:
                return False
            cutoff = min(rule.since for rule in rules if rule.since is not None)
            waiting = conn.execute(changed_since(cutoff)).all()
        queued = False
        for start in range(0, len(waiting), _AT_ONCE):
            some = [row.pk for row in waiting[start : start + _AT_ONCE]]
            with self._database.begin() as conn:
                queued |= self._look(conn, rules, some)
        return queued

    def _look(self, conn: Connection, rules: Sequence[Rule], pks: Sequence[int]) -> bool:
        now = self._clock()
        held = (
            studies_to_see()
            .where(studies.c.pk.in_(pks), HAS_CHANGED)
            .order_by(studies.c.pk)
            .with_for_update(of=studies, skip_locked=True)
        )
        rows = conn.execute(held).all()
        sites = {row.title: row.site for row in conn.execute(select(aes.c.title, aes.c.site))}
        queued = False
        for pk, study in seen(conn, rows).items():
            waits = False
            for rule in rules:
                if rule.destination not in sites:
                    continue  # the node was taken out; its rule takes nothing
                decision = decide(
                    rule,
                    study,
                    destination_site=sites[rule.destination],
                    now=now,
                    zone=self._zone,
                )
                waits |= decision.is_waiting and rule.trigger.value != "study"
                if decision.taken:
                    queued |= _queue(conn, rule, study, decision, now)
            if not waits:
                row = next(each for each in rows if each.pk == pk)
                conn.execute(
                    update(studies)
                    .where(studies.c.pk == pk)
                    .values(routed_instances=row.instance_count, routed_as=row.completeness)
                )
        return queued


def _queue(
    conn: Connection, rule: Rule, study: StudySeen, decision: Decision, now: datetime
) -> bool:
    if not _is_any_unsent(conn, rule.destination, study, decision.series_uids):
        return False
    errand = Errand(
        study.study_uid,
        study.site,
        rule.destination,
        urgency=URGENCY[rule.priority],
        series_uids=decision.series_uids,
        not_before=decision.not_before,
        rule=rule.name,
    )
    enqueue(conn, errand, now=now)
    return True


def _is_any_unsent(
    conn: Connection, destination: str, study: StudySeen, series_uids: frozenset[str] | None
) -> bool:
    """Tell whether an instance has not been sent to a node by a job of this study yet."""
    of_study = (
        jobs.c.kind == "send",
        jobs.c.site == study.site,
        jobs.c.study_uid == study.study_uid,
        jobs.c.destination == destination,
    )
    newest = select(func.max(jobs.c.id)).where(*of_study).scalar_subquery()
    sent = select(sent_instances.c.sop_instance_uid).where(sent_instances.c.job_id == newest)
    wanted = [
        instances.c.site == study.site,
        instances.c.study_uid == study.study_uid,
        instances.c.state == CURRENT,
        instances.c.sop_instance_uid.not_in(sent),
    ]
    if series_uids is not None:
        wanted.append(instances.c.series_uid.in_(sorted(series_uids)))
    return conn.execute(select(instances.c.pk).where(*wanted).limit(1)).first() is not None


def _routes(conn: Connection) -> tuple[Route, ...]:
    rows = conn.execute(select(routes).order_by(routes.c.position, routes.c.id))
    return tuple(
        Route(
            row.id,
            replace(
                rule_from_json(row.rule),
                enabled=row.enabled,
                position=row.position,
                since=row.since,
            ),
            row.changed_by,
        )
        for row in rows
    )


def _change(conn: Connection, number: int, **values: Any) -> None:
    if not conn.execute(update(routes).where(routes.c.id == number).values(**values)).rowcount:
        raise _no_such_rule(number)


def _require_destination(conn: Connection, rule: Rule) -> str:
    """Return the site of a rule's destination; Invalid when nothing can be sent there."""
    row = conn.execute(select(aes).where(aes.c.title == rule.destination)).one_or_none()
    if row is None:
        raise Invalid(
            f"There is no node {rule.destination}. Add it before its rule.", code="bad-route"
        )
    if not row.host or not row.port:
        raise Invalid(
            f"{rule.destination} has no address to send to. Give it one first.", code="bad-route"
        )
    return str(row.site)


def _require_free_name(conn: Connection, name: str, besides: int = 0) -> None:
    taken = select(routes.c.id).where(routes.c.name == name, routes.c.id != besides)
    if conn.execute(taken).first() is not None:
        raise Conflict(f"There is a rule '{name}' already.", code="route-exists")


def _no_such_rule(number: int) -> NotFound:
    return NotFound(f"There is no routing rule {number}.", code="no-such-route")


def _as_if_whole(study: StudySeen) -> StudySeen:
    return replace(
        study,
        completeness="complete",
        series=tuple(replace(each, packed=each.instances) for each in study.series),
    )
