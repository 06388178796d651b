"""Bulk data and pixel data (PS3.18 sections 10.4.1.1.5 and 10.4.1.1.7): values as octets.

One value, or all those of an instance, a series or a study. Values are in little endian, whatever
they came in; nothing is held in memory but a chunk.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from flask import Response, request

from casework.errors import Invalid, NotFound
from storage.bulk import find_value, path_of, swapped, word_bytes
from storage.content import content_of, stretch_of
from storage.dicom_json import dicom_json as dataset_json
from storage.forms import frame_shape
from storage.part10 import EXPLICIT_BE, BytesSource
from storage.rows import InstanceRow
from storage.walker import PIXEL_TAGS
from viewer.dicomweb import accept, video
from viewer.dicomweb.accept import Wanted
from viewer.dicomweb.addresses import FRAMES_NOTED, note_retrieved_once, rows_of
from viewer.dicomweb.bodies import Read, multipart, single, tag_of
from viewer.dicomweb.bulk_addresses import PIXELS, bulk_address, instance_address
from viewer.dicomweb.frames import frame_in, frames_of
from viewer.dicomweb.metadata import before_pixels
from viewer.dicomweb.negotiation import FrameForm, form_of_frames
from viewer.imaging import imaging
from viewer.making import vr_of_pixels
from viewer.problems import NotAcceptable
from viewer.services import services
from viewer.syntaxes import OCTETS, is_video

_DOCUMENT = 0x00420011
_PLAIN = frozenset({"", "*", "1.2.840.10008.1.2.1"})
_Part = tuple[str, Iterable[bytes]]


@dataclass(frozen=True)
class _Value:
    """A value that is given out: its media type, its length, and its bytes from here to there."""

    media_type: str
    length: int
    read: Read


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
    value = _value(row, tags)
    if value is None:
        raise NotFound("There is no bulk data at this place.", code="no-bulk-data")
    is_single, media_type = _form(value.media_type, accept.wanted())
    tag = tag_of(row, "bulk", tags, media_type, is_single)
    if is_single:
        return single(media_type, value.read, length=value.length, tag=tag)
    head = _head(media_type, bulk_address(_root(), row, path.upper()))
    parts = iter([(head, value.read(0, value.length))])
    return multipart(media_type, parts, lengths=[(head, value.length)], tag=tag)


def document_of(row: InstanceRow, *, is_single: bool) -> Response:
    """Return the document inside an object, as the media type that the object says."""
    value = _value(row, (_DOCUMENT,))
    if value is None:
        raise NotFound("The object holds no document.", code="no-document")
    tag = tag_of(row, "document", is_single)
    if is_single:
        return single(value.media_type, value.read, length=value.length, tag=tag)
    head = f"Content-Type: {value.media_type}"
    parts = iter([(head, value.read(0, value.length))])
    return multipart(value.media_type, parts, lengths=[(head, value.length)], tag=tag)


def all_bulkdata(study: str, series: str | None = None, instance: str | None = None) -> Response:
    """Return every value of bulk data, the pixels among them, each with its address."""
    return _all(rows_of(study, series, instance), study, series, with_values=True)


def pixeldata(study: str, series: str | None = None, instance: str | None = None) -> Response:
    """Return the pixels of every image, each value or frame with its address."""
    return _all(rows_of(study, series, instance), study, series, with_values=False)


def _all(
    rows: Sequence[InstanceRow], study: str, series: str | None, *, with_values: bool
) -> Response:
    ranges = accept.wanted()
    if not any(w.multipart or w.media_type == accept.ANY for w in ranges):
        raise NotAcceptable(
            'Many values come as multipart/related; type="application/octet-stream".',
            code="not-acceptable",
        )
    forms = {row.pk: form_of_frames(row, ranges, may_be_single=False) for row in rows if row.pixel}
    note_retrieved_once(FRAMES_NOTED, study, series)
    root = _root()

    def parts() -> Iterator[_Part]:
        for row in rows:
            if with_values:
                yield from _values_of(row, root)
            if row.pk in forms:
                yield from _pixel_parts(row, forms[row.pk], root)

    found = parts()
    first = next(found, None)
    if first is None:
        raise NotFound("There is no bulk data here.", code="no-bulk-data")
    return multipart(OCTETS, _chained(first, found))


def _chained(first: _Part, others: Iterator[_Part]) -> Iterator[_Part]:
    yield first
    yield from others


def _values_of(row: InstanceRow, root: str) -> Iterator[_Part]:
    paths: list[str] = []

    def noted(path: str) -> str:
        paths.append(path)
        return path

    try:
        dataset_json(
            BytesSource(before_pixels(row)),
            transfer_syntax_uid=row.transfer_syntax_uid,
            limits=services().archive.walk_limits,
            bulk=noted,
        )
    except Invalid:  # a header that the metadata cannot read either
        return
    for path in paths:
        value = _value(row, path_of(path))
        if value is not None:
            yield _head(OCTETS, bulk_address(root, row, path)), value.read(0, value.length)


def _value(row: InstanceRow, tags: tuple[int, ...]) -> _Value | None:
    archive = services().archive
    content = content_of(archive, row)
    found = find_value(
        content, tags, transfer_syntax_uid=row.transfer_syntax_uid, limits=archive.walk_limits
    )
    if found is None:
        return None
    media_type = OCTETS
    if tags == (_DOCUMENT,):
        told = str(row.attributes.get("MIMETypeOfEncapsulatedDocument", "")).strip().lower()
        media_type = told if _is_media_type(told) else OCTETS
    width = word_bytes(found.vr) if row.transfer_syntax_uid == EXPLICIT_BE else 1

    def stretch(offset: int, length: int) -> Iterator[bytes]:
        return stretch_of(content, found.offset + offset, length)

    return _Value(media_type, found.length, _in_order(stretch, found.length, width))


def _in_order(stretch: Callable[[int, int], Iterator[bytes]], length: int, width: int) -> Read:
    """Return what reads a value in little endian; a part of it begins and ends at whole words."""

    def read(start: int, stop: int) -> Iterator[bytes]:
        at, end = start // width * width, min(length, -(-stop // width) * width)
        for chunk in stretch(at, end - at):  # of a length that every width divides
            yield swapped(chunk, width)[max(start - at, 0) : stop - at]
            at += len(chunk)

    return read


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
    value = _native(row, form)
    tag = tag_of(row, "bulk", PIXELS, form.transfer_syntax_uid, form.is_single)
    if form.is_single:
        return single(form.content_type, value.read, length=value.length, tag=tag)
    head = _head(form.content_type, bulk_address(_root(), row, PIXELS))
    parts = iter([(head, value.read(0, value.length))])
    return multipart(OCTETS, parts, lengths=[(head, value.length)], tag=tag)


def _pixel_parts(row: InstanceRow, form: FrameForm, root: str) -> Iterator[_Part]:
    if row.pixel is None:
        return
    address = instance_address(root, row)
    if is_video(form.transfer_syntax_uid):
        archive = services().archive
        spans = video.spans_of(archive, row)
        length = sum(size for _, size in spans)
        head = _head(form.content_type, bulk_address(root, row, PIXELS))
        yield head, video.stream(archive, row, spans, 0, length)
    elif form.media_type == OCTETS:
        value = _native(row, form)
        head = _head(form.content_type, bulk_address(root, row, PIXELS))
        yield head, value.read(0, value.length)
    else:
        for number in range(1, row.pixel.frames + 1):
            head = _head(form.content_type, f"{address}/frames/{number}")
            yield head, (frame_in(row, number, form),)


def _native(row: InstanceRow, form: FrameForm) -> _Value:
    """Return native pixel data: where it lies, or frame by frame as it is made."""
    pixel, archive = row.pixel, services().archive
    if pixel is None:
        raise NotFound("The object has no pixel data.", code="no-pixels")
    if not pixel.encapsulated:
        content = content_of(archive, row)
        is_turned = form.is_made and row.transfer_syntax_uid == EXPLICIT_BE
        width = word_bytes(vr_of_pixels(archive, row)) if is_turned else 1

        def stretch(offset: int, length: int) -> Iterator[bytes]:
            return stretch_of(content, pixel.offset + offset, length)

        return _Value(OCTETS, pixel.length, _in_order(stretch, pixel.length, width))
    size, maker = frame_shape(row.attributes).size_bytes, imaging().maker

    def read(start: int, stop: int) -> Iterator[bytes]:
        for number in range(start // size + 1, -(-stop // size) + 1):
            before = (number - 1) * size
            frame = maker.native(row, number)
            yield frame[max(start - before, 0) : stop - before]

    return _Value(OCTETS, pixel.frames * size, read)


def _is_media_type(text: str) -> bool:
    kind, slash, subtype = text.partition("/")
    return bool(slash) and all(
        part and all(c.isalnum() or c in "+-._" for c in part) for part in (kind, subtype)
    )


def _head(content_type: str, address: str) -> str:
    return f"Content-Type: {content_type}\r\nContent-Location: {address}"


def _root() -> str:
    return f"{request.url_root.rstrip('/')}/dicom-web"
