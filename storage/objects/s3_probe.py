"""Asks an S3 server what it can do, by trying: a claim in a manual is not asked.

A server may echo a checksum that it never compared, and answer 200 to a condition that it ignores.
The trials write under a name that is no key, always the same, so that they do not gather.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from xml.etree import ElementTree as ET

import structlog

from storage.objects.s3_faults import NO_ANSWER, Fault, as_error
from storage.objects.s3_http import Calls
from storage.objects.s3_upload import (
    ONLY_IF_FREE,
    abort,
    checksum,
    complete,
    proofs,
    send_part,
    start_upload,
)

log = structlog.get_logger()

TRIALS = ".lysbro/"  # no key starts with a dot
_KNOWN, _SPOILT = TRIALS + "self-test", TRIALS + "self-test-spoilt"
_CONTENT = b"Lysbro asks this server what it can do. This object may be deleted.\n"
UNKNOWN = "unknown"


@dataclass(frozen=True)
class Capabilities:
    """What a server was found to do, and when."""

    place: str
    tested_at: str
    server: str  # what it calls itself
    conditional_put: bool  # If-None-Match: * on an object
    conditional_complete: bool  # the same on the end of a multipart upload
    checks_checksum: bool  # refuses bytes that do not have their x-amz-checksum-sha256
    returns_checksum: bool  # tells it afterwards
    versioning: str  # "on", "off", "suspended" or "unknown"
    object_lock: str  # "off", "on", or its default rule such as "compliance 30 days"

    @property
    def is_conditional(self) -> bool:
        """Tell whether the server itself refuses to overwrite, however an object comes."""
        return self.conditional_put and self.conditional_complete

    def lacks(self) -> list[str]:
        """Return what is missing, in words for an operator."""
        told = {
            "conditional writes": self.conditional_put,
            "conditional multipart": self.conditional_complete,
            "checks of checksums": self.checks_checksum,
        }
        return [name for name, is_there in told.items() if not is_there]


def probe(calls: Calls, *, now: datetime) -> Capabilities:
    """Try the server out, or raise Unavailable when it cannot be used at all."""
    try:
        server = _require_bucket(calls)
        conditional_put = _tries_conditional_put(calls)
        returns_checksum = _returns_checksum(calls)  # of the put, not of the upload that follows
        found = Capabilities(
            place=str(calls.place),
            tested_at=now.isoformat(),
            server=server,
            conditional_put=conditional_put,
            conditional_complete=_tries_conditional_complete(calls),
            checks_checksum=_tries_spoilt(calls),
            returns_checksum=returns_checksum,
            versioning=_versioning(calls),
            object_lock=_object_lock(calls),
        )
    except Fault as fault:
        raise as_error(fault, calls.place, "") from fault
    log.info("store_tested", **asdict(found))
    return found


def save(path: Path, found: Capabilities) -> None:
    """Keep what was found for the other processes on this data folder."""
    temporary = path.with_suffix(".new")
    try:
        temporary.write_text(json.dumps(asdict(found), indent=1))
        temporary.replace(path)
    except OSError as error:
        log.warning("self_test_not_written", path=str(path), reason=str(error))


def load(path: Path, *, place: str) -> Capabilities | None:
    """Return what was found of this place, or None."""
    try:
        found = Capabilities(**json.loads(path.read_text()))
    except (OSError, ValueError, TypeError):
        return None
    return found if found.place == place else None


def _require_bucket(calls: Calls) -> str:
    answer = calls.call("GET", query={"list-type": "2", "max-keys": "1", "prefix": TRIALS})
    return str(answer.headers.get("server", "")) or UNKNOWN


def _tries_conditional_put(calls: Calls) -> bool:
    """Put what is there already; it must be refused."""
    headers = proofs(_CONTENT)
    if not _is_there(calls, _KNOWN):
        calls.call("PUT", _KNOWN, body=_CONTENT, headers=headers)
    return _is_refused(
        lambda: calls.call("PUT", _KNOWN, body=_CONTENT, headers={**headers, **ONLY_IF_FREE})
    )


def _tries_conditional_complete(calls: Calls) -> bool:
    """End an upload on a key that is taken; it must be refused."""
    upload = start_upload(calls, _KNOWN)
    try:
        part = send_part(calls, _KNOWN, upload, 1, _CONTENT)
        return _is_refused(lambda: complete(calls, _KNOWN, upload, [part]))
    finally:
        abort(calls, _KNOWN, upload)


def _tries_spoilt(calls: Calls) -> bool:
    """Put bytes with the checksum of others; they must be refused."""
    spoilt = _CONTENT[::-1]
    headers = proofs(spoilt) | {"x-amz-checksum-sha256": checksum(_CONTENT)}
    try:
        calls.call("PUT", _SPOILT, body=spoilt, headers=headers, repeats=False)
    except Fault as fault:
        if fault.status == NO_ANSWER or fault.status >= 500:
            raise
        return True
    with suppress(Fault):
        calls.call("DELETE", _SPOILT)
    return False


def _returns_checksum(calls: Calls) -> bool:
    answer = calls.call("HEAD", _KNOWN, headers={"x-amz-checksum-mode": "ENABLED"})
    return bool(answer.headers.get("x-amz-checksum-sha256") == checksum(_CONTENT))


def _versioning(calls: Calls) -> str:
    try:
        answer = calls.call("GET", query={"versioning": ""})
        status = ET.fromstring(answer.data).findtext("{*}Status")  # noqa: S314 - our own server
    except (Fault, ET.ParseError):
        return UNKNOWN
    return {"Enabled": "on", "Suspended": "suspended"}.get((status or "").strip(), "off")


def _object_lock(calls: Calls) -> str:
    try:
        answer = calls.call("GET", query={"object-lock": ""})
        root = ET.fromstring(answer.data)  # noqa: S314 - our own server
    except Fault as fault:
        return "off" if fault.status == 404 else UNKNOWN
    except ET.ParseError:
        return UNKNOWN
    if (root.findtext("{*}ObjectLockEnabled") or "").strip() != "Enabled":
        return "off"
    mode = (root.findtext(".//{*}Mode") or "").lower()
    for unit in ("Days", "Years"):
        if number := root.findtext(".//{*}" + unit):
            return f"{mode} {number} {unit.lower()}"
    return "on"


def _is_there(calls: Calls, key: str) -> bool:
    try:
        calls.call("HEAD", key)
    except Fault as fault:
        if fault.says_no_object:
            return False
        raise
    return True


def _is_refused(put: Callable[[], object]) -> bool:
    """Tell whether a put on a taken key finds it taken; a server may not know the condition."""
    try:
        put()
    except Fault as fault:
        return fault.says_exists
    return False
