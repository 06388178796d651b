"""One value of bulk data, or the pixel data of an instance (PS3.18 section 10.4.1.1.5)."""

from __future__ import annotations

from collections.abc import Sequence

from flask import Response

from casework.errors import NotFound
from storage.bulk import path_of
from storage.rows import InstanceRow
from storage.walker import PIXEL_TAGS
from viewer.dicomweb import accept, video
from viewer.dicomweb.accept import Wanted
from viewer.dicomweb.addresses import FRAMES_NOTED, note_retrieved_once, root_address, rows_of
from viewer.dicomweb.bodies import multipart, part_head, single, tag_of
from viewer.dicomweb.bulk_addresses import PIXELS, bulk_address
from viewer.dicomweb.frames import frames_of
from viewer.dicomweb.negotiation import form_of_frames
from viewer.dicomweb.values import DOCUMENT, native_pixels, value_at
from viewer.problems import NotAcceptable
from viewer.syntaxes import OCTETS, is_video

_PLAIN = frozenset({"", "*", "1.2.840.10008.1.2.1"})


def bulkdata(study: str, series: str, instance: str, path: str) -> Response:
    """Return one value, or a part of it."""
    row = rows_of(study, series, instance)[0]
    tags = path_of(path)
    if len(tags) == 1 and tags[0] in PIXEL_TAGS:
        response = _pixels(row, accept.wanted())
    else:
        response = _one(row, tags, path)
    note_retrieved_once(FRAMES_NOTED, study, series)
    return response


def _one(row: InstanceRow, tags: tuple[int, ...], path: str) -> Response:
    value = value_at(row, tags)
    if value is None:
        raise NotFound("There is no bulk data at this place.", code="no-bulk-data")
    is_single, media_type = _form(value.media_type, accept.wanted())
    tag = tag_of(row, "bulk", tags, media_type, is_single)
    if is_single:
        return single(media_type, value.read, length=value.length, tag=tag)
    head = part_head(media_type, bulk_address(root_address(), row, path.upper()))
    parts = iter([(head, value.read(0, value.length))])
    return multipart(media_type, parts, lengths=[(head, value.length)], tag=tag)


def document_of(row: InstanceRow, *, is_single: bool) -> Response:
    """Return the document inside an object, as the media type that the object says."""
    value = value_at(row, (DOCUMENT,))
    if value is None:
        raise NotFound("The object holds no document.", code="no-document")
    tag = tag_of(row, "document", is_single)
    if is_single:
        return single(value.media_type, value.read, length=value.length, tag=tag)
    head = f"Content-Type: {value.media_type}"
    parts = iter([(head, value.read(0, value.length))])
    return multipart(value.media_type, parts, lengths=[(head, value.length)], tag=tag)


def _form(media_type: str, ranges: Sequence[Wanted]) -> tuple[bool, str]:
    """Tell whether a value comes without multipart, and as which media type."""
    for wanted in ranges:
        for each in dict.fromkeys((media_type, OCTETS)):
            if wanted.takes(each) and wanted.transfer_syntax in _PLAIN:
                return not wanted.multipart, each
    raise NotAcceptable(f"Bulk data comes as {OCTETS}.", code="not-acceptable")


def _pixels(row: InstanceRow, ranges: Sequence[Wanted]) -> Response:
    """Return pixel data: native as one value, compressed frame by frame, a video as its stream."""
    if row.pixel is None:
        raise NotFound("The object has no pixel data.", code="no-pixels")
    form = form_of_frames(row, ranges, may_be_single=True)
    if is_video(form.transfer_syntax_uid):
        return video.answer(row, form)
    if form.media_type != OCTETS:
        return frames_of(row, range(1, row.pixel.frames + 1), ranges)
    value = native_pixels(row, form)
    tag = tag_of(row, "bulk", PIXELS, form.transfer_syntax_uid, form.is_single)
    if form.is_single:
        return single(form.content_type, value.read, length=value.length, tag=tag)
    head = part_head(form.content_type, bulk_address(root_address(), row, PIXELS))
    parts = iter([(head, value.read(0, value.length))])
    return multipart(OCTETS, parts, lengths=[(head, value.length)], tag=tag)
