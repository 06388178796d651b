"""However a query finds its answers, they are the same, in the same order, page by page."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from benchmarks import region
from casework.access import Scope
from storage import drive, find
from storage.database import Database
from storage.index import Index
from storage.places import Place, Places
from storage.query import read_query
from storage.tables import patients
from storage.testing import fresh_database
from tests.storage.conftest import MakeRecord

ALL = Scope(None, None, "centre")
WARD = Scope(frozenset({"hammer"}), None, "hammer")
Take = Callable[..., None]

ASKED: list[tuple[str, dict[str, str]]] = [
    ("STUDY", {}),
    ("STUDY", {"PatientName": "sjovag*"}),
    ("STUDY", {"PatientName": "*åsen^*"}),
    ("STUDY", {"PatientName": "*ø*"}),
    ("STUDY", {"PatientBirthDate": "19500101-19551231"}),
    ("STUDY", {"ModalitiesInStudy": "ES"}),
    ("STUDY", {"ModalitiesInStudy": "MR\\XC", "StudyDate": "20200101-20211231"}),
    ("SERIES", {"Modality": "SR", "PatientSex": "F"}),
    ("IMAGE", {"Modality": "ES"}),
    ("PATIENT", {"PatientName": "H*"}),
    ("PATIENT", {"PatientName": "HANSEN^*"}),
    ("PATIENT", {"PatientBirthDate": "19500101-19551231"}),
]


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory, database_server: str) -> Iterator[Database]:
    """Give the index and cases of a small region."""
    folder = tmp_path_factory.mktemp("region")
    with fresh_database(folder, server=database_server) as database:
        region.fill(database, 1000)
        yield database


def found(database: Database, scope: Scope, level: str, keys: dict[str, str], **more: Any) -> Any:
    shown = {"PatientID": "", **keys}
    return list(Index(database).find(scope, level, shown, **{"limit": 100_000, **more}))


@pytest.mark.parametrize("scope", [ALL, WARD], ids=["all", "ward"])
@pytest.mark.parametrize(("level", "keys"), ASKED, ids=str)
def test_sorted_candidates_and_a_walk_give_the_same_answers(
    filled: Database,
    monkeypatch: pytest.MonkeyPatch,
    scope: Scope,
    level: str,
    keys: dict[str, str],
) -> None:
    by_candidates = found(filled, scope, level, keys)
    monkeypatch.setattr(drive, "FEW", -1)
    by_walk = found(filled, scope, level, keys)
    monkeypatch.setattr(find, "_LARGEST", 7)
    monkeypatch.setattr(find, "_LARGEST_OF_PARTS", 7)
    monkeypatch.setattr(find, "_PAGE", 3)
    assert by_candidates
    assert by_walk == by_candidates
    assert found(filled, scope, level, keys) == by_candidates


@pytest.mark.parametrize(("level", "keys"), [ASKED[0], ASKED[5], ASKED[7], ASKED[9]], ids=str)
def test_pages_join_up_from_places_that_are_remembered(
    filled: Database, monkeypatch: pytest.MonkeyPatch, level: str, keys: dict[str, str]
) -> None:
    monkeypatch.setattr("storage.places._FROM", 5)
    index, limit = Index(filled), 40
    whole = found(filled, ALL, level, keys)
    pages: list[Any] = []
    while page := list(
        index.find(ALL, level, {"PatientID": "", **keys}, limit=limit, offset=len(pages))
    ):
        pages += page
    assert pages == whole
    jump = list(index.find(ALL, level, {"PatientID": "", **keys}, limit=3, offset=limit + 1))
    assert jump == whole[limit + 1 : limit + 4]


def test_a_page_deep_in_a_list_goes_on_where_the_last_one_ended(
    take: Take, make_record: MakeRecord, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storage.places._FROM", 2)
    take(*(make_record(StudyInstanceUID=f"1.2.{n}", StudyTime=f"10{n:02}") for n in range(9)))

    def page(offset: int) -> list[str]:
        found = index.find(ALL, "STUDY", {}, limit=3, offset=offset)
        return [str(row["StudyInstanceUID"]) for row in found]

    assert page(3) == ["1.2.5", "1.2.4", "1.2.3"]
    take(make_record(StudyInstanceUID="1.2.99", StudyTime="1159"))
    assert page(0)[0] == "1.2.99"
    assert page(6) == ["1.2.2", "1.2.1", "1.2.0"]


def test_places_are_forgotten_after_a_while_and_kept_apart_by_sight() -> None:
    now_s = [0.0]
    places = Places(lambda: now_s[0])
    query = read_query("STUDY", {"PatientID": "1"})
    places.note(ALL, query, Place(600, ("20250101", "", 7)))
    assert places.nearest(ALL, query, 700).passed == 600
    assert places.nearest(ALL, query, 599).passed == 0
    assert places.nearest(WARD, query, 700).passed == 0
    assert places.nearest(ALL, read_query("STUDY", {"PatientID": "2"}), 700).passed == 0
    now_s[0] = 601.0
    assert places.nearest(ALL, query, 700).passed == 0


def test_many_places_of_a_list_are_thinned_out() -> None:
    places, query = Places(lambda: 0.0), read_query("STUDY", {})
    for passed in range(1000, 2_000_000, 1000):
        places.note(ALL, query, Place(passed, ("", "", passed)))
    (known,) = places._lists.values()
    assert len(known.places) <= 512
    assert places.nearest(ALL, query, 1_999_500).passed == 1_999_000


NAMES = {
    "1": "SJØVÅG^ÅSE MARGRETHE",
    "2": "Yamada^Tarou=山田^太郎=やまだ^たろう",
    "3": 'O"BRIEN^SEÁN',
    "4": "LI^AN",
}


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("*jøvå*", ["1"]),
        ("*OVAG*MARG*", ["1"]),
        ("*åse m*", ["1"]),
        ("?JOVAG^*", ["1"]),
        ("*mada*", ["2"]),
        ("山田*", ["2"]),
        ("*太*", ["2"]),
        ("*だ^た*", ["2"]),
        ("*=*田*", ["2"]),
        ('*"bri*', ["3"]),
        ("*i^a*", ["4"]),
        ("*li*", ["4"]),
        ("*xyzzy*", []),
        ("*a%e*", []),
        ("LI^AN\\*brien*", ["3", "4"]),
    ],
)
@pytest.mark.parametrize("scope", [ALL, WARD], ids=["all", "ward"])
def test_names_are_found_by_any_part_of_them(
    take: Take,
    make_record: MakeRecord,
    index: Index,
    scope: Scope,
    asked: str,
    expected: list[str],
) -> None:
    take(
        *(
            make_record(StudyInstanceUID=f"1.2.{n}", PatientID=n, PatientName=name)
            for n, name in NAMES.items()
        )
    )
    answers = index.find(scope, "PATIENT", {"PatientName": asked}, limit=9)
    assert sorted(str(row["PatientID"]) for row in answers) == expected


def test_a_name_that_comes_later_is_found_by_its_parts(
    take: Take, make_record: MakeRecord, index: Index, sited: Database
) -> None:
    def named(part: str) -> int:
        return len(list(index.find(ALL, "PATIENT", {"PatientName": part}, limit=9)))

    take(make_record(PatientName=None))
    assert named("*jøvå*") == 0
    take(make_record(PatientName="SJØVÅG^ÅSE"))
    assert named("*jøvå*") == 1
    with sited.begin() as conn:
        conn.execute(patients.update().values(name="BERG^OLA", name_fold="berg^ola"))
    assert named("*jøvå*") == 0
    assert named("*erg^o*") == 1
