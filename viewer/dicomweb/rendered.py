"""Rendered resources and thumbnails (PS3.18 sections 10.4.1.1.3 and 10.4.1.1.4), not for diagnosis.

Images as pictures, a video as its stream, an encapsulated PDF as it is, a report as text.
"""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence
from functools import partial

from flask import Response, request

from casework.errors import LysbroError, NotFound
from storage.rows import InstanceRow
from viewer.attributes import first
from viewer.dicomweb import accept, rendering, video
from viewer.dicomweb.accept import Wanted
from viewer.dicomweb.addresses import FRAMES_NOTED, note_retrieved_once, root_address, rows_of
from viewer.dicomweb.annotations import texts_of
from viewer.dicomweb.bodies import multipart, part_head, single_bytes, tag_of
from viewer.dicomweb.bulk_addresses import instance_address
from viewer.dicomweb.bulkdata import document_of
from viewer.dicomweb.negotiation import FrameForm
from viewer.imaging import imaging
from viewer.picture import GIF, MEDIA_TYPES, Asked
from viewer.problems import NotAcceptable
from viewer.render import can_be_shown
from viewer.structured import lines_of, title_of
from viewer.syntaxes import is_video, media_of

_VERSION = "rendered-1"
_HTML, _PLAIN, _PDF = "text/html", "text/plain", "application/pdf"
_FRAME_MS = 100.0
_EARLY = 30  # of a video: what comes later takes long to get to


def rendered(
    study: str, series: str | None = None, instance: str | None = None, numbers: str = ""
) -> Response:
    """Return an instance, some of its frames, a series or a study rendered."""
    ranges, how = accept.wanted(), rendering.asked(request.args)
    rows = rows_of(study, series, instance)
    if instance is None:
        shown = [(row, n) for row in rows if _has_pictures(row) for n in _frames(row)]
        response = _pictures(shown, how, ranges)
    elif numbers:
        response = _pictures([(rows[0], n) for n in _numbers(numbers, rows[0])], how, ranges)
    else:
        response = _instance(rows[0], how, ranges)
    note_retrieved_once(FRAMES_NOTED, study, series)
    return response


def thumbnail(
    study: str, series: str | None = None, instance: str | None = None, numbers: str = ""
) -> Response:
    """Return one small picture that stands for what is addressed; there is none without pixels."""
    ranges, how = accept.wanted(), rendering.asked_of_thumbnail(request.args)
    rows = rows_of(study, series, instance)
    row, number = _representative(rows, numbers)
    for wanted in ranges:
        for media_type in MEDIA_TYPES:
            if not wanted.multipart and wanted.takes(media_type):
                response = _picture(row, number, how, media_type)
                note_retrieved_once(FRAMES_NOTED, study, series)
                return response
    raise NotAcceptable("A thumbnail comes as image/jpeg or image/png.", code="not-acceptable")


def takes_jpeg_first(ranges: Sequence[Wanted]) -> bool:
    """Tell whether a client wants a picture alone and as a JPEG before any other form."""
    for wanted in ranges:
        if any(wanted.takes(media_type) for media_type in MEDIA_TYPES):
            return not wanted.multipart and wanted.takes(MEDIA_TYPES[0])
    return False


def tag_of_picture(row: InstanceRow, number: int, how: Asked, media_type: str) -> str:
    """Return the entity tag of a picture."""
    return tag_of(row, _VERSION, number, how, media_type)


def _instance(row: InstanceRow, how: Asked, ranges: Sequence[Wanted]) -> Response:
    """Return one instance in the first form that is wanted and that there is."""
    kinds = _kinds_of(row)
    for wanted in ranges:
        for kind in kinds:
            if not wanted.takes(kind):
                continue
            if kind in MEDIA_TYPES and wanted.multipart:
                return _pictures([(row, n) for n in _frames(row)], how, ranges)
            return _multipart_of(row, how, kind) if wanted.multipart else _alone(row, how, kind)
    raise NotAcceptable(
        f"The object is rendered as {', '.join(kinds)}."
        if kinds
        else "There is nothing of the object that could be rendered.",
        code="not-acceptable",
    )


def _kinds_of(row: InstanceRow) -> Sequence[str]:
    """Return the media types that an instance is rendered as (PS3.18 section 8.7.4)."""
    if is_video(row.transfer_syntax_uid):
        return (media_of(row.transfer_syntax_uid), *MEDIA_TYPES)
    if can_be_shown(row):
        return MEDIA_TYPES
    if str(row.attributes.get("MIMETypeOfEncapsulatedDocument", "")).strip().lower() == _PDF:
        return (_PDF,)
    return (_HTML, _PLAIN) if row.attributes.get("Modality") == "SR" else ()


def _alone(row: InstanceRow, how: Asked, kind: str) -> Response:
    if kind.startswith("video/"):
        return video.answer(row, _video_form(row, kind, is_single=True))
    if kind == _PDF:
        return document_of(row, is_single=True)
    if kind in {_HTML, _PLAIN}:
        return single_bytes(f"{kind}; charset=utf-8", _report(row, kind), tag=tag_of(row, kind))
    if kind == GIF and row.pixel is not None and row.pixel.frames > 1 and can_be_shown(row):
        frame_ms = float(first(row.attributes.get("FrameTime"), _FRAME_MS) or _FRAME_MS)
        made = imaging().renderer.animation(row, how, frame_ms=frame_ms)
        return single_bytes(GIF, made, tag=tag_of_picture(row, 0, how, GIF))
    return _picture(row, 1, how, kind)


