"""What is known of a study's completeness: evidence before, between and after its instances."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from casework.completeness import Evidence, EvidenceKind
from casework.custody import Door
from casework.identifiers import derived_case_id, reply_series_uid
from casework.model import AePermission
from storage import asking, completeness
from storage.people import People
from storage.tables import sender_questions
from tests.storage.conftest import NOON

K = EvidenceKind
STUDY = "1.2.3"


@pytest.fixture
def study(index, everything):
    """Return what the index says of the study: state, evidence, expected and missing."""

    def look():
        (row,) = index.studies(everything, study_uid=STUDY)
        kind, expected = row.completeness_evidence, row.expected_instances
        return row.completeness, kind, expected, row.missing_instances

    return look


@pytest.fixture
def note(index):
    def note_it(kind, *, count=None, uids=None, source="", after_s=0, study_uid=STUDY):
        named = frozenset(uids) if uids else None
        at = NOON + timedelta(seconds=after_s)
        return index.note_evidence("hammer", study_uid, Evidence(kind, at, count, named, source))

    return note_it


@pytest.fixture
def judged(index):
    """Do the worker's chore at a time."""
    return lambda after_s=0.0: index.presume_complete(NOON + timedelta(seconds=after_s), 60)


def test_evidence_before_the_first_instance_counts_when_it_comes(
    take, make_record, study, note, judged
):
    assert note(K.COUNTS, count=2) is None
    take(make_record())
    judged()
    assert study() == ("arriving", "counts", 2, 1)
    take(make_record())
    judged()
    assert study() == ("complete", "counts", 2, 0)


def test_new_evidence_is_judged_at_once(take, make_record, study, note):
    take(make_record(SOPInstanceUID="1.2.9.1"), make_record(SOPInstanceUID="1.2.9.2"))
    note(K.MPPS, uids=["1.2.9.1", "1.2.9.2"], source="1.2.77")
    assert study() == ("complete", "mpps", 2, 0)
    note(K.MPPS, uids=["1.2.9.1", "1.2.9.2", "1.2.9.3"], source="1.2.77", after_s=1)
    assert study() == ("arriving", "mpps", 3, 1)


def test_what_a_source_said_earlier_does_not_replace_what_it_said_later(
    take, make_record, study, note
):
    take(make_record())
    note(K.COUNTS, count=1, source="user:1", after_s=9)
    note(K.COUNTS, count=7, source="user:1")
    assert study() == ("complete", "counts", 1, 0)


def test_a_quiet_study_that_lacks_something_is_not_presumed_complete(
    take, make_record, study, note, judged
):
    take(make_record())
    note(K.SENDER, count=3, source="CT_1")
    judged(90)
    assert study() == ("arriving", "sender", 3, 2)
    assert judged(9000) == 0


def test_a_presumed_study_is_arriving_again_when_the_modality_names_more(
    take, make_record, study, note, judged
):
    take(make_record())
    assert judged(60) == 1
    assert study() == ("presumed", "", None, 0)
    note(K.MPPS, uids=["1.2.8.8"], source="1.2.77", after_s=70)
    assert study() == ("arriving", "mpps", 2, 1)


def test_a_study_that_was_complete_is_judged_again_when_more_comes(
    take, make_record, study, note, judged
):
    take(make_record(SOPInstanceUID="1.2.9.1"))
    note(K.MPPS, uids=["1.2.9.1"])
    take(make_record(after_s=5))
    judged(5)
    assert study() == ("arriving", "", None, 0)
    judged(65)
    assert study() == ("presumed", "", None, 0)


def test_objects_that_say_how_many_they_are_are_evidence(take, make_record, study, judged):
    take(make_record(NumberOfStudyRelatedInstances=2), make_record())
    judged()
    assert study() == ("complete", "counts", 2, 0)


def test_a_signed_reply_in_the_study_is_not_one_of_its_instances(
    take, make_record, study, note, judged
):
    take(make_record())
    reply = reply_series_uid(STUDY, derived_case_id("hammer", STUDY))
    take(make_record(SeriesInstanceUID=reply, Modality="DOC", door=Door.REPLY))
    note(K.SENDER, count=2, source="CT_1")
    assert study() == ("arriving", "sender", 3 - 1, 1)


