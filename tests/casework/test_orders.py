"""Orders: every cell of the table, how an order follows from its steps, what a change leaves."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest

from casework.errors import Conflict, Invalid
from casework.model import Patient, Priority
from casework.orders import (
    TABLE,
    UNSAID,
    Code,
    OrderEvent,
    OrderState,
    Request,
    ScheduledStep,
    after,
    after_all,
    checked,
    merged,
    same_content,
    state_of,
)

S, E = OrderState, OrderEvent
NOW = datetime(2026, 3, 2, 10, 15, 31)
STEP = ScheduledStep("1", "CT", datetime(2026, 3, 3, 9, 0), stations=("CT_1",))
REQUEST = Request(Patient("1", name="NESS^KARI"), (STEP,), placer_number="P1", question="Why?")

EXPECTED = {
    S.SCHEDULED: "scheduled cancelled cancelled in-progress completed discontinued completed",
    S.IN_PROGRESS: "in-progress - discontinued in-progress completed discontinued completed",
    S.COMPLETED: "- - - completed completed completed completed",
    S.DISCONTINUED: "- - discontinued in-progress completed discontinued -",
    S.CANCELLED: "- cancelled cancelled in-progress completed discontinued -",
}
"""Each state with what follows each event, in the order of the events."""


@pytest.mark.parametrize("state", list(S))
@pytest.mark.parametrize("event", list(E))
def test_every_cell_of_the_table(state: OrderState, event: OrderEvent) -> None:
    expected = EXPECTED[state].split()[list(E).index(event)]
    if expected == "-":
        with pytest.raises(Conflict) as refused:
            after(state, event)
        assert refused.value.state == state.value
    else:
        assert after(state, event) == expected


def test_the_table_has_no_cell_beside_these() -> None:
    given = [cell for line in EXPECTED.values() for cell in line.split()]
    assert len(TABLE) == len(given) - given.count("-")


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ("scheduled", "scheduled"),
        ("scheduled scheduled", "scheduled"),
        ("scheduled cancelled", "scheduled"),
        ("in-progress scheduled", "in-progress"),
        ("completed scheduled", "in-progress"),
        ("discontinued scheduled", "in-progress"),
        ("completed completed", "completed"),
        ("completed cancelled discontinued", "completed"),
        ("discontinued cancelled", "discontinued"),
        ("cancelled cancelled", "cancelled"),
    ],
)
def test_an_order_is_where_its_steps_are(steps: str, expected: str) -> None:
    assert state_of(S(each) for each in steps.split()) == expected


def test_a_cancelled_order_leaves_its_ended_steps() -> None:
    done = replace(STEP, state=S.COMPLETED)
    order = replace(REQUEST, steps=(done, replace(STEP, id="2")))
    states = [step.state for step in after_all(order, E.STOP).steps]
    assert states == [S.COMPLETED, S.CANCELLED]


def test_what_is_left_out_of_an_order_is_filled_in() -> None:
    bare = replace(REQUEST, steps=(ScheduledStep("", "CT", UNSAID), replace(STEP, id="1")))
    found = checked(bare, now=NOW)
    assert found.priority is Priority.ROUTINE
    assert [step.id for step in found.steps] == ["2", "1"]
    assert found.steps[0].starts_at == datetime(2026, 3, 2, 10, 15)


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        (replace(REQUEST, patient=Patient("", name="A")), "patient.id"),
        (replace(REQUEST, patient=Patient("1", name="^")), "patient.name"),
        (replace(REQUEST, steps=()), "steps"),
        (replace(REQUEST, steps=(STEP, STEP)), "steps: each step"),
        (replace(REQUEST, accession_number="1" * 17), "accession_number"),
        (replace(REQUEST, placer_number="A\\B"), "placer_number"),
        (replace(REQUEST, study_uid="1.02"), "study_uid"),
        (replace(REQUEST, question="x" * 10_241), "question"),
        (replace(REQUEST, procedure_code=Code("", "L")), "procedure_code"),
        (replace(REQUEST, steps=(replace(STEP, modality=""),)), "steps.1.modality"),
        (replace(REQUEST, steps=(replace(STEP, modality="ct"),)), "steps.1.modality"),
        (replace(REQUEST, steps=(replace(STEP, stations=("A" * 17,)),)), "steps.1.stations"),
        (replace(REQUEST, steps=(replace(STEP, location="\n"),)), "steps.1.location"),
    ],
)
def test_a_fault_of_an_order_is_named(wrong: Request, named: str) -> None:
    with pytest.raises(Invalid) as refused:
        checked(wrong, now=NOW)
    assert named in refused.value.message
    assert refused.value.code == "order-invalid"


def test_a_change_leaves_what_it_does_not_say() -> None:
    told = Request(
        Patient("1"), (ScheduledStep("", "", UNSAID, location="Room 2"),), question="Since when?"
    )
    found = merged(checked(REQUEST, now=NOW), told)
    assert found.question == "Since when?"
    assert found.patient.name == "NESS^KARI"
    assert found.placer_number == "P1"
    assert found.steps == (replace(STEP, location="Room 2"),)


def test_a_change_keeps_steps_that_have_begun_and_drops_those_that_have_not() -> None:
    begun, waiting = replace(STEP, state=S.IN_PROGRESS), replace(STEP, id="2")
    before = replace(REQUEST, steps=(begun, waiting))
    told = replace(REQUEST, steps=(replace(STEP, id="3"),))
    assert [step.id for step in merged(before, told).steps] == ["1", "3"]


def test_a_repeat_is_the_same_and_another_question_is_not() -> None:
    kept = checked(replace(REQUEST, accession_number="A1", study_uid="1.2.3"), now=NOW)
    assert same_content(kept, REQUEST)
    assert not same_content(kept, replace(REQUEST, question="Another?"))
    assert not same_content(kept, replace(REQUEST, priority=Priority.STAT))
