"""No query reads a table whole: every statement that a shape of query sends is explained.

SQLite has no statistics here, as in production. PostgreSQL has them; for some thousands of rows it
would read small tables whole, so it is told to take an index wherever one can serve.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import event

from benchmarks import region
from casework.access import Scope
from casework.model import CaseState, Priority, Specialty
from storage.casebook import Casebook
from storage.database import Database
from storage.index import Index
from storage.testing import fresh_database
from tests.databases import is_sqlite

ALL = Scope(None, None, "centre")
SKIN = Scope(None, frozenset({Specialty.DERMATOLOGY}), "centre")
WARD = Scope(frozenset({"hammer"}), None, "hammer")
UID = "1.2.826.0.1.3680043.8.498"
TABLES = ("studies", "series", "instances", "cases", "patients")
IN_ORDER = frozenset(
    {
        "ix_studies_newest", "ix_studies_newest_of_site", "ix_patients_name_fold",
        "ix_patients_site_name", "ix_cases_signed", "ix_cases_unsigned",
        "ix_cases_signed_of_site", "ix_cases_unsigned_of_site",
        "ix_patients_ideographic_fold", "ix_patients_phonetic_fold",  # of those that have one
    }
)  # fmt: skip
"""What a list is walked by: as far as its page goes."""

SHAPES: list[tuple[str, dict[str, str]]] = [
    ("STUDY", {}),
    ("STUDY", {"AccessionNumber": "A00007919"}),
    ("STUDY", {"AccessionNumber": "A0000*"}),
    (
        "STUDY",
        {"AccessionNumber": "A00007919", "StudyDate": "20200101-", "ModalitiesInStudy": "CT"},
    ),
    ("STUDY", {"PatientID": "000007919"}),
    ("STUDY", {"PatientID": "0000*"}),
    ("STUDY", {"PatientName": "SJØVÅG^ÅSE MARGRETHE"}),
    ("STUDY", {"PatientName": "sjovag*"}),
    ("STUDY", {"PatientName": "*jøvå*"}),
    ("STUDY", {"PatientName": "hansen^*=*=*"}),
    ("STUDY", {"PatientBirthDate": "19500101"}),
    ("STUDY", {"PatientBirthDate": "19500101-19501231"}),
    ("STUDY", {"StudyDate": "20200301"}),
    ("STUDY", {"StudyDate": "20200301-20200331", "PatientName": "H*"}),
    ("STUDY", {"StudyDate": "20200301", "StudyTime": "10-11"}),
    ("STUDY", {"StudyID": "7"}),
    ("STUDY", {"ReferringPhysicianName": "BERG*"}),
    ("STUDY", {"StudyInstanceUID": f"{UID}.1.3\\{UID}.1.4"}),
    ("STUDY", {"ModalitiesInStudy": "CT"}),
    ("STUDY", {"ModalitiesInStudy": "ES"}),
    ("STUDY", {"PatientSex": "F"}),
    ("STUDY", {"StudyDescription": "*aput*"}),
    ("SERIES", {"StudyInstanceUID": f"{UID}.1.3"}),
    ("SERIES", {"SeriesInstanceUID": f"{UID}.2.3"}),
    ("SERIES", {"Modality": "CT"}),
    ("SERIES", {}),
    ("IMAGE", {"StudyInstanceUID": f"{UID}.1.3", "SeriesInstanceUID": f"{UID}.2.3"}),
    ("IMAGE", {"SOPInstanceUID": f"{UID}.2.3.1"}),
    ("IMAGE", {}),
    ("PATIENT", {}),
    ("PATIENT", {"PatientID": "000007919"}),
    ("PATIENT", {"PatientName": "HANSEN*"}),
    ("PATIENT", {"PatientName": "*jøvå*"}),
]

REPLIED = [CaseState.SIGNED, CaseState.READ, CaseState.CLOSED]
LISTINGS: list[dict[str, Any]] = [
    {},
    {"states": [CaseState.SUBMITTED, CaseState.CLAIMED, CaseState.WAITING]},
    {"states": REPLIED},
    {"states": REPLIED, "specialty": Specialty.DERMATOLOGY, "priority": Priority.URGENT},
    {"states": REPLIED, "site": "vardo"},
    {"states": REPLIED, "holder": "user:3"},
    {"mine": "user:3"},
    {"q": "sjøvåg"},
    {"q": "åse R0000"},
    {"page": 9},
]


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory, database_server: str) -> Iterator[Database]:
    """Give the index and cases of a small region."""
    folder = tmp_path_factory.mktemp("region")
    with fresh_database(folder, server=database_server) as database:
        region.fill(database, 3000)
        yield database


def whole_reads(database: Database, ask: Callable[[], object]) -> list[str]:
    """Return the steps of the plans of all that is asked which read a table whole."""
    sent: list[tuple[str, Any]] = []

    def note(*told: Any) -> None:
        if told[2].startswith(("SELECT", "WITH")):
            sent.append((told[2], told[3]))

    event.listen(database.engine, "before_cursor_execute", note)
    try:
        ask()
    finally:
        event.remove(database.engine, "before_cursor_execute", note)
    assert sent
    with database.read() as conn:
        if is_sqlite(conn):
            return [
                step.detail
                for statement, values in sent
                for step in conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
                if _is_whole(step.detail)
            ]
        for way in ("seqscan", "hashjoin", "mergejoin"):
            conn.exec_driver_sql(f"SET LOCAL enable_{way} = off")
        plans = [
            conn.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {statement}", values).scalar_one()
            for statement, values in sent
        ]
    return [step for plan in plans for step in _whole_steps(plan[0]["Plan"])]


def _is_whole(step: str) -> bool:
    words = step.split()
    if words[0] != "SCAN" or words[1] not in (*TABLES, "other"):
        return False
    return "INDEX" not in words or words[words.index("INDEX") + 1] not in IN_ORDER


def _whole_steps(node: dict[str, Any]) -> Iterator[str]:
    if node.get("Relation Name") in TABLES and "Index Cond" not in node:
        by = node.get("Index Name")
        if node["Node Type"] == "Seq Scan" or (by and by not in IN_ORDER):
            yield json.dumps({k: v for k, v in node.items() if k != "Plans"})
    for part in node.get("Plans", ()):
        yield from _whole_steps(part)


def finding(database: Database, scope: Scope, level: str, keys: dict[str, str], **more: Any) -> Any:
    shown = {"PatientName": "", "StudyDate": ""} if level == "STUDY" else {}
    return lambda: list(Index(database).find(scope, level, {**shown, **keys}, limit=100, **more))


@pytest.mark.parametrize("scope", [ALL, SKIN, WARD], ids=["all", "skin", "ward"])
@pytest.mark.parametrize(("level", "keys"), SHAPES, ids=str)
def test_no_query_reads_a_whole_table(
    filled: Database, scope: Scope, level: str, keys: dict[str, str]
) -> None:
    assert whole_reads(filled, finding(filled, scope, level, keys)) == []


def test_a_page_deep_in_the_list_reads_no_whole_table(filled: Database) -> None:
    assert whole_reads(filled, finding(filled, ALL, "STUDY", {}, offset=2000)) == []


@pytest.mark.parametrize("scope", [ALL, SKIN, WARD], ids=["all", "skin", "ward"])
@pytest.mark.parametrize("filters", LISTINGS, ids=str)
def test_no_page_of_the_worklist_reads_a_whole_table(
    filled: Database, scope: Scope, filters: dict[str, Any]
) -> None:
    casebook = Casebook(filled, lambda: datetime.now(UTC))
    assert whole_reads(filled, lambda: casebook.list_cases(scope, **filters)) == []


@pytest.mark.parametrize(
    ("index", "level", "keys"),
    [
        ("ix_studies_accession_number", "STUDY", {"AccessionNumber": "A00007919"}),
        ("ix_studies_study_id", "STUDY", {"StudyID": "7"}),
        ("ix_studies_referrer_fold", "STUDY", {"ReferringPhysicianName": "BERG*"}),
    ],
)
def test_a_query_whose_index_is_gone_is_told_of(
    filled: Database, index: str, level: str, keys: dict[str, str]
) -> None:
    (table,) = (each for each in TABLES if index.startswith(f"ix_{each}"))
    (made,) = (each for each in region.tables.metadata.tables[table].indexes if each.name == index)
    with filled.begin() as conn:
        made.drop(conn)
    filled.close()  # SQLite explains a statement that it has prepared before as it was then
    try:
        assert whole_reads(filled, finding(filled, ALL, level, keys)) != []
    finally:
        with filled.begin() as conn:
            made.create(conn)
