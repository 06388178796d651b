"""WADO-RS (PS3.18 section 10.4): instances and frames, as they are stored.

What is kept in another form than it came in is given as it came, too. Converts nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from typing import Any

from flask import Blueprint, Response, current_app, request, stream_with_context

from casework.custody import CustodyEvent
from casework.errors import Invalid, NotFound, Unavailable
from storage.exact import chunks_of
from storage.forms import frame_shape
from storage.frames import cut_of
from storage.part10 import DEFLATED_LE, EXPLICIT_BE, EXPLICIT_LE, IMPLICIT_LE
from storage.rows import InstanceRow
from viewer.dicomweb import accept, rendering
from viewer.dicomweb.accept import Wanted
from viewer.dicomweb.multipart import length_of, new_boundary, write_parts
from viewer.dicomweb.noting import note, note_once
from viewer.guard import current_actor, current_scope
from viewer.imaging import imaging
from viewer.problems import NotAcceptable
from viewer.services import services

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

STUDY = "/studies/<study>"
SERIES = STUDY + "/series/<series>"
INSTANCE = SERIES + "/instances/<instance>"


def add_to(bp: Blueprint) -> None:
    """Add the retrieve routes."""
    for endpoint, rule in (("study", STUDY), ("series", SERIES), ("instance", INSTANCE)):
        bp.add_url_rule(rule, f"retrieve_{endpoint}", retrieve)
    bp.add_url_rule(INSTANCE + "/frames/<numbers>", "retrieve_frames", frames)
    bp.add_url_rule(INSTANCE + "/frames/<int:frame>/rendered", "rendered_frame", rendered)
    bp.add_url_rule(INSTANCE + "/rendered", "rendered_instance", rendered)


def retrieve(study: str, series: str | None = None, instance: str | None = None) -> Response:
    """Return instances as stored or as received; one alone may come without multipart."""
    rows = services().index.light_instances_of(current_scope(), study, series, instance)
    require_some(rows)
    single, wanted = _whole_form(rows, accept.wanted(), may_be_single=instance is not None)
    if instance is None:
        _note("images-retrieved", study, series, images=len(rows))
    else:
        _note_once("images-retrieved", study, series or "")
    _note_exported(rows)
    archive = services().archive
    if single:
        return _stream(
            _whole(rows[0], wanted),
            length=_length_of_whole(rows[0], wanted),
            content_type=_typed(_DICOM, _syntax_given(rows[0], wanted)),
        )
    lengths = [_length_of_whole(row, wanted) for row in rows]
    opened = archive.open_each(rows, as_received=lambda row: _as_received(row, wanted))
    return _multipart(
        _DICOM,
        heads=[f"Content-Type: {_typed(_DICOM, _syntax_given(row, wanted))}" for row in rows],
        lengths=lengths,
        contents=map(chunks_of, opened),
    )


def frames(study: str, series: str, instance: str, numbers: str) -> Response:
    """Return frames in the transfer syntax that they are stored in, or were received in."""
    row = rows_of(study, series, instance)[0]
    asked = _frame_numbers(numbers, row)
    media_type, single, wanted = form_of_frames(row, accept.wanted(), may_be_single=len(asked) == 1)
    read, syntax = partial(_frame_as_kept, row), row.transfer_syntax_uid
    lengths = [cut_of(row.pixel, row.attributes, n).frame_bytes for n in asked]
    if _native_is_wanted(row, wanted):
        media_type, syntax = _OCTETS, _syntax_given(row, wanted)
        read = partial(_native_frame, row)
        lengths = [frame_shape(row.attributes).size_bytes] * len(asked)
    content_type = _typed(media_type, syntax)
    _note_once(FRAMES_NOTED, study, series)
    if single:
        return Response(read(asked[0]), content_type=content_type)
    return _multipart(
        media_type,
        heads=[f"Content-Type: {content_type}"] * len(asked),
        lengths=lengths,
        contents=((read(n),) for n in asked),
    )


def _frame_as_kept(row: InstanceRow, number: int) -> bytes:
    """Return a frame in the transfer syntax of the row, or raise Unavailable."""
    frame = services().archive.read_frame(row, number)
    if frame.transfer_syntax_uid != row.transfer_syntax_uid:
        raise Unavailable(
            f"{row.sop_instance_uid} is kept in another form by now. Ask again.",
            code="form-changed",
        )
    return frame.data


def _native_frame(row: InstanceRow, number: int) -> bytes:
    return services().archive.native_frame(row, number).data


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
) -> tuple[str, bool, Wanted]:
    """Return the media type of an object's frames as kept, whether one comes without multipart,
    and which range decided.
    """
    media_type = _FRAME_TYPES.get(row.transfer_syntax_uid, _OCTETS)
    single, wanted = _is_single(row, media_type, ranges, may_be_single=may_be_single)
    return media_type, single, wanted


def rows_of(study: str, series: str | None, instance: str | None) -> Sequence[InstanceRow]:
    """Return the instances of an address within sight, or raise NotFound."""
    index, scope = services().index, current_scope()
    rows = index.instances_of(scope, study, series, sop_instance_uid=instance)
    require_some(rows)
    return rows


def require_some(rows: Sequence[InstanceRow]) -> None:
    """Raise NotFound when there is nothing within sight."""
    if not rows:
        raise NotFound("There are no such images.", code="no-such-images")


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
) -> tuple[bool, Wanted]:
    """Tell whether the answer is a single part, and for what range; or raise NotAcceptable."""
    for wanted in ranges:
        fits = accept.matches(_DICOM, wanted.media_type) and all(
            _syntax_fits(row, wanted) for row in rows
        )
        if fits and wanted.multipart:
            return False, wanted
        if fits and (may_be_single or wanted.media_type == accept.ANY):
            return may_be_single and wanted.media_type != accept.ANY, wanted
    raise NotAcceptable(
        'Images come as multipart/related; type="application/dicom", in the transfer syntax in '
        "which they were sent: ask with transfer-syntax=*.",
        code="not-acceptable",
    )


def _syntax_fits(row: InstanceRow, wanted: Wanted) -> bool:
    """Tell whether what is stored or was received will do; who names none takes what comes."""
    return wanted.transfer_syntax in {"", "*", row.transfer_syntax_uid} or _as_received(row, wanted)


def _as_received(row: InstanceRow, wanted: Wanted) -> bool:
    """Tell whether a recompressed object is given as it came: who names no syntax is.

    PS3.18 section 8.7.3.3: what is not asked for otherwise is in explicit VR little endian.
    """
    if row.received is None:
        return False
    return wanted.transfer_syntax in {"", row.received.restored_syntax}


def _syntax_given(row: InstanceRow, wanted: Wanted) -> str:
    if row.received is not None and _as_received(row, wanted):
        return row.received.restored_syntax
    return row.transfer_syntax_uid


def _whole(row: InstanceRow, wanted: Wanted) -> Iterator[bytes]:
    archive = services().archive
    is_restored = _as_received(row, wanted)
    return chunks_of(archive.open_as_received(row) if is_restored else archive.open_part10(row))


def _length_of_whole(row: InstanceRow, wanted: Wanted) -> int | None:
    return None if _as_received(row, wanted) else row.location.length


def _native_is_wanted(row: InstanceRow, wanted: Wanted) -> bool:
    """Tell whether frames of a recompressed object are given as they came."""
    return _as_received(row, wanted) and accept.matches(_OCTETS, wanted.media_type)


def _is_single(
    row: InstanceRow, media_type: str, ranges: Sequence[Wanted], *, may_be_single: bool
) -> tuple[bool, Wanted]:
    native = row.transfer_syntax_uid in _NATIVE
    for wanted in ranges:
        fits = (
            accept.matches(media_type, wanted.media_type)
            or _native_is_wanted(row, wanted)
            or (wanted.media_type == _OCTETS and (native or wanted.transfer_syntax == "*"))
        )
        if fits and _frame_syntax_fits(row, wanted) and (wanted.multipart or may_be_single):
            return not wanted.multipart and wanted.media_type != accept.ANY, wanted
        if fits and wanted.media_type == accept.ANY and not wanted.transfer_syntax:
            return False, wanted
    raise NotAcceptable(
        f"The frames are stored as {media_type} ({row.transfer_syntax_uid}): ask for that, or with "
        "transfer-syntax=*.",
        code="not-acceptable",
    )


def _frame_syntax_fits(row: InstanceRow, wanted: Wanted) -> bool:
    is_stored = wanted.transfer_syntax in {"", "*", row.transfer_syntax_uid}
    return is_stored or _native_is_wanted(row, wanted)


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


def _typed(media_type: str, syntax: str) -> str:
    return f"{media_type}; transfer-syntax={syntax}"


def _multipart(
    media_type: str,
    *,
    heads: Sequence[str],
    lengths: Sequence[int | None],
    contents: Iterator[Iterable[bytes]],
) -> Response:
    boundary = new_boundary()
    first = next(contents)  # what cannot be read at all is told by the status
    parts = zip(heads, chain([first], contents), strict=True)
    return _stream(
        write_parts(boundary, parts),
        length=_length_of_all(boundary, heads, lengths),
        content_type=f'multipart/related; type="{media_type}"; boundary={boundary}',
    )


def _length_of_all(
    boundary: str, heads: Sequence[str], lengths: Sequence[int | None]
) -> int | None:
    known = [length for length in lengths if length is not None]
    if len(known) < len(lengths):
        return None
    return length_of(boundary, zip(heads, known, strict=True))


def _stream(chunks: Iterator[bytes], *, length: int | None, content_type: str) -> Response:
    """Return a body, of a known length if it can be: then one that is broken off is seen to be.

    What is restored while it goes out has none, and goes in chunks, whose end is seen as well.
    """
    response = Response(stream_with_context(chunks), content_type=content_type)
    if length is not None:
        response.content_length = length
    return response


def _note_once(action: str, study: str, series: str) -> None:
    note_once(current_app.extensions, services(), current_actor(), action, study, series)


def _note(action: str, study: str, series: str | None, **detail: Any) -> None:
    note(services(), current_actor(), action, study, series, **detail)
