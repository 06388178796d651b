"""Which rule is for a study, and when its time is over."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from casework.errors import Invalid
from casework.model import CaseState
from casework.retention import CLOSED, RECEIVED, Age, Rule, days_of, is_due, rule_for

RECEIVED_AT = datetime(2020, 1, 1, tzinfo=UTC)
AGE = Age("hammer", "1.2", frozenset({"CT", "SR"}), RECEIVED_AT)
ANY = Rule(1, "hammer", "", 1000, RECEIVED)
CT = Rule(2, "hammer", "CT", 10, RECEIVED)
SR = Rule(3, "hammer", "SR", 20, RECEIVED)
ELSEWHERE = Rule(4, "vik", "", 1, RECEIVED)


def after(days: float) -> datetime:
    return RECEIVED_AT + timedelta(days=days)


def test_without_a_rule_of_its_site_a_study_is_kept_for_ever() -> None:
    assert rule_for([ELSEWHERE], AGE) is None
    assert not is_due([ELSEWHERE], AGE, now=after(100_000))


def test_a_rule_that_names_the_modality_goes_before_and_of_several_the_longest() -> None:
    assert rule_for([ANY, CT, SR, ELSEWHERE], AGE) == SR
    assert rule_for([ANY, CT], AGE) == CT
    assert rule_for([ANY, replace(CT, modality="MR")], AGE) == ANY


def test_time_is_counted_from_the_last_object() -> None:
    assert not is_due([CT], AGE, now=after(9.99))
    assert is_due([CT], AGE, now=after(10))


@pytest.mark.parametrize("state", list(CaseState))
def test_a_case_that_waits_for_somebody_keeps_its_study(state: CaseState) -> None:
    waits = {"draft", "submitted", "claimed", "waiting", "reported"}
    age = replace(AGE, case_state=state, case_ended_at=after(5))
    assert is_due([CT], age, now=after(11)) == (state.value not in waits)


@pytest.mark.parametrize("state", list(CaseState))
def test_a_rule_since_closing_waits_until_the_case_has_ended(state: CaseState) -> None:
    rule = replace(CT, since=CLOSED)
    age = replace(AGE, case_state=state, case_ended_at=after(5))
    assert not is_due([rule], age, now=after(14))
    ended = state.value in {"closed", "withdrawn", "declined"}
    assert is_due([rule], age, now=after(15)) == ended
    assert not is_due([rule], replace(AGE, case_state=None), now=after(1000))


@pytest.mark.parametrize(("text", "days"), [("90", 90), ("90d", 90), ("18m", 558), ("10y", 3660)])
def test_times_to_keep_are_read(text: str, days: int) -> None:
    assert days_of(text) == days


@pytest.mark.parametrize("text", ["", "0", "-3", "y", "ten years", "1.5y", "300y"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        days_of(text)
