"""Sends bytes into a bucket until they lie there whole, whatever the server does on the way.

What the server was found not to do itself is made up for: bytes that it does not compare are read
back. What others have put under the key is not replaced.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import structlog

from casework.errors import Unavailable
from storage.objects.port import ObjectStore, other_bytes, sha256_of_object, wrong_hash
from storage.objects.s3_faults import Fault, as_error
from storage.objects.s3_http import Calls
from storage.objects.s3_place import S3Place
from storage.objects.s3_probe import Capabilities
from storage.objects.s3_upload import ONLY_IF_FREE, send_in_parts, send_whole

log = structlog.get_logger()

_TRIES = 3


class Putter:
    """Puts objects into one bucket; `store` is how they are looked at and read back."""

    def __init__(self, calls: Calls, place: S3Place, store: ObjectStore) -> None:
        self._calls = calls
        self._place = place
        self._store = store

    def put(
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
                log.warning("damaged_object_replaced", key=key, store=str(self._place))
            elif able.checks_checksum or self._gives_back(key, sha256):
                return
            else:
                log.warning("object_spoilt_on_its_way", key=key, store=str(self._place))
            # what lies there is of no use to anybody, and nobody was told of it
            is_taken, condition = False, {}
        raise Unavailable(
            f"The {self._place} gives other bytes back for {key} than were put. "
            "Nothing was released; look at the server and the network to it.",
            code="store-differs",
        )

    def _send(
        self, key: str, source: Path | bytes, *, sha256: str, condition: Mapping[str, str]
    ) -> bool:
        """Send the bytes; return False when the key is taken."""
        try:
            if isinstance(source, Path) and source.stat().st_size > self._place.part_bytes:
                send_in_parts(self._calls, key, source, sha256=sha256, condition=condition)
            else:
                data = source if isinstance(source, bytes) else source.read_bytes()
                send_whole(self._calls, key, data, sha256=sha256, condition=condition)
        except Fault as fault:
            if fault.says_exists or (fault.says_no_upload and self._store.exists(key)):
                return False
            raise as_error(fault, self._place, key) from fault
        return True

    def _is_same(self, key: str, source: Path | bytes, sha256: str) -> bool:
        size = len(source) if isinstance(source, bytes) else source.stat().st_size
        return self._store.size(key) == size and self._gives_back(key, sha256)

    def _gives_back(self, key: str, sha256: str) -> bool:
        """Read an object back, twice when it differs: a byte may be flipped on its way to us."""
        return any(sha256_of_object(self._store, key) == sha256 for _ in range(2))


def _require_hash(key: str, source: Path | bytes, sha256: str) -> None:
    if isinstance(source, bytes):
        found = hashlib.sha256(source).hexdigest()
    else:
        with source.open("rb") as stream:
            found = hashlib.file_digest(stream, "sha256").hexdigest()
    if found != sha256:
        raise wrong_hash(key)
