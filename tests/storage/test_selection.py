"""What a retrieve selects: by every kind of key, within sight, current copies only."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from io import BytesIO

import pytest

from casework.access import NOTHING, Scope, scope_of_ae, seen_by_both
from casework.custody import Door, Origin
from casework.errors import Invalid
from casework.model import ApplicationEntity, Site, SiteKind
from storage.archive import Archive, SpoolLimits
from storage.database import Database
from storage.index import Index
from storage.objects.memory import MemoryStore
from storage.people import People
from storage.selection import Selection, select_instances
from storage.testing import fresh_database
from tests.pacs_bridge.making import ct, part10

HAMMER = scope_of_ae(ApplicationEntity("A", "hammer", SiteKind.HOSPITAL))
UTSIRA = scope_of_ae(ApplicationEntity("B", "utsira", SiteKind.HOSPITAL))
CENTRE = scope_of_ae(ApplicationEntity("C", "nordlys", SiteKind.CENTRE))


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory, database_server: str) -> Iterator[Database]:
    """Give a database with objects of two sites; they share a study and a patient's number."""
    folder = tmp_path_factory.mktemp("selection")
    with fresh_database(folder, server=database_server) as database:
        people = People(database, lambda: datetime.now(UTC))
        for slug, kind in (
            ("hammer", SiteKind.HOSPITAL),
            ("utsira", SiteKind.HOSPITAL),
            ("nordlys", SiteKind.CENTRE),
        ):
            people.add_site(Site(slug, slug, kind))
        archive = Archive(
            data=folder,
            database=database,
            store=MemoryStore(),
            limits=SpoolLimits(spool_bytes=1 << 30, object_bytes=1 << 20),
        )
        archive.start()
        for site, instance, study, series, more in (
            ("hammer", "1.1", "1.2.1", "1.3.1", {"InstanceNumber": 2}),
            ("hammer", "1.2", "1.2.1", "1.3.1", {"InstanceNumber": 1}),
            ("hammer", "1.3", "1.2.1", "1.3.2", {"SeriesNumber": 2}),
            ("hammer", "1.3", "1.2.1", "1.3.2", {"SeriesNumber": 2, "StudyID": "other"}),
            ("hammer", "1.4", "1.2.2", "1.3.4", {"PatientID": "other"}),
            ("utsira", "1.1", "1.2.1", "1.3.1", {"InstanceNumber": 2}),
            ("utsira", "1.9", "1.2.9", "1.3.9", {}),
        ):
            ds = ct(instance, study=study, series=series, **more)
            origin = Origin(site=site, door=Door.IMPORT)
            archive.receive_part10(BytesIO(part10(ds)), origin)
        archive.settle()
        archive.close()
        yield database


def uids(database: Database, scope: Scope, wanted: Selection, limit: int = 100) -> list[str]:
    found = select_instances(database, scope, wanted, limit=limit)
    return [f"{each.row.site}:{each.row.sop_instance_uid}" for each in found]


@pytest.mark.parametrize(
    ("scope", "wanted", "found"),
    [
        (HAMMER, Selection(study_uids=("1.2.1",)), ["hammer:1.2", "hammer:1.1", "hammer:1.3"]),
        (HAMMER, Selection(study_uids=("1.2.9",)), []),
        (UTSIRA, Selection(study_uids=("1.2.1",)), ["utsira:1.1"]),
        (NOTHING, Selection(study_uids=("1.2.1",)), []),
        (HAMMER, Selection(series_uids=("1.3.2", "1.3.4")), ["hammer:1.3", "hammer:1.4"]),
        (HAMMER, Selection(study_uids=("1.2.2",), series_uids=("1.3.2",)), []),
        (HAMMER, Selection(instance_uids=("1.1", "1.4", "1.9")), ["hammer:1.1", "hammer:1.4"]),
        (HAMMER, Selection("hammer-1"), ["hammer:1.2", "hammer:1.1", "hammer:1.3"]),
        (HAMMER, Selection("hammer-1", study_uids=("1.2.2",)), []),
        (HAMMER, Selection("nobody"), []),
        # the centre sees the fuller of two copies of one study
        (CENTRE, Selection(study_uids=("1.2.1",)), ["hammer:1.2", "hammer:1.1", "hammer:1.3"]),
        (seen_by_both(CENTRE, UTSIRA), Selection(study_uids=("1.2.1",)), ["utsira:1.1"]),
        (seen_by_both(HAMMER, UTSIRA), Selection(study_uids=("1.2.1",)), []),
        (CENTRE, Selection("hammer-1", "site:utsira"), ["utsira:1.9"]),
    ],
)
def test_what_is_asked_for_and_seen_is_selected_by_number(
    filled: Database, scope: Scope, wanted: Selection, found: list[str]
) -> None:
    assert uids(filled, scope, wanted) == found


def test_quarantined_copy_is_not_selected(filled: Database) -> None:
    (kept,) = select_instances(filled, HAMMER, Selection(instance_uids=("1.3",)), limit=10)

    assert len(Index(filled).conflicts()) == 1
    assert kept.row.state == "current"


def test_one_more_than_the_limit_is_given(filled: Database) -> None:
    assert len(uids(filled, HAMMER, Selection(study_uids=("1.2.1",)), limit=1)) == 2
    many = tuple(f"1.77.{n}" for n in range(3000)) + ("1.1",)
    assert uids(filled, HAMMER, Selection(instance_uids=many)) == ["hammer:1.1"]


def test_number_of_several_patients_names_none(filled: Database) -> None:
    with pytest.raises(Invalid) as refused:
        uids(filled, CENTRE, Selection("hammer-1"))

    assert refused.value.code == "ambiguous-patient"


def test_nothing_named_is_a_defect_and_never_everything(filled: Database) -> None:
    with pytest.raises(ValueError, match="names nothing"):
        select_instances(filled, CENTRE, Selection(issuer="A"), limit=10)


def test_row_finds_its_bytes(filled: Database) -> None:
    (found,) = select_instances(filled, HAMMER, Selection(instance_uids=("1.4",)), limit=10)
    whole = Index(filled).instance(HAMMER, "1.4")

    assert found.row.location == whole.location
    assert (found.row.sha256, found.row.size_bytes) == (whole.sha256, whole.size_bytes)
