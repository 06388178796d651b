"""Sends one object to an S3 server: whole, or in parallel parts. Each with its checksum, and only
when the key is free.

The hash of the whole is taken from the same bytes as are sent; bytes with another leave nothing.
"""

from __future__ import annotations

import base64
import hashlib
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

import structlog

from casework.errors import LysbroError, Unavailable
from storage.objects.port import wrong_hash
from storage.objects.s3_faults import Fault
from storage.objects.s3_http import Calls

log = structlog.get_logger()

ONLY_IF_FREE: Mapping[str, str] = {"If-None-Match": "*"}
_TYPE = {"Content-Type": "application/zip"}


@dataclass(frozen=True)
class Part:
    """One part that the server has taken."""

    number: int
    etag: str
    checksum: str


def checksum(data: bytes) -> str:
    """Return a SHA-256 as S3 writes it."""
    return base64.b64encode(hashlib.sha256(data).digest()).decode("ascii")


def proofs(data: bytes) -> dict[str, str]:
    """Return the headers by which a server can tell that it has these bytes.

    The SHA-256, and for older servers and buckets with object lock, which insist, the MD5.
    """
    md5 = base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode("ascii")
    return {
        "x-amz-checksum-sha256": checksum(data),
        "x-amz-sdk-checksum-algorithm": "SHA256",
        "Content-MD5": md5,
    }


def send_whole(
    calls: Calls, key: str, data: bytes, *, sha256: str, condition: Mapping[str, str]
) -> None:
    """Send an object in one call; Fault with `says_exists` when the key is taken."""
    if hashlib.sha256(data).hexdigest() != sha256:
        raise wrong_hash(key)
    headers = {**_TYPE, **condition, **proofs(data)}
    calls.call("PUT", key, body=data, headers={**headers, "x-amz-meta-sha256": sha256})


def send_in_parts(
    calls: Calls, key: str, source: Path, *, sha256: str, condition: Mapping[str, str]
) -> None:
    """Send a file in parts, some at a time; Fault with `says_exists` when the key is taken.

    Needs `part_bytes` times `parallel_parts + 1` of memory. What fails is aborted.
    """
    upload = start_upload(calls, key, sha256=sha256)
    is_whole = False
    try:
        parts = _send_parts(calls, key, upload, source, sha256=sha256)
        complete(calls, key, upload, parts, condition=condition)
        is_whole = True
    except Fault as fault:
        # a completion whose answer was lost has ended the upload; then there is nothing to abort
        is_whole = fault.says_no_upload
        raise
    finally:
        if not is_whole:
            abort(calls, key, upload)


def start_upload(calls: Calls, key: str, *, sha256: str = "") -> str:
    """Begin a multipart upload and return its id."""
    headers = {**_TYPE, "x-amz-checksum-algorithm": "SHA256"}
    if sha256:
        headers["x-amz-meta-sha256"] = sha256
    answer = calls.call("POST", key, headers=headers, query={"uploads": ""})
    found = ET.fromstring(answer.data).findtext("{*}UploadId")  # noqa: S314 - of our own server
    if not found:
        raise Unavailable(
            f"The {calls.place} did not begin an upload for {key}. Look at the server's log.",
            code="store-failed",
        )
    return found


def send_part(calls: Calls, key: str, upload: str, number: int, data: bytes) -> Part:
    """Send one part, counted from 1."""
    answer = calls.call(
        "PUT",
        key,
        body=data,
        headers=proofs(data),
        query={"partNumber": str(number), "uploadId": upload},
    )
    return Part(number, answer.headers.get("etag", ""), checksum(data))


def complete(
    calls: Calls,
    key: str,
    upload: str,
    parts: Sequence[Part],
    *,
    condition: Mapping[str, str] = ONLY_IF_FREE,
) -> None:
    """Make one object of the parts, when the key is free."""
    root = ET.Element("CompleteMultipartUpload")
    for part in parts:
        element = ET.SubElement(root, "Part")
        ET.SubElement(element, "PartNumber").text = str(part.number)
        ET.SubElement(element, "ETag").text = part.etag
        ET.SubElement(element, "ChecksumSHA256").text = part.checksum
    body = ET.tostring(root)
    md5 = base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode("ascii")
    calls.call(
        "POST",
        key,
        body=body,
        headers={"Content-Type": "application/xml", "Content-MD5": md5, **condition},
        query={"uploadId": upload},
    )


def abort(calls: Calls, key: str, upload: str) -> bool:
    """End an upload without an object; what cannot be ended now is ended by tidying, by its age."""
    try:
        calls.call("DELETE", key, query={"uploadId": upload})
    except Fault as fault:
        return fault.says_no_upload
    except LysbroError as error:
        log.warning("upload_not_aborted", key=key, reason=error.code)
        return False
    return True


def _send_parts(calls: Calls, key: str, upload: str, source: Path, *, sha256: str) -> list[Part]:
    place = calls.place
    digest = hashlib.sha256()
    parts: list[Part] = []
    under_way: deque[Future[Part]] = deque()
    with ThreadPoolExecutor(place.parallel_parts, "s3-part") as pool, source.open("rb") as stream:
        try:
            while data := stream.read(place.part_bytes):
                digest.update(data)
                number = len(parts) + len(under_way) + 1
                under_way.append(pool.submit(send_part, calls, key, upload, number, data))
                if len(under_way) >= place.parallel_parts:
                    parts.append(under_way.popleft().result())
            while under_way:
                parts.append(under_way.popleft().result())
        finally:
            for future in under_way:
                future.cancel()
    if digest.hexdigest() != sha256:
        raise wrong_hash(key)
    return parts
