"""All bulk data, or all pixels, of an instance, a series or a study, each part with its address.

PS3.18 sections 10.4.1.1.5 and 10.4.1.1.7.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

from flask import Response

from casework.errors import Invalid, NotFound
from storage.bulk import path_of
from storage.dicom_json import dicom_json as dataset_json
from storage.part10 import BytesSource
from storage.rows import InstanceRow
from viewer.dicomweb import accept, video
from viewer.dicomweb.addresses import FRAMES_NOTED, note_retrieved_once, root_address, rows_of
from viewer.dicomweb.bodies import multipart, part_head
from viewer.dicomweb.bulk_addresses import PIXELS, bulk_address, instance_address
from viewer.dicomweb.frames import frame_in
from viewer.dicomweb.metadata import before_pixels
from viewer.dicomweb.negotiation import FrameForm, form_of_frames
from viewer.dicomweb.values import native_pixels, value_at
from viewer.problems import NotAcceptable
from viewer.services import services
from viewer.syntaxes import OCTETS, is_video

_Part = tuple[str, Iterable[bytes]]


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
    root = root_address()

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
    return multipart(OCTETS, chain([first], found))


def _values_of(row: InstanceRow, root: str) -> Iterator[_Part]:
    paths: list[str] = []

    def noted(path: str) -> str:
        paths.append(path)
        return path

    try:
        dataset_json(
            BytesSource(before_pixels(services().archive, row)),
            transfer_syntax_uid=row.transfer_syntax_uid,
            limits=services().archive.walk_limits,
            bulk=noted,
        )
    except Invalid:  # a header that the metadata cannot read either
        return
    for path in paths:
        value = value_at(row, path_of(path))
        if value is not None:
            yield part_head(OCTETS, bulk_address(root, row, path)), value.read(0, value.length)


def _pixel_parts(row: InstanceRow, form: FrameForm, root: str) -> Iterator[_Part]:
    if row.pixel is None:
        return
    address = instance_address(root, row)
    if is_video(form.transfer_syntax_uid):
        archive = services().archive
        spans = video.spans_of(archive, row)
        length = sum(size for _, size in spans)
        head = part_head(form.content_type, bulk_address(root, row, PIXELS))
        yield head, video.stream(archive, row, spans, 0, length)
    elif form.media_type == OCTETS:
        value = native_pixels(row, form)
        head = part_head(form.content_type, bulk_address(root, row, PIXELS))
        yield head, value.read(0, value.length)
    else:
        for number in range(1, row.pixel.frames + 1):
            head = part_head(form.content_type, f"{address}/frames/{number}")
            yield head, (frame_in(row, number, form),)
