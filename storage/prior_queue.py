"""The queue of nodes that are asked for earlier studies, and of studies that are fetched.

A worker leases a job for a while, does it and says so; one that dies loses the lease, and the job
is done again. A node has one job at a time, over all workers. Knows no DICOM; what is fetched and
when a failed job is tried again is decided in `casework.priors`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, Select, Table, func, insert, or_, select, update

from casework.completeness import Evidence, EvidenceKind
from casework.errors import NotFound
from casework.model import CaseState
from casework.priors import (
    MOST_ATTEMPTS,
    Inquiry,
    Person,
    PriorRule,
    Refusal,
    Verdict,
    try_again_at,
)
from storage.case_rows import modalities_of
from storage.casebook_tables import case_studies
from storage.completeness import judge_study, keep_evidence
from storage.database import Database, chunks
from storage.prior_asking import DEAD, DONE, QUEUED, SKIPPED
from storage.prior_people import case_row, person_of, subject_of_case
from storage.prior_rules import rules_of
from storage.prior_tables import prior_answers, prior_fetches, prior_questions
from storage.tables import instances, patients, studies

_MAX_ERROR = 500
_NO_MORE = frozenset(
    {
        CaseState.SIGNED, CaseState.DELIVERED, CaseState.READ, CaseState.CLOSED,
        CaseState.WITHDRAWN, CaseState.DECLINED,
    }
)  # fmt: skip


@dataclass(frozen=True)
class PriorQuestion:
    """A node that is asked for the earlier studies of a case's patient."""

    id: int
    case_id: str
    node: str
    attempts: int  # this one counted


@dataclass(frozen=True)
class PriorFetch:
    """An earlier study that is fetched from a node of its site."""

    id: int
    site: str
    study_uid: str
    node: str
    patient_id: str
    expected_instances: int | None
    modalities: tuple[str, ...]
    hours: tuple[int, int]
    attempts: int  # this one counted


PriorJob = PriorQuestion | PriorFetch


@dataclass(frozen=True)
class GivenUp:
    """A question or a fetch that waits for a person."""

    kind: str  # question | fetch
    id: int
    node: str
    subject: str  # case number, or study UID
    attempts: int
    last_error: str


@dataclass(frozen=True)
class Hours:
    """When a large study may be fetched, and the first time that is so."""

    from_hour: int = 0
    to_hour: int = 0
    opens_at: datetime | None = None


