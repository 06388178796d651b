"""The page where an administrator erases, in two steps, and places and lifts legal holds.

The first step shows what would go, the second takes a reason and the digest of what was shown. The
bytes go by the worker.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from casework.erasure import Plan, Target, require_erasable
from casework.errors import Invalid, LysbroError
from viewer.admin import admins_only
from viewer.error_words import error_in
from viewer.guard import current_actor
from viewer.languages import language
from viewer.services import erasing

bp = Blueprint("erasure", __name__, url_prefix="/admin/erasure")

_FIELDS = ("study_uid", "patient_id", "issuer", "site", "reason", "digest")
_LISTED = 50


@bp.get("")
@admins_only
def page() -> str:
    """Show what is held, what was erased and by which rules, with the forms that begin."""
    return _page()


@bp.post("/plan")
@admins_only
def plan() -> str | tuple[str, int]:
    """Show what an erasure would take, and what stands against it."""
    given = _given()
    try:
        found = erasing().erasures.plan(_target(given))
    except LysbroError as error:
        return _page(wrong="erase", error=error, given=given), 422
    return _page(found=found, refusal=_refusal(found), given=given)


@bp.post("")
@admins_only
def erase() -> Response | str | tuple[str, int]:
    """Erase what was shown, for a reason; what has changed since is shown anew instead."""
    given = _given()
    target = _target(given)
    try:
        if not given["digest"]:
            raise Invalid("Look first at what would go.", code="not-shown")
        erasing().erasures.erase(
            target, actor=current_actor(), reason=given["reason"], digest=given["digest"]
        )
    except LysbroError as error:
        found = erasing().erasures.plan(target)
        return _page(found=found, wrong="confirm", error=error, given=given), 422
    return redirect(url_for("erasure.page", _anchor="erased"))


@bp.post("/holds")
@admins_only
def add_hold() -> Response | tuple[str, int]:
    """Place a legal hold."""
    given = _given()
    try:
        erasing().holds.add(_target(given), reason=given["reason"], actor=current_actor())
    except LysbroError as error:
        return _page(wrong="hold", error=error, given=given), 422
    return redirect(url_for("erasure.page", _anchor="holds"))


@bp.post("/holds/<int:hold_id>/lift")
@admins_only
def lift_hold(hold_id: int) -> Response | tuple[str, int]:
    """Lift a legal hold, for a reason."""
    given = _given()
    try:
        erasing().holds.remove(hold_id, reason=given["reason"], actor=current_actor())
    except LysbroError as error:
        return _page(wrong="lift", error=error, given=given), 422
    return redirect(url_for("erasure.page", _anchor="holds"))


def _given() -> dict[str, str]:
    return {name: request.form.get(name, "").strip()[:600] for name in _FIELDS}


def _target(given: dict[str, str]) -> Target:
    return Target(
        study_uid=given["study_uid"],
        patient_id=given["patient_id"],
        issuer=given["issuer"],
        site=given["site"],
    )


def _refusal(found: Plan) -> str:
    """Return why a plan may not be carried out now, or nothing."""
    try:
        require_erasable(found)
    except LysbroError as error:
        return error_in(error.message, language())
    return ""


def _page(*, wrong: str = "", error: LysbroError | None = None, **more: Any) -> str:
    parts = erasing()
    return render_template(
        "admin_erasure.html",
        holds=parts.holds.listed(),
        erased=parts.erasures.listed(limit=_LISTED),
        rules=parts.retention.rules(),
        wrong=wrong,
        message=error_in(error.message, language()) if error is not None else "",
        **({"given": {}, "found": None, "refusal": ""} | more),
    )
