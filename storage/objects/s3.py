"""An object store in an S3 bucket: checked on the way in, never overwritten, read by ranges.

Every put names its checksum and its condition; where the server was found not to heed conditions a
key is looked up first. How bytes are sent is `s3_put`.
"""

from __future__ import annotations

import io
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO
from xml.etree import ElementTree as ET

import structlog

from casework.errors import NotFound, Unavailable
from storage.objects import s3_probe
from storage.objects.port import ObjectInfo, require_key
from storage.objects.s3_faults import (
    Fault,
    as_error,
    may_not_delete,
    unreadable,
    version_stays,
)
from storage.objects.s3_http import Calls
from storage.objects.s3_place import S3Place
from storage.objects.s3_probe import TRIALS, Capabilities
from storage.objects.s3_put import Putter
from storage.objects.s3_stale import end_stale_uploads
from storage.objects.s3_stream import open_stream

log = structlog.get_logger()

_TESTED_FOR = timedelta(days=1)
_STRIPES = 64
_LOCATION = (
    '<CreateBucketConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
    "<LocationConstraint>{region}</LocationConstraint></CreateBucketConfiguration>"
)
# another may keep objects of its own in the bucket
_OURS = ("v1/", "backup/", "exchange/", "erased/", "quarantine/", TRIALS)


