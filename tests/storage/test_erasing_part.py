"""A series or an object of a study is erased: gone from every file, and all else reads back."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from casework.access import Scope
from casework.erasure import Target
from casework.errors import Invalid, NotFound, Refused
from storage.archive import Archive
from storage.database import Database
from storage.erasing import Erasures
from storage.holds import Holds
from storage.index import Index
from tests.databases import ON_SQLITE
from tests.storage.archives import Clock
from tests.storage.building import CT, ORIGIN, dataset
from tests.storage.erasing import (
    ADMIN,
    REASON,
    SERIES,
    STUDY,
    erase,
    files_with,
    finish,
    opened,
    pack,
    receive_doomed,
    receive_others,
)
from tests.storage.test_erasing import rebuilt

pytestmark = pytest.mark.slow

STAYS = b"STAYING-PIXELS-!"


@pytest.fixture
def archive(sited: Database, tmp_path: Path, clock: Clock) -> Iterator[Archive]:
    with opened(tmp_path, sited, clock) as archive:
        yield archive


def receive_second_series(archive: Archive) -> None:
    data = dataset("1.2.7.2.1", study=STUDY, series="1.2.7.2", number=1, pixels=STAYS * 2)
    archive.receive(
        data,
        ORIGIN,
        sop_class_uid=CT,
        sop_instance_uid="1.2.7.2.1",
        transfer_syntax_uid="1.2.840.10008.1.2.1",
    )
    archive.settle()


def uids(archive: Archive, everything: Scope) -> list[str]:
    rows = Index(archive.database).instances_of(everything, STUDY)
    return [row.sop_instance_uid for row in rows]


@pytest.mark.parametrize("packed_first", [True, False])
def test_series_goes_and_its_study_stays(
    archive: Archive, clock: Clock, tmp_path: Path, everything: Scope, packed_first: bool
) -> None:
    receive_doomed(archive, 1, 2)
    receive_second_series(archive)
    receive_others(archive, 1)
    if packed_first:
        pack(archive, clock)
    erasure = erase(archive, clock, Target(study_uid=STUDY, series_uid=SERIES))
    assert uids(archive, everything) == ["1.2.7.2.1"]
    pack(archive, clock)
    clock.later(7200)
    assert finish(archive, clock, erasure) == "done"
    assert not files_with(tmp_path, b"PIXEL-MARKER-16!")
    assert files_with(tmp_path, STAYS)
    (row,) = Index(archive.database).instances_of(everything, STUDY)
    assert STAYS in archive.read_dataset(row)
    studies = Index(archive.database).studies(everything, study_uid=STUDY)
    assert [(s.series_count, s.instance_count) for s in studies] == [(1, 1)]


def test_object_goes_and_its_series_stays(
    archive: Archive, clock: Clock, everything: Scope
) -> None:
    receive_doomed(archive, 1, 2, 3)
    pack(archive, clock)
    one = Target(study_uid=STUDY, series_uid=SERIES, sop_instance_uid=f"{SERIES}.2")
    erasure = erase(archive, clock, one)
    assert uids(archive, everything) == [f"{SERIES}.1", f"{SERIES}.3"]
    clock.later(7200)
    assert finish(archive, clock, erasure) == "done"
    for row in Index(archive.database).instances_of(everything, STUDY):
        assert b"PIXEL-MARKER-16!" in archive.read_dataset(row)
    with pytest.raises(NotFound):
        erase(archive, clock, one)


def test_last_series_takes_the_study_with_it(
    archive: Archive, clock: Clock, everything: Scope
) -> None:
    receive_doomed(archive, 1)
    erase(archive, clock, Target(study_uid=STUDY, series_uid=SERIES))
    assert not Index(archive.database).studies(everything, study_uid=STUDY)


def test_hold_on_the_study_holds_its_series(archive: Archive, clock: Clock) -> None:
    receive_doomed(archive, 1)
    receive_second_series(archive)
    Holds(archive.database, clock).add(Target(study_uid=STUDY), reason="court", actor=ADMIN)
    erasures = Erasures(archive.database, clock, node=archive.spool.node)
    with pytest.raises(Refused, match="legal hold"):
        erasures.erase(Target(study_uid=STUDY, series_uid=SERIES), actor=ADMIN, reason=REASON)


def test_part_is_named_with_what_it_is_part_of() -> None:
    with pytest.raises(Invalid):
        Target(patient_id="1", series_uid=SERIES)
    with pytest.raises(Invalid):
        Target(study_uid=STUDY, sop_instance_uid=f"{SERIES}.1")


@ON_SQLITE
def test_rebuild_brings_no_erased_part_back(archive: Archive, clock: Clock, tmp_path: Path) -> None:
    receive_doomed(archive, 1, 2)
    receive_second_series(archive)
    pack(archive, clock)
    shutil.copytree(tmp_path / "store", tmp_path / "old")
    clock.later(1)
    part = Target(study_uid=STUDY, series_uid=SERIES)
    assert finish(archive, clock, erase(archive, clock, part)) == "done"
    shutil.copytree(tmp_path / "old", tmp_path / "store", dirs_exist_ok=True)  # all comes back
    told = rebuilt(archive, tmp_path / "again", clock)
    assert (told.instances, told.erased, told.lost) == (1, 2, ())
    assert files_with(tmp_path / "store", b"PIXEL-MARKER-16!") == []
