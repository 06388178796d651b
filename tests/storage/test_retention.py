"""Holds and rules over a real index: what stands in the way of an erasure, and what is due."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from casework.audit import REFUSED
from casework.erasure import Target
from casework.errors import Conflict, Invalid, LysbroError, NotFound, Refused
from casework.model import CaseState
from storage.casebook_tables import cases, jobs
from storage.database import Database
from storage.erasing import Erasures
from storage.holds import Holds
from storage.ledger import Ledger
from storage.retention import Retention
from storage.tables import studies
from tests.storage.conftest import NOON, MakeRecord
from tests.storage.erasing import ADMIN, REASON

STUDY = Target(study_uid="1.2.3")


class At:
    """A clock that stands where it is put."""

    now = NOON + timedelta(days=1)

    def __call__(self):  # type: ignore[no-untyped-def]
        return self.now


@pytest.fixture
def erasures(sited: Database, take: Callable[..., None], make_record: MakeRecord) -> Erasures:
    take(make_record(), make_record(StudyInstanceUID="1.2.4", SeriesInstanceUID="1.2.4.1"))
    return Erasures(sited, At(), node="here")


def refusal(erasures: Erasures, target: Target = STUDY, **how: str) -> LysbroError:
    with pytest.raises(LysbroError) as caught:
        erasures.erase(target, actor=ADMIN, reason=REASON, **how)
    return caught.value


@pytest.mark.parametrize(
    "held",
    [
        Target(study_uid="1.2.3"),
        Target(study_uid="1.2.3", site="hammer"),
        Target(patient_id="12345"),
        Target(patient_id="12345", issuer="site:hammer"),
    ],
)
def test_a_hold_beats_erasure_and_retention_until_it_is_lifted(
    sited: Database, erasures: Erasures, held: Target
) -> None:
    holds, rules = Holds(sited, At()), Retention(sited, At())
    placed = holds.add(held, reason="case 12 at the court", actor=ADMIN)
    with pytest.raises(Conflict):
        holds.add(held, reason="again", actor=ADMIN)
    with sited.begin() as conn:
        conn.execute(update(cases).values(state=CaseState.WITHDRAWN))
    rules.set_rule("hammer", modality="", keep_days=1, since="received", actor=ADMIN)
    error = refusal(erasures)
    assert isinstance(error, Refused)
    assert error.code == "legal-hold"
    assert f"hold remove {placed.id}" in error.message
    due = {d.study_uid: d.hold for d in rules.due(limit=10)}
    assert due["1.2.3"] == f"{placed.id}: case 12 at the court"
    refused = next(e for e in Ledger(sited).entries() if e.action == REFUSED)
    assert (refused.outcome, refused.subject) == ("legal-hold", "1.2.3")
    holds.remove(placed.id, reason="the court has ended it", actor=ADMIN)
    assert holds.listed() == ()
    assert erasures.erase(STUDY, actor=ADMIN, reason=REASON).instances == 1
    actions = [e.action for e in reversed(Ledger(sited).entries())]
    assert actions[-3:] == ["hold-lifted", "erased", "erased"]


@pytest.mark.parametrize(
    "other",
    [
        Target(study_uid="1.2.9"),
        Target(study_uid="1.2.3", site="vardo"),
        Target(patient_id="12345", issuer="1.2.3.4"),
    ],
)
def test_a_hold_on_something_else_is_no_hindrance(
    sited: Database, erasures: Erasures, other: Target
) -> None:
    Holds(sited, At()).add(other, reason="another matter", actor=ADMIN)
    assert erasures.erase(STUDY, actor=ADMIN, reason=REASON).instances == 1


@pytest.mark.parametrize("state", [CaseState.CLAIMED, CaseState.WAITING, CaseState.REPORTED])
def test_a_case_that_is_being_read_is_not_erased(
    sited: Database, erasures: Erasures, state: CaseState
) -> None:
    with sited.begin() as conn:
        conn.execute(update(cases).values(state=state, holder_id="user:2", holder_name="Dr N."))
    error = refusal(erasures)
    assert (error.code, error.state) == ("case-being-read", state.value)  # type: ignore[attr-defined]
    assert "Dr N." in error.message
    assert "release" in error.message


def test_what_is_being_sent_and_what_has_changed_since_it_was_shown_is_not_erased(
    sited: Database, erasures: Erasures, take: Callable[..., None], make_record: MakeRecord
) -> None:
    digest = erasures.plan(STUDY).digest
    take(make_record())
    assert refusal(erasures, digest=digest).code == "plan-changed"
    with sited.begin() as conn:
        conn.execute(
            jobs.insert().values(
                kind="send", study_uid="1.2.3", site="hammer", destination="PACS", state="queued",
                created_at=NOON, next_attempt_at=NOON, leased_until=NOON + timedelta(days=2),
            )
        )  # fmt: skip
    assert refusal(erasures).code == "being-sent"
    assert refusal(erasures, Target(study_uid="9.9")).code == "nothing-to-erase"


def test_the_number_of_two_patients_is_asked_about(
    sited: Database, erasures: Erasures, take: Callable[..., None], make_record: MakeRecord
) -> None:
    take(make_record(site="vardo", StudyInstanceUID="1.2.5", SeriesInstanceUID="1.2.5.1"))
    with pytest.raises(Conflict, match="--issuer"):
        erasures.plan(Target(patient_id="12345"))
    (study,) = erasures.plan(Target(patient_id="12345", issuer="1.2.3.4")).studies
    assert study.site == "vardo"
    assert len(erasures.plan(Target(patient_id="12345", site="hammer")).studies) == 2


def test_the_same_study_of_another_site_stays_when_one_is_named(
    sited: Database, erasures: Erasures, take: Callable[..., None], make_record: MakeRecord
) -> None:
    take(make_record(site="vardo"))
    assert len(erasures.plan(STUDY).studies) == 2
    erasures.erase(Target(study_uid="1.2.3", site="hammer"), actor=ADMIN, reason=REASON)
    with sited.read() as conn:
        left = conn.execute(select(studies.c.site).where(studies.c.study_uid == "1.2.3"))
        assert left.scalars().all() == ["vardo"]


def test_a_rule_lets_go_what_is_old_enough_and_of_no_case_that_waits(
    sited: Database, erasures: Erasures
) -> None:
    rules = Retention(sited, At())
    with pytest.raises(NotFound):
        rules.set_rule("nowhere", modality="", keep_days=1, since="received", actor=ADMIN)
    first = rules.set_rule("hammer", modality="", keep_days=2, since="received", actor=ADMIN)
    assert rules.due(limit=10) == ()
    rules.set_rule("hammer", modality="", keep_days=1, since="received", actor=ADMIN)
    assert rules.due(limit=10) == ()  # their cases wait for a specialist
    with sited.begin() as conn:
        conn.execute(update(cases).values(state=CaseState.WITHDRAWN))
    assert {due.study_uid for due in rules.due(limit=10)} == {"1.2.3", "1.2.4"}
    assert len(rules.due(limit=1)) == 1
    ct = rules.set_rule("hammer", modality="CT", keep_days=400, since="received", actor=ADMIN)
    assert rules.due(limit=10) == ()
    rules.remove_rule(ct.id, actor=ADMIN)
    assert len(rules.due(limit=10)) == 2
    with pytest.raises(NotFound):
        rules.remove_rule(first.id, actor=ADMIN)  # the second took its place
    with pytest.raises(Invalid):
        erasures.erase(STUDY, actor=ADMIN, reason=" ")
