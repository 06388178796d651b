"""WADO-RS (PS3.18 section 10.4): instances, metadata and frames, all as they are stored.

Decodes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

import structlog
from flask import Blueprint, Response, current_app, request, stream_with_context

from casework.custody import CustodyEvent
from casework.errors import Invalid, NotFound
from storage.dicom_json import dicom_json as dataset_json
from storage.exact import chunks_of
from storage.frames import cut_of
from storage.part10 import DEFLATED_LE, EXPLICIT_BE, EXPLICIT_LE, IMPLICIT_LE, BytesSource
from storage.rows import InstanceRow
from viewer.dicomweb import accept, dicom_json, rendering
from viewer.dicomweb.accept import Wanted
from viewer.dicomweb.multipart import length_of, new_boundary, write_parts
from viewer.dicomweb.noting import note, note_once
from viewer.guard import current_actor, current_scope
from viewer.imaging import imaging
from viewer.problems import NotAcceptable
from viewer.services import services

log = structlog.get_logger()

FRAMES_ENDPOINT = "dicomweb.retrieve_frames"
RENDERED_ENDPOINT = "dicomweb.rendered_frame"
FRAMES_NOTED = "frames-retrieved"
JPEG = "image/jpeg"

_DICOM = "application/dicom"
_OCTETS = "application/octet-stream"
_NATIVE = frozenset({IMPLICIT_LE, EXPLICIT_LE, EXPLICIT_BE, DEFLATED_LE})
_FRAME_TYPES: Mapping[str, str] = {
    "1.2.840.10008.1.2.4.50": "image/jpeg",
    "1.2.840.10008.1.2.4.51": "image/jpeg",
    "1.2.840.10008.1.2.4.57": "image/jpeg",
    "1.2.840.10008.1.2.4.70": "image/jpeg",
    "1.2.840.10008.1.2.4.80": "image/jls",
    "1.2.840.10008.1.2.4.81": "image/jls",
    "1.2.840.10008.1.2.4.90": "image/jp2",
    "1.2.840.10008.1.2.4.91": "image/jp2",
    "1.2.840.10008.1.2.4.92": "image/jpx",
    "1.2.840.10008.1.2.4.93": "image/jpx",
    "1.2.840.10008.1.2.4.110": "image/jxl",
    "1.2.840.10008.1.2.4.111": "image/jxl",
    "1.2.840.10008.1.2.4.112": "image/jxl",
    "1.2.840.10008.1.2.4.201": "image/jphc",
    "1.2.840.10008.1.2.4.202": "image/jphc",
    "1.2.840.10008.1.2.4.203": "image/jphc",
    "1.2.840.10008.1.2.5": "image/dicom-rle",
}
"""The media type of one frame of a transfer syntax (PS3.18 section 8.7.3)."""

_PIXEL_TAGS = frozenset(
    bytes.fromhex(tag) for tag in ("e07f1000", "e07f0800", "e07f0900", "7fe00010")
)

_STUDY = "/studies/<study>"
_SERIES = _STUDY + "/series/<series>"
_INSTANCE = _SERIES + "/instances/<instance>"


def add_to(bp: Blueprint) -> None:
    """Add the retrieve routes."""
    for endpoint, rule in (("study", _STUDY), ("series", _SERIES), ("instance", _INSTANCE)):
        bp.add_url_rule(rule, f"retrieve_{endpoint}", retrieve)
        bp.add_url_rule(rule + "/metadata", f"metadata_{endpoint}", metadata)
    bp.add_url_rule(_INSTANCE + "/frames/<numbers>", "retrieve_frames", frames)
    bp.add_url_rule(_INSTANCE + "/frames/<int:frame>/rendered", "rendered_frame", rendered)
    bp.add_url_rule(_INSTANCE + "/rendered", "rendered_instance", rendered)


def retrieve(study: str, series: str | None = None, instance: str | None = None) -> Response:
    """Return instances as stored; one alone may come without multipart."""
    rows = rows_of(study, series, instance)
    single = _whole_form(rows, accept.wanted(), may_be_single=instance is not None)
    if instance is None:
        _note("images-retrieved", study, series, images=len(rows))
    else:
        _note_once("images-retrieved", study, series or "")
    _note_exported(rows)
    archive = services().archive
    if single:
        return _stream(
            chunks_of(archive.open_part10(rows[0])),
            length=rows[0].location.length,
            content_type=_typed(_DICOM, rows[0]),
        )
    return _multipart(
        _DICOM,
        heads=[f"Content-Type: {_typed(_DICOM, row)}" for row in rows],
        lengths=[row.location.length for row in rows],
        contents=map(chunks_of, archive.open_each(rows)),
    )


def metadata(study: str, series: str | None = None, instance: str | None = None) -> Response:
    """Return the headers of instances as DICOM JSON, without bulk data."""
    types = ("application/json", dicom_json.MEDIA_TYPE)
    if not any(accept.matches(t, w.media_type) for t in types for w in accept.wanted()):
        raise NotAcceptable("Metadata comes as application/dicom+json.", code="not-acceptable")
    rows = rows_of(study, series, instance)
    _note_once("metadata-retrieved", study, series or "")
    headers = _headers(rows)
    first = next(headers)
    return Response(
        stream_with_context(chain([first], headers)), content_type=dicom_json.MEDIA_TYPE
    )


def frames(study: str, series: str, instance: str, numbers: str) -> Response:
    """Return frames in the transfer syntax that they are stored in."""
    row = rows_of(study, series, instance)[0]
    asked = _frame_numbers(numbers, row)
    media_type, single = form_of_frames(row, accept.wanted(), may_be_single=len(asked) == 1)
    archive = services().archive
    lengths = [cut_of(row.pixel, row.attributes, n).frame_bytes for n in asked]
    _note_once(FRAMES_NOTED, study, series)
    if single:
        return Response(
            archive.read_frame(row, asked[0]).data, content_type=_typed(media_type, row)
        )
    return _multipart(
        media_type,
        heads=[f"Content-Type: {_typed(media_type, row)}"] * len(asked),
        lengths=lengths,
        contents=((archive.read_frame(row, n).data,) for n in asked),
    )


def rendered(study: str, series: str, instance: str, frame: int = 1) -> Response:
    """Return one frame as a JPEG that anybody can show; not for diagnosis (PS3.18 8.3.5, 10.4)."""
    if not takes_jpeg(accept.wanted()):
        raise NotAcceptable("Rendered images come as image/jpeg.", code="not-acceptable")
    row = rows_of(study, series, instance)[0]
    how = rendering.asked(request.args)
    jpeg = imaging().renderer.rendered(row, frame, window=how.window, quality=how.quality)
    _note_once(FRAMES_NOTED, study, series)
    return Response(jpeg, content_type=JPEG)


def takes_jpeg(ranges: Sequence[Wanted]) -> bool:
    """Tell whether a client takes the only form of a rendered image."""
    return any(not w.multipart and accept.matches(JPEG, w.media_type) for w in ranges)


def form_of_frames(
    row: InstanceRow, ranges: Sequence[Wanted], *, may_be_single: bool
) -> tuple[str, bool]:
    """Return the media type of an object's frames and whether one comes without multipart."""
    media_type = _FRAME_TYPES.get(row.transfer_syntax_uid, _OCTETS)
    return media_type, _is_single(row, media_type, ranges, may_be_single=may_be_single)


