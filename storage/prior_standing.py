"""Tells how it goes with a case's earlier studies: who was asked, what comes, what not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, select

from casework.priors import IN_WORDS, Refusal
from storage.case_rows import modalities_of
from storage.casebook_tables import cases
from storage.database import Database
from storage.prior_asking import DEAD, DONE, QUEUED
from storage.prior_people import day_of
from storage.prior_tables import prior_answers, prior_fetches, prior_questions


@dataclass(frozen=True)
class ToldStudy:
    """A study that a node has told of, and what became of it."""

    study_uid: str
    day: date | None
    modalities: tuple[str, ...]
    description: str
    images: int | None
    refusal: str  # a `Refusal`; empty: it is fetched
    state: str  # of the fetch: queued | done | dead; empty when it is not fetched
    waits_until: datetime | None  # a large one, or one that failed
    error: str

    @property
    def why_not(self) -> str:
        """Return the refusal as the end of a sentence, or nothing."""
        return IN_WORDS[Refusal(self.refusal)] if self.refusal else ""


@dataclass(frozen=True)
class AskedNode:
    """A node that was asked for a case, or is to be."""

    id: int
    node: str
    state: str  # queued | done | dead | skipped
    attempts: int
    error: str
    mismatched: int  # answers that were of another person
    studies: tuple[ToldStudy, ...]

    def of_state(self, state: str) -> int:
        """Return how many of its studies are in this state of being fetched."""
        return sum(each.state == state for each in self.studies)

    @property
    def fetching(self) -> int:
        """Return how many studies are on their way."""
        return self.of_state(QUEUED)

    @property
    def fetched(self) -> int:
        """Return how many studies have come."""
        return self.of_state(DONE)

    @property
    def failed(self) -> tuple[ToldStudy, ...]:
        """Return the studies that were given up."""
        return tuple(each for each in self.studies if each.state == DEAD)

    @property
    def refused(self) -> tuple[ToldStudy, ...]:
        """Return the studies that are left where they are."""
        return tuple(each for each in self.studies if each.refusal)


class PriorStandings:
    """How it goes with the earlier studies of cases."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of_case(self, case_id: str) -> list[AskedNode]:
        """Return each node that is asked for a case; whether it may be seen is asked before."""
        with self._database.read() as conn:
            rows = conn.execute(
                select(prior_questions)
                .where(prior_questions.c.case_id == case_id)
                .order_by(prior_questions.c.id)
            ).all()
            return [_asked(row, _told(conn, row.id)) for row in rows]

    def lately(self, limit: int = 50) -> list[tuple[str, str, AskedNode]]:
        """Return the newest questions with the number and the site of their case."""
        with self._database.read() as conn:
            rows = conn.execute(
                select(prior_questions, cases.c.site.label("of_site"))
                .join(cases, cases.c.id == prior_questions.c.case_id)
                .order_by(prior_questions.c.id.desc())
                .limit(limit)
            ).all()
            return [(row.case_id, row.of_site, _asked(row, _told(conn, row.id))) for row in rows]


def _told(conn: Connection, question_id: int) -> Sequence[Row[Any]]:
    return conn.execute(
        select(
            prior_answers,
            prior_fetches.c.state,
            prior_fetches.c.next_attempt_at,
            prior_fetches.c.last_error,
        )
        .outerjoin(
            prior_fetches,
            and_(
                prior_answers.c.refusal == "",
                prior_fetches.c.site == prior_answers.c.site,
                prior_fetches.c.study_uid == prior_answers.c.study_uid,
            ),
        )
        .where(prior_answers.c.question_id == question_id)
        .order_by(prior_answers.c.ordinal)
    ).all()


def _asked(row: Row[Any], told: Sequence[Row[Any]]) -> AskedNode:
    return AskedNode(
        id=row.id,
        node=row.node,
        state=row.state,
        attempts=row.attempts,
        error=row.last_error,
        mismatched=row.mismatched,
        studies=tuple(
            ToldStudy(
                study_uid=each.study_uid,
                day=day_of(each.study_date),
                modalities=modalities_of(each.modalities),
                description=each.description,
                images=each.images,
                refusal=each.refusal,
                state=each.state or "",
                waits_until=each.next_attempt_at,
                error=each.last_error or "",
            )
            for each in told
        ),
    )
