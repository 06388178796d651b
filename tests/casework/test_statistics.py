"""Statistics: each number equals what a plain count of a generated history gives."""

from __future__ import annotations

import csv
import io
import statistics as plain
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from casework.codings import Coding
from casework.histories import Answer, History, Turn, Wait, waits_of
from casework.model import Priority, Specialty
from casework.outcomes import Outcome
from casework.photo_checks import REASON_OF_CHECK, lacking, reasons_of
from casework.questions import REASON_CODES
from casework.statistics import Share, Spread, count
from casework.statistics_table import as_csv

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
CODES = [option.value for option in REASON_CODES]
HOUR = timedelta(hours=1)


def case(n: int = 1, **values: object) -> History:
    base = History(
        case_id=str(n), site="fjord", specialty=Specialty.DERMATOLOGY, priority=Priority.ROUTINE,
        submitted_at=NOON,
    )  # fmt: skip
    return replace(base, **values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("turns", "expected"),
    [
        ([], []),
        ([("claimed", 1)], []),
        ([("asked", 1), ("answered", 3)], [(1, 3)]),
        ([("asked", 1)], [(1, None)]),
        ([("asked", 1), ("released", 2), ("asked", 4), ("answered", 5)], [(1, 2), (4, 5)]),
        ([("asked", 1), ("withdrawn", 2)], [(1, 2)]),
        ([("answered", 1), ("asked", 2), ("answered", 3)], [(2, 3)]),
    ],
)
def test_a_wait_goes_from_a_question_to_what_ended_it(turns, expected):
    done = [Turn(action, NOON + hours * HOUR, "blurred") for action, hours in turns]
    assert waits_of(done) == tuple(
        Wait("blurred", NOON + a * HOUR, None if b is None else NOON + b * HOUR)
        for a, b in expected
    )


def test_a_small_history_is_counted_as_by_hand():
    told = Answer(urgency="none", diagnosis="Naevus", code="D22", system="icd-10")
    signed = {"claimed_at": NOON + HOUR, "due_at": NOON + 5 * HOUR, "answer": told}
    cases = [
        case(1, **signed, signed_at=NOON + 3 * HOUR, read_at=NOON + 4 * HOUR, would_refer="yes",
             travel_km=120.0, photographs=2, warned=frozenset({"blurred"}),
             outcome=Outcome("histology", "naevus", "D22", "icd-10", "no")),
        case(2, **signed, signed_at=NOON + 7 * HOUR, would_refer="yes", travel_km=80.0,
             photographs=1, warned=frozenset({"blurred", "too-dark"}),
             waits=(Wait("blurred", NOON + HOUR, NOON + 3 * HOUR),),
             outcome=Outcome("histology", "Melanoma", "C43", "icd-10", "yes")),
        case(3, claimed_at=NOON + HOUR, due_at=NOON + 5 * HOUR, signed_at=NOON + 2 * HOUR,
             answer=Answer("no", "cut-off", "priority"), photographs=1, would_refer="yes",
             priority=Priority.URGENT),
        case(4, is_declined=True), case(5, is_withdrawn=True),
    ]  # fmt: skip
    found = count(cases)
    assert (found.submitted, found.signed, found.declined, found.withdrawn) == (5, 3, 1, 1)
    assert found.turnaround == Spread(3, 10800.0, 9000.0, 18000.0, 25200.0)
    assert found.working.longest_s == 5 * 3600.0  # seven hours, less two of waiting
    assert found.to_read == Spread(1, 3600.0, 3600.0, 3600.0, 3600.0)
    assert found.unread == 2
    assert found.within_target == {
        Priority.ROUTINE: Share(1, 2), Priority.URGENT: Share(1, 1),
    }  # fmt: skip
    assert (found.waited, found.wait_reasons) == (Share(1, 5), {"blurred": 1})
    assert found.not_assessable == Share(1, 3)
    assert found.not_assessable_reasons == {"cut-off": 1}
    gate = {each.code: (each.warned, each.asked, each.both) for each in found.gate}
    assert gate == {"blurred": (2, 1, 1), "too-dark": (1, 0, 0), "cut-off": (0, 1, 0)}
    assert found.in_primary_care == Share(2, 3)
    assert (found.journeys_avoided, found.km_avoided) == (Share(2, 3), 400.0)
    assert found.agreement == Share(1, 2)
    assert found.malignant_missed == Share(1, 1)
    assert [(a.diagnosis, a.agreed) for a in found.agreements] == [
        ("Melanoma", Share(0, 1)), ("naevus", Share(1, 1)),
    ]  # fmt: skip