def test_the_worklist_and_the_case_say_what_is_missing(sited, take, make_record, note, everything):
    from storage.casebook import Casebook

    take(make_record())
    note(K.MPPS, uids=["1.2.8.8", "1.2.8.9"], source="1.2.77")
    casebook = Casebook(sited, lambda: NOON)
    ((summary,), _) = casebook.list_cases(everything)
    assert (summary.completeness, summary.expected_instances) == ("arriving", 3)
    assert summary.missing_instances == 2
    (of_case,) = casebook.dossier(everything, summary.case.id).studies
    assert (of_case.completeness_evidence, of_case.missing_instances) == ("mpps", 2)


def test_evidence_of_another_site_says_nothing_of_this_one(take, make_record, index, study):
    take(make_record())
    index.note_evidence("vardo", STUDY, Evidence(K.COUNTS, NOON, 1))
    assert study() == ("arriving", "", None, 0)


@pytest.fixture
def may_ask(sited):
    people = People(sited, lambda: NOON)
    people.add_ae(
        "CT_1", "hammer", host="10.0.0.7", port=104, permissions=frozenset({AePermission.ASK})
    )


def _questions(sited):
    with sited.read() as conn:
        return [(q.ae, q.state, q.attempts) for q in conn.execute(select(sender_questions))]


def _ask(sited, after_s):
    with sited.begin() as conn:
        return asking.next_question(conn, now=NOON + timedelta(seconds=after_s), lease_s=60)


@pytest.mark.usefixtures("may_ask")
def test_the_sender_of_a_quiet_study_is_asked_before_it_is_presumed_complete(
    sited, take, make_record, study, judged, note
):
    take(make_record())
    judged(59)
    assert _questions(sited) == []
    judged(60)
    assert _questions(sited) == [("CT_1", "open", 0)]
    assert study() == ("arriving", "", None, 0)
    assert judged(6000) == 0  # it waits for the answer, however long that takes

    question = _ask(sited, 60)
    assert question == asking.Question("hammer", STUDY, "CT_1", 1)
    assert _ask(sited, 60) is None  # leased
    note(K.SENDER, count=1, source="CT_1", after_s=61)
    with sited.begin() as conn:
        asking.close_question(conn, question)
        completeness.question_is_over(conn, site="hammer", study_uid=STUDY)
    assert study() == ("complete", "sender", 1, 0)
    assert _ask(sited, 9000) is None


@pytest.mark.usefixtures("may_ask")
def test_a_sender_that_never_answers_is_given_up_and_the_study_presumed_complete(
    sited, take, make_record, study, judged
):
    take(make_record())
    judged(60)
    over, tries = False, 0
    while not over:
        question = _ask(sited, 60 + 1000 * tries)
        tries += 1
        with sited.begin() as conn:
            now = NOON + timedelta(seconds=1000 * tries - 940)
            over = asking.question_failed(conn, question, "no answer", now=now)
    with sited.begin() as conn:
        completeness.question_is_over(conn, site="hammer", study_uid=STUDY)
    assert (tries, _questions(sited)) == (4, [("CT_1", "given-up", 4)])
    assert study() == ("presumed", "", None, 0)


@pytest.mark.usefixtures("may_ask")
def test_a_study_that_grows_while_its_sender_is_asked_waits_until_it_is_quiet_again(
    sited, take, make_record, study, judged
):
    take(make_record())
    judged(60)
    question = _ask(sited, 60)
    take(make_record(after_s=61))
    with sited.begin() as conn:
        asking.question_failed(conn, question, "no", now=NOON, is_final=True)
        completeness.question_is_over(conn, site="hammer", study_uid=STUDY)
    assert study()[0] == "arriving"
    judged(121)
    assert _questions(sited) == [("CT_1", "open", 0)]


@pytest.mark.usefixtures("may_ask")
def test_a_study_that_is_complete_by_other_evidence_is_not_asked_about(
    sited, take, make_record, judged, note
):
    note(K.COUNTS, count=1)
    take(make_record())
    judged(60)
    assert _questions(sited) == []
