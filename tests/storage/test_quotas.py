"""What each site keeps is counted right whoever adds or removes; past its quota a site waits."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete, insert, select, update

from casework.custody import Door, Origin
from casework.errors import Invalid, NoRoom, NotFound
from storage import quotas
from storage.archive import Archive, SpoolLimits
from storage.database import Database
from storage.merge import MergeRule
from storage.mover import Mover
from storage.objects import MemoryStore
from storage.quotas import Standing, Usage
from storage.rebuild import rebuild
from storage.tables import instances
from storage.testing import fresh_database
from tests.flows.waiting import until
from tests.storage.building import EXPLICIT_LE, ORIGIN, dataset, part10
from tests.storage.conftest import MakeRecord

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def open_archive(folder: Path, database: Database, store: MemoryStore) -> Archive:
    archive = Archive(
        data=folder, database=database, store=store, limits=SpoolLimits(spool_bytes=1 << 30)
    )
    archive.start()
    return archive


@pytest.fixture
def archive(sited: Database, tmp_path: Path) -> Iterator[Archive]:
    opened = open_archive(tmp_path, sited, MemoryStore())
    yield opened
    opened.close()


def take(archive: Archive, number: int, origin: Origin = ORIGIN, **how: object) -> None:
    uid = f"1.2.3.{number}"
    archive.receive_part10(
        part10(dataset(uid, number=number, **how), uid, syntax=EXPLICIT_LE),  # type: ignore[arg-type]
        origin,
    )


def used(database: Database, site: str = "hammer") -> tuple[int, int]:
    with database.read() as conn:
        (found,) = quotas.usage(conn, site)
    return found.used_bytes, found.used_instances


def bound(
    database: Database, *, most_bytes: int | None = None, most_instances: int | None = None
) -> None:
    with database.begin() as conn:
        quotas.set_quota(conn, "hammer", most_bytes=most_bytes, most_instances=most_instances)


@pytest.mark.parametrize(
    ("usage", "standing"),
    [
        (Usage("a", 10**12, 10**9), Standing.FREE),
        (Usage("a", 79, 0, most_bytes=100), Standing.FREE),
        (Usage("a", 80, 0, most_bytes=100), Standing.NEAR),
        (Usage("a", 100, 0, most_bytes=100), Standing.USED_UP),
        (Usage("a", 1, 9, most_bytes=100, most_instances=10), Standing.NEAR),
        (Usage("a", 1, 10, most_bytes=100, most_instances=10), Standing.USED_UP),
        (Usage("a", 0, 0, most_bytes=0), Standing.USED_UP),
    ],
)
def test_how_a_site_stands_follows_from_the_nearer_bound(usage: Usage, standing: Standing) -> None:
    assert usage.standing(80) is standing


@pytest.mark.parametrize("seed", range(3))
def test_what_is_counted_is_the_full_sum_after_whatever_happened(
    sited: Database, take: Callable[..., None], make_record: MakeRecord, seed: int
) -> None:
    chance = random.Random(seed)  # noqa: S311
    made = []
    for _ in range(40):
        what = chance.randrange(5)
        if what <= 1 or not made:
            records = [
                replace(
                    make_record(site=chance.choice(["hammer", "vardo", "gp"])),
                    length=chance.randrange(10**7),
                )
                for _ in range(chance.randrange(1, 6))
            ]
            made += records
            take(*records)
        elif what == 2:
            take(*chance.choices(made, k=3))  # the same again
        elif what == 3:
            other = chance.choice(made)
            take(replace(other, sha256=f"{chance.randrange(16**64):064x}"))  # a conflict
        else:
            with sited.begin() as conn:
                some = instances.c.pk % 7 == chance.randrange(7)
                conn.execute(update(instances).where(some).values(length=chance.randrange(99)))
                rows = [dict(row) for row in conn.execute(select(instances).where(some)).mappings()]
                new = {"state": "quarantined", "series_pk": None, "conflict": "spare", "length": 7}
                for row in rows:
                    del row["pk"]
                    row.update(new, sha256=f"{chance.randrange(16**64):064x}")
                if rows:
                    conn.execute(insert(instances), rows)
                some = instances.c.pk % 2 == chance.randrange(2)
                conn.execute(delete(instances).where(instances.c.conflict == "spare", some))
        with sited.read() as conn:
            assert quotas.differing(conn) == {}


def test_a_pack_a_merge_and_a_rebuild_leave_the_count_as_it_was(
    sited: Database, archive: Archive, tmp_path: Path, database_server: str
) -> None:
    mover = Mover(archive, quiet_s=0, merge=MergeRule(packs=1, quiet_s=0))
    for number in (1, 2, 3):
        take(archive, number)
        archive.settle()
        mover.run_once(archive.clock() + timedelta(seconds=number))
    before = used(sited)
    assert before[1] == 3
    assert mover.run_once(archive.clock() + timedelta(hours=1)).merged == 3
    assert used(sited) == before
    (tmp_path / "again").mkdir()
    with fresh_database(tmp_path / "again", server=database_server) as fresh:
        other = Archive(
            data=tmp_path / "again", database=fresh, store=archive.store,
            limits=SpoolLimits(spool_bytes=1 << 30),
        )  # fmt: skip
        rebuild(other)
        with fresh.read() as conn:
            assert quotas.differing(conn) == {}
            sums = conn.exec_driver_sql("SELECT used_bytes, used_instances FROM site_usage").all()
        assert [tuple(row) for row in sums] == [before]
        other.close()


def test_a_count_that_is_wrong_is_found_and_put_right(
    sited: Database, take: Callable[..., None], make_record: MakeRecord
) -> None:
    take(make_record(), make_record())
    with sited.begin() as conn:
        conn.exec_driver_sql("UPDATE site_usage SET used_bytes = 1, used_instances = 9")
        conn.exec_driver_sql("INSERT INTO site_usage VALUES ('gp', 5, 5)")
        assert quotas.recount(conn) == ["gp", "hammer"]
        assert quotas.differing(conn) == {}
    assert used(sited) == (2800, 2)


def test_past_its_quota_a_site_is_refused_and_the_others_are_not(
    sited: Database, archive: Archive
) -> None:
    bound(sited, most_instances=2)
    take(archive, 1)
    take(archive, 2)
    with pytest.raises(NoRoom, match=r"The quota of site hammer is used up \(2 objects\)") as told:
        take(archive, 3)
    assert told.value.code == "quota"
    take(archive, 3, replace(ORIGIN, site="vardo"))
    take(archive, 4, replace(ORIGIN, door=Door.REPLY))  # our own answer is always kept
    archive.settle()
    assert used(sited)[1] == 3


def test_a_quota_counts_again_at_once_after_a_start(
    sited: Database, archive: Archive, tmp_path: Path
) -> None:
    take(archive, 1)
    archive.settle()
    bound(sited, most_bytes=used(sited)[0])
    again = open_archive(tmp_path / "again", sited, MemoryStore())
    try:
        with pytest.raises(NoRoom):
            take(again, 2)
        again.receive_part10(part10(dataset("1.2.3.2"), "1.2.3.2"), ORIGIN, is_promised=True)
    finally:
        again.close()


def test_a_quota_that_is_raised_lets_the_site_send_again(sited: Database, archive: Archive) -> None:
    bound(sited, most_bytes=1)
    take(archive, 1)
    with pytest.raises(NoRoom):
        take(archive, 2)
    bound(sited)

    def is_taken() -> bool:
        try:
            take(archive, 2)
        except NoRoom:
            return False
        return True

    until(is_taken, "the quota to be read again")


def test_a_quota_is_of_a_site_that_there_is_and_not_negative(sited: Database) -> None:
    with sited.begin() as conn, pytest.raises(NotFound):
        quotas.set_quota(conn, "nobody", most_bytes=1, most_instances=None)
    with sited.begin() as conn, pytest.raises(Invalid):
        quotas.set_quota(conn, "gp", most_bytes=-1, most_instances=None)
