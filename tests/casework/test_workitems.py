"""A case as a work item: its UID, its state, what may be asked of it, what its subscribers hear."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from casework.identifiers import is_standard_uid, new_case_id
from casework.model import (
    Case,
    CaseState,
    Patient,
    Priority,
    Referral,
    Specialty,
    StudyOfCase,
)
from casework.workitem_events import (
    TOLD,
    EventType,
    Happening,
    Worklist,
    is_subscribed,
    reports_of,
    states_around,
)
from casework.workitem_values import LISTED, Retrieval, readiness, values_of
from casework.workitems import (
    Request,
    StepState,
    Told,
    Verdict,
    WorkItem,
    case_of_uid,
    is_work_item,
    judge,
    judge_update,
    step_state,
    work_item_uid,
)

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
SCHEDULED, IN_PROGRESS = StepState.SCHEDULED, StepState.IN_PROGRESS
COMPLETED, CANCELED = StepState.COMPLETED, StepState.CANCELED
V = Verdict


def a_case(state: CaseState = CaseState.SUBMITTED, **changes: object) -> Case:
    case = Case(
        id="7K3M-2QXF",
        state=state,
        specialty=Specialty.RADIOLOGY,
        priority=Priority.URGENT,
        site="hammer",
        site_name="Hammer sykehus",
        patient=Patient("1", "1.2.3", "NESS^KARI", sex="F"),
        referral=Referral("Pneumonia?", {"pregnant": "no"}, referrer="Dr Jonas"),
        created_at=NOON,
        version=1,
        submitted_at=NOON,
        due_at=NOON + timedelta(days=1),
    )
    return replace(case, **changes)  # type: ignore[arg-type]


def an_item(state: CaseState = CaseState.SUBMITTED, **changes: object) -> WorkItem:
    held = {} if state is CaseState.SUBMITTED else {"holder_id": "user:1", "holder_name": "Dr K"}
    study = StudyOfCase("1.2.3.4", "hammer", "CT thorax", instance_count=2)
    case = a_case(state, claimed_at=NOON if held else None, **held, **changes)
    return WorkItem(work_item_uid(case.id), case, requests=(Request(study, "A1"),))


def test_a_case_has_one_uid_that_leads_back_to_it():
    numbers = iter(range(10_000))

    def some_bytes(count: int) -> bytes:
        return next(numbers).to_bytes(count, "big")

    for case_id in {new_case_id(some_bytes) for _ in range(2000)} | {"2222-2222", "ZZZZ-ZZZZ"}:
        uid = work_item_uid(case_id)
        assert is_standard_uid(uid)
        assert case_of_uid(uid) == case_id


@pytest.mark.parametrize(
    "uid", ["", "1.2.3", "2.25.0", "2.25.1", "2.25." + "9" * 39, "2.25.x", "2.25.1²"]
)
def test_a_uid_that_is_not_ours_is_of_no_case(uid):
    assert case_of_uid(uid) is None


def test_a_uid_with_another_check_is_of_no_case():
    digits = int(work_item_uid("7K3M-2QXF").removeprefix("2.25."))
    assert case_of_uid(f"2.25.{digits + 1}") is None


STATES = {
    CaseState.SUBMITTED: SCHEDULED,
    CaseState.CLAIMED: IN_PROGRESS,
    CaseState.WAITING: IN_PROGRESS,
    CaseState.REPORTED: IN_PROGRESS,
    CaseState.SIGNED: COMPLETED,
    CaseState.DELIVERED: COMPLETED,
    CaseState.READ: COMPLETED,
    CaseState.WITHDRAWN: CANCELED,
    CaseState.DECLINED: CANCELED,
}


@pytest.mark.parametrize("state", [s for s in CaseState if s is not CaseState.DRAFT])
def test_each_state_of_a_case_is_a_state_of_its_work_item(state):
    if state is CaseState.CLOSED:
        assert step_state(a_case(state, report_version=1)) is COMPLETED
        assert step_state(a_case(state)) is CANCELED
    else:
        assert step_state(a_case(state)) is STATES[state]


def test_what_was_never_submitted_is_no_work_item():
    assert is_work_item(a_case())
    assert not is_work_item(a_case(CaseState.DRAFT, submitted_at=None))
    assert not is_work_item(a_case(CaseState.WITHDRAWN, submitted_at=None))


# PS3.4 table CC.1.1-2: the state, the state asked for, and what comes of it with the Transaction
# UID of the claim, with another, and without one.
CHANGES = {
    (SCHEDULED, SCHEDULED): (V.INCONSISTENT, V.INCONSISTENT, V.INCONSISTENT),
    (SCHEDULED, IN_PROGRESS): (V.CLAIM, V.CLAIM, V.TRANSACTION_MISSING),
    (SCHEDULED, COMPLETED): (V.INCONSISTENT, V.INCONSISTENT, V.TRANSACTION_MISSING),
    (SCHEDULED, CANCELED): (V.INCONSISTENT, V.INCONSISTENT, V.TRANSACTION_MISSING),
    (IN_PROGRESS, SCHEDULED): (V.INCONSISTENT, V.INCONSISTENT, V.INCONSISTENT),
    (IN_PROGRESS, IN_PROGRESS): (V.INCONSISTENT, V.INCONSISTENT, V.TRANSACTION_MISSING),
    (IN_PROGRESS, COMPLETED): (V.NOT_SIGNED, V.TRANSACTION_WRONG, V.TRANSACTION_MISSING),
    (IN_PROGRESS, CANCELED): (V.CANCEL, V.TRANSACTION_WRONG, V.TRANSACTION_MISSING),
    (COMPLETED, SCHEDULED): (V.INCONSISTENT, V.INCONSISTENT, V.INCONSISTENT),
    (COMPLETED, IN_PROGRESS): (V.INCONSISTENT, V.INCONSISTENT, V.TRANSACTION_MISSING),
    (COMPLETED, COMPLETED): (V.ALREADY, V.TRANSACTION_WRONG, V.TRANSACTION_MISSING),
    (COMPLETED, CANCELED): (V.INCONSISTENT, V.TRANSACTION_WRONG, V.TRANSACTION_MISSING),
    (CANCELED, SCHEDULED): (V.INCONSISTENT, V.INCONSISTENT, V.INCONSISTENT),
    (CANCELED, IN_PROGRESS): (V.INCONSISTENT, V.INCONSISTENT, V.TRANSACTION_MISSING),
    (CANCELED, COMPLETED): (V.INCONSISTENT, V.TRANSACTION_WRONG, V.TRANSACTION_MISSING),
    (CANCELED, CANCELED): (V.ALREADY, V.TRANSACTION_WRONG, V.TRANSACTION_MISSING),
}


@pytest.mark.parametrize("state", StepState)
@pytest.mark.parametrize("wanted", StepState)
def test_every_cell_of_the_state_table(state, wanted):
    with_it, with_another, without = CHANGES[state, wanted]
    assert judge(state, wanted, given="1.2", kept="1.2") is with_it
    assert judge(state, wanted, given="1.3", kept="1.2") is with_another
    assert judge(state, wanted, given="", kept="1.2") is without


@pytest.mark.parametrize(
    ("state", "wanted", "verdict"),
    [
        (IN_PROGRESS, IN_PROGRESS, V.TAKE_UP),
        (IN_PROGRESS, COMPLETED, V.TRANSACTION_WRONG),
        (IN_PROGRESS, CANCELED, V.TRANSACTION_WRONG),
        (COMPLETED, COMPLETED, V.ALREADY),
        (CANCELED, CANCELED, V.ALREADY),
    ],
)
def test_a_claim_made_on_a_page_has_no_transaction_until_it_is_taken_up(state, wanted, verdict):
    assert judge(state, wanted, given="1.2", kept="") is verdict


@pytest.mark.parametrize(
    ("state", "given", "verdict"),
    [
        (SCHEDULED, "", None),
        (SCHEDULED, "1.2", V.INCONSISTENT),
        (IN_PROGRESS, "1.2", None),
        (IN_PROGRESS, "1.3", V.TRANSACTION_WRONG),
        (IN_PROGRESS, "", V.TRANSACTION_MISSING),
        (COMPLETED, "1.2", V.INCONSISTENT),
        (CANCELED, "1.2", V.INCONSISTENT),
    ],
)
def test_who_may_update(state, given, verdict):
    assert judge_update(state, given=given, kept="1.2") is verdict


@pytest.mark.parametrize("state", [s for s in CaseState if s is not CaseState.DRAFT])
def test_what_a_search_lists_is_there_in_every_state(state):
    values = values_of(an_item(state), Retrieval("LYSBRO", "http://x/dicom-web"))
    assert set(LISTED) <= set(values)
    assert "TransactionUID" not in values
    assert len(values["ProcedureStepLabel"]) <= 64
    assert values["PregnancyStatus"] == 1


def test_texts_are_as_long_as_their_vr_allows():
    item = an_item()
    long = replace(item.case, referral=Referral("Why\\ " + "x" * 20_000))
    study = replace(item.requests[0].study, description="a\nb " * 40)
    item = replace(item, case=long, requests=(Request(study),), told=Told(comments="c" * 20_000))
    values = values_of(item, Retrieval("LYSBRO", ""))
    (request,) = values["ReferencedRequestSequence"]
    reason = request["ReasonForTheRequestedProcedure"]
    assert (len(reason), "\\" in reason) == (64, False)
    assert len(request["RequestedProcedureComments"]) == 10_240
    assert len(values["CommentsOnTheScheduledProcedureStep"]) == 10_240
    assert len(values["ProcedureStepLabel"]) <= 64


@pytest.mark.parametrize(
    ("completeness", "count", "found"),
    [
        ("complete", 2, "READY"),
        ("presumed", 2, "READY"),
        ("arriving", 2, "INCOMPLETE"),
        ("arriving", 0, "UNAVAILABLE"),
    ],
)
def test_readiness_is_that_of_the_studies(completeness, count, found):
    study = StudyOfCase("1.2", "hammer", instance_count=count, completeness=completeness)
    assert readiness(replace(an_item(), requests=(Request(study),))) == found


def heard(action: str, item: WorkItem, **given: object) -> list[tuple[EventType, str]]:
    happening = Happening(1, action, item.case.id, **given)  # type: ignore[arg-type]
    return [
        (report.event, report.values.get("ProcedureStepState", ""))
        for report in reports_of(happening, item, requesting_ae="LYSBRO")
    ]


STATE, CANCEL = EventType.STATE_REPORT, EventType.CANCEL_REQUESTED
PROGRESS, ASSIGNED = EventType.PROGRESS_REPORT, EventType.ASSIGNED
HEARD = {
    "submitted": [(STATE, "SCHEDULED")],
    "released": [(STATE, "SCHEDULED")],
    "answered": [(STATE, "SCHEDULED")],
    "claim-expired": [(STATE, "SCHEDULED")],
    "claimed": [(STATE, "IN PROGRESS"), (ASSIGNED, "")],
    "handed-over": [(STATE, "IN PROGRESS"), (ASSIGNED, "")],
    "signed": [(STATE, "COMPLETED")],
    "declined": [(STATE, "CANCELED")],
    "withdrawn": [(STATE, "CANCELED")],
    "asked": [(PROGRESS, "")],
    "drafted": [(PROGRESS, "")],
    "work-item-updated": [(PROGRESS, "")],
    "work-item-cancel-requested": [(CANCEL, "")],
}


@pytest.mark.parametrize("now", [CaseState.CLAIMED, CaseState.SIGNED])
@pytest.mark.parametrize("action", sorted(TOLD))
def test_each_entry_is_heard_as_what_it_was_then(action, now):
    assert heard(action, an_item(now)) == HEARD[action]


def test_a_comment_before_the_claim_is_no_progress():
    assert heard("work-item-updated", an_item(), was_in_progress=False) == []


def test_progress_is_told_as_it_was_though_the_work_is_done():
    item = an_item(CaseState.SIGNED)
    (report,) = reports_of(Happening(1, "asked", item.case.id), item, requesting_ae="L")
    (progress,) = report.values["ProcedureStepProgressInformationSequence"]
    assert progress["ProcedureStepProgressDescription"].startswith("Waits for an answer")


def test_a_canceled_work_item_says_why():
    item = replace(an_item(CaseState.WITHDRAWN), canceled_because="Wrong patient")
    (report,) = reports_of(Happening(1, "withdrawn", item.case.id), item, requesting_ae="L")
    assert report.values["ReasonForCancellation"] == "Wrong patient"
    (code,) = report.values["ProcedureStepDiscontinuationReasonCodeSequence"]
    assert code["CodeValue"] == "110500"


@pytest.mark.parametrize(
    ("worklist", "own", "subscribed"),
    [
        (None, None, False),
        (None, True, True),
        (Worklist(), None, True),
        (Worklist(), False, False),
        (Worklist(lambda state: state is IN_PROGRESS), None, True),
        (Worklist(lambda state: state is COMPLETED), None, False),
        (Worklist(suspended_at=NOON - timedelta(hours=1)), None, False),
        (Worklist(suspended_at=NOON + timedelta(hours=1)), None, True),
    ],
)
def test_who_is_told(worklist, own, subscribed):
    states = states_around(Happening(1, "claimed", ""))
    assert is_subscribed(an_item(), worklist, own, states) is subscribed
