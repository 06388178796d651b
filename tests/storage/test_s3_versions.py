"""Erasing in a bucket that keeps versions, told by its answers: all of them go, or it is said.

The servers that keep versions are peers (`tests/storage/s3`); this is what they answer, in little.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from casework.errors import Refused
from storage.objects.s3 import S3Store
from storage.objects.s3_faults import Fault
from storage.objects.s3_place import S3Place
from storage.objects.s3_probe import Capabilities

PLACE = S3Place(bucket="b", endpoint="http://127.0.0.1:9", access_key="k", secret_key="s")


class Bucket:
    """Answers as a bucket with versions does, two to a page."""

    place = PLACE

    def __init__(self, versions: list[tuple[str, str]], *, locked: str = "", mute: int = 0) -> None:
        self.versions = versions
        self.locked = locked
        self.mute = mute
        self.deleted: list[str] = []

    def call(self, method: str, key: str = "", *, query: Mapping[str, str] | None = None) -> Any:
        asked = dict(query or {})
        if method == "DELETE" and "versionId" not in asked:
            self.deleted.append(key)
            return SimpleNamespace(data=b"")
        if method == "DELETE":
            if asked.get("versionId") == self.locked and self.locked:
                raise Fault(403, "AccessDenied", "locked")
            self.versions.remove((key, asked["versionId"]))
            return SimpleNamespace(data=b"")
        if self.mute:
            raise Fault(self.mute, "NotImplemented", "no versions here")
        start = int(asked.get("version-id-marker") or 0)
        some = [v for v in self.versions if v[0].startswith(asked["prefix"])]
        page = some[start : start + 2]
        lines = "".join(
            f"<{kind}><Key>{k}</Key><VersionId>{v}</VersionId></{kind}>"
            for k, v in page
            for kind in ["DeleteMarker" if v.startswith("d") else "Version"]
        )
        more = len(some) > start + 2
        return SimpleNamespace(
            data=(
                f"<R>{lines}<IsTruncated>{str(more).lower()}</IsTruncated>"
                f"<NextKeyMarker>x</NextKeyMarker>"
                f"<NextVersionIdMarker>{start + 2}</NextVersionIdMarker></R>"
            ).encode()
        )


def store_over(bucket: Bucket, versioning: str) -> S3Store:
    store = S3Store(PLACE, calls=bucket)  # type: ignore[arg-type]
    found = Capabilities(str(PLACE), "", "s", True, True, True, True, versioning, "off")
    store.capabilities = lambda: found  # type: ignore[method-assign]
    return store


@pytest.mark.parametrize("versioning", ["on", "suspended", "unknown"])
def test_every_version_and_every_mark_of_deletion_goes(versioning: str) -> None:
    bucket = Bucket([("a", "1"), ("a", "d2"), ("a", "3"), ("ab", "4")])
    store_over(bucket, versioning).erase("a")
    assert bucket.versions == [("ab", "4")]


def test_an_object_goes_where_a_server_that_knows_no_versions_lists_none() -> None:
    bucket = Bucket([("ab", "4")])
    store_over(bucket, "unknown").erase("a")
    assert bucket.deleted == ["a"]
    store_over(bucket, "on").erase("a")  # a mark of deletion would be all that comes of it
    assert bucket.deleted == ["a"]


def test_a_version_that_is_locked_is_said_to_stay() -> None:
    bucket = Bucket([("a", "1"), ("a", "2")], locked="2")
    with pytest.raises(Refused) as caught:
        store_over(bucket, "on").erase("a")
    assert caught.value.code == "store-version-stays"
    assert "still there" in caught.value.message


def test_versions_that_may_not_be_listed_are_said_to_stay() -> None:
    with pytest.raises(Refused) as caught:
        store_over(Bucket([("a", "1")], mute=403), "on").erase("a")
    assert caught.value.code == "store-version-stays"
