"""The calls that put a referral right: a photograph taken out of a draft, a consent taken back."""

from __future__ import annotations

from flask import Blueprint, Response

from viewer.api.bodies import ConsentBody
from viewer.api.calls import answer, describe, read_body
from viewer.api.shapes import CaseStateShape
from viewer.guard import current_actor
from viewer.services import services

bp = Blueprint("api_drafts", __name__, url_prefix="/api")


@bp.post("/cases/<case_id>/photos/<ref>/set-aside")
@describe("Take a photograph out of a draft; its bytes are kept", answers={200: CaseStateShape})
def set_photo_aside(case_id: str, ref: str) -> Response:
    """Take out a photograph by its capture id or its SOP Instance UID; again is harmless."""
    case = services().casebook.set_photo_aside(current_actor(), case_id, ref)
    return answer(CaseStateShape.of(case))


@bp.post("/cases/<case_id>/consent/withdraw")
@describe(
    "Take back a patient's consent to teaching or research",
    body=ConsentBody,
    answers={200: CaseStateShape},
)
def withdraw_consent(case_id: str) -> Response:
    """Take back a consent, before or after sending; again is harmless."""
    body = read_body(ConsentBody)
    case = services().casebook.withdraw_consent(current_actor(), case_id, body.purpose)
    return answer(CaseStateShape.of(case))
