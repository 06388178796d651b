"""Consents: each purpose by itself, with who, how, when and by whose hand."""

from datetime import UTC, datetime, timedelta

import pytest

from casework.clinical import normal_consent
from casework.consents import RECORD, consents_of, recorded, without
from casework.errors import Conflict, Invalid

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
LATER = NOON + timedelta(days=9)


def test_each_purpose_has_a_record_of_its_own():
    given = {"care": True, "research": True, "teaching": False, "who": "guardian",
             "research_how": "written"}  # fmt: skip
    care, teaching, research = consents_of(recorded(given, was={}, by="Dr Ingrid", at=NOON))
    assert (care.given, care.who, care.how, care.at, care.by) == (
        True, "guardian", "oral", NOON, "Dr Ingrid",
    )  # fmt: skip
    assert (teaching.given, teaching.who, teaching.how) == (False, "", "")
    assert (research.given, research.how) == (True, "written")


def test_a_record_that_says_the_same_keeps_its_time_and_writer():
    first = recorded({"care": True, "teaching": False}, was={}, by="Dr Ingrid", at=NOON)
    again = recorded({"care": True, "teaching": True}, was=first, by="Dr Per", at=LATER)
    care, teaching = consents_of(again)
    assert (care.at, care.by) == (NOON, "Dr Ingrid")
    assert (teaching.at, teaching.by) == (LATER, "Dr Per")


def test_a_record_cannot_be_sent_in():
    assert normal_consent({"care": True, RECORD: {"care": {"by": "somebody else"}}}) == {
        "care": True
    }


def test_what_is_taken_back_stays_known_as_once_given():
    given = recorded({"care": True, "teaching": True}, was={}, by="Dr Ingrid", at=NOON)
    gone = without(given, "teaching", by="Dr Per", at=LATER)
    assert gone is not None
    care, teaching = consents_of(gone)
    assert care.given
    assert (teaching.given, teaching.at, teaching.withdrawn_at, teaching.withdrawn_by) == (
        False, NOON, LATER, "Dr Per",
    )  # fmt: skip
    assert without(gone, "teaching", by="Dr Per", at=LATER) is None


def test_only_what_was_given_beside_the_assessment_can_be_taken_back():
    given = recorded({"care": True, "teaching": False}, was={}, by="Dr Ingrid", at=NOON)
    with pytest.raises(Invalid, match="withdraw the case"):
        without(given, "care", by="Dr Per", at=LATER)
    with pytest.raises(Conflict, match="never agreed"):
        without(given, "teaching", by="Dr Per", at=LATER)
    assert consents_of({}) == ()
