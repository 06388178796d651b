"""An object store in an S3 bucket: checked on the way in, never overwritten, read by ranges.

Every put names its checksum and its condition. What the server was found not to do itself is made
up for here: without conditions a key is looked up first, without checks all is read back.
"""

from __future__ import annotations

import hashlib
import io
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, BinaryIO
from xml.etree import ElementTree as ET

import structlog

from casework.errors import NotFound, Unavailable
from storage.objects import s3_probe
from storage.objects.port import (
    ObjectInfo,
    other_bytes,
    require_key,
    sha256_of_object,
    wrong_hash,
)
from storage.objects.s3_faults import Fault, as_error, may_not_delete
from storage.objects.s3_http import Calls
from storage.objects.s3_place import S3Place
from storage.objects.s3_probe import TRIALS, Capabilities
from storage.objects.s3_stream import open_stream
from storage.objects.s3_upload import ONLY_IF_FREE, abort, send_in_parts, send_whole

log = structlog.get_logger()

_TESTED_FOR = timedelta(days=1)
_TRIES = 3
_STRIPES = 64
_LOCATION = (
    '<CreateBucketConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
    "<LocationConstraint>{region}</LocationConstraint></CreateBucketConfiguration>"
)
_OURS = ("v1/", TRIALS)  # another may keep objects of its own in the bucket


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
                self._put(key, source, sha256=sha256, able=able, is_taken=is_taken)
                return
            with self._stripes[hash(key) % _STRIPES]:
                is_taken = self.exists(key)
                self._put(key, source, sha256=sha256, able=able, is_taken=is_taken)
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
            raise self._unreadable()
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

    def tidy(self) -> int:
        """End multipart uploads that nobody has gone on with for long; see `ObjectStore.tidy`.

        Another node may be in the middle of one: only their age tells, by the server's own clock.
        The server is tried out first: this is what a worker does when it starts.
        """
        self.capabilities()
        try:
            answer = self._calls.call("GET", query={"uploads": "", "max-uploads": "1000"})
            root = ET.fromstring(answer.data)  # noqa: S314 - the answer of our own server
        except Fault as fault:
            if fault.says_no_upload:  # rclone says so where there is none at all
                return 0
            if fault.status in (400, 403, 405, 501):
                log.info("uploads_not_listed", store=str(self.place), reason=fault.code)
                return 0
            raise as_error(fault, self.place, "") from fault
        except ET.ParseError as error:
            raise self._unreadable() from error
        now = _time(answer.headers.get("date", "")) or self._clock()
        ended = 0
        for element in root.iterfind("{*}Upload"):
            key, upload = element.findtext("{*}Key") or "", element.findtext("{*}UploadId") or ""
            begun = _time(element.findtext("{*}Initiated") or "") or now
            is_stale = now - begun >= timedelta(seconds=self.place.stale_upload_s)
            if is_stale and key.startswith(_OURS) and abort(self._calls, key, upload):
                ended += 1
        return ended

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

    def _put(
        self,
        key: str,
        source: Path | bytes,
        *,
        sha256: str,
        able: Capabilities,
        is_taken: bool,
    ) -> None:
        """Send the bytes until they lie there whole; what others put there is not replaced.

        The one exception: where the key is the hash of the bytes, others under it are damaged.
        """
        condition = ONLY_IF_FREE if able.is_conditional else {}
        for _ in range(_TRIES):
            if is_taken or not self._send(key, source, sha256=sha256, condition=condition):
                # another's put, or our own whose answer was lost
                _require_hash(key, source, sha256)
                if self._is_same(key, source, sha256):
                    return
                if sha256 not in key:
                    raise other_bytes(key)
                log.warning("damaged_object_replaced", key=key, store=str(self.place))
            elif able.checks_checksum or self._gives_back(key, sha256):
                return
            else:
                log.warning("object_spoilt_on_its_way", key=key, store=str(self.place))
            # what lies there is of no use to anybody, and nobody was told of it
            is_taken, condition = False, {}
        raise Unavailable(
            f"The {self.place} gives other bytes back for {key} than were put. "
            "Nothing was released; look at the server and the network to it.",
            code="store-differs",
        )

    def _send(
        self, key: str, source: Path | bytes, *, sha256: str, condition: Mapping[str, str]
    ) -> bool:
        """Send the bytes; return False when the key is taken."""
        try:
            if isinstance(source, Path) and source.stat().st_size > self.place.part_bytes:
                send_in_parts(self._calls, key, source, sha256=sha256, condition=condition)
            else:
                data = source if isinstance(source, bytes) else source.read_bytes()
                send_whole(self._calls, key, data, sha256=sha256, condition=condition)
        except Fault as fault:
            if fault.says_exists or (fault.says_no_upload and self.exists(key)):
                return False
            raise as_error(fault, self.place, key) from fault
        return True

    def _is_same(self, key: str, source: Path | bytes, sha256: str) -> bool:
        size = len(source) if isinstance(source, bytes) else source.stat().st_size
        return self.size(key) == size and self._gives_back(key, sha256)

    def _gives_back(self, key: str, sha256: str) -> bool:
        """Read an object back, twice when it differs: a byte may be flipped on its way to us."""
        return any(sha256_of_object(self, key) == sha256 for _ in range(2))

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
            raise self._unreadable() from error

    def _unreadable(self) -> Unavailable:
        return Unavailable(
            f"The {self.place} gave an answer that cannot be read. Look at the server.",
            code="store-failed",
        )


_WRONG_KEY = frozenset({"InvalidAccessKeyId", "SignatureDoesNotMatch", "RequestTimeTooSkewed"})


def _time(text: str) -> datetime | None:
    """Return a time of a header or of a listing; None when it cannot be read."""
    for read in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            found = read(text)
        except ValueError:
            continue
        return found if found.tzinfo else found.replace(tzinfo=UTC)
    return None


def _require_hash(key: str, source: Path | bytes, sha256: str) -> None:
    if isinstance(source, bytes):
        found = hashlib.sha256(source).hexdigest()
    else:
        with source.open("rb") as stream:
            found = hashlib.file_digest(stream, "sha256").hexdigest()
    if found != sha256:
        raise wrong_hash(key)
