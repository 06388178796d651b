"""Ends multipart uploads that were cut short: their parts take room and are in no listing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from xml.etree import ElementTree as ET

import structlog

from storage.objects.s3_faults import Fault, as_error, unreadable
from storage.objects.s3_http import Calls
from storage.objects.s3_place import S3Place
from storage.objects.s3_upload import abort

log = structlog.get_logger()


def end_stale_uploads(
    calls: Calls, place: S3Place, *, clock: Callable[[], datetime], ours: tuple[str, ...]
) -> int:
    """End uploads of ours that nobody has gone on with for long, and return how many.

    Another node may be in the middle of one: only their age tells, by the server's own clock.
    """
    try:
        answer = calls.call("GET", query={"uploads": "", "max-uploads": "1000"})
        root = ET.fromstring(answer.data)  # noqa: S314 - the answer of our own server
    except Fault as fault:
        if fault.says_no_upload:  # rclone says so where there is none at all
            return 0
        if fault.status in (400, 403, 405, 501):
            log.info("uploads_not_listed", store=str(place), reason=fault.code)
            return 0
        raise as_error(fault, place, "") from fault
    except ET.ParseError as error:
        raise unreadable(place) from error
    now = _time(answer.headers.get("date", "")) or clock()
    ended = 0
    for element in root.iterfind("{*}Upload"):
        key, upload = element.findtext("{*}Key") or "", element.findtext("{*}UploadId") or ""
        begun = _time(element.findtext("{*}Initiated") or "") or now
        is_stale = now - begun >= timedelta(seconds=place.stale_upload_s)
        if is_stale and key.startswith(ours) and abort(calls, key, upload):
            ended += 1
    return ended


def _time(text: str) -> datetime | None:
    """Return a time of a header or of a listing; None when it cannot be read."""
    for read in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            found = read(text)
        except ValueError:
            continue
        return found if found.tzinfo else found.replace(tzinfo=UTC)
    return None
