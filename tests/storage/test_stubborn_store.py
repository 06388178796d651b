"""What the mover does when a store holds other bytes, or lets nothing be deleted."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from casework.errors import Refused
from storage.archive import Archive, SpoolLimits, utc_now
from storage.database import Database
from storage.mover import Mover
from storage.objects import MemoryStore
from storage.objects.port import other_bytes
from storage.part10 import EXPLICIT_LE
from storage.spool import Durability
from tests.storage.building import CT, ORIGIN, dataset


class Stubborn(MemoryStore):
    """A store that takes other bytes for what it has, or lets nothing be deleted."""

    def __init__(self) -> None:
        super().__init__()
        self.refuses_puts = 0

    def put(self, key: str, source: Path | bytes, *, sha256: str) -> None:
        if self.refuses_puts:
            self.refuses_puts -= 1
            raise other_bytes(key)
        super().put(key, source, sha256=sha256)

    def delete(self, key: str) -> None:
        raise Refused(f"{key} is locked.", code="store-delete-refused")


@pytest.fixture
def store() -> Stubborn:
    return Stubborn()


@pytest.fixture(params=["disk"])
def archive(
    request: pytest.FixtureRequest, sited: Database, tmp_path: Path, store: Stubborn
) -> Iterator[Archive]:
    durability: Durability = request.param
    opened = Archive(
        data=tmp_path,
        database=sited,
        store=store,
        limits=SpoolLimits(spool_bytes=1 << 30, reserve_bytes=0),
        durability=durability,
    )
    opened.start()
    yield opened
    opened.close()


def receive(archive: Archive, uid: str, *, series: str) -> None:
    archive.receive(
        dataset(uid, series=series),
        ORIGIN,
        sop_class_uid=CT,
        sop_instance_uid=uid,
        transfer_syntax_uid=EXPLICIT_LE,
    )
    archive.settle()


def test_a_series_whose_pack_differs_holds_up_no_other(archive: Archive, store: Stubborn) -> None:
    for number in (1, 2, 3):
        receive(archive, f"1.2.3.{number}", series=f"1.2.9.{number}")
    store.refuses_puts = 1
    mover = Mover(archive, quiet_s=0)
    report = mover.run_once(utc_now() + timedelta(seconds=1))
    assert (report.packed, report.failure) == (2, "")
    assert archive.spool_status().instances == 1


@pytest.mark.parametrize("archive", ["store"], indirect=True)
def test_a_copy_that_may_not_be_deleted_stays_and_packing_goes_on(
    archive: Archive, store: Stubborn
) -> None:
    mover = Mover(archive, quiet_s=0, copies_grace_s=0)
    for number in (1, 2):
        receive(archive, f"1.2.3.{number}", series="1.2.9.1")
    now = utc_now()
    for after_s in (1, 60, 120):
        report = mover.run_once(now + timedelta(seconds=after_s))
        assert report.failure == ""
    assert archive.spool_status().instances == 0
    assert len(list(store.list("v1/"))) == 3  # the pack of the series, and two copies
