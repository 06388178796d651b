"""WADO-RS (PS3.18 section 10.4): the routes, and whole instances in the form that is wanted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

import structlog
from flask import Blueprint, Response

from casework.errors import Invalid
from storage.exact import chunks_of
from storage.rows import InstanceRow
from viewer.dicomweb import accept
from viewer.dicomweb.addresses import (
    INSTANCE,
    LEVELS,
    light_rows_of,
    note_exported,
    note_retrieved,
    note_retrieved_once,
    rows_of,
)
from viewer.dicomweb.all_bulkdata import all_bulkdata, pixeldata
from viewer.dicomweb.bodies import multipart, single, tag_of
from viewer.dicomweb.bulkdata import bulkdata
from viewer.dicomweb.frames import frames
from viewer.dicomweb.negotiation import DICOM, ObjectForm, forms_of_objects, plain_forms
from viewer.dicomweb.objects import Made, made_object
from viewer.dicomweb.rendered import rendered, thumbnail
from viewer.imaging import imaging
from viewer.problems import NotAcceptable
from viewer.services import services

log = structlog.get_logger()

FRAMES_ENDPOINT = "dicomweb.retrieve_frames"
RENDERED_ENDPOINT = "dicomweb.rendered_frame"


def add_to(bp: Blueprint) -> None:
    """Add the retrieve routes."""
    for level, rule in LEVELS:
        bp.add_url_rule(rule, f"retrieve_{level}", retrieve)
        bp.add_url_rule(rule + "/bulkdata", f"bulkdata_{level}", all_bulkdata)
        bp.add_url_rule(rule + "/pixeldata", f"pixeldata_{level}", pixeldata)
        bp.add_url_rule(rule + "/rendered", f"rendered_{level}", rendered)
        bp.add_url_rule(rule + "/thumbnail", f"thumbnail_{level}", thumbnail)
    bp.add_url_rule(INSTANCE + "/bulkdata/<path:path>", "bulkdata", bulkdata)
    frame = INSTANCE + "/frames/<numbers>"
    bp.add_url_rule(frame, "retrieve_frames", frames)
    bp.add_url_rule(frame + "/rendered", "rendered_frame", rendered)
    bp.add_url_rule(frame + "/thumbnail", "thumbnail_frame", thumbnail)


def retrieve(study: str, series: str | None = None, instance: str | None = None) -> Response:
    """Return instances in the transfer syntax that is wanted; one may come without multipart."""
    ranges, may_be_single = accept.wanted(), instance is not None
    rows = light_rows_of(study, series, instance)
    chosen = plain_forms(rows, ranges, may_be_single=may_be_single)
    if chosen is None:  # what their headers say decides
        rows = rows_of(study, series, instance)
        chosen = forms_of_objects(rows, ranges, may_be_single=may_be_single)
    is_single, forms = chosen
    if instance is None:
        note_retrieved("images-retrieved", study, series, images=len(rows))
    else:
        note_retrieved_once("images-retrieved", study, series)
    note_exported(rows)
    if is_single:
        return _alone(rows[0], forms[0])
    lengths = None
    if all(form.how == "kept" for form in forms):
        heads = [_head(form.transfer_syntax_uid) for form in forms]
        kept = (row.location.length for row in rows)
        lengths = list(zip(heads, kept, strict=True))
    return multipart(DICOM, _parts(rows, forms), lengths=lengths)


def _alone(row: InstanceRow, form: ObjectForm) -> Response:
    """Return one object without multipart; in parts when it is given as it is kept."""
    archive, content_type = services().archive, _typed(form.transfer_syntax_uid)
    if form.how == "made":
        made = _made(row, form)
        if made is not None:
            return _streamed(made, content_type)
        content_type = _typed(row.transfer_syntax_uid)
    elif form.how == "received":
        return _streamed(Made(chunks_of(archive.open_as_received(row)), None), content_type)
    length = row.location.length

    def read(start: int, stop: int) -> Iterator[bytes]:
        if (start, stop) == (0, length):
            yield from chunks_of(archive.open_part10(row))
            return
        while start < stop:
            chunk = archive.read_stretch(row, start, min(stop - start, 1 << 20))
            yield chunk
            start += len(chunk)

    return single(
        content_type, read, length=length, tag=tag_of(row, DICOM, row.transfer_syntax_uid)
    )


def _streamed(made: Made, content_type: str) -> Response:
    first = next(made.chunks, b"")  # what cannot be read is told by the status
    response = Response(chain([first], made.chunks), content_type=content_type)
    if made.length is not None:
        response.content_length = made.length
    return response


def _parts(
    rows: Sequence[InstanceRow], forms: Sequence[ObjectForm]
) -> Iterator[tuple[str, Iterable[bytes]]]:
    """Yield the objects; those that lie together are read together.

    One that turns out not to come in the form that was chosen goes out as it is kept, and its head
    says so.
    """
    archive = services().archive
    received = {row.pk: form.how == "received" for row, form in zip(rows, forms, strict=True)}
    opened = archive.open_each(
        [row for row, form in zip(rows, forms, strict=True) if form.how != "made"],
        as_received=lambda row: received[row.pk],
    )
    for row, form in zip(rows, forms, strict=True):
        if form.how != "made":
            yield _head(form.transfer_syntax_uid), chunks_of(next(opened))
            continue
        made = _made(row, form, or_kept=len(rows) > 1)
        if made is not None:
            yield _head(form.transfer_syntax_uid), made.chunks
        else:
            yield _head(row.transfer_syntax_uid), chunks_of(archive.open_part10(row))


def _made(row: InstanceRow, form: ObjectForm, *, or_kept: bool = False) -> Made | None:
    """Return an object in another form, None to give what is kept, or raise NotAcceptable."""
    known, syntax = services(), form.transfer_syntax_uid
    try:
        return made_object(known.archive, imaging().maker, row, syntax)
    except Invalid as error:
        log.info("form not made", sop=row.sop_instance_uid, syntax=syntax, code=error.code)
        if form.or_kept or or_kept:
            return None
        raise NotAcceptable(
            f"{row.sop_instance_uid} cannot be given as {syntax}. Ask with transfer-syntax=*.",
            code="not-acceptable",
        ) from error


def _head(syntax: str) -> str:
    return f"Content-Type: {_typed(syntax)}"


def _typed(syntax: str) -> str:
    return f"{DICOM}; transfer-syntax={syntax}"
