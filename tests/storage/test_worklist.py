"""The worklist: its order, its filters, its search and what each row says."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from casework.access import scope_of
from casework.identifiers import derived_case_id
from casework.model import CaseState, Patient, Priority, Specialty
from tests.storage.room import EVERYTHING, MORNING, open_room


@pytest.fixture
def room(tmp_path: Path, database_server: str):
    with open_room(tmp_path, server=database_server) as furnished:
        yield furnished


def test_what_waits_for_a_specialist_comes_first_by_priority_and_time(room):
    routine_old = room.sent()
    room.clock.passes(hours=1)
    routine_new = room.sent()
    urgent = room.sent(priority=Priority.URGENT)
    stat = room.sent(priority=Priority.STAT)
    asap = room.claimed(priority=Priority.ASAP)
    waiting = room.claimed(priority=Priority.STAT)
    room.casebook.ask(room.elle, waiting.id, reason="blurred", text="")
    signed_old = room.signed(priority=Priority.STAT)
    room.clock.passes(hours=1)
    signed_new = room.signed()
    expected = [stat, asap, urgent, routine_old, routine_new, waiting, signed_new, signed_old]
    assert room.cases_seen_by(room.elle) == [case.id for case in expected]


def test_pages_follow_each_other(room):
    ids = [room.sent().id for _ in range(5)]
    scope = scope_of(room.elle)
    pages = [room.casebook.list_cases(scope, limit=2, page=n) for n in (1, 2, 3, 4)]
    assert [len(found) for found, _ in pages] == [2, 2, 1, 0]
    assert [more for _, more in pages] == [True, True, False, False]
    assert sorted(s.case.id for found, _ in pages for s in found) == sorted(ids)


def test_each_sees_what_is_theirs(room):
    skin, bone = room.sent(), room.sent(specialty=Specialty.RADIOLOGY)
    draft, elsewhere = room.draft(), room.sent(room.other_gp)
    seen = {
        room.gp: [skin, bone, draft],
        room.other_gp: [elsewhere],
        room.ward: [],
        room.kari: [bone],
        room.elle: [skin, elsewhere],
        room.marit: [skin, bone, elsewhere],
    }
    for actor, expected in seen.items():
        assert set(room.cases_seen_by(actor)) == {case.id for case in expected}


def test_filters_narrow_and_add_up(room):
    mine = room.claimed(priority=Priority.URGENT)
    bone = room.sent(specialty=Specialty.RADIOLOGY)
    elsewhere = room.sent(room.other_gp)
    every = {mine.id, bone.id, elsewhere.id}

    def found(**filters):
        return set(room.cases_seen_by(room.marit, **filters))

    assert found() == every
    assert found(states=[CaseState.CLAIMED]) == {mine.id}
    assert found(states=[]) == set()
    assert found(specialty=Specialty.RADIOLOGY) == {bone.id}
    assert found(site="bakken") == {elsewhere.id}
    assert found(priority=Priority.URGENT) == {mine.id}
    assert found(holder=room.elle.id) == {mine.id}
    assert found(mine=room.elle.id) == {mine.id}
    assert found(mine=room.other_gp.id) == {elsewhere.id}
    assert found(site="bakken", states=[CaseState.CLAIMED]) == set()


def test_a_search_finds_numbers_names_sites_and_descriptions(room, make_record):
    kari = room.sent(patient=Patient("010150", "", "NÆSS HANSEN^Kari Åse"))
    other = room.sent(room.other_gp, patient=Patient("0_0150", "", "BERG^OLE"))
    room.arrive(make_record(StudyDescription="CT Thorax 100%", PatientName="LIE^TOR"))
    chest = derived_case_id("hammer", "1.2.3")
    wanted = {
        kari.id.lower(): kari.id,
        "0101": kari.id,
        "0_0": other.id,
        "naess": kari.id,
        "Næss, Kari": kari.id,
        "åse": kari.id,
        "hansen": kari.id,
        "ole": other.id,
        "bakken": other.id,
        "legekontor": kari.id,
        "thorax": chest,
        "100%": chest,
        "LIE ct": chest,
    }
    for q, case_id in wanted.items():
        assert room.cases_seen_by(room.marit, q=q) == [case_id], q
    for q in ("nobody", "%", "_", "ansen", "12345'--"):
        assert [c for c in room.cases_seen_by(room.marit, q=q) if c != chest] == [], q


def test_a_row_says_what_the_index_counts(room, make_record):
    room.arrive(
        make_record(StudyDescription="CT Head"),
        make_record(),
        make_record(SeriesInstanceUID="1.2.3.2", Modality="SR"),
    )
    ((row,), _) = room.casebook.list_cases(scope_of(room.kari))
    assert (row.description, row.modalities) == ("CT Head", ("CT", "SR"))
    assert (row.series_count, row.instance_count) == (2, 3)
    assert (row.completeness, row.prior_count) == ("arriving", 0)


def test_a_case_without_images_has_an_empty_row(room):
    room.sent(specialty=Specialty.RADIOLOGY)
    ((row,), _) = room.casebook.list_cases(scope_of(room.kari))
    assert (row.description, row.modalities, row.instance_count) == ("", (), 0)
    assert row.completeness == ""


def test_priors_are_the_patients_other_studies_within_sight(room, make_record):
    for study, more in (
        ("1.2.3", {}),
        ("1.2.4", {}),
        ("1.2.5", {"Modality": "DMS"}),
        ("1.2.6", {"PatientID": "other"}),
        ("1.2.7", {"IssuerOfPatientID": "another hospital"}),
        ("1.2.8", {"site": "fjordgata"}),
    ):
        room.arrive(make_record(StudyInstanceUID=study, SeriesInstanceUID=f"{study}.1", **more))

    def priors(actor):
        found, _ = room.casebook.list_cases(scope_of(actor))
        return {row.case.id: row.prior_count for row in found}

    case = derived_case_id("hammer", "1.2.3")
    assert priors(room.kari)[case] == 1
    assert priors(room.ward)[case] == 2
    assert priors(room.kari)[derived_case_id("hammer", "1.2.6")] == 0
    assert priors(room.kari)[derived_case_id("fjordgata", "1.2.8")] == 0


def test_a_dossier_has_the_study_as_the_index_knows_it(room, make_record):
    room.arrive(make_record(received_at=MORNING, StudyDescription="CT Head"))
    (study,) = room.casebook.dossier(EVERYTHING, derived_case_id("hammer", "1.2.3")).studies
    assert (study.study_uid, study.site, study.description) == ("1.2.3", "hammer", "CT Head")
    assert study.started is not None
    assert f"{study.started:%Y-%m-%d %H:%M}" == "2025-03-01 10:15"
    assert study.last_received_at == MORNING


def test_due_times_are_those_of_the_priority(room):
    assert room.sent(priority=Priority.STAT).due_at == MORNING + timedelta(hours=4)
