"""Earlier studies in the archive, how a fetched one is told from a sent one, and how they go."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, insert, select

from casework.access import scope_of
from casework.custody import Door
from casework.errors import Invalid, NotFound
from casework.identifiers import derived_case_id
from casework.model import AePermission
from casework.priors import Earlier, PriorRule, Refusal, Verdict
from storage import prior_tables as t
from storage.backup import back_up, opened
from storage.backup_erase import _Filter
from storage.casebook_tables import cases
from storage.erasing_rows import forget_patients, forget_studies, remove_cases
from storage.objects import FolderStore
from storage.prior_marks import came_as_prior
from storage.prior_queue import Hours, PriorFetch, PriorQuestion, PriorQueue
from storage.prior_rules import PriorRules
from storage.prior_standing import PriorStandings
from storage.priors import Priors
from tests.storage.room import MORNING, Room, open_room

OID = "2.16.578.1.12.4.1.4.1"
NODE = "HAMMER_PACS"
RULE = PriorRule(0, (NODE,))
AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


@pytest.fixture
def room(tmp_path: Path, database_server: str) -> Iterator[Room]:
    with open_room(tmp_path, server=database_server) as found:
        yield found


@pytest.fixture
def ruled(room: Room) -> Room:
    """Give a room whose hospital hammer has a node that is asked for every case."""
    room.people.add_ae(
        NODE, site="hammer", host="10.0.0.1", port=104, permissions=frozenset({AePermission.FETCH})
    )
    PriorRules(room.database, room.clock).add(RULE)
    return room


def queue(room: Room) -> PriorQueue:
    return PriorQueue(room.database, room.clock)


def told(uid: str, **more) -> Verdict:
    known = Earlier(uid, date(2025, 1, 1), frozenset({"CT"}), "CT Head", images=4)
    return Verdict(replace(known, **more.pop("study", {})), **more)


def asked(room: Room, *verdicts: Verdict, hours: Hours = Hours()) -> PriorQuestion:  # noqa: B008
    """Take the question that is due, and answer it so."""
    question = queue(room).take(lease_s=60)
    assert isinstance(question, PriorQuestion)
    queue(room).answered(question, site="hammer", verdicts=verdicts, hours=hours)
    return question


def counts(room: Room) -> dict[str, int]:
    tables = (t.prior_questions, t.prior_answers, t.prior_fetches)
    with room.database.read() as conn:
        return {
            each.name: conn.execute(select(func.count()).select_from(each)).scalar_one()
            for each in tables
        }


def case_count(room: Room) -> int:
    with room.database.read() as conn:
        return conn.execute(select(func.count()).select_from(cases)).scalar_one()


def test_earlier_studies_are_the_persons_within_sight_the_nearest_first(room, make_record):
    head = {"StudyDescription": "CT Head", "IssuerOfPatientID": OID}
    for uid, more in (
        ("1.2.3", head),
        ("1.2.4", head | {"StudyDate": "20240101", "StudyDescription": "CT kne"}),
        ("1.2.5", head | {"StudyDate": "20200101"}),
        ("1.2.6", head | {"StudyDate": "20260101"}),  # later
        ("1.2.7", head | {"IssuerOfPatientID": "another"}),
        ("1.2.8", head | {"site": "bakken", "StudyDate": "20230101"}),
        ("1.2.9", head | {"site": "fjordgata", "PatientBirthDate": "19800101"}),
        ("1.2.10", head | {"site": "bakken", "IssuerOfPatientID": "MPI"}),
    ):
        room.arrive(make_record(StudyInstanceUID=uid, SeriesInstanceUID=f"{uid}.1", **more))
    case = derived_case_id("hammer", "1.2.3")
    known = Priors(room.database)

    def seen(actor):
        return [prior.study_uid for prior in known.of_case(scope_of(actor), case)]

    assert seen(room.kari) == ["1.2.8", "1.2.5", "1.2.4"]
    assert seen(room.ward) == ["1.2.5", "1.2.4"]
    with pytest.raises(NotFound):
        seen(room.other_gp)
    for actor, count in ((room.kari, 3), (room.ward, 2)):
        found, _ = room.casebook.list_cases(scope_of(actor))
        assert {row.case.id: row.prior_count for row in found}[case] == count
    with pytest.raises(NotFound):
        known.one(scope_of(room.kari), case, site="hammer", study_uid="1.2.7")


def test_a_site_that_makes_up_its_issuer_shares_no_patient_with_another(room, make_record):
    for uid, site in (("1.2.3", "hammer"), ("1.2.4", "bakken")):
        record = make_record(
            StudyInstanceUID=uid, SeriesInstanceUID=f"{uid}.1", IssuerOfPatientID="MPI", site=site
        )
        room.arrive(record)
    scope = scope_of(room.kari)
    assert Priors(room.database).of_case(scope, derived_case_id("hammer", "1.2.3")) == []


def test_a_case_asks_each_node_once_and_without_a_number_nobody(ruled, make_record):
    ruled.arrive(make_record(), make_record())
    ruled.arrive(make_record(StudyInstanceUID="1.2.9", SeriesInstanceUID="1.2.9.1", PatientID=None))
    standings = PriorStandings(ruled.database)
    (first,) = standings.of_case(derived_case_id("hammer", "1.2.3"))
    assert (first.node, first.state) == (NODE, "queued")
    (unknown,) = standings.of_case(derived_case_id("hammer", "1.2.9"))
    assert (unknown.state, "no patient number" in unknown.error) == ("skipped", True)


def test_a_photo_referral_that_is_sent_asks_too(room):
    room.people.add_ae(
        "GP_PACS", site="fjordgata", host="h", port=1, permissions=frozenset({AePermission.FETCH})
    )
    rules = PriorRules(room.database, room.clock)
    rules.add(PriorRule(0, ("GP_PACS",), site="fjordgata", modality="XC"))
    rules.add(PriorRule(0, ("GP_PACS",), site="bakken"))
    draft = room.draft()
    assert PriorStandings(room.database).of_case(draft.id) == []
    case = room.sent()
    (found,) = PriorStandings(room.database).of_case(case.id)
    assert (found.node, found.state) == ("GP_PACS", "queued")


def test_a_node_has_one_job_at_a_time_over_all_workers(ruled, make_record):
    ruled.arrive(make_record())
    asked(ruled, told("1.2.20"), told("1.2.21"))
    first = queue(ruled).take(lease_s=60)
    assert isinstance(first, PriorFetch)
    assert queue(ruled).take(lease_s=60) is None
    ruled.clock.passes(seconds=61)
    again = queue(ruled).take(lease_s=60)
    assert again is not None
    assert not queue(ruled).failed(first, "too late")  # its lease is another's by now
    assert queue(ruled).counts() == {"questions": 0, "fetches": 2, "given_up": 0}


def test_what_workers_die_of_is_given_up_and_comes_back_when_a_person_says_so(ruled, make_record):
    ruled.arrive(make_record())
    for _ in range(20):
        assert queue(ruled).take(lease_s=60) is not None
        ruled.clock.passes(seconds=61)
    assert queue(ruled).take(lease_s=60) is None
    (letter,) = queue(ruled).given_up()
    assert (letter.kind, letter.attempts) == ("question", 20)
    queue(ruled).replay("question", letter.id)
    assert queue(ruled).take(lease_s=60) is not None
    with pytest.raises(NotFound):
        queue(ruled).replay("question", letter.id)


def test_two_cases_of_a_patient_fetch_a_study_once(ruled, make_record):
    ruled.arrive(make_record())
    ruled.arrive(make_record(StudyInstanceUID="1.2.4", SeriesInstanceUID="1.2.4.1"))
    asked(ruled, told("1.2.20"))
    ruled.clock.passes(seconds=1)
    asked(ruled, told("1.2.20"), told("1.2.21", refusal=Refusal.TOO_OLD))
    assert counts(ruled) == {"prior_questions": 2, "prior_answers": 3, "prior_fetches": 1}


@pytest.mark.parametrize(
    ("door", "marked", "after_s", "makes_case"),
    [
        (Door.PRIOR, True, 5, False),
        (Door.PRIOR, True, 5000, False),
        (Door.PRIOR, False, 5, True),  # claims to answer what was never asked
        (Door.DICOM, True, 5, False),  # while it is moved
        (Door.DICOM, True, -1, False),  # another machine's clock
        (Door.DICOM, True, -10, True),
        (Door.DICOM, True, 20, True),
        (Door.DICOM, False, 5, True),
        (Door.STOW, True, 5, True),
        (Door.IMPORT, True, 5, True),
    ],
)
def test_a_study_is_a_case_unless_it_is_what_we_asked_for(
    ruled, make_record, door, marked, after_s, makes_case
):
    ruled.arrive(make_record())
    began = ruled.clock()
    if marked:
        asked(ruled, told("1.2.20"))
        fetch = queue(ruled).take(lease_s=600)
        queue(ruled).moving(fetch, lease_s=600)
        ruled.clock.passes(seconds=10)
        queue(ruled).moved(fetch)
    before = case_count(ruled)
    record = make_record(
        StudyInstanceUID="1.2.20",
        SeriesInstanceUID="1.2.20.1",
        door=door,
        received_at=began + timedelta(seconds=after_s),
    )
    ruled.arrive(record)
    assert case_count(ruled) - before == makes_case


def test_the_same_bytes_again_make_a_case_only_when_nobody_asked_for_them(ruled, make_record):
    ruled.arrive(make_record())
    asked(ruled, told("1.2.20"))
    record = make_record(
        StudyInstanceUID="1.2.20", SeriesInstanceUID="1.2.20.1", door=Door.PRIOR, received_at=AT
    )
    ruled.arrive(record)
    ruled.arrive(replace(record, offset=1))
    assert case_count(ruled) == 1
    sent = replace(record, offset=2, origin=replace(record.origin, door=Door.DICOM))
    ruled.arrive(sent)
    assert case_count(ruled) == 2
    ruled.arrive(replace(sent, offset=3))
    assert case_count(ruled) == 2


def test_a_study_of_nobodys_question_is_no_prior(ruled):
    with ruled.database.read() as conn:
        assert not came_as_prior(
            conn, site="hammer", study_uid="1.2.20", door=Door.PRIOR, received_at=MORNING
        )


def test_erasing_takes_what_was_asked_told_and_fetched(ruled, make_record):
    ruled.arrive(make_record())
    ruled.arrive(
        make_record(StudyInstanceUID="1.2.4", SeriesInstanceUID="1.2.4.1", PatientID="other")
    )
    asked(ruled, told("1.2.20"), told("1.2.21", refusal=Refusal.TOO_OLD))
    ruled.clock.passes(seconds=1)
    asked(ruled, told("1.2.30"))
    with ruled.database.begin() as conn:
        forget_studies(conn, [("hammer", "1.2.30")])
    assert counts(ruled) == {"prior_questions": 2, "prior_answers": 2, "prior_fetches": 1}
    with ruled.database.begin() as conn:
        forget_patients(conn, (), lesions_of=[("hammer", "1.2.3.4", "12345")])
    assert counts(ruled)["prior_fetches"] == 0
    with ruled.database.begin() as conn:
        conn.execute(t.prior_fetches.delete())
        remove_cases(conn, [])
        rows = conn.execute(select(t.prior_questions.c.case_id).order_by(t.prior_questions.c.id))
        first = rows.scalars().first()
        assert first is not None
        conn.execute(insert_erased(conn, first))
        remove_cases(conn, [first])
    assert counts(ruled) == {"prior_questions": 1, "prior_answers": 0, "prior_fetches": 0}


def insert_erased(conn, case_id: str):
    """Say that a case is being erased, as its reports could not go otherwise."""
    from storage.erasure_tables import erased_cases, erasures  # noqa: PLC0415

    conn.execute(
        insert(erasures).values(id="e1", kind="study", state="erasing", at=AT, tombstone={})
    )
    return insert(erased_cases).values(case_id=case_id, erasure_id="e1")


class Stone:
    """Marks of what was erased."""

    at = AT

    def __init__(self, *, case: str = "", study: str = "", patient: str = "") -> None:
        self.case_ids = (case,) if case else ()
        self._study, self._patient = study, patient

    def has_study(self, site: str, study_uid: str) -> bool:
        return study_uid == self._study

    def has_patient(self, site: str, issuer: str, patient_id: str) -> bool:
        return patient_id == self._patient


def test_backups_lose_what_was_erased(ruled, make_record, tmp_path):
    ruled.arrive(make_record())
    asked(ruled, told("1.2.20"), told("1.2.21"))
    store = FolderStore(tmp_path / "store")
    kept = back_up(ruled.database, store, tmp_path, now=ruled.clock())
    assert kept is not None
    case = derived_case_id("hammer", "1.2.3")

    def left(stone: Stone) -> dict[str, int]:
        with opened(store, kept.key, tmp_path) as reader:
            filter_ = _Filter([stone], (), reader)  # type: ignore[list-item]
            return {
                name: len(list(filter_.staying(name, reader.rows(name))))
                for name in ("prior_questions", "prior_answers", "prior_fetches")
            }

    assert list(left(Stone()).values()) == [1, 2, 2]
    assert list(left(Stone(study="1.2.20")).values()) == [1, 1, 1]
    assert list(left(Stone(patient="12345")).values()) == [1, 2, 0]
    assert list(left(Stone(case=case)).values()) == [0, 0, 2]


def test_a_rule_that_cannot_be_followed_is_refused(ruled):
    rules = PriorRules(ruled.database, ruled.clock)
    ruled.people.add_ae("QUIET", site="hammer", host="", port=0, permissions=frozenset())
    for wrong, code in (
        ({"nodes": ()}, "rule-without-node"),
        ({"nodes": ("NOBODY",)}, "no-node"),
        ({"nodes": ("QUIET",)}, "node-not-fetched-from"),
        ({"site": "nowhere"}, "no-such-site"),
        ({"body_part": "SOUL"}, "unknown-body-part"),
        ({"years": 0}, "rule-bound"),
        ({"to_hour": 24}, "rule-bound"),
        ({"most_images": 0}, "rule-bound"),
    ):
        with pytest.raises(Invalid) as error:
            rules.add(replace(RULE, **wrong))
        assert error.value.code == code
    (kept,) = rules.listed()
    rules.remove(kept.id)
    assert rules.listed() == []
    with pytest.raises(NotFound):
        rules.remove(kept.id)
