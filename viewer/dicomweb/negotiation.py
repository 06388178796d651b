"""Chooses the form of an answer from what a client takes: which media type, which transfer syntax.

PS3.18 section 8.7: who names no transfer syntax gets explicit VR little endian where the pixels can
be decoded, else what is kept; `*` is what is kept. Reads nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from storage.part10 import DEFLATED_LE, EXPLICIT_LE, IMPLICIT_LE
from storage.rows import InstanceRow
from viewer.dicomweb.accept import ANY, Wanted
from viewer.problems import NotAcceptable
from viewer.syntaxes import OCTETS, can_be_made, default_of, is_video, media_of

DICOM = "application/dicom"
_SAME_FRAMES = frozenset({EXPLICIT_LE, IMPLICIT_LE, DEFLATED_LE})
"""Transfer syntaxes whose frames are the same bytes."""


@dataclass(frozen=True)
class FrameForm:
    """How frames are given: their media type and transfer syntax, made for it or as kept."""

    media_type: str
    transfer_syntax_uid: str
    is_made: bool
    is_single: bool = False

    @property
    def content_type(self) -> str:
        """Return the media type with its transfer syntax."""
        return f"{self.media_type}; transfer-syntax={self.transfer_syntax_uid}"


@dataclass(frozen=True)
class ObjectForm:
    """How one object is given: `how` is kept, received or made."""

    how: str
    transfer_syntax_uid: str
    or_kept: bool = False  # when it turns out that it cannot be made


def form_of_frames(row: InstanceRow, ranges: Sequence[Wanted], *, may_be_single: bool) -> FrameForm:
    """Return how frames of an object are given, or raise NotAcceptable."""
    whole = is_video(row.transfer_syntax_uid)
    for wanted in ranges:
        may_be_any = wanted.media_type == ANY
        if not (wanted.multipart or may_be_single or may_be_any):
            continue
        form = _offer(row, wanted)
        if form is not None:
            is_single = may_be_single and not wanted.multipart and (whole or not may_be_any)
            return FrameForm(
                form.media_type, form.transfer_syntax_uid, form.is_made, is_single=is_single
            )
    media_type = media_of(row.transfer_syntax_uid)
    raise NotAcceptable(
        f"The frames are kept as {media_type} ({row.transfer_syntax_uid}): ask for that, or with "
        "transfer-syntax=*.",
        code="not-acceptable",
    )


def forms_of_objects(
    rows: Sequence[InstanceRow], ranges: Sequence[Wanted], *, may_be_single: bool
) -> tuple[bool, list[ObjectForm]]:
    """Tell whether the answer is a single part, and how each object is given; or NotAcceptable."""
    for wanted in ranges:
        may_be_any = wanted.media_type == ANY
        if not wanted.takes(DICOM) or not (wanted.multipart or may_be_single or may_be_any):
            continue
        forms = [_form_of_object(row, wanted.transfer_syntax) for row in rows]
        found = [form for form in forms if form is not None]
        if len(found) == len(rows):
            return may_be_single and not wanted.multipart and not may_be_any, found
    raise NotAcceptable(
        'Images come as multipart/related; type="application/dicom", in the transfer syntax in '
        "which they were sent or one that can be made of it: ask with transfer-syntax=*.",
        code="not-acceptable",
    )


def plain_forms(
    rows: Sequence[InstanceRow], ranges: Sequence[Wanted], *, may_be_single: bool
) -> tuple[bool, list[ObjectForm]] | None:
    """Return what `forms_of_objects` does where transfer syntaxes alone decide, or None."""
    for wanted in ranges:
        may_be_any = wanted.media_type == ANY
        if not wanted.takes(DICOM) or not (wanted.multipart or may_be_single or may_be_any):
            continue
        forms = [_plain_form(row, wanted.transfer_syntax) for row in rows]
        found = [form for form in forms if form is not None]
        if len(found) < len(rows):
            return None
        return may_be_single and not wanted.multipart and not may_be_any, found
    return None


def _offer(row: InstanceRow, wanted: Wanted) -> FrameForm | None:
    kept, media_type, named = (
        row.transfer_syntax_uid,
        media_of(row.transfer_syntax_uid),
        wanted.transfer_syntax,
    )
    takes_octets = wanted.takes(OCTETS)
    as_kept = FrameForm(media_type, kept, is_made=False)
    if named == "*":
        return as_kept if takes_octets or wanted.takes(media_type) else None
    if named == kept:
        return as_kept if wanted.takes(media_type) else None
    if named:
        return _named(row, wanted)
    if takes_octets and row.received is None and kept in _SAME_FRAMES:
        return FrameForm(OCTETS, EXPLICIT_LE, is_made=False)
    if takes_octets and (row.received is not None or can_be_made(row, EXPLICIT_LE)):
        return FrameForm(OCTETS, EXPLICIT_LE, is_made=True)
    if wanted.takes(media_type):
        return as_kept
    target = default_of(wanted.media_type)
    if target and can_be_made(row, target):
        return FrameForm(wanted.media_type, target, is_made=True)
    return None


def _named(row: InstanceRow, wanted: Wanted) -> FrameForm | None:
    """Return the form of frames for a transfer syntax that is named and is not the kept one."""
    named, media_type = wanted.transfer_syntax, media_of(wanted.transfer_syntax)
    if not wanted.takes(media_type):
        return None
    if named == row.received_syntax:
        return FrameForm(OCTETS, named, is_made=True)
    if named == EXPLICIT_LE and row.transfer_syntax_uid in _SAME_FRAMES:
        return FrameForm(OCTETS, named, is_made=False)
    if can_be_made(row, named):
        return FrameForm(media_type, named, is_made=True)
    return None


def _form_of_object(row: InstanceRow, named: str) -> ObjectForm | None:
    plain = _plain_form(row, named)
    if plain is not None:
        return plain
    wanted = named or EXPLICIT_LE
    if can_be_made(row, wanted):
        return ObjectForm("made", wanted, or_kept=not named)
    return None if named else ObjectForm("kept", row.transfer_syntax_uid)


def _plain_form(row: InstanceRow, named: str) -> ObjectForm | None:
    """Return the form of an object that is given as it is kept or was received, or None."""
    wanted = named or EXPLICIT_LE
    if named == "*" or wanted == row.transfer_syntax_uid:
        return ObjectForm("kept", row.transfer_syntax_uid)
    return ObjectForm("received", wanted) if wanted == row.received_syntax else None
