"""The capture page: a referral with photographs, made for a telephone first.

Shows the form; the API keeps it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from casework import access, clinical, clocks
from casework.errors import Refused
from casework.model import Case, CaseState, Priority, Specialty
from storage.rows import InstanceRow
from viewer.attributes import is_recognizable
from viewer.guard import current_actor, current_scope
from viewer.i18n import _
from viewer.languages import language
from viewer.services import required_photos, services

bp = Blueprint("capture", __name__)

_SLOTS = ("overview", "closeup", "dermoscopic")
_OPEN = frozenset({CaseState.DRAFT, CaseState.WAITING})


@bp.get("/capture")
def begin() -> Response | str:
    """Show the form for a new referral; `?case=` goes on with a draft."""
    _require_may_refer()
    if case_id := request.args.get("case"):
        return redirect(url_for("capture.go_on", case_id=case_id))
    return _page(None, ())


@bp.get("/capture/scale-card.pdf")
def scale_card() -> Response:
    """Give the scale card to print."""
    _require_may_refer()
    return Response(required_photos().scale_card(), mimetype="application/pdf")


@bp.get("/capture/<case_id>")
def go_on(case_id: str) -> Response | str:
    """Show the form with a draft in it, or its pictures alone when more were asked for."""
    _require_may_refer()
    dossier = services().casebook.dossier(current_scope(), case_id)
    case = dossier.case
    if case.state not in _OPEN or case.specialty is not Specialty.DERMATOLOGY:
        return redirect(url_for("replies.case_page", case_id=case_id))
    rows = [
        row
        for study in dossier.studies
        for row in services().index.instances_of(current_scope(), study.study_uid, site=study.site)
    ]
    return _page(case, rows)


def _require_may_refer() -> None:
    if not access.may_refer(current_actor()):
        raise Refused(
            _("Only those who refer start a referral. You may read and answer."), code="wrong-role"
        )


def _page(case: Case | None, rows: Sequence[InstanceRow]) -> str:
    return render_template(
        "capture.html",
        case=case,
        draft=_draft(case, rows),
        sites=_sites(),
        questions=clinical.QUESTIONS,
        consents=clinical.CONSENTS,
        units=clinical.DURATION_UNITS,
        categories=clinical.SKIN,
        slots=_SLOTS,
        said=_said,
        priorities=_priorities(),
        only_pictures=case is not None and case.state is CaseState.WAITING,
        strings=("capture",),
    )


def _priorities() -> Sequence[tuple[Priority, float]]:
    """Return how soon an answer may be wanted, and within how many seconds it then comes."""
    wanted = (Priority.ROUTINE, Priority.URGENT, Priority.ASAP)
    return [(p, clocks.TARGETS[Specialty.DERMATOLOGY, p].total_seconds()) for p in wanted]


def _said(labelled: Any) -> str:
    """Return the label of a question, option or site in the reader's language."""
    if isinstance(labelled, Mapping):
        return str(labelled["nb"] if language() == "nb" else labelled["en"])
    return str(labelled.label_nb if language() == "nb" else labelled.label_en)


def _sites() -> Sequence[tuple[str, Sequence[Mapping[str, Any]]]]:
    """Return the sites on the body by region, those asked for often first."""
    regions: dict[str, list[Mapping[str, Any]]] = {}
    for site in required_photos().sites():
        regions.setdefault(_said(site["region_name"]), []).append(site)
    return [(name, sorted(sites, key=lambda s: not s["common"])) for name, sites in regions.items()]


def _draft(case: Case | None, rows: Sequence[InstanceRow]) -> Mapping[str, Any] | None:
    """Return what the script needs to go on with a draft."""
    if case is None:
        return None
    patient = case.patient
    family, _sep, given = patient.name.split("=")[0].partition("^")
    return {
        "case_id": case.id,
        "patient": {
            "id": patient.id,
            "family": family,
            "given": given.replace("^", " ").strip(),
            "birth_date": patient.birth_date.isoformat() if patient.birth_date else "",
            "sex": patient.sex,
        },
        "question": case.referral.question,
        "priority": case.priority.value,
        "clinical": dict(case.referral.clinical),
        "consent": dict(case.referral.consent),
        "photos": [
            {
                "sop_instance_uid": row.sop_instance_uid,
                "kind": _kind(row),
                "is_recognizable": is_recognizable(row.attributes),
            }
            for row in rows
            if row.rows
        ],
    }


def _kind(row: InstanceRow) -> str:
    """Return which of the three pictures an object is: value 4 of Image Type says so."""
    described = str(row.attributes.get("ImageType", "")).lower()
    return next((slot for slot in _SLOTS if slot in described), "overview")
