"""Which versions a referral has had, and what a reader has to look at anew."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from casework.model import Case, CaseState, Message, Patient, Priority, Referral, Specialty
from casework.referral_versions import CameIn, new_since_asked, versions_of

NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)


def at(minutes: int) -> datetime:
    return NOW + timedelta(minutes=minutes)


CASE = Case(
    "7K3M-2QXF", CaseState.SUBMITTED, Specialty.DERMATOLOGY, Priority.ROUTINE, "fjord", "Fjord",
    Patient("1"), Referral("Benign?", referrer="Dr A"), NOW, 1, submitted_at=at(1),
)  # fmt: skip


def said(number: int, kind: str, minutes: int, text: str = "", reason: str = "") -> Message:
    return Message(number, "Dr", "", "", kind, text, reason, at(minutes))


FIRST, LATER = CameIn("1.1", at(0)), CameIn("1.2", at(25))
ASKED = said(1, "question", 20, reason="blurred")
ANSWERED = said(2, "answer", 30, "Here it is.")


def test_a_referral_that_was_never_asked_about_has_one_version():
    (only,) = versions_of(CASE, [], [FIRST])
    assert (only.number, only.words, only.new, only.at) == (1, "Benign?", ("1.1",), at(1))
    assert new_since_asked([only], signed_at=None) is None


def test_an_answer_makes_a_version_with_its_words_and_what_came_since_the_question():
    first, second = versions_of(CASE, [ASKED, ANSWERED], [FIRST, LATER])
    assert (first.new, second.new) == (("1.1",), ("1.2",))
    assert (second.words, second.asked_reason, second.at) == ("Here it is.", "blurred", at(30))
    assert new_since_asked([first, second], signed_at=None) is second
    assert new_since_asked([first, second], signed_at=at(29)) is second
    assert new_since_asked([first, second], signed_at=at(40)) is None


def test_pictures_that_came_before_their_answer_are_a_version_that_is_not_sent():
    found = versions_of(CASE, [ASKED], [FIRST, LATER])
    assert [(v.number, v.at) for v in found] == [(1, at(1)), (2, None)]
    assert new_since_asked(found, signed_at=None) is None
    assert len(versions_of(CASE, [ASKED], [FIRST])) == 1


def test_each_question_has_its_own_answer_and_no_picture_is_in_two():
    turns = [
        ASKED,
        ANSWERED,
        said(3, "question", 40, "And the back?"),
        said(4, "answer", 50, "So."),
    ]
    came = [FIRST, LATER, CameIn("1.3", at(45)), CameIn("1.4", at(60))]
    found = versions_of(CASE, turns, came)
    assert [v.new for v in found] == [("1.1",), ("1.2",), ("1.3", "1.4")]
    assert [v.asked for v in found] == ["", "", "And the back?"]


def test_a_question_that_was_asked_anew_before_an_answer_counts_once():
    turns = [ASKED, said(2, "question", 22, "Rather this."), said(3, "answer", 30, "Both.")]
    found = versions_of(replace(CASE), turns, [FIRST, LATER])
    assert [(v.number, v.asked, v.new) for v in found][1:] == [(2, "Rather this.", ("1.2",))]
