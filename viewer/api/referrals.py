"""The calls that make a referral: the draft, its edits, its photographs.

Stores through the photo door only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any, Literal

from flask import Blueprint, Response
from pydantic import Field

from casework.errors import NotFound
from casework.identifiers import derived_uid
from casework.model import Case, Referral
from casework.photo_facts import PhotoFacts
from casework.photo_notes import PhotoNote
from storage.rows import InstanceRow
from viewer.api.bodies import PhotoForm, ReferralBody, ReferralEdit
from viewer.api.calls import (
    Body,
    answer,
    describe,
    read_body,
    read_file,
    read_form,
    refuse_too_large,
)
from viewer.api.shapes import (
    AdviceList,
    AdviceShape,
    CaseStateShape,
    PhotoList,
    PhotoShape,
    PhotoTaken,
    ReferralMade,
)
from viewer.attributes import is_recognizable
from viewer.guard import current_actor, current_scope
from viewer.manifest import kind_of
from viewer.services import required_photos, services

bp = Blueprint("api_referrals", __name__, url_prefix="/api")

_LATERALITY = {"left": "L", "right": "R", "bilateral": "B"}


Side = Annotated[int, Field(ge=0, le=100_000)]


class AssessForm(Body):
    """Which kind of photograph or film is judged, when it is known; of a small upright copy, how
    large the photograph itself is.
    """

    kind: Literal["overview", "closeup", "dermoscopic", "clip", ""] = ""
    rows: Side = 0
    columns: Side = 0
    size_bytes: Annotated[int, Field(ge=0)] = 0

    @property
    def size(self) -> tuple[int, int] | None:
        """Return rows and columns of the photograph of which this is a copy; None when it is
        itself.
        """
        return (self.rows, self.columns) if self.rows and self.columns else None


@bp.post("/referrals")
@describe("Start a referral", body=ReferralBody, answers={201: ReferralMade})
def create_referral() -> Response:
    """Start a referral as a draft of the site of the one who asks."""
    body, actor = read_body(ReferralBody), current_actor()
    case = services().casebook.create_referral(
        actor,
        specialty=body.specialty,
        priority=body.priority,
        patient=body.patient.patient(),
        referral=Referral(body.question, body.clinical, body.consent, referrer=actor.name),
        draft_key=body.draft_key,
    )
    made = ReferralMade(
        case_id=case.id, state=case.state.value, study_instance_uid=derived_uid("study", case.id)
    )
    return answer(made, 201, Location=f"/api/cases/{case.id}")


@bp.put("/cases/<case_id>/referral")
@describe(
    "Change a referral that is still a draft", body=ReferralEdit, answers={200: CaseStateShape}
)
def edit_referral(case_id: str) -> Response:
    """Save what has changed in a draft."""
    body = read_body(ReferralEdit)
    case = _visible(case_id)
    was = case.referral
    referral = replace(
        was,
        question=was.question if body.question is None else body.question,
        clinical=was.clinical if body.clinical is None else body.clinical,
        consent=was.consent if body.consent is None else body.consent,
    )
    changed = services().casebook.edit_referral(
        current_actor(),
        case_id,
        priority=body.priority or case.priority,
        patient=body.patient.patient() if body.patient else case.patient,
        referral=referral,
    )
    return answer(CaseStateShape.of(changed))


@bp.post("/photos/assess")
@describe(
    "Judge a photograph; it is not kept",
    form=AssessForm,
    files=("photo",),
    answers={200: AdviceList},
)
def assess_photo() -> Response:
    """Return the advice on a photograph."""
    form = read_form(AssessForm)
    refuse_too_large(form.size_bytes, limit_bytes=services().settings.max_photo_bytes)
    data = read_file("photo", limit_bytes=limit_of(form.kind))
    advice = required_photos().assess(data, form.kind, size=form.size)
    return answer(AdviceList(advice=[AdviceShape.of(a) for a in advice]))


@bp.post("/cases/<case_id>/photos")
@describe(
    "Add a photograph or film to a case",
    form=PhotoForm,
    files=("photo",),
    answers={201: PhotoTaken},
)
def add_photo(case_id: str) -> Response:
    """Make a photograph an object of its case; the same capture_id again gives the same object."""
    case, actor = _visible(case_id), current_actor()
    services().casebook.require_photographs_wanted(actor, case)
    form = read_form(PhotoForm)
    data = read_file("photo", limit_bytes=limit_of(form.kind))
    return answer(taken_of(required_photos().take(actor, case, data, facts_of(form))), 201)


def taken_of(taken: Mapping[str, Any]) -> PhotoTaken:
    """Return what a photograph has become, and what is said of it, as it is answered."""
    advice = [AdviceShape.of(each) for each in taken["advice"]]
    return PhotoTaken.model_validate({**taken, "advice": advice})


def facts_of(form: PhotoForm) -> PhotoFacts:
    """Return what is said of a photograph or film, as the intake takes it."""
    return PhotoFacts(
        kind=form.kind,
        site_code=form.site_code,
        laterality=_LATERALITY.get(form.laterality, form.laterality),
        lesion=form.lesion,
        kept_anyway=form.kept_anyway,
        recognizable=form.recognizable,
        capture_id=form.capture_id,
        device_id=int(form.device) if form.device else None,
    )


def limit_of(kind: str) -> int:
    """Return how many bytes a photograph may have, or a film."""
    settings = services().settings
    return settings.max_clip_bytes if kind == "clip" else settings.max_photo_bytes


@bp.get("/cases/<case_id>/photos")
@describe("The photographs and other images of a case", answers={200: PhotoList})
def list_photos(case_id: str) -> Response:
    """List the images that a case has by now."""
    case, scope = _visible(case_id), current_scope()
    try:
        rows = services().index.instances_of(scope, derived_uid("study", case.id), site=case.site)
    except NotFound:
        rows = []
    notes = {note.sop_instance_uid: note for note in services().casebook.photo_notes(case.id)}
    return answer(PhotoList(photos=[_shape(row, notes.get(row.sop_instance_uid)) for row in rows]))


def _visible(case_id: str) -> Case:
    return services().casebook.dossier(current_scope(), case_id).case


def _shape(row: InstanceRow, note: PhotoNote | None) -> PhotoShape:
    return PhotoShape(
        sop_instance_uid=row.sop_instance_uid,
        study_instance_uid=row.study_uid,
        series_instance_uid=row.series_uid,
        sop_class_uid=row.sop_class_uid,
        kind=_kind(row),
        number=row.number,
        rows=row.rows,
        columns=row.columns,
        description=str(row.attributes.get("SeriesDescription") or ""),
        received_at=row.received_at,
        faults=[english for english, _norwegian in note.messages] if note else [],
        kept_anyway=note is not None and note.kept_anyway,
        is_recognizable=is_recognizable(row.attributes),
    )


def _kind(row: InstanceRow) -> str:
    """Return which picture of a case an object is: value 4 of Image Type says so."""
    image_type = row.attributes.get("ImageType") or ()
    told = (
        str(image_type[3]).lower() if isinstance(image_type, list) and len(image_type) > 3 else ""
    )
    return told or ("document" if kind_of(row) == "document" else "")