def test_nothing_is_counted_of_nothing():
    found = count([])
    assert found.turnaround == Spread(0)
    assert found.waited.percent is None
    assert as_csv([]).startswith("specialty,site,measure,value,unit,of\r\nall,all,submitted,0,")


MINUTES = st.integers(0, 100_000).map(lambda n: timedelta(minutes=n))
HISTORIES = st.builds(
    lambda claim, sign, read, waits, code, warned, site: case(
        site=site,
        claimed_at=None if claim is None else NOON + claim,
        signed_at=None if claim is None or sign is None else NOON + claim + sign,
        read_at=None if None in (claim, sign, read) else NOON + claim + sign + read,
        answer=None if claim is None or sign is None else Answer("no" if code else "yes", code),
        waits=tuple(Wait(c, NOON, NOON + w) for c, w in waits),
        photographs=1,
        warned=warned,
    ),
    st.none() | MINUTES, st.none() | MINUTES, st.none() | MINUTES,
    st.lists(st.tuples(st.sampled_from(CODES), MINUTES), max_size=3),
    st.sampled_from(["", *CODES]), st.frozensets(st.sampled_from(CODES)),
    st.sampled_from(["fjord", "vik"]),
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(st.lists(HISTORIES, max_size=25))
def test_every_number_is_that_of_a_plain_count(histories: list[History]) -> None:
    found = count(histories)
    turnarounds = sorted(
        (h.signed_at - h.submitted_at).total_seconds() for h in histories if h.signed_at
    )
    assert found.turnaround.count == len(turnarounds)
    if turnarounds:
        assert found.turnaround.median_s == plain.median(turnarounds)
        assert found.turnaround.longest_s == max(turnarounds)
    assert found.waited.part == len([h for h in histories if h.waits])
    assert sum(found.wait_reasons.values()) == sum(len(h.waits) for h in histories)
    asked = {
        code: [
            h for h in histories
            if code in {w.reason for w in h.waits}
            or (h.answer and h.answer.assessable == "no" and h.answer.reason == code)
        ]
        for code in CODES
    }  # fmt: skip
    for each in found.gate:
        assert each.asked == len(asked[each.code])
        assert each.both == len([h for h in asked[each.code] if each.code in h.warned])
        assert each.both <= min(each.asked, each.warned)
    rows = list(csv.DictReader(io.StringIO(as_csv(histories))))
    of_sites = [int(r["value"]) for r in rows if r["measure"] == "signed" and r["site"] != "all"]
    assert sum(of_sites) == found.signed


def test_a_check_warns_in_the_words_of_the_reader():
    assert set(REASON_OF_CHECK.values()) <= set(CODES)
    assert reasons_of(["focus", "scale", "glare"]) == {"blurred", "too-dark"}
    assert lacking(["overview"]) == {"no-closeup"}
    assert lacking(["overview", "closeup"]) == set()
    assert lacking([]) == lacking([""]) == set()


def test_a_diagnosis_that_a_spreadsheet_would_run_is_text():
    rows: Sequence[str] = as_csv(
        [case(signed_at=NOON, answer=Answer(), outcome=Outcome("visit", "=1+1"))]
    ).splitlines()
    assert not [row for row in rows if ",=" in row]


def test_an_answer_agrees_by_any_of_its_codes_that_the_outcome_has_the_system_of():
    codes = (Coding("sct", "400096001"), Coding("icd-10", "D22.9"))
    told = Answer(diagnosis="Naevus", code="400096001", system="sct", codes=codes)
    for code, agrees in (("D22.9", 1), ("C43.9", 0)):
        said = case(
            1, answer=told, claimed_at=NOON + HOUR, signed_at=NOON + 2 * HOUR,
            outcome=Outcome("histology", "x", code, "ICD-10", "no"),
        )  # fmt: skip
        assert count([said]).agreement == Share(agrees, 1)