def _multipart_of(row: InstanceRow, how: Asked, kind: str) -> Response:
    if kind.startswith("video/"):
        return video.answer(row, _video_form(row, kind, is_single=False))
    if kind == _PDF:
        return document_of(row, is_single=False)
    head = f"Content-Type: {kind}; charset=utf-8"
    return multipart(kind, iter([(head, (_report(row, kind),))]))


def _video_form(row: InstanceRow, kind: str, *, is_single: bool) -> FrameForm:
    return FrameForm(kind, row.transfer_syntax_uid, is_made=False, is_single=is_single)


def _pictures(
    wanted_of: Sequence[tuple[InstanceRow, int]], how: Asked, ranges: Sequence[Wanted]
) -> Response:
    """Return one picture alone, or all of them in parts, as is wanted."""
    if not wanted_of:
        raise NotAcceptable("There are no images among these objects.", code="not-acceptable")
    for wanted in ranges:
        for media_type in MEDIA_TYPES:
            if not wanted.takes(media_type):
                continue
            if len(wanted_of) == 1 and not wanted.multipart:
                return _picture(*wanted_of[0], how, media_type)
            if wanted.multipart or wanted.media_type == accept.ANY:
                return multipart(media_type, _parts(wanted_of, how, media_type))
    raise NotAcceptable(
        "Rendered images come as image/jpeg, image/png, image/gif or image/jp2; more than one as "
        'multipart/related; type="image/jpeg".',
        code="not-acceptable",
    )


def _parts(
    wanted_of: Sequence[tuple[InstanceRow, int]], how: Asked, media_type: str
) -> Iterator[tuple[str, tuple[bytes]]]:
    """Yield pictures; of a study, one whose pixels cannot be read is left out."""
    root, given = root_address(), 0
    failed: LysbroError | None = None
    for row, number in wanted_of:
        try:
            made = _made(row, number, how, media_type)
        except LysbroError as error:
            if len({r.pk for r, _ in wanted_of}) == 1 or error.code == "bad-request":
                raise
            failed = error
            continue
        given += 1
        address = f"{instance_address(root, row)}/frames/{number}/rendered"
        yield part_head(media_type, address), (made,)
    if failed is not None and not given:
        raise failed


def _picture(row: InstanceRow, number: int, how: Asked, media_type: str) -> Response:
    made = _made(row, number, how, media_type)
    return single_bytes(media_type, made, tag=tag_of_picture(row, number, how, media_type))


def _made(row: InstanceRow, number: int, how: Asked, media_type: str) -> bytes:
    stills = partial(video.still, row) if is_video(row.transfer_syntax_uid) else None
    texts = texts_of(row, how) if how.annotation else None
    return imaging().renderer.picture(
        row, number, how, media_type=media_type, texts=texts, stills=stills
    )


def _has_pictures(row: InstanceRow) -> bool:
    return can_be_shown(row) or (row.pixel is not None and is_video(row.transfer_syntax_uid))


def _frames(row: InstanceRow) -> range:
    """Return the frames that are shown of an object; of a video one."""
    if row.pixel is None or is_video(row.transfer_syntax_uid):
        return range(1, 2)
    return range(1, row.pixel.frames + 1)


def _numbers(numbers: str, row: InstanceRow) -> list[int]:
    frames = row.pixel.frames if row.pixel else 0
    asked = [int(n) if n.isdecimal() and len(n) < 9 else 0 for n in numbers.split(",")]
    if not all(1 <= n <= frames for n in asked):
        raise NotFound("There is no such frame.", code="no-such-frame")
    return asked


def _representative(rows: Sequence[InstanceRow], numbers: str) -> tuple[InstanceRow, int]:
    """Return the middle image of the first series that has some, and the middle of its frames."""
    shown = [row for row in rows if _has_pictures(row)]
    if not shown:
        raise NotFound("There is nothing here that has a picture.", code="no-pixels")
    of_series = [row for row in shown if row.series_uid == shown[0].series_uid]
    row = of_series[len(of_series) // 2]
    if numbers:
        return row, _numbers(numbers, row)[0]
    frames = row.pixel.frames if row.pixel else 1
    middle = (frames + 1) // 2
    return row, min(middle, _EARLY) if is_video(row.transfer_syntax_uid) else middle


def _report(row: InstanceRow, kind: str) -> bytes:
    report = imaging().source.header(row)
    title, lines = title_of(report), lines_of(report)
    if kind == _PLAIN:
        told = [f"{'  ' * line.depth}{line.name}: {line.value}".rstrip(": ") for line in lines]
        return "\n".join([title, "", *told, ""]).encode()
    told = [
        f'<p style="margin-left:{line.depth}em"><b>{html.escape(line.name)}</b> '
        f"{html.escape(line.value)}</p>"
        for line in lines
    ]
    head = f'<!doctype html><meta charset="utf-8"><title>{html.escape(title)}</title>'
    return f"{head}<h1>{html.escape(title)}</h1>{''.join(told)}".encode()