class S3Store:
    """Objects in one bucket; the key is the name."""

    def __init__(
        self,
        place: S3Place,
        *,
        found_in: Path | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        calls: Calls | None = None,
    ) -> None:
        """`found_in` is a file that keeps what the server was found to do; no call is made yet."""
        self.place = place
        self._calls = calls or Calls(place)
        self._putter = Putter(self._calls, place, self)
        self._found_in = found_in
        self._clock = clock
        self._found: Capabilities | None = None
        self._has_bucket = False
        self._lock = threading.Lock()
        self._stripes = [threading.Lock() for _ in range(_STRIPES)]

    def put(self, key: str, source: Path | bytes, *, sha256: str) -> None:
        """Keep the bytes; see `ObjectStore.put`."""
        require_key(key)
        able = self.capabilities()
        try:
            if able.is_conditional:
                # with versions a put that is refused may leave its bytes behind (Swift 2.38 does)
                is_taken = able.versioning == "on" and self.exists(key)
                self._putter.put(key, source, sha256=sha256, able=able, is_taken=is_taken)
                return
            with self._stripes[hash(key) % _STRIPES]:
                is_taken = self.exists(key)
                self._putter.put(key, source, sha256=sha256, able=able, is_taken=is_taken)
        except OSError as error:
            raise Unavailable(
                f"The bytes for {key} cannot be read ({error.strerror or error}). "
                "Look at the disk of the data folder.",
                code="packing-failed",
            ) from error

    def open_range(self, key: str, offset: int, length: int) -> BinaryIO:
        """Open a stretch of an object."""
        require_key(key)
        if length <= 0:
            self.size(key)
            return io.BytesIO()
        return open_stream(self._calls, key, offset, length)

    def size(self, key: str) -> int:
        """Return the size of an object."""
        require_key(key)
        try:
            told = self._calls.call("HEAD", key).headers.get("content-length", "")
        except Fault as fault:
            if fault.says_no_object:
                self._require_bucket()
            raise as_error(fault, self.place, key) from fault
        if not told.isdecimal():
            raise unreadable(self.place)
        return int(told)

    def exists(self, key: str) -> bool:
        """Tell whether there is an object under the key."""
        try:
            self.size(key)
        except NotFound:
            return False
        return True

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """Yield every object whose key starts with the prefix."""
        token = ""
        while True:
            query = {"list-type": "2", "max-keys": "1000", "prefix": prefix}
            if token:
                query["continuation-token"] = token
            root = self._xml(query)
            for element in root.iterfind("{*}Contents"):
                key = element.findtext("{*}Key") or ""
                if not key.startswith(TRIALS):
                    yield ObjectInfo(key, int(element.findtext("{*}Size") or 0))
            token = root.findtext("{*}NextContinuationToken") or ""
            if root.findtext("{*}IsTruncated") != "true" or not token:
                return

    def delete(self, key: str) -> None:
        """Remove an object; see `ObjectStore.delete`.

        In a bucket with versions it is hidden and kept for as long as the bucket's rules say; no
        version is ever removed, and no lock is ever gone round.
        """
        require_key(key)
        try:
            self._calls.call("DELETE", key)
        except Fault as fault:
            if fault.says_no_object:
                return
            if fault.status in (403, 405) and fault.code not in _WRONG_KEY:
                raise may_not_delete(self.place, key) from fault
            raise as_error(fault, self.place, key) from fault

    def erase(self, key: str) -> None:
        """Remove an object with all its versions; see `ObjectStore.erase`. Goes round no lock."""
        require_key(key)
        versioning = self.capabilities().versioning
        found = self._versions(key) if versioning != "off" else None
        if found is None or (not found and versioning == "unknown"):
            self.delete(key)  # a server that knows of no versions may list none all the same
            return
        for version in found:
            self._erase_version(key, version)
        if self._versions(key):
            raise version_stays(self.place, key)

    def tidy(self) -> int:
        """End multipart uploads that nobody has gone on with for long; see `ObjectStore.tidy`.

        The server is tried out first: this is what a worker does when it starts.
        """
        self.capabilities()
        return end_stale_uploads(self._calls, self.place, clock=self._clock, ours=_OURS)

    def describe(self) -> str:
        """Return where this store is."""
        return f"S3 {self.place}"

    def capabilities(self) -> Capabilities:
        """Return what the server can do, tried out once a day at most."""
        with self._lock:
            if self._found is None and self._found_in is not None:
                self._found = s3_probe.load(self._found_in, place=str(self.place))
            if self._found is None or self._is_old(self._found):
                self._found = s3_probe.probe(self._calls, now=self._clock())
                if self._found_in is not None:
                    s3_probe.save(self._found_in, self._found)
            return self._found

    def last_found(self) -> dict[str, Any] | None:
        """Return what the server was last found to do, as plain values; calls nobody."""
        found = self._found
        if found is None and self._found_in is not None:
            found = s3_probe.load(self._found_in, place=str(self.place))
        return None if found is None else asdict(found) | {"lacks": found.lacks()}

    def make_bucket(self) -> bool:
        """Make the bucket when it is not there; tell whether it was made now."""
        try:
            self._require_bucket()
        except Unavailable as error:
            if error.code != "no-such-bucket":
                raise
        else:
            return False
        region = self.place.region
        body = b"" if region == "us-east-1" else _LOCATION.format(region=region).encode()
        try:
            self._calls.call("PUT", body=body, repeats=False)
        except Fault as fault:
            if fault.code == "BucketAlreadyOwnedByYou":  # another was first
                return False
            raise as_error(fault, self.place, "") from fault
        log.info("bucket_made", place=self.place.bucket)
        return True

    def close(self) -> None:
        """Close the connections to the server."""
        self._calls.close()

    def _is_old(self, found: Capabilities) -> bool:
        return self._clock() - datetime.fromisoformat(found.tested_at) >= _TESTED_FOR

    def _versions(self, key: str) -> Sequence[str] | None:
        """Return the versions of an object, marks of deletion too; None: the server has none."""
        found: deque[str] = deque()
        after: dict[str, str] = {}
        while True:
            query = {"versions": "", "prefix": key, "max-keys": "1000", **after}
            try:
                root = ET.fromstring(self._calls.call("GET", query=query).data)  # noqa: S314
            except Fault as fault:
                if fault.status == 403:
                    raise version_stays(self.place, key) from fault
                if fault.status in (400, 405, 501) and self.capabilities().versioning != "on":
                    return None
                raise as_error(fault, self.place, key) from fault
            except ET.ParseError as error:
                raise unreadable(self.place) from error
            for element in (*root.iterfind("{*}Version"), *root.iterfind("{*}DeleteMarker")):
                if element.findtext("{*}Key") == key:
                    found.append(element.findtext("{*}VersionId") or "null")
            if root.findtext("{*}IsTruncated") != "true":
                return found
            after = {
                "key-marker": root.findtext("{*}NextKeyMarker") or "",
                "version-id-marker": root.findtext("{*}NextVersionIdMarker") or "",
            }

    def _erase_version(self, key: str, version: str) -> None:
        try:
            self._calls.call("DELETE", key, query={"versionId": version})
        except Fault as fault:
            if fault.says_no_object or fault.code == "NoSuchVersion":
                return
            if fault.status in (400, 403, 405) and fault.code not in _WRONG_KEY:
                raise version_stays(self.place, key) from fault
            raise as_error(fault, self.place, key) from fault

    def _require_bucket(self) -> None:
        """Raise Unavailable when there is no bucket: a HEAD says 404 for that, too."""
        if not self._has_bucket:
            self._xml({"list-type": "2", "max-keys": "1", "prefix": TRIALS})
            self._has_bucket = True

    def _xml(self, query: dict[str, str]) -> ET.Element:
        try:
            return ET.fromstring(self._calls.call("GET", query=query).data)  # noqa: S314
        except Fault as fault:
            raise as_error(fault, self.place, "") from fault
        except ET.ParseError as error:
            raise unreadable(self.place) from error


_WRONG_KEY = frozenset({"InvalidAccessKeyId", "SignatureDoesNotMatch", "RequestTimeTooSkewed"})
