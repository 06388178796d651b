"""The migrations make exactly the tables that the code speaks of, and keep what was in them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, MetaData, func, select

from casework.access import Scope
from casework.audit import GENESIS
from casework.commitment import Reference
from storage import casebook_tables, erasure_tables
from storage.casebook_tables import aes, cases, jobs, users
from storage.commitments import Asked, Commitments
from storage.database import Database, open_database
from storage.index import Index
from storage.ledger import Ledger
from storage.tables import custody, instances, metadata, segments, studies
from storage.testing import empty_url
from storage.trigrams import POSTGRES_INDEX, TABLE
from tests.databases import is_sqlite
from tests.storage.conftest import CT, NOON, MakeRecord
from tests.storage.room import WORKER, Room

OLD = "0002"
AT = "2025-03-01T12:00:00.000000Z"
TIMES = {"first_received_at": AT, "last_received_at": AT}
EVERYTHING = Scope(sites=None, specialties=None, own_site="centre")


@pytest.fixture
def old(tmp_path: Path, database_server: str) -> Iterator[Database]:
    """Give a database as an earlier version left it, with a study, its case and its people."""
    with empty_url(tmp_path, server=database_server) as url:
        database = open_database(url)
        try:
            database.migrate(OLD)
            with database.begin() as conn:
                _fill(conn)
            yield database
        finally:
            database.close()


def _fill(conn: Connection) -> None:
    was = MetaData()
    was.reflect(conn)

    def add(table: str, **values: Any) -> None:
        conn.execute(was.tables[table].insert().values(values))

    add("sites", slug="hammer", name="Hammer", kind="hospital")
    add("sites", slug="centre", name="Centre", kind="centre")
    add("aes", title="CT_1", site="hammer", permissions=["store", "query"])
    add(
        "users", id=1, email="kari@centre.example", name="Kari", site="centre", role="radiologist",
        password_hash="$hash", created_at=AT,
    )  # fmt: skip
    add("patients", pk=1, site="hammer", issuer="site:hammer", patient_id="1", name="ÅS^OLA")
    add(
        "studies", pk=1, site="hammer", study_uid="1.2.3", patient_pk=1, case_id="H-1",
        study_date="20250301", modalities="CT", series_count=1, instance_count=2,
        attributes={"StudyInstanceUID": "1.2.3", "StudyDescription": "Thorax – ny"}, **TIMES,
    )  # fmt: skip
    add(
        "series", pk=1, site="hammer", series_uid="1.2.3.1", study_pk=1, modality="CT",
        instance_count=2, attributes={"Modality": "CT"}, **TIMES,
    )  # fmt: skip
    for pk, location in ((1, "spool"), (2, "pack")):
        add(
            "instances", pk=pk, site="hammer", sop_instance_uid=f"1.2.3.1.{pk}",
            sha256=f"{pk}" * 64, study_uid="1.2.3", series_uid="1.2.3.1", series_pk=1,
            state="current",
            sop_class_uid="1.2.840.10008.5.1.4.1.1.2", transfer_syntax_uid="1.2.840.10008.1.2.1",
            size_bytes=1000, number=pk, attributes={"InstanceNumber": pk}, pixel=None,
            location=location, container="a.seg" if location == "spool" else "packs/a.zip",
            offset=64, length=1400, dataset_offset=340, received_at=AT,
        )  # fmt: skip
        add(
            "custody", pk=pk, instance_pk=pk, event="received", at=AT, record=f"a.seg:{pk}",
            detail={"door": "dicom", "calling_ae": "CT_1"},
        )  # fmt: skip
    add("segments", name="a.seg", node="node", indexed_through=1464, created_at=AT)
    add(
        "packs", key="packs/a.zip", site="hammer", study_uid="1.2.3", series_uid="1.2.3.1",
        sha256="2" * 64, size_bytes=2000, instance_count=1, created_at=AT, verified_at=AT,
    )  # fmt: skip
    add(
        "cases", id="H-1", state="signed", specialty="radiology", priority="routine",
        site="hammer", patient_id="1", clinical={}, consent={"care": True}, created_by="x",
        created_at=AT, holder_id="user:1", report_version=1,
    )  # fmt: skip
    add("case_studies", site="hammer", study_uid="1.2.3", case_id="H-1")
    add(
        "reports", case_id="H-1", version=1, kind="original", uid="2.25.1",
        content={"impression": "Normal."}, sha256="3" * 64, signed_by="Kari",
        signed_by_id="user:1", signed_at=AT,
    )  # fmt: skip
    add(
        "jobs", id=1, kind="send", study_uid="1.2.3", site="hammer", destination="PACS",
        state="queued", created_at=AT, next_attempt_at=AT,
    )  # fmt: skip
    if not is_sqlite(conn):  # rows were given numbers by hand here, which no part of ours does
        for table, key in (
            ("users", "id"), ("patients", "pk"), ("studies", "pk"), ("series", "pk"),
            ("instances", "pk"), ("custody", "pk"), ("jobs", "id"),
        ):  # fmt: skip
            conn.exec_driver_sql(f"SELECT setval(pg_get_serial_sequence('{table}', '{key}'), 100)")


def _is_of_the_metadata(name: str | None, _kind: str, _parents: Any) -> bool:
    """Tell it from what serves a search by parts of a name, which each database does its way."""
    return not str(name).startswith((TABLE, POSTGRES_INDEX))


def test_migrated_tables_are_those_of_the_metadata(database: Database) -> None:
    assert casebook_tables.cases.metadata is erasure_tables.erasures.metadata is metadata
    with database.read() as conn:
        context = MigrationContext.configure(
            conn, opts={"compare_type": True, "include_name": _is_of_the_metadata}
        )
        assert compare_metadata(context, metadata) == []


def test_every_rule_of_the_metadata_is_in_the_migrated_tables(database: Database) -> None:
    asked = {
        True: "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL",
        False: "SELECT conname FROM pg_constraint",
    }
    with database.read() as conn:
        made = "\n".join(conn.exec_driver_sql(asked[is_sqlite(conn)]).scalars())
    rules = {
        str(constraint.name)
        for table in metadata.tables.values()
        for constraint in table.constraints
        if constraint.name is not None
    }
    assert {rule for rule in rules if rule not in made} == set()


def test_text_is_ordered_alike_whatever_the_locale_of_the_server(database: Database) -> None:
    names = ["a", "B", "_", "Å", "a b", "ab", "1.10", "1.9"]
    with database.begin() as conn:
        conn.execute(
            segments.insert(), [{"name": n, "node": "n", "created_at": NOON} for n in names]
        )
    with database.read() as conn:
        found = conn.execute(select(segments.c.name).order_by(segments.c.name)).scalars().all()
    assert list(found) == sorted(names)


def test_a_filled_database_of_an_earlier_version_keeps_all_of_it(old: Database) -> None:
    old.migrate()
    old.check_current()
    index = Index(old)
    (study,) = index.studies(EVERYTHING)
    assert (study.study_uid, study.instance_count, study.patient_name) == ("1.2.3", 2, "ÅS^OLA")
    found = index.instances_of(EVERYTHING, "1.2.3")
    assert [(row.location.where, row.location.length) for row in found] == [
        ("spool", 1400),
        ("pack", 1400),
    ]
    with old.read() as conn:
        kept = {t.name: conn.execute(select(t)).mappings().one() for t in (studies, cases, jobs)}
        lines = conn.execute(select(custody.c.event, custody.c.detail).order_by(custody.c.pk)).all()
        assert conn.execute(select(aes.c.permissions, aes.c.tls_only)).one() == (
            ["store", "query"],
            False,
        )
        assert conn.execute(select(users.c.created_at)).scalar_one() == NOON.replace(hour=12)
    assert kept["studies"]["attributes"]["StudyDescription"] == "Thorax – ny"
    assert (kept["studies"]["completeness"], kept["studies"]["missing_instances"]) == (
        "arriving",
        0,
    )
    assert (kept["cases"]["consent"], kept["cases"]["changed_since_report"]) == (
        {"care": True},
        False,
    )
    assert kept["jobs"]["destination"] == "PACS"
    assert [(event, detail["calling_ae"]) for event, detail in lines] == [("received", "CT_1")] * 2


def test_an_upgraded_database_is_worked_on_as_a_new_one_is(
    old: Database, make_record: MakeRecord
) -> None:
    old.migrate()
    room = Room(old)
    room.arrive(make_record(SOPInstanceUID="1.2.3.1.9", PatientID="1"))
    Commitments(old, room.clock).request(
        Asked("hammer", "CT_1", "", "1.2.9", (Reference(CT, "1.2.3.1.1"),)), wait_s=60
    )
    Ledger(old, room.clock).append(None, actor=WORKER, action="opened", subject="s", site="hammer")
    leased = room.outbox.lease_send(lease_s=60)
    with old.read() as conn:
        assert conn.execute(select(func.count()).select_from(instances)).scalar_one() == 3
        first = conn.execute(select(casebook_tables.audit.c.previous).limit(1)).scalar_one()
    assert leased is not None
    assert leased.study_uid == "1.2.3"
    assert Index(old).studies(EVERYTHING)[0].instance_count == 3
    assert first == GENESIS
    assert room.ledger.verify() is None
