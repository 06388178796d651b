"""The calls on a patient's lesions: which there are, their names, and how two pictures lie.

Which pictures are within sight is decided by the register with the scope of the one who asks.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, request

from casework.access import may_refer
from casework.errors import Invalid, NotFound, Refused
from casework.lesions import KnownLesion, LesionPicture
from viewer.api.calls import answer, describe, read_body
from viewer.api.lesion_shapes import (
    AlignmentShape,
    FullSize,
    LabelBody,
    LesionNamedShape,
    LesionSetShape,
    LesionShape,
    LesionsShape,
    LookupBody,
    LookupShape,
    SizeShape,
    SizesShape,
)
from viewer.guard import current_actor, current_scope
from viewer.lesion_pictures import row_of, seen, sizes_of
from viewer.noting import note
from viewer.services import lesion_desk, services

bp = Blueprint("api_lesions", __name__, url_prefix="/api")


@bp.post("/lesions/lookup")
@describe("The lesions of a patient of one's own site", body=LookupBody, answers={200: LookupShape})
def look_up() -> Response:
    """List what the referrer's own site has photographed of a patient, before there is a case."""
    actor = current_actor()
    if not may_refer(actor):
        raise Refused("Only those who refer look up lesions. Open a case.", code="wrong-role")
    patient = read_body(LookupBody).patient.patient()
    found, following = lesion_desk().register.of_patient(actor, patient)
    note("lesions-looked-up", "lesions", detail={"lesions": [each.uid for each in found]})
    return answer(
        LookupShape(lesions=[LesionShape.of(each) for each in found], next_label=following)
    )


@bp.get("/cases/<case_id>/lesions")
@describe("The lesions of a case's patient", answers={200: LesionsShape})
def of_case(case_id: str) -> Response:
    """List the lesions of the patient: of this case, and of its earlier studies within sight."""
    found = lesion_desk().register.of_case(current_scope(), case_id)
    note("lesions-listed", case_id, case_id=case_id)
    return answer(LesionsShape(lesions=[LesionShape.of(each) for each in found]))


@bp.put("/cases/<case_id>/lesion")
@describe("Say of a draft which lesion it is of", body=LabelBody, answers={200: LesionSetShape})
def set_right(case_id: str) -> Response:
    """Set the lesion of a draft right, with the photographs that it has; no object is changed."""
    body = read_body(LabelBody)
    casebook = services().casebook
    case, uid = casebook.set_lesion_right(current_actor(), case_id, label=body.label)
    label = str(case.referral.clinical.get("lesion", ""))
    return answer(LesionSetShape(case_id=case.id, label=label, uid=uid))


@bp.put("/cases/<case_id>/lesions/<lesion>")
@describe("Give a lesion another name", body=LabelBody, answers={200: LesionNamedShape})
def rename(case_id: str, lesion: str) -> Response:
    """Rename a lesion at the site that asked; its UID stays."""
    body = read_body(LabelBody)
    label = services().casebook.rename_lesion(current_actor(), case_id, lesion, label=body.label)
    return answer(LesionNamedShape(uid=lesion, label=label))


@bp.get("/cases/<case_id>/lesions/<lesion>/alignment")
@describe(
    "How one photograph of a lesion lies on another; `from` and `to` are SOP Instance UIDs",
    answers={200: AlignmentShape},
)
def alignment(case_id: str, lesion: str) -> Response:
    """Give the transform between two photographs of the lesion, or say that there is none."""
    known = lesion_desk().register.one(current_scope(), case_id, lesion)
    first, second = _picture(known, "from"), _picture(known, "to")
    found: dict[str, Any] = lesion_desk().eye.align(seen(row_of(first)), seen(row_of(second))) or {}
    return answer(
        AlignmentShape(
            aligned=bool(found),
            matrix=found.get("matrix"),
            points=found.get("points", 0),
            residual_px=found.get("residual_px"),
            agreement=found.get("agreement"),
            model=found.get("model", ""),
            from_size=FullSize(rows=first.rows, columns=first.columns),
            to_size=FullSize(rows=second.rows, columns=second.columns),
        )
    )


@bp.get("/cases/<case_id>/lesions/<lesion>/sizes")
@describe("How long a lesion was over time", answers={200: SizesShape})
def sizes(case_id: str, lesion: str) -> Response:
    """List sizes of a lesion where a scale was in the picture: as read, or by its outline."""
    known = lesion_desk().register.one(current_scope(), case_id, lesion)
    return answer(SizesShape(sizes=[SizeShape.of(each) for each in sizes_of(known)]))


def _picture(lesion: KnownLesion, name: str) -> LesionPicture:
    uid = request.args.get(name, "")
    if not uid:
        raise Invalid(f"{name}: say which photograph, by its SOP Instance UID.", code="no-picture")
    for picture in lesion.pictures:
        if picture.sop_instance_uid == uid:
            return picture
    raise NotFound(f"The lesion has no photograph {uid[:64]}.", code="no-such-picture")
