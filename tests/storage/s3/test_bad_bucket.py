"""A bucket that is not what it should be: each fault says what it is, and nothing is lost by it.

A wrong key, no bucket, no room, somebody else's packs, somebody else's files.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from casework.errors import Unavailable
from casework.model import Actor, SiteKind
from storage import care
from storage.archive import Archive
from storage.belonging import FORMAT, identity
from storage.database import Database
from storage.ledger import Ledger
from storage.mover import Mover
from storage.objects.s3 import S3Store
from storage.part10 import EXPLICIT_LE
from tests.storage.archives import Clock, OpenArchive
from tests.storage.building import CT, ORIGIN, dataset
from tests.storage.s3.fault_proxy import FaultProxy, serve
from tests.storage.s3.servers import Server, impatient, serve_rclone
from tests.told import in_the_table

pytestmark = [pytest.mark.peers, pytest.mark.slow]

QUIET_S = 60.0
ADMIN = Actor("user:1", "Ola", "nordlys", SiteKind.CENTRE)


@pytest.fixture
def proxy(rclone: Server) -> Iterator[FaultProxy]:
    with serve(rclone.port) as running:
        yield running


@pytest.fixture
def store(rclone: Server, proxy: FaultProxy) -> Iterator[S3Store]:
    opened = S3Store(impatient(rclone.place(port=proxy.port)))
    yield opened
    opened.close()


@pytest.fixture
def archive(open_archive: OpenArchive) -> Archive:
    return open_archive(is_marked=True)


def receive(archive: Archive, number: int) -> None:
    uid = f"1.2.3.{number}"
    archive.receive(
        dataset(uid, series=f"1.2.9.{number}", number=number),
        ORIGIN,
        sop_class_uid=CT,
        sop_instance_uid=uid,
        transfer_syntax_uid=EXPLICIT_LE,
    )
    archive.settle()


def fails_and_drains(
    archive: Archive, clock: Clock, *, spoil: Callable[[], None], mend: Callable[[], None]
) -> str:
    """Pack one, spoil the bucket, fail to pack another, mend it, pack it; return what was said."""
    mover = Mover(archive, quiet_s=QUIET_S)
    receive(archive, 1)
    assert mover.run_once(clock.later(QUIET_S)).packed == 1
    spoil()
    receive(archive, 2)
    report = mover.run_once(clock.later(QUIET_S))
    assert (report.packed, archive.spool_status().instances) == (0, 1)
    assert archive.spool_status().packing_failure == report.failure
    mend()
    assert mover.run_once(clock.later(600)).packed == 1
    assert (archive.spool_status().instances, archive.spool_status().packing_failure) == (0, "")
    assert care.verify(archive).is_clean
    return report.failure


def test_a_key_that_changes_while_we_run_is_told_and_what_waits_follows(
    archive: Archive, clock: Clock, proxy: FaultProxy, rclone: Server, tmp_path: Path
) -> None:
    with serve_rclone(tmp_path / "other", secret_key="lysbro-renewed") as renewed:
        said = fails_and_drains(
            archive,
            clock,
            spoil=lambda: setattr(proxy, "server_port", renewed.port),
            mend=lambda: setattr(proxy, "server_port", rclone.port),
        )
    in_the_table("store-refused", said)


def test_a_key_that_is_wrong_from_the_start_is_told_and_all_waits_in_the_spool(
    open_archive: OpenArchive, store: S3Store, clock: Clock
) -> None:
    store.place = replace(store.place, secret_key="wrong")
    wrong = S3Store(store.place)
    archive = open_archive()
    archive.store = wrong
    receive(archive, 1)
    report = Mover(archive, quiet_s=QUIET_S).run_once(clock.later(QUIET_S))
    assert archive.spool_status().instances == 1
    in_the_table("store-refused", report.failure)
    wrong.close()


def test_a_bucket_that_goes_is_told_and_what_waits_follows_when_it_is_back(
    archive: Archive, clock: Clock, store: S3Store, rclone: Server, proxy: FaultProxy
) -> None:
    client, bucket = rclone.client(), store.place.bucket
    kept: dict[str, bytes] = {}

    def remove() -> None:
        for each in client.list_objects(bucket, recursive=True):
            name = str(each.object_name)
            answer = client.get_object(bucket, name)
            kept[name] = answer.read()
            answer.close()
            answer.release_conn()
            client.remove_object(bucket, name)
        client.remove_bucket(bucket)

    def bring_back() -> None:
        client.make_bucket(bucket)
        for name, data in kept.items():
            client.put_object(bucket, name, io.BytesIO(data), len(data))

    said = fails_and_drains(archive, clock, spoil=remove, mend=bring_back)
    in_the_table("no-such-bucket", said)


@pytest.mark.parametrize("status", [413, 507])
def test_a_full_bucket_is_told_and_what_waits_follows_when_there_is_room(
    archive: Archive, clock: Clock, proxy: FaultProxy, status: int
) -> None:
    """Play the two answers that servers give over a quota, Swift and others."""
    said = fails_and_drains(
        archive,
        clock,
        spoil=lambda: proxy.tell("status", status=status, method="PUT") and None,
        mend=proxy.heal,
    )
    in_the_table("store-full", said)


def _sha256(data: bytes) -> str:

    return hashlib.sha256(data).hexdigest()


def test_a_bucket_of_another_exchange_gets_nothing_and_keeps_what_it_has(
    archive: Archive, clock: Clock, store: S3Store, sited: Database
) -> None:
    data = b"{}"
    store.put(f"exchange/{'ab' * 32}/format-1.json", data, sha256=_sha256(data))
    before = sorted(o.key for o in store.list())
    Ledger(sited, clock).append(None, actor=ADMIN, action="site-added", subject="hammer")
    receive(archive, 1)
    report = Mover(archive, quiet_s=QUIET_S).run_once(clock.later(QUIET_S))
    assert (report.packed, archive.spool_status().instances) == (0, 1)
    in_the_table("store-of-another", report.failure)
    assert sorted(o.key for o in store.list()) == before


def test_a_bucket_of_a_newer_layout_gets_nothing(
    archive: Archive, clock: Clock, store: S3Store, sited: Database
) -> None:
    Ledger(sited, clock).append(None, actor=ADMIN, action="site-added", subject="hammer")
    data = b"{}"
    key = f"exchange/{identity(sited)}/format-{FORMAT + 1}.json"
    store.put(key, data, sha256=_sha256(data))
    receive(archive, 1)
    report = Mover(archive, quiet_s=QUIET_S).run_once(clock.later(QUIET_S))
    assert (report.packed, archive.spool_status().instances) == (0, 1)
    in_the_table("store-newer", report.failure)
    assert [o.key for o in store.list()] == [key]


def test_a_file_of_somebody_else_is_named_and_stays(
    archive: Archive, clock: Clock, store: S3Store, rclone: Server
) -> None:
    names = ["v1/hammer/ab/notes.txt", "Holiday Pictures/IMG 1.JPG", "backup/casebook/mine.zip"]
    for name in names:
        rclone.client().put_object(store.place.bucket, name, io.BytesIO(b"mine"), 4)
    receive(archive, 1)
    mover = Mover(archive, quiet_s=QUIET_S)
    assert mover.run_once(clock.later(QUIET_S)).packed == 1
    report = care.verify(archive)
    assert (report.is_clean, report.foreign, report.orphaned) == (True, tuple(sorted(names)), ())
    assert set(names) <= {o.key for o in store.list()}


def test_durability_store_acknowledges_nothing_into_the_bucket_of_another(
    open_archive: OpenArchive, clock: Clock, store: S3Store, sited: Database
) -> None:
    data = b"{}"
    store.put(f"exchange/{'ab' * 32}/format-1.json", data, sha256=_sha256(data))
    Ledger(sited, clock).append(None, actor=ADMIN, action="site-added", subject="hammer")
    archive = open_archive("store", is_marked=True)
    with pytest.raises(Unavailable) as told:
        receive(archive, 1)
    in_the_table("store-of-another", told.value.message)
