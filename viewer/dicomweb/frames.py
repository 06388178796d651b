"""Frames (PS3.18 section 10.4.1.1.6): as they are kept, or in another form that is made of them."""

from __future__ import annotations

from collections.abc import Sequence

from flask import Response

from casework.errors import Invalid, NotFound, Unavailable
from storage.frames import cut_of
from storage.rows import InstanceRow
from viewer.dicomweb import accept, video
from viewer.dicomweb.accept import Wanted
from viewer.dicomweb.addresses import FRAMES_NOTED, note_retrieved_once, rows_of
from viewer.dicomweb.bodies import multipart, single_bytes, tag_of
from viewer.dicomweb.negotiation import FrameForm, form_of_frames
from viewer.imaging import imaging
from viewer.problems import NotAcceptable
from viewer.services import services
from viewer.syntaxes import is_video


def frames(study: str, series: str, instance: str, numbers: str) -> Response:
    """Return frames in the form that is wanted."""
    row = rows_of(study, series, instance)[0]
    asked = frame_numbers(numbers, row)
    response = frames_of(row, asked, accept.wanted())
    note_retrieved_once(FRAMES_NOTED, study, series)
    return response


def frames_of(row: InstanceRow, numbers: Sequence[int], ranges: Sequence[Wanted]) -> Response:
    """Return frames of an instance, one of them alone or in parts, as is wanted."""
    form = form_of_frames(row, ranges, may_be_single=len(numbers) == 1)
    if is_video(form.transfer_syntax_uid):
        return video.answer(row, form)
    tag = tag_of_frames(row, numbers, form)
    if form.is_single:
        return single_bytes(form.content_type, frame_in(row, numbers[0], form), tag=tag)
    head = f"Content-Type: {form.content_type}"
    lengths = None
    if not form.is_made:
        sizes = (cut_of(row.pixel, row.attributes, n).frame_bytes for n in numbers)
        lengths = [(head, size) for size in sizes]
    parts = ((head, (frame_in(row, n, form),)) for n in numbers)
    return multipart(form.media_type, parts, lengths=lengths, tag=tag)


def tag_of_frames(row: InstanceRow, numbers: Sequence[int], form: FrameForm) -> str:
    """Return the entity tag of some frames in one form."""
    asked = ",".join(map(str, numbers))
    return tag_of(row, asked, form.transfer_syntax_uid, form.is_single)


def frame_in(row: InstanceRow, number: int, form: FrameForm) -> bytes:
    """Return one frame in a form, or raise NotAcceptable when it cannot be made after all."""
    if not form.is_made:
        return _as_kept(row, number)
    syntax = form.transfer_syntax_uid
    try:
        if syntax == row.received_syntax:
            return imaging().maker.native(row, number)
        return imaging().maker.frame(row, number, syntax)
    except Invalid as error:
        raise NotAcceptable(
            f"The frame cannot be given as {syntax}. Ask with transfer-syntax=*.",
            code="not-acceptable",
        ) from error


def frame_numbers(numbers: str, row: InstanceRow) -> list[int]:
    """Return the frames that are asked for; a video is one stream, its first."""
    try:
        asked = [int(n) for n in numbers.split(",")]
    except ValueError as error:
        raise Invalid(
            "Frames are asked for by number, such as 1,2,3.", code="bad-request"
        ) from error
    if row.pixel is None or any(n < 1 or n > row.pixel.frames for n in asked):
        raise NotFound("There is no such frame.", code="no-such-frame")
    if is_video(row.transfer_syntax_uid) and asked != [1]:
        raise NotFound(
            "The frames of a video are one stream: ask for frame 1.", code="no-such-frame"
        )
    return asked


def _as_kept(row: InstanceRow, number: int) -> bytes:
    """Return a frame in the transfer syntax of the row, or raise Unavailable."""
    frame = services().archive.read_frame(row, number)
    if frame.transfer_syntax_uid != row.transfer_syntax_uid:
        raise Unavailable(
            f"{row.sop_instance_uid} is kept in another form by now. Ask again.",
            code="form-changed",
        )
    return frame.data
