"""Keeps the metadata of studies and series as the bytes of an answer, and says what is to be sent.

An answer is found by the fingerprint of what the caller sees at this moment: who sees other
objects, or other bytes of them, finds another. Derives nothing; what is not here is given to it.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from werkzeug.http import parse_accept_header, parse_etags

from casework.access import Scope
from storage.filemeta import IMPLEMENTATION_VERSION_NAME
from storage.remade import METADATA, keeping
from viewer.dicomweb.dicom_json import MEDIA_TYPE
from viewer.preview_cache import PreviewCache
from viewer.services import Services

FORM = 2
"""Of what is derived: another number derives all of it anew."""

_GZIP = 31  # zlib's word for a gzip header and trailer around 15 bits of window
_DIGEST_BYTES = 32

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Address:
    """What is asked for, by whom it may be seen."""

    scope: Scope
    study_uid: str
    series_uid: str | None = None
    sop_instance_uid: str | None = None
    root: str = ""  # of the addresses of bulk data


@dataclass(frozen=True)
class Conditions:
    """How it is asked for: the client's version, and whether it unpacks."""

    if_none_match: str = ""
    takes_gzip: bool = False

    @classmethod
    def of(cls, environ: Mapping[str, object]) -> Conditions:
        """Return those of a WSGI request."""
        accepted = str(environ.get("HTTP_ACCEPT_ENCODING", ""))
        return cls(str(environ.get("HTTP_IF_NONE_MATCH", "")), _takes_gzip(accepted))


@dataclass(frozen=True)
class Answer:
    """What is sent."""

    status: int
    headers: Headers
    body: bytes = b""


class KeptMetadata:
    """Answers on disk, shared by the processes of a node; the least recently asked for go first."""

    def __init__(self, known: Services) -> None:
        settings = known.settings
        self._index = known.index
        # what is derived while a mirror stands by was read from bytes that had their hash
        archive = known.archive
        is_checked = archive.mirror is not None
        self._salt = f"{FORM} {IMPLEMENTATION_VERSION_NAME} {is_checked} {archive.walk_limits}"
        self._cache = settings.cache if settings.metadata_cache_bytes else None
        self._files = PreviewCache(
            self._cache / METADATA if self._cache else None,
            limit_bytes=settings.metadata_cache_bytes,
            look_every_bytes=settings.metadata_cache_bytes // 16,
        )
        self._most_bytes = settings.metadata_cache_bytes // 8

    def find(self, address: Address, conditions: Conditions) -> Answer | None:
        """Return the answer as of now, or None where it has to be derived."""
        fingerprint = self._fingerprint(address)
        if not fingerprint:
            return None
        version = self._version(address, fingerprint)
        if _is_known(version, conditions):
            return _answer(304, version, conditions)
        packed = self._read(version)
        return None if packed is None else _answer(200, version, conditions, packed=packed)

    def keep(
        self, address: Address, conditions: Conditions, fingerprint: str, body: bytes
    ) -> Answer:
        """Keep what was derived of the content with a fingerprint, and return the answer."""
        version = self._version(address, fingerprint)
        packed: bytes | None = None
        if address.sop_instance_uid is None and self._cache is not None:
            packed = _packed(body)
            if len(packed) <= self._most_bytes:
                with keeping(self._cache):  # nothing of what is erased by now
                    if self._fingerprint(address) == fingerprint:
                        self._files.put(version, hashlib.sha256(packed).digest() + packed)
        return _answer(200, version, conditions, packed=packed, body=body)

    def _fingerprint(self, at: Address) -> str:
        return self._index.fingerprint(at.scope, at.study_uid, at.series_uid, at.sop_instance_uid)

    def _version(self, address: Address, fingerprint: str) -> str:
        told = f"{self._salt} {address.root} {fingerprint}"
        return hashlib.sha256(told.encode()).hexdigest()

    def _read(self, version: str) -> bytes | None:
        """Return what is kept; a file that a power cut has torn is passed over."""
        kept = self._files.get(version)
        if kept is None:
            return None
        packed = kept[_DIGEST_BYTES:]
        return packed if hashlib.sha256(packed).digest() == kept[:_DIGEST_BYTES] else None


def _answer(
    status: int,
    version: str,
    conditions: Conditions,
    *,
    packed: bytes | None = None,
    body: bytes | None = None,
) -> Answer:
    about: Headers = (
        ("ETag", _etag(version, conditions)),
        ("Cache-Control", "private, no-cache"),
        ("Vary", "Accept-Encoding"),
    )
    if status == 304:
        return Answer(status, about)
    about = (("Content-Type", MEDIA_TYPE), *about)
    if conditions.takes_gzip:
        if packed is None:
            packed = _packed(body or b"")
        return Answer(status, (*about, ("Content-Encoding", "gzip")), packed)
    return Answer(status, about, zlib.decompress(packed or b"", _GZIP) if body is None else body)


def _is_known(version: str, conditions: Conditions) -> bool:
    """Tell whether the client has it (RFC 9110 section 13.1.2)."""
    given = conditions.if_none_match
    return bool(given) and parse_etags(given).contains_weak(_etag(version, conditions).strip('"'))


def _etag(version: str, conditions: Conditions) -> str:
    """Return a strong validator, which the packed form must not share (RFC 9110 section 8.8.3)."""
    return f'"{version[:40]}{"-gzip" if conditions.takes_gzip else ""}"'


def _packed(body: bytes) -> bytes:
    packer = zlib.compressobj(6, zlib.DEFLATED, _GZIP)
    return packer.compress(body) + packer.flush()


@lru_cache(maxsize=256)
def _takes_gzip(accepted: str) -> bool:
    return parse_accept_header(accepted).best_match(["gzip", "identity"]) == "gzip"