def rows_of(study: str, series: str | None, instance: str | None) -> Sequence[InstanceRow]:
    """Return the instances of an address within sight, or raise NotFound."""
    index, scope = services().index, current_scope()
    rows = index.instances_of(scope, study, series, sop_instance_uid=instance)
    if not rows:
        raise NotFound("There are no such images.", code="no-such-images")
    return rows


def _note_exported(rows: Sequence[InstanceRow]) -> None:
    """Note in the custody of each instance who has fetched it, once for each caller."""
    actor = current_actor()
    services().index.note_first(
        [row.pk for row in rows],
        CustodyEvent.EXPORTED,
        services().clock(),
        {"actor": actor.id, "name": actor.name, "door": "dicomweb"},
        key=actor.id,
    )


def _whole_form(
    rows: Sequence[InstanceRow], ranges: Sequence[Wanted], *, may_be_single: bool
) -> bool:
    """Tell whether the answer is a single part, or raise NotAcceptable."""
    for wanted in ranges:
        fits = accept.matches(_DICOM, wanted.media_type) and all(
            _syntax_fits(row, wanted) for row in rows
        )
        if fits and wanted.multipart:
            return False
        if fits and (may_be_single or wanted.media_type == accept.ANY):
            return may_be_single and wanted.media_type != accept.ANY
    raise NotAcceptable(
        'Images come as multipart/related; type="application/dicom", in the transfer syntax in '
        "which they were sent: ask with transfer-syntax=*.",
        code="not-acceptable",
    )


