"""Reads what became of submitted cases, for statistics: no name, no number, no free question."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, select

from casework.access import Scope
from casework.audit import ACTIONS
from casework.codings import codings_of
from casework.histories import Answer, History, Second, Turn, waits_of
from casework.lifecycle import Event
from casework.model import CaseState, Priority, Specialty
from casework.photo_checks import lacking, reasons_of
from casework.photo_notes import warned_of
from casework.second_readings import ReadingState
from storage.case_rows import AnyRow, as_outcome
from storage.casebook_tables import ATTACHMENT, audit, captures, cases, outcomes, reports, sites
from storage.database import Database, chunks
from storage.reading_tables import readings
from storage.visibility import case_clause

_OF_LIFE = frozenset(
    ACTIONS[event]
    for event in (
        Event.CLAIM, Event.ASK, Event.ANSWER, Event.RELEASE, Event.DECLINE, Event.WITHDRAW,
        Event.OPEN, Event.HAND_OVER,
    )
)  # fmt: skip


class Histories:
    """What became of the cases that one may see."""

    _database: Database

    def histories(self, scope: Scope, *, since: datetime, until: datetime) -> Sequence[History]:
        """Return the cases that were submitted in a span, the earliest first."""
        asked = (
            select(cases, sites.c.travel_km)
            .join(sites, sites.c.slug == cases.c.site)
            .where(
                case_clause(scope),
                cases.c.submitted_at >= since,
                cases.c.submitted_at < until,
            )
            .order_by(cases.c.submitted_at, cases.c.id)
        )
        with self._database.read() as conn:
            rows = list(conn.execute(asked))
            found: list[History] = []
            for some in chunks(rows):
                told = _Told(conn, [row.id for row in some])
                found += [told.history(row) for row in some]
        return found


class _Told:
    """What the tables beside `cases` tell of some of them."""

    def __init__(self, conn: Connection, ids: Sequence[str]) -> None:
        turns = select(audit.c.case_id, audit.c.action, audit.c.at, audit.c.detail).where(
            audit.c.case_id.in_(ids), audit.c.action.in_(_OF_LIFE), audit.c.outcome == "ok"
        )
        self._turns = _by_case(conn, turns.order_by(audit.c.seq))
        versions = select(
            reports.c.case_id, reports.c.version, reports.c.signed_at, reports.c.kind,
            reports.c.content,
        ).where(reports.c.case_id.in_(ids))  # fmt: skip
        self._reports = _by_case(conn, versions.order_by(reports.c.version))
        photographs = select(captures.c.case_id, captures.c.kind, captures.c.judged)
        kept = (captures.c.set_aside_at.is_(None), ~captures.c.capture_id.startswith(ATTACHMENT))
        self._captures = _by_case(conn, photographs.where(captures.c.case_id.in_(ids), *kept))
        second = select(
            readings.c.case_id, readings.c.id, readings.c.comparison, readings.c.is_blinded,
            readings.c.decided_at,
        ).where(readings.c.case_id.in_(ids), readings.c.state == ReadingState.SIGNED)  # fmt: skip
        self._readings = _by_case(conn, second)
        self._outcomes = _by_case(conn, select(outcomes).where(outcomes.c.case_id.in_(ids)))

    def history(self, row: AnyRow) -> History:
        """Return what became of the case of a row of `cases`."""
        turns = [_turn(each) for each in self._turns.get(row.id, ())]
        versions = self._reports.get(row.id, ())
        photographs = self._captures.get(row.id, ())
        outcome = next(iter(self._outcomes.get(row.id, ())), None)
        return History(
            case_id=row.id,
            site=row.site,
            specialty=Specialty(row.specialty),
            priority=Priority(row.priority),
            submitted_at=row.submitted_at,
            due_at=row.due_at,
            claimed_at=_first(turns, Event.CLAIM, Event.HAND_OVER),
            signed_at=versions[0].signed_at if versions else None,
            read_at=_first(turns, Event.OPEN),
            is_declined=_first(turns, Event.DECLINE) is not None,
            is_withdrawn=row.state == CaseState.WITHDRAWN,
            waits=waits_of(turns),
            answer=_answer(versions),
            photographs=len(photographs),
            warned=frozenset(
                reasons_of(check for each in photographs for check in warned_of(each.judged))
                | lacking(each.kind for each in photographs)
            ),
            would_refer=str(row.clinical.get("would_refer", "")),
            travel_km=row.travel_km,
            outcome=None if outcome is None else as_outcome(outcome),
            second=_second(self._readings.get(row.id, ())),
        )


def _by_case(conn: Connection, asked: Select[Any]) -> Mapping[str, Sequence[AnyRow]]:
    found: dict[str, list[AnyRow]] = {}
    for row in conn.execute(asked):
        found.setdefault(row.case_id, []).append(row)
    return found


def _turn(row: AnyRow) -> Turn:
    return Turn(row.action, row.at, str(row.detail.get("reason", "")))


def _first(turns: Iterable[Turn], *events: Event) -> datetime | None:
    wanted = {ACTIONS[event] for event in events}
    return next((turn.at for turn in turns if turn.action in wanted), None)


def _second(signed: Sequence[AnyRow]) -> Second | None:
    """Return the newest signed second reading, one that was compared before one that was not."""
    if not signed:
        return None
    row = max(signed, key=lambda each: (each.comparison != "", each.id))
    return Second(row.comparison, row.is_blinded, row.decided_at is not None)


def _answer(versions: Sequence[AnyRow]) -> Answer | None:
    """Return what the reply says now: the newest version that is no addendum."""
    whole = [row.content for row in versions if row.kind != "addendum"]
    if not whole:
        return None
    said: Mapping[str, Any] = whole[-1]
    first: Mapping[str, Any] = next(iter(said.get("diagnoses") or ()), {})
    return Answer(
        assessable=str(said.get("assessable") or "yes"),
        reason=str(said.get("reason") or ""),
        urgency=str(said.get("urgency") or "none"),
        diagnosis=str(first.get("text") or ""),
        code=str(first.get("code") or ""),
        system=str(first.get("system") or ""),
        codes=tuple(codings_of(first)),
    )