class PriorQueue:
    """Questions and fetches of one exchange."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock

    def take(self, *, lease_s: float, avoiding: Collection[str] = ()) -> PriorJob | None:
        """Take the next job that is due, to none of these nodes: questions before fetches."""
        now = self._clock()
        with self._database.read() as conn:
            busy = {*avoiding, *_busy(conn, now)}
            tables = (prior_questions, prior_fetches)
            if not any(conn.execute(_due(each, now, busy)).first() for each in tables):
                return None
        with self._database.begin() as conn:
            busy |= _busy(conn, now)
            for table, made in ((prior_questions, _question), (prior_fetches, _fetch)):
                row = _lease(conn, table, now, busy, until=now + timedelta(seconds=lease_s))
                if row is not None:
                    return made(row)
        return None

    def extend_lease(self, fetch: PriorFetch, *, lease_s: float) -> None:
        """Keep a fetch for `lease_s` seconds more, and what it moves marked as long."""
        until = self._clock() + timedelta(seconds=lease_s)
        with self._database.begin() as conn:
            conn.execute(
                update(prior_fetches).where(*_mine(prior_fetches, fetch)).values(leased_until=until)
            )
            conn.execute(
                update(prior_fetches)
                .where(*_mine(prior_fetches, fetch), prior_fetches.c.moving_until.is_not(None))
                .values(moving_until=until)
            )

    def inquiry_of(self, question: PriorQuestion) -> Inquiry | None:
        """Return what is asked for a case, or None when it needs no earlier studies any more."""
        with self._database.read() as conn:
            case = case_row(conn, question.case_id)
            if case is None or CaseState(case.state) in _NO_MORE:
                return None
            own = select(case_studies.c.study_uid).where(case_studies.c.case_id == case.id)
            return Inquiry(
                person=person_of(case),
                subject=subject_of_case(conn, case),
                site=case.site,
                own=frozenset(conn.execute(own).scalars()),
            )

    def held(self, told: Mapping[str, int | None], *, sites: Collection[str]) -> frozenset[str]:
        """Return which of these studies need not be fetched: of a case, or whole, or coming.

        `told` has how many images each is said to have.
        """
        found: set[str] = set()
        with self._database.read() as conn:
            for some in chunks(sorted(told)):
                rows = conn.execute(
                    select(studies.c.study_uid, studies.c.case_id, studies.c.instance_count).where(
                        studies.c.site.in_(sorted(sites)), studies.c.study_uid.in_(some)
                    )
                )
                for row in rows:
                    is_whole = row.instance_count >= (told[row.study_uid] or 1)
                    if row.case_id or is_whole:
                        found.add(row.study_uid)
        return frozenset(found)

    def rules(self, site: str) -> list[PriorRule]:
        """Return the rules that may be for cases of a site."""
        with self._database.read() as conn:
            return rules_of(conn, site)

    def skip(self, question: PriorQuestion, why: str) -> None:
        """Ask no more, and say why."""
        with self._database.begin() as conn:
            _close(conn, prior_questions, question, SKIPPED, now=self._clock(), error=why)

    def answered(
        self, question: PriorQuestion, *, site: str, verdicts: Sequence[Verdict], hours: Hours
    ) -> int:
        """Keep what a node of a site told and what is fetched of it; return how many that are.

        The studies to fetch are marked before any of their objects can come.
        """
        now = self._clock()
        kept = [each for each in verdicts if each.refusal is not Refusal.OTHER_PATIENT]
        wanted = [each for each in kept if each.refusal is None]
        with self._database.begin() as conn:
            case = case_row(conn, question.case_id)
            if case is None or not _close(conn, prior_questions, question, DONE, now=now):
                return 0  # the lease was lost: somebody else has asked
            conn.execute(
                update(prior_questions)
                .where(prior_questions.c.id == question.id)
                .values(mismatched=len(verdicts) - len(kept))
            )
            conn.execute(prior_answers.delete().where(prior_answers.c.question_id == question.id))
            if kept:
                rows = [_answer(question, site, n, each) for n, each in enumerate(kept)]
                conn.execute(insert(prior_answers), rows)
            for verdict in wanted:
                _want(conn, question, site, verdict, of=person_of(case), hours=hours, now=now)
        return len(wanted)

    def failed(self, job: PriorJob, error: str, *, is_final: bool = False) -> bool:
        """Put a job back for later, or give it up; tell whether it is given up."""
        now = self._clock()
        table = _table(job)
        again = None if is_final else try_again_at(job.attempts, now=now)
        values: dict[str, Any] = {"last_error": error[:_MAX_ERROR], "leased_until": None}
        values |= {"next_attempt_at": again}
        if again is None:
            values |= {"state": DEAD, "over_at": now}
        with self._database.begin() as conn:
            changed = conn.execute(update(table).where(*_mine(table, job)).values(**values))
        return again is None and changed.rowcount == 1

    def postpone(self, fetch: PriorFetch, until: datetime) -> None:
        """Leave a large study until the hours in which it may be fetched; that is no attempt."""
        with self._database.begin() as conn:
            conn.execute(
                update(prior_fetches)
                .where(*_mine(prior_fetches, fetch))
                .values(attempts=fetch.attempts - 1, leased_until=None, next_attempt_at=until)
            )

    def moving(self, fetch: PriorFetch, *, lease_s: float) -> None:
        """Note that a node begins to send us a study by C-MOVE."""
        now = self._clock()
        with self._database.begin() as conn:
            conn.execute(
                update(prior_fetches)
                .where(*_mine(prior_fetches, fetch))
                .values(moving_from=now, moving_until=now + timedelta(seconds=lease_s))
            )

    def moved(self, fetch: PriorFetch) -> None:
        """Note that the node sends us nothing more of a study by C-MOVE."""
        with self._database.begin() as conn:
            conn.execute(
                update(prior_fetches)
                .where(*_mine(prior_fetches, fetch))
                .values(moving_until=self._clock())
            )

    def fetched(self, fetch: PriorFetch, *, remark: str = "") -> None:
        """Note that all of a study that its node gives is here; judge how complete that is."""
        now = self._clock()
        with self._database.begin() as conn:
            _close(conn, prior_fetches, fetch, DONE, now=now, error=remark)
            judge_study(conn, site=fetch.site, study_uid=fetch.study_uid)

    def here(self, fetch: PriorFetch) -> frozenset[str]:
        """Return the SOP Instance UIDs of a study that are in the index."""
        asked = select(instances.c.sop_instance_uid).where(
            instances.c.site == fetch.site, instances.c.study_uid == fetch.study_uid
        )
        with self._database.read() as conn:
            return frozenset(conn.execute(asked).scalars())

    def patient_of(self, fetch: PriorFetch) -> str | None:
        """Return the patient number of a study as it has arrived, or None."""
        asked = (
            select(patients.c.patient_id)
            .join(studies, studies.c.patient_pk == patients.c.pk)
            .where(studies.c.site == fetch.site, studies.c.study_uid == fetch.study_uid)
        )
        with self._database.read() as conn:
            return conn.execute(asked).scalar()

    def counts(self) -> Mapping[str, int]:
        """Return how many questions and fetches wait, and how many were given up."""
        found = {"questions": 0, "fetches": 0, "given_up": 0}
        with self._database.read() as conn:
            for name, table in (("questions", prior_questions), ("fetches", prior_fetches)):
                for state, count in conn.execute(
                    select(table.c.state, func.count()).group_by(table.c.state)
                ):
                    if state == QUEUED:
                        found[name] += count
                    elif state == DEAD:
                        found["given_up"] += count
        return found

    def given_up(self) -> list[GivenUp]:
        """Return what waits for a person, the oldest first."""
        with self._database.read() as conn:
            questions = conn.execute(
                select(prior_questions)
                .where(prior_questions.c.state == DEAD)
                .order_by(prior_questions.c.id)
            )
            found = [
                GivenUp("question", r.id, r.node, r.case_id, r.attempts, r.last_error)
                for r in questions
            ]
            fetches = conn.execute(
                select(prior_fetches)
                .where(prior_fetches.c.state == DEAD)
                .order_by(prior_fetches.c.id)
            )
            return found + [
                GivenUp("fetch", r.id, r.node, r.study_uid, r.attempts, r.last_error)
                for r in fetches
            ]

    def replay(self, kind: str, job_id: int) -> GivenUp:
        """Put what was given up back in the queue, and return it as it was."""
        table = {"question": prior_questions, "fetch": prior_fetches}.get(kind)
        known = [each for each in self.given_up() if (each.kind, each.id) == (kind, job_id)]
        if table is None or not known:
            raise NotFound(
                f"No {kind} {job_id} for earlier studies has been given up.", code="no-such-job"
            )
        with self._database.begin() as conn:
            conn.execute(
                update(table)
                .where(table.c.id == job_id, table.c.state == DEAD)
                .values(
                    state=QUEUED,
                    attempts=0,
                    next_attempt_at=self._clock(),
                    leased_until=None,
                    over_at=None,
                )
            )
        return known[0]


def _want(
    conn: Connection,
    question: PriorQuestion,
    site: str,
    verdict: Verdict,
    *,
    of: Person,
    hours: Hours,
    now: datetime,
) -> None:
    """Queue a study, or queue it again when it is over and yet not all here."""
    study = verdict.study
    begin = hours.opens_at if verdict.is_large and hours.opens_at else now
    fresh = {
        "node": question.node,
        "patient_issuer": of.issuer,
        "patient_id": of.id,
        "expected_instances": study.images,
        "modalities": "\\".join(sorted(study.modalities)),
        "from_hour": hours.from_hour if verdict.is_large else 0,
        "to_hour": hours.to_hour if verdict.is_large else 0,
        "state": QUEUED,
        "attempts": 0,
        "next_attempt_at": begin,
        "leased_until": None,
        "last_error": "",
        "over_at": None,
    }
    key = (prior_fetches.c.site == site, prior_fetches.c.study_uid == study.study_uid)
    state = conn.execute(select(prior_fetches.c.state).where(*key)).scalar()
    if state is None:
        conn.execute(
            insert(prior_fetches).values(
                site=site, study_uid=study.study_uid, created_at=now, **fresh
            )
        )
    elif state != QUEUED:
        conn.execute(update(prior_fetches).where(*key).values(**fresh))
    if study.images:
        said = Evidence(
            EvidenceKind.SENDER, now, expected_instances=study.images, source=question.node
        )
        keep_evidence(conn, site=site, study_uid=study.study_uid, evidence=said)


def _answer(
    question: PriorQuestion, site: str, ordinal: int, verdict: Verdict
) -> Mapping[str, Any]:
    study = verdict.study
    return {
        "question_id": question.id,
        "study_uid": study.study_uid,
        "site": site,
        "ordinal": ordinal,
        "study_date": f"{study.day:%Y%m%d}" if study.day else "",
        "modalities": "\\".join(sorted(study.modalities)),
        "description": study.description,
        "images": study.images,
        "refusal": verdict.refusal.value if verdict.refusal else "",
    }


def _busy(conn: Connection, now: datetime) -> set[str]:
    """Return the nodes that somebody has a job to at this time."""
    found: set[str] = set()
    for table in (prior_questions, prior_fetches):
        asked = select(table.c.node).where(table.c.state == QUEUED, table.c.leased_until > now)
        found |= set(conn.execute(asked).scalars())
    return found


def _due(table: Table, now: datetime, busy: Collection[str]) -> Select[Any]:
    """Return the query for the job that has waited longest and that nobody holds."""
    return (
        select(table)
        .where(
            table.c.state == QUEUED,
            table.c.next_attempt_at <= now,
            table.c.node.not_in(sorted(busy)),
            or_(table.c.leased_until.is_(None), table.c.leased_until <= now),
        )
        .order_by(table.c.next_attempt_at, table.c.id)
        .limit(1)
    )


def _lease(
    conn: Connection, table: Table, now: datetime, busy: Collection[str], *, until: datetime
) -> Row[Any] | None:
    """Take the job that has waited longest; one that workers died of too often is given up."""
    due = _due(table, now, busy).with_for_update(skip_locked=True)
    while (row := conn.execute(due).one_or_none()) is not None:
        if row.attempts >= MOST_ATTEMPTS:
            conn.execute(
                update(table)
                .where(table.c.id == row.id)
                .values(state=DEAD, next_attempt_at=None, leased_until=None, over_at=now)
            )
            continue
        return conn.execute(
            update(table)
            .where(table.c.id == row.id)
            .values(attempts=table.c.attempts + 1, leased_until=until)
            .returning(table)
        ).one()
    return None


def _close(
    conn: Connection, table: Table, job: PriorJob, state: str, *, now: datetime, error: str = ""
) -> bool:
    changed = conn.execute(
        update(table)
        .where(*_mine(table, job))
        .values(
            state=state,
            next_attempt_at=None,
            leased_until=None,
            last_error=error[:_MAX_ERROR],
            over_at=now,
        )
    )
    return changed.rowcount == 1


def _mine(table: Table, job: PriorJob) -> tuple[Any, ...]:
    """Return the condition that a lease is still the one that was taken."""
    return table.c.id == job.id, table.c.state == QUEUED, table.c.attempts == job.attempts


def _table(job: PriorJob) -> Table:
    return prior_questions if isinstance(job, PriorQuestion) else prior_fetches


def _question(row: Row[Any]) -> PriorQuestion:
    return PriorQuestion(row.id, row.case_id, row.node, row.attempts)


def _fetch(row: Row[Any]) -> PriorFetch:
    return PriorFetch(
        id=row.id,
        site=row.site,
        study_uid=row.study_uid,
        node=row.node,
        patient_id=row.patient_id,
        expected_instances=row.expected_instances,
        modalities=modalities_of(row.modalities),
        hours=(row.from_hour, row.to_hour),
        attempts=row.attempts,
    )