def _syntax_fits(row: InstanceRow, wanted: Wanted) -> bool:
    """Tell whether the stored transfer syntax will do; who names none is sent what there is."""
    return wanted.transfer_syntax in {"", "*", row.transfer_syntax_uid}


def _is_single(
    row: InstanceRow, media_type: str, ranges: Sequence[Wanted], *, may_be_single: bool
) -> bool:
    native = row.transfer_syntax_uid in _NATIVE
    for wanted in ranges:
        fits = accept.matches(media_type, wanted.media_type) or (
            wanted.media_type == _OCTETS and (native or wanted.transfer_syntax == "*")
        )
        if fits and _syntax_fits(row, wanted) and (wanted.multipart or may_be_single):
            return not wanted.multipart and wanted.media_type != accept.ANY
        if fits and wanted.media_type == accept.ANY and not wanted.transfer_syntax:
            return False
    raise NotAcceptable(
        f"The frames are stored as {media_type} ({row.transfer_syntax_uid}): ask for that, or with "
        "transfer-syntax=*.",
        code="not-acceptable",
    )


def _frame_numbers(numbers: str, row: InstanceRow) -> list[int]:
    try:
        asked = [int(n) for n in numbers.split(",")]
    except ValueError as error:
        raise Invalid(
            "Frames are asked for by number, such as 1,2,3.", code="bad-request"
        ) from error
    if row.pixel is None or any(n < 1 or n > row.pixel.frames for n in asked):
        raise NotFound("There is no such frame.", code="no-such-frame")
    return asked


def _headers(rows: Sequence[InstanceRow]) -> Iterator[str]:
    for position, row in enumerate(rows):
        yield ("," if position else "[") + json.dumps(_header(row))
    yield "]"


def _header(row: InstanceRow) -> dict[str, Any]:
    """Return a header as JSON; what cannot be read in it comes from what the index took of it."""
    known = dicom_json.to_json(
        {
            **row.attributes,
            "SOPClassUID": row.sop_class_uid,
            "SOPInstanceUID": row.sop_instance_uid,
            "StudyInstanceUID": row.study_uid,
            "SeriesInstanceUID": row.series_uid,
        }
    )
    try:
        header = dataset_json(
            BytesSource(_before_pixels(row)),
            transfer_syntax_uid=row.transfer_syntax_uid,
            limits=services().archive.walk_limits,
        )
    except Invalid as error:
        log.warning("header not readable", sop=row.sop_instance_uid, site=row.site, code=error.code)
        return known
    empty = {tag for tag, element in header.items() if "Value" not in element}
    return header | {tag: element for tag, element in known.items() if tag in empty}


def _before_pixels(row: InstanceRow) -> bytes:
    """Return the data set up to its pixel data.

    Tag, VR and length stand before the value: in 12 bytes, or 8 where the VR is implicit, as it is
    in some elements of odd files whatever their transfer syntax says.
    """
    if row.pixel is None or row.transfer_syntax_uid == DEFLATED_LE:
        return services().archive.read_dataset(row)
    with services().archive.open_part10(row) as source:
        file = source.read(row.location.dataset_offset + row.pixel.offset)
    head_bytes = 12 if file[-12:-8] in _PIXEL_TAGS else 8
    return file[row.location.dataset_offset : -head_bytes]


def _typed(media_type: str, row: InstanceRow) -> str:
    return f"{media_type}; transfer-syntax={row.transfer_syntax_uid}"


def _multipart(
    media_type: str,
    *,
    heads: Sequence[str],
    lengths: Sequence[int],
    contents: Iterator[Iterable[bytes]],
) -> Response:
    boundary = new_boundary()
    first = next(contents)  # what cannot be read at all is told by the status
    parts = zip(heads, chain([first], contents), strict=True)
    return _stream(
        write_parts(boundary, parts),
        length=length_of(boundary, zip(heads, lengths, strict=True)),
        content_type=f'multipart/related; type="{media_type}"; boundary={boundary}',
    )


def _stream(chunks: Iterator[bytes], *, length: int, content_type: str) -> Response:
    """Return a body of a known length: one that is broken off is seen to be by whoever reads it."""
    response = Response(stream_with_context(chunks), content_type=content_type)
    response.content_length = length
    return response


def _note_once(action: str, study: str, series: str) -> None:
    note_once(current_app.extensions, services(), current_actor(), action, study, series)


def _note(action: str, study: str, series: str | None, **detail: Any) -> None:
    note(services(), current_actor(), action, study, series, **detail)
