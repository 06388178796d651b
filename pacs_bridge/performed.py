"""Answers N-CREATE and N-SET of modality performed procedure steps (PS3.4 annex F).

Reads what is evidence of how much a step has made, and nothing else. Knows no association.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pydicom.datadict import tag_for_keyword

from casework.errors import Conflict, Invalid, LysbroError, NotFound
from casework.identifiers import is_receivable_uid, uid_from_uuid
from casework.model import ApplicationEntity
from casework.performed import PerformedStep, ScheduledReference, status_of
from pacs_bridge import status
from pacs_bridge.status import Answer, answer_to_error, comment_of
from pacs_bridge.syntaxes import IMPLICIT_LE
from storage.performed import PerformedSteps
from storage.source import BytesSource
from storage.walker import Node, WalkLimits, Wanted, walk_structure

MAX_STEP_BYTES = 16 << 20  # some 60,000 references
_MOST_REFERENCES = 100
MAY_NO_LONGER_BE_UPDATED = 0xA710
"""Error ID (0000,0903) of an N-SET on a step that has ended (PS3.4 F.7.2.2.2)."""

_LIMITS = WalkLimits(max_depth=8, max_elements=1_000_000, max_value_bytes=1 << 12)


def _tag(keyword: str) -> int:
    tag = tag_for_keyword(keyword)
    assert tag is not None, keyword  # noqa: S101 - a name of the standard's dictionary
    return tag


_STATUS = _tag("PerformedProcedureStepStatus")
_SCHEDULED, _STUDY = _tag("ScheduledStepAttributesSequence"), _tag("StudyInstanceUID")
_ACCESSION, _STEP_ID = _tag("AccessionNumber"), _tag("ScheduledProcedureStepID")
_SERIES = _tag("PerformedSeriesSequence")
_IMAGES = _tag("ReferencedImageSequence")
_OTHERS = _tag("ReferencedNonImageCompositeSOPInstanceSequence")
_REFERENCED = _tag("ReferencedSOPInstanceUID")
_STARTED = (_tag("PerformedProcedureStepStartDate"), _tag("PerformedProcedureStepStartTime"))
_ENDED = (_tag("PerformedProcedureStepEndDate"), _tag("PerformedProcedureStepEndTime"))

_WANTED: Wanted = {
    _STATUS: None,
    **dict.fromkeys((*_STARTED, *_ENDED)),
    _SCHEDULED: {_STUDY: None, _ACCESSION: None, _STEP_ID: None},
    _SERIES: {_IMAGES: {_REFERENCED: None}, _OTHERS: {_REFERENCED: None}},
}

_CODES: Mapping[str, int] = {
    "duplicate-step": status.DUPLICATE_INSTANCE,
    "no-such-step": status.NO_SUCH_INSTANCE,
    "step-ended": status.PROCESSING_FAILURE,
    "invalid-value": status.INVALID_VALUE,
    "missing-attribute": status.MISSING_ATTRIBUTE,
    "uid-malformed": status.INVALID_INSTANCE,
}
"""Codes of errors that have a status of their own here (PS3.7 sections 10.1.3 and 10.1.5)."""


@dataclass(frozen=True)
class StepAnswer:
    """The answer to a step, the UID that it has, and the error's number where there is one."""

    answer: Answer
    uid: str
    error_id: int | None = None


def create_step(
    steps: PerformedSteps, entity: ApplicationEntity, uid: str, dataset: bytes, *, syntax: str
) -> StepAnswer:
    """Begin a step (N-CREATE); one without a UID gets one (PS3.7 section 10.1.5.1.4)."""
    uid = uid or uid_from_uuid(uuid.uuid4())
    try:
        node = _read(dataset, syntax)
        step = PerformedStep(
            uid=_required_uid(uid),
            ae=entity.title,
            status=status_of(_required(node, _STATUS, "Performed Procedure Step Status")),
            study_uids=_studies(node),
            started=_moment(node, _STARTED),
            instance_uids=frozenset(_made(node)),
            scheduled=_references(node),
        )
        steps.create(entity.site, step)
    except LysbroError as error:
        return _refused(error, uid)
    return StepAnswer(Answer(status.SUCCESS), uid)


def change_step(
    steps: PerformedSteps, entity: ApplicationEntity, uid: str, dataset: bytes, *, syntax: str
) -> StepAnswer:
    """Change a step, or end it (N-SET)."""
    try:
        node = _read(dataset, syntax)
        text = _text(node, _STATUS)
        steps.change(
            entity.site,
            _required_uid(uid),
            status=status_of(text) if text else None,
            study_uids=_studies(node),
            ended=_moment(node, _ENDED),
            instance_uids=frozenset(_made(node)) if _SERIES in node else None,
        )
    except LysbroError as error:
        return _refused(error, uid)
    return StepAnswer(Answer(status.SUCCESS), uid)


def _refused(error: LysbroError, uid: str) -> StepAnswer:
    code = _CODES.get(error.code) if isinstance(error, Conflict | Invalid | NotFound) else None
    if code is None and isinstance(error, Invalid):
        code = status.PROCESSING_FAILURE  # the data set cannot be read
    answer = answer_to_error(error) if code is None else Answer(code, comment_of(error.message))
    error_id = MAY_NO_LONGER_BE_UPDATED if error.code == "step-ended" else None
    return StepAnswer(answer, uid, error_id)


def _read(dataset: bytes, syntax: str) -> Node:
    return walk_structure(
        BytesSource(dataset),
        implicit=syntax == IMPLICIT_LE,
        little_endian=True,
        wanted=_WANTED,
        limits=_LIMITS,
    ).node


def _studies(node: Node) -> tuple[str, ...]:
    found = (_text(item, _STUDY) for item in _items(node, _SCHEDULED))
    return tuple(dict.fromkeys(uid for uid in found if is_receivable_uid(uid)))


def _references(node: Node) -> tuple[ScheduledReference, ...]:
    return tuple(
        ScheduledReference(_text(item, _STUDY), _text(item, _ACCESSION), _text(item, _STEP_ID))
        for item in _items(node, _SCHEDULED)[:_MOST_REFERENCES]
    )


def _made(node: Node) -> Iterator[str]:
    """Give the UID of each instance that a step has made, images and others."""
    for series in _items(node, _SERIES):
        for sequence in (_IMAGES, _OTHERS):
            for item in _items(series, sequence):
                uid = _text(item, _REFERENCED)
                if is_receivable_uid(uid):
                    yield uid


def _moment(node: Node, tags: tuple[int, int]) -> str:
    return " ".join(part for tag in tags if (part := _text(node, tag)))


def _items(node: Node, tag: int) -> tuple[Node, ...]:
    element = node.get(tag)
    return () if element is None else element.items or ()


def _text(node: Node, tag: int) -> str:
    element = node.get(tag)
    value = b"" if element is None else element.value or b""
    return value.decode("latin-1").strip(" \0")


def _required(node: Node, tag: int, name: str) -> str:
    text = _text(node, tag)
    if not text:
        raise Invalid(f"{name} is missing.", code="missing-attribute")
    return text


def _required_uid(uid: str) -> str:
    if not is_receivable_uid(uid):
        raise Invalid("The UID of the step is none.", code="uid-malformed")
    return uid
