"""The calls on what is handed in beside the pictures of the lesion: documents and other pictures.

Stores through the photo door only.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from flask import Blueprint, Response, request
from pydantic import AfterValidator, Field
from werkzeug.datastructures import FileStorage

from casework.errors import TooLarge
from casework.model import Case
from storage.casebook_tables import ATTACHMENT
from storage.rows import InstanceRow
from viewer.api.bodies import plain
from viewer.api.calls import Answer, Body, answer, describe, read_file, read_form
from viewer.guard import current_actor, current_scope
from viewer.manifest import kind_of
from viewer.services import required_photos, services

bp = Blueprint("api_attachments", __name__, url_prefix="/api/cases")


class AttachmentForm(Body):
    """What is said of an attachment, beside the field `file` itself: a PDF or a picture."""

    title: Annotated[str, Field(max_length=64), AfterValidator(plain)] = ""
    attachment_id: Annotated[str, Field(pattern=r"^[0-9A-Za-z._:-]{0,40}$")] = ""


class AttachmentShape(Answer):
    """A document or another picture of a case."""

    sop_instance_uid: str
    study_instance_uid: str
    title: str
    kind: str = Field(description="document or picture")


class AttachmentList(Answer):
    """The documents and other pictures of a case."""

    attachments: list[AttachmentShape]


@bp.post("/<case_id>/attachments")
@describe(
    "Add a document or another picture to a case",
    form=AttachmentForm,
    files=("file",),
    answers={201: AttachmentShape},
)
def add_attachment(case_id: str) -> Response:
    """Keep a document or picture; the same attachment_id again gives the same object."""
    case, actor = _visible(case_id), current_actor()
    services().casebook.require_attachments_wanted(actor, case)
    data, form = read_attachment(request.files.get("file")), read_form(AttachmentForm)
    taken = required_photos().attach(
        actor, case, data, title=form.title, attachment_id=form.attachment_id
    )
    return answer(AttachmentShape.model_validate(taken), 201)


@bp.get("/<case_id>/attachments")
@describe("The documents and other pictures of a case", answers={200: AttachmentList})
def list_attachments(case_id: str) -> Response:
    """List what was handed in beside the pictures of the lesion, in its order."""
    dossier = services().casebook.dossier(current_scope(), case_id)
    rows = [
        row
        for study in dossier.studies
        for row in services().index.instances_of(current_scope(), study.study_uid, site=study.site)
    ]
    shapes = [
        AttachmentShape(
            sop_instance_uid=row.sop_instance_uid,
            study_instance_uid=row.study_uid,
            title=title_of(row),
            kind="document" if kind_of(row) == "document" else "picture",
        )
        for row in attachments_of(dossier.case, rows)
    ]
    return answer(AttachmentList(attachments=shapes))


def read_attachment(file: FileStorage | None) -> bytes:
    """Return an uploaded file, or raise Invalid when it is missing or over the limits."""
    settings = services().settings
    limit = max(settings.max_document_bytes, settings.max_photo_bytes)
    if file is None:
        return read_file("file", limit_bytes=limit)
    data = file.stream.read(limit + 1)
    if len(data) > limit:
        raise TooLarge(
            f"The file is larger than {limit >> 20} MB. Send a smaller one.", code="too-large"
        )
    return data


def attachments_of(case: Case, rows: Sequence[InstanceRow]) -> list[InstanceRow]:
    """Return which of the objects of a case are attachments, in the order they were added."""
    captures = services().casebook.captures(case.id)
    known = {row.sop_instance_uid: row for row in rows}
    uids = [uid for name, uid in captures.items() if name.startswith(ATTACHMENT)]
    return [known[uid] for uid in uids if uid in known]


def title_of(row: InstanceRow) -> str:
    """Return what the referrer calls an attachment."""
    return str(row.attributes.get("SeriesDescription") or "")


def _visible(case_id: str) -> Case:
    return services().casebook.dossier(current_scope(), case_id).case
