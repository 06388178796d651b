"""Takes a patient's consent to teaching or research back, from the case page. Decides nothing."""

from __future__ import annotations

from flask import Blueprint, redirect, request, url_for
from werkzeug.wrappers import Response

from viewer.guard import current_actor
from viewer.services import services

bp = Blueprint("consents", __name__)


@bp.post("/cases/<case_id>/consent")
def withdraw(case_id: str) -> Response:
    """Take back one purpose of a case's consents."""
    purpose = request.form.get("purpose", "")
    services().casebook.withdraw_consent(current_actor(), case_id, purpose)
    return redirect(url_for("replies.case_page", case_id=case_id, _anchor="consents"))
