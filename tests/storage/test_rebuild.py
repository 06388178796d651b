"""The store alone brings the index back: in whatever state it was, wherever it stopped."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from sqlalchemy import select

from casework.access import Scope
from casework.custody import CustodyEvent, Door, Origin
from casework.errors import Conflict, Unavailable
from casework.model import Actor, SiteKind
from storage import backup, care
from storage.archive import Archive, SpoolLimits, utc_now
from storage.casebook_tables import case_studies, sites
from storage.database import Database
from storage.index import Index
from storage.mover import Mover, packing_folder
from storage.objects import FolderStore, MemoryStore, ObjectStore
from storage.part10 import DEFLATED_LE, EXPLICIT_LE
from storage.rebuild import RebuildReport, rebuild
from storage.spool import Durability
from storage.tables import copies, custody, instances, packs, studies
from storage.testing import fresh_database
from tests.storage.building import CT, ORIGIN, dataset, deflated, encapsulated

pytestmark = pytest.mark.slow

JPEG = "1.2.840.10008.1.2.4.50"
ADMIN = Actor("user:9", "Marit", "centre", SiteKind.CENTRE)
EVERYTHING = Scope(sites=None, specialties=None, own_site="centre")


class Store(MemoryStore):
    """A store whose objects can be spoilt, and which can break off while it is read."""

    def __init__(self) -> None:
        super().__init__()
        self.reads_left: int | None = None

    def open_range(self, key: str, offset: int, length: int) -> BinaryIO:
        if self.reads_left is not None:
            self.reads_left -= 1
            if self.reads_left < 0:
                raise Unavailable("The line went dead.", code="store-failed")
        return super().open_range(key, offset, length)

    def change(self, key: str, change: Callable[[bytes], bytes]) -> None:
        self._objects[key] = change(self._objects[key])

    def keys(self) -> list[str]:
        return sorted(key for key in self._objects if key.startswith("v1/"))

    def all_bytes(self) -> dict[str, bytes]:
        return dict(self._objects)


@dataclass
class House:
    """One database and data folder after another over the same store."""

    folder: Path
    store: ObjectStore
    number: int = 0
    opened: list[Any] = field(default_factory=list)

    @contextmanager
    def exchange(self, *, durability: Durability = "disk", sited: bool = True) -> Iterator[Archive]:
        """Open an archive on a new database and a new data folder."""
        self.number += 1
        data = self.folder / str(self.number)
        data.mkdir()
        with fresh_database(data) as database:
            if sited:
                add_sites(database)
            archive = Archive(
                data=data,
                database=database,
                store=self.store,
                limits=SpoolLimits(spool_bytes=1 << 30, reserve_bytes=0),
                durability=durability,
            )
            archive.start()
            try:
                yield archive
            finally:
                archive.close()


def add_sites(database: Database) -> None:
    with database.begin() as conn:
        conn.execute(
            sites.insert(),
            [
                {"slug": "hammer", "name": "Hammer", "kind": "hospital", "issuer": "1.2.3"},
                {"slug": "centre", "name": "Centre", "kind": "centre", "issuer": ""},
            ],
        )


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def house(tmp_path: Path, store: Store) -> House:
    return House(tmp_path, store)


def receive(archive: Archive, data: bytes, uid: str, *, syntax: str = EXPLICIT_LE) -> None:
    archive.receive(
        data, ORIGIN, sop_class_uid=CT, sop_instance_uid=uid, transfer_syntax_uid=syntax
    )


def take(archive: Archive, *numbers: int, **how: Any) -> None:
    for i in numbers:
        receive(archive, dataset(f"1.2.3.{i}", number=i, **how), f"1.2.3.{i}")
    archive.settle()


def pack(archive: Archive) -> None:
    archive.settle()
    assert Mover(archive, quiet_s=0).run_once(utc_now() + timedelta(seconds=1)).packs


def back_up(archive: Archive) -> backup.Kept:
    folder = packing_folder(archive.data)
    return backup.back_up(archive.database, archive.store, folder, now=archive.clock())


def rows(archive: Archive) -> list[Any]:
    with archive.database.read() as conn:
        return list(conn.execute(select(instances).order_by(instances.c.received_at)).all())


def numbers(archive: Archive) -> list[int | None]:
    return sorted(r.number for r in Index(archive.database).instances_of(EVERYTHING, "1.2.3"))


def rebuilt(archive: Archive, **how: Any) -> RebuildReport:
    return rebuild(archive, **how)


def test_frames_of_every_kind_can_be_read_after_a_rebuild(house: House) -> None:
    frames = [b"\xff\xd8one-\xff\xd9", b"\xff\xd8frame-two\xff\xd9\0"]
    jpeg = dataset("1.2.3.1", pixels=None, frames=2) + encapsulated(frames)
    large = dataset("1.2.3.3", pixels=bytes(600_000), rows=500, columns=600)
    with house.exchange() as archive:
        receive(archive, jpeg, "1.2.3.1", syntax=JPEG)
        receive(archive, deflated(dataset("1.2.3.2")), "1.2.3.2", syntax=DEFLATED_LE)
        receive(archive, large, "1.2.3.3")
        pack(archive)
        before = {row.sop_instance_uid: row._mapping for row in rows(archive)}
    with house.exchange() as archive:
        assert rebuilt(archive).registered == 3
        for row in rows(archive):
            for name in ("pixel", "attributes", "offset", "length", "dataset_offset", "sha256"):
                assert row._mapping[name] == before[row.sop_instance_uid][name]
        index = Index(archive.database)
        found = index.instance(EVERYTHING, "1.2.3.1")
        assert [archive.read_frame(found, n).data for n in (1, 2)] == frames
        assert archive.read_frame(index.instance(EVERYTHING, "1.2.3.2"), 1).data == bytes(range(32))
        assert len(archive.read_frame(index.instance(EVERYTHING, "1.2.3.3"), 1).data) == 600_000
        assert care.verify(archive).is_clean


def test_a_rebuild_that_breaks_off_goes_on_where_it_stopped(house: House, store: Store) -> None:
    with house.exchange() as archive:
        for series in range(8):
            receive(archive, dataset(f"1.2.4.{series}", study=f"1.2.{series}"), f"1.2.4.{series}")
        pack(archive)
        back_up(archive)
    with house.exchange(sited=False) as archive:
        registered = 0
        for reads in (3, 9, 6):  # at the casebook's end, before the first study, among them
            store.reads_left = reads
            with pytest.raises(Unavailable):
                rebuilt(archive)
            assert registered <= len(rows(archive))
            registered = len(rows(archive))
        assert 0 < registered < 8
        store.reads_left = None
        report = rebuilt(archive)
        assert (report.instances, report.casebook) == (8, "restored")
        assert 0 < report.registered < 8
        assert care.verify(archive).is_clean


def test_what_is_in_the_index_stops_a_rebuild_and_is_not_made_twice(house: House) -> None:
    with house.exchange() as archive:
        take(archive, 1, 2)
        pack(archive)
    with house.exchange() as archive:
        take(archive, 2, 3)
        with pytest.raises(Conflict, match="--into-existing"):
            rebuilt(archive)
        for registered in (1, 0):
            report = rebuilt(archive, into_existing=True)
            assert (report.registered, report.instances) == (registered, 3)
        assert numbers(archive) == [1, 2, 3]
        pack(archive)
        assert care.verify(archive).is_clean
        assert care.verify(archive).orphaned == ()


def test_what_lies_in_a_spool_that_survived_is_taken_in_once(house: House, store: Store) -> None:
    with house.exchange() as archive:
        take(archive, 1, 2)
        pack(archive)
        take(archive, 3)
        data = archive.data
    for path in data.glob("lysbro.db*"):
        path.unlink()
    with fresh_database(data) as database:
        add_sites(database)
        archive = Archive(
            data=data,
            database=database,
            store=store,
            limits=SpoolLimits(spool_bytes=1 << 30, reserve_bytes=0),
        )
        assert rebuilt(archive).registered == 2
        archive.start()
        archive.close()
        assert numbers(archive) == [1, 2, 3]
        with database.read() as conn:
            events = conn.execute(select(custody.c.event)).scalars().all()
        assert CustodyEvent.REPEATED not in events


def cut_short(data: bytes) -> bytes:
    return data[:300]


def rewritten(data: bytes, change: Callable[[str, bytes], bytes | None]) -> bytes:
    """Return a ZIP with other content, or without some."""
    target = BytesIO()
    with zipfile.ZipFile(BytesIO(data)) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            content = change(name, old.read(name))
            if content is not None:
                new.writestr(name, content)
    return target.getvalue()


def without_custody(data: bytes) -> bytes:
    return rewritten(data, lambda name, content: None if name == "custody.json" else content)


def of_other_site(data: bytes) -> bytes:
    return rewritten(
        data, lambda _, content: content.replace(b'"site":"hammer"', b'"site":"centre"')
    )


def with_other_uid(data: bytes) -> bytes:
    said, other = (b"\x08\x00\x18\x00UI\x08\x001.2.3." + last for last in (b"1", b"7"))
    assert said in data
    return data.replace(said, other)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (cut_short, "is not a whole ZIP"),
        (lambda _: b"", "does not say what is in it"),
        (of_other_site, "another site"),
        (with_other_uid, "hammer 1.2.3.1 in v1/"),
    ],
)
def test_a_broken_pack_is_named_and_passed_over(
    house: House, store: Store, spoil: Callable[[bytes], bytes], said: str
) -> None:
    with house.exchange() as archive:
        take(archive, 1)
        pack(archive)
        (bad,) = store.keys()
        take(archive, 2, series="1.2.3.9")
        pack(archive)
    store.change(bad, spoil)
    kept = store.all_bytes()
    with house.exchange() as archive:
        report = rebuilt(archive)
        assert (report.instances, report.is_whole) == (1, False)
        assert len(report.broken) == 1
        assert said in report.broken[0]
        assert numbers(archive) == [2]
        assert store.all_bytes() == kept


def without_directory(data: bytes) -> bytes:
    """Return a pack whose directory and what follows are zeros; its members and custody stay."""
    start = data.index(b"PK\x01\x02")
    return data[:start] + bytes(len(data) - start)


def half(data: bytes) -> bytes:
    """Return a pack that was cut off in its second member."""
    return data[: data.index(b"000002.dcm") + 200]


def spoilt_in_the_first(data: bytes) -> bytes:
    """Return a pack without a directory that has lost a byte of its first member."""
    at = data.index(bytes(range(32)))
    return without_directory(data[:at] + b"\xff" + data[at + 1 :])


@pytest.mark.parametrize(
    ("spoil", "whole", "is_received_then"),
    [
        (without_directory, [1, 2, 3], True),
        (without_custody, [1, 2, 3], False),
        (half, [1], False),
        (spoilt_in_the_first, [2, 3], True),
    ],
)
def test_what_is_whole_in_a_broken_pack_is_taken_over(
    house: House,
    store: Store,
    spoil: Callable[[bytes], bytes],
    whole: list[int],
    is_received_then: bool,
) -> None:
    with house.exchange() as archive:
        take(archive, 1, 2, 3)
        pack(archive)
        before = {row.sop_instance_uid: row for row in rows(archive)}
    (bad,) = store.keys()
    store.change(bad, spoil)
    kept = store.all_bytes()
    with house.exchange() as archive:
        report = rebuilt(archive)
        assert (report.instances, report.is_whole) == (len(whole), False)
        assert len(report.broken) == 1
        assert report.broken[0].startswith(f"pack {bad}: ")
        assert f"{len(whole)} objects in it are whole" in report.broken[0]
        assert numbers(archive) == whole
        for row in rows(archive):
            was = before[row.sop_instance_uid]
            assert (row.sha256, row.size_bytes) == (was.sha256, was.size_bytes)
            assert (row.received_at == was.received_at) is is_received_then
        verified = care.verify(archive)
        assert verified.corrupt == (f"pack {bad}",)
        assert verified.missing == verified.orphaned == ()
        assert store.all_bytes() == kept


def test_a_pack_that_the_backup_knew_and_the_store_lost_is_named(
    house: House, store: Store
) -> None:
    with house.exchange() as archive:
        take(archive, 1)
        pack(archive)
        (key,) = store.keys()
        take(archive, 2, series="1.2.3.9")
        pack(archive)
        back_up(archive)
    store.delete(key)
    with house.exchange(sited=False) as archive:
        report = rebuilt(archive)
        assert (report.lost, report.instances) == ((key,), 1)


def test_small_packs_of_store_durability_are_copies_again_and_go(
    house: House, store: Store
) -> None:
    with house.exchange(durability="store") as archive:
        take(archive, 1, 2, 3)
        assert len(store.keys()) == 3
        pack(archive)
        take(archive, 4)  # only in a small pack when the node is lost
    assert len(store.keys()) == 5
    with house.exchange() as archive:
        report = rebuilt(archive)
        assert (report.instances, report.packs) == (4, 2)
        with archive.database.read() as conn:
            assert len(conn.execute(select(copies.c.pk)).all()) == 3
        for row in Index(archive.database).instances_of(EVERYTHING, "1.2.3"):
            assert archive.read_dataset(row) == dataset(
                row.sop_instance_uid, number=row.number or 0
            )
        mover = Mover(archive, quiet_s=0, copies_grace_s=0)
        mover.run_once(utc_now() + timedelta(hours=1))
        assert len(store.keys()) == 5  # nobody has read the larger pack back yet
        assert care.verify(archive).is_clean
        for hours in (2, 3):
            mover.run_once(utc_now() + timedelta(hours=hours))
        assert len(store.keys()) == 2
        report_ = care.verify(archive)
        assert (report_.checked, report_.is_clean, report_.orphaned) == (4, True, ())


def conflicting(archive: Archive) -> None:
    take(archive, 1)
    take(archive, 1, name="OTHER^NAME")


def states(archive: Archive) -> list[tuple[str, str, bool, str]]:
    return [(r.state, r.conflict, r.settled_at is not None, r.settled_by) for r in rows(archive)]


@pytest.mark.parametrize("keep", ["", "first", "second"])
@pytest.mark.parametrize("is_packed_between", [False, True])
@pytest.mark.parametrize("is_settled_before_packing", [False, True])
@pytest.mark.parametrize("with_backup", [False, True])
def test_a_conflict_is_as_it_was(
    house: House,
    keep: str,
    is_packed_between: bool,
    is_settled_before_packing: bool,
    with_backup: bool,
) -> None:
    with house.exchange() as archive:
        take(archive, 1)
        if is_packed_between:
            pack(archive)
        take(archive, 1, name="OTHER^NAME")
        index = Index(archive.database)
        if not is_settled_before_packing:
            pack(archive)
        if keep:
            (conflict,) = index.conflicts()
            index.settle_conflict(conflict.pk, keep=keep, actor=ADMIN, now=utc_now())
        if is_settled_before_packing:
            pack(archive)
        before = states(archive)
        is_open = len(index.conflicts())
        if with_backup:
            back_up(archive)
    with house.exchange(sited=not with_backup) as archive:
        assert rebuilt(archive).is_whole
        after = states(archive)
        assert len(after) == 2
        assert sorted(state for state, *_ in after) == ["current", "quarantined"]
        if with_backup:
            assert after == before
            assert len(Index(archive.database).conflicts()) == is_open
        elif is_settled_before_packing or not keep:
            assert [state for state, *_ in after] == [state for state, *_ in before]
        Index(archive.database).conflicts()


def test_a_quarantined_object_whose_first_is_lost_counts(house: House, store: Store) -> None:
    with house.exchange() as archive:
        take(archive, 1)
        pack(archive)
        (first,) = store.keys()
        take(archive, 1, name="OTHER^NAME")
        pack(archive)
    store.delete(first)
    with house.exchange() as archive:
        rebuilt(archive)
        assert states(archive) == [("current", "other-bytes", True, "system:rebuild")]
        assert numbers(archive) == [1]


def cases_of(archive: Archive) -> list[tuple[str, str]]:
    with archive.database.read() as conn:
        found = conn.execute(
            select(case_studies.c.study_uid, case_studies.c.case_id).order_by(
                case_studies.c.study_uid
            )
        )
        return [(row.study_uid, row.case_id) for row in found]


def test_what_came_after_the_backup_makes_its_case_as_an_arrival_does(house: House) -> None:
    with house.exchange() as archive:
        take(archive, 1)
        pack(archive)
        back_up(archive)
        receive(archive, dataset("1.2.5.1", study="1.2.5"), "1.2.5.1")
        pack(archive)
        before = cases_of(archive)
        assert len(before) == 2
    with house.exchange(sited=False) as archive:
        rebuilt(archive)
        assert cases_of(archive) == before
        with archive.database.read() as conn:
            linked = conn.execute(select(studies.c.study_uid, studies.c.case_id)).all()
        assert sorted(map(tuple, linked)) == before


def test_without_a_backup_the_images_are_there_and_no_case_is(house: House) -> None:
    with house.exchange() as archive:
        take(archive, 1)
        pack(archive)
    with house.exchange(sited=False) as archive:
        report = rebuilt(archive)
        assert (report.casebook, report.instances) == ("none", 1)
        assert cases_of(archive) == []
        (row,) = rows(archive)
        with archive.database.read() as conn:
            events = conn.execute(
                select(custody.c.event).where(custody.c.instance_pk == row.pk)
            ).scalars()
            assert list(events) == [CustodyEvent.RECEIVED, CustodyEvent.PACKED]
            assert conn.execute(select(packs.c.verified_at)).scalar_one() is None


def test_a_casebook_that_was_begun_is_left_and_what_it_lacks_is_made(house: House) -> None:
    with house.exchange() as archive:
        take(archive, 1)
        pack(archive)
        back_up(archive)
        before = cases_of(archive)
    with house.exchange() as archive:
        report = rebuilt(archive)
        assert (report.casebook, report.instances) == ("left", 1)
        assert cases_of(archive) == before


def test_objects_in_foreign_formats_beside_the_packs_are_no_packs(
    house: House, store: Store
) -> None:
    with house.exchange() as archive:
        take(archive, 1)
        pack(archive)
    store.put("v1/readme.txt", b"hello", sha256=HELLO)
    with house.exchange() as archive:
        assert rebuilt(archive).is_whole


def test_a_reply_does_not_make_a_case_and_an_import_does(house: House) -> None:
    with house.exchange() as archive:
        for door, uid in ((Door.REPLY, "1.2.6.1"), (Door.IMPORT, "1.2.7.1")):
            archive.receive(
                dataset(uid, study=uid[:-2]),
                Origin("hammer", door),
                sop_class_uid=CT,
                sop_instance_uid=uid,
                transfer_syntax_uid=EXPLICIT_LE,
            )
        pack(archive)
        before = cases_of(archive)
    with house.exchange() as archive:
        rebuilt(archive)
        assert cases_of(archive) == before
        assert [study for study, _ in before] == ["1.2.7"]


def test_progress_is_told_up_to_the_end(house: House) -> None:
    with house.exchange() as archive:
        take(archive, *range(1, 6))
        pack(archive)
    told: list[tuple[int, int]] = []
    with house.exchange() as archive:
        rebuild(archive, progress=lambda *, done, total: told.append((done, total)))
    assert told[0] == (0, 5)
    assert told[-1] == (5, 5)


def test_a_folder_is_a_store_like_another(tmp_path: Path) -> None:
    house = House(tmp_path, FolderStore(tmp_path / "store"))
    with house.exchange() as archive:
        take(archive, 1, 2)
        pack(archive)
        back_up(archive)
    with house.exchange(sited=False) as archive:
        assert rebuilt(archive).casebook == "restored"
        assert care.verify(archive).is_clean


HELLO = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
