"""The capture page: a referral with photographs, made for a telephone first.

Shows the form; the API keeps it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from casework import access, clinical, visits
from casework.consents import HOW, RECORD, WHO
from casework.devices import DeviceKind, EnrolledDevice
from casework.errors import Refused
from casework.lifecycle import Event
from casework.model import Case, CaseState, Priority, Specialty
from casework.views import views_of
from storage.drafting import DraftRow
from storage.rows import InstanceRow
from viewer import headers
from viewer.api import attachments
from viewer.attributes import is_recognizable
from viewer.bodymap.views import page_views
from viewer.guard import current_actor, current_scope
from viewer.i18n import _
from viewer.languages import language
from viewer.manifest import kind_of
from viewer.photo_kind import KINDS
from viewer.referral_words import lesion_name
from viewer.services import required_photos, services

bp = Blueprint("capture", __name__)

_KINDS = (*KINDS, "clip", "other")
_OPEN = frozenset({CaseState.DRAFT, CaseState.WAITING})


@bp.get("/capture")
def begin() -> Response | str:
    """Show the form for a new referral; `?case=` goes on with a draft.

    `?after=` begins a further lesion of that case's patient, with what is the patient's taken over.
    """
    _require_may_refer()
    if case_id := request.args.get("case"):
        return redirect(url_for("capture.go_on", case_id=case_id))
    before = _case_before(request.args.get("after", ""))
    return _page(None, (), before=before)


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


def _case_before(case_id: str) -> Case | None:
    if not case_id:
        return None
    case = services().casebook.dossier(current_scope(), case_id).case
    access.require_may(current_actor(), Event.SUBMIT, site=case.site, holder_id=case.holder_id)
    return case if case.specialty is Specialty.DERMATOLOGY else None


def blank_page() -> str:
    """Return the empty form of nobody: without a name, a token, a device or anybody's referral."""
    return _form(
        case=None,
        draft=None,
        before=None,
        drafts=(),
        others=(),
        visit=(),
        category=_first_category(),
        devices_of=lambda _slot: (),
        actor=None,
        csrf_token=lambda: "",
    )


def _page(case: Case | None, rows: Sequence[InstanceRow], before: Case | None = None) -> str:
    of_visit = case or before
    drafts = [] if of_visit else services().casebook.drafts_of(current_actor())
    visit = services().casebook.visit(current_scope(), of_visit) if of_visit else ()
    others = [row for row in visit if case is None or row.case.id != case.id]
    return _form(
        case=case,
        draft=_draft(case, rows) if before is None else _begun(before),
        before=before,
        drafts=_by_visit(drafts),
        others=others,
        visit=[_in_visit(row) for row in others],
        category=services().casebook.last_category(current_actor()) or _first_category(),
        devices_of=_devices_of(),
    )


def _form(*, case: Case | None, **of_person: object) -> str:
    """Return the form: what is the same for all, and `of_person`, which is one person's."""
    headers.widen_csp("media-src", "'self'", "blob:")  # the film that was just taken
    return render_template(
        "capture.html",
        case=case,
        lesion_name=lesion_name,
        lacks_in_words=_lacks_in_words,
        who_agrees=WHO,
        how_agrees=HOW,
        sites=_sites(),
        body_views=page_views(),
        other_name=_other_name,
        questions=clinical.QUESTIONS,
        consents=clinical.CONSENTS,
        units=clinical.DURATION_UNITS,
        categories=clinical.SKIN,
        clip_seconds=f"{services().settings.max_clip_seconds:g}",
        views=_views(),
        said=_said,
        priorities=(Priority.ROUTINE, Priority.URGENT, Priority.ASAP),
        only_pictures=case is not None and case.state is CaseState.WAITING,
        strings=("capture",),
        **of_person,
    )


def _views() -> Mapping[str, Any]:
    """Return the pictures of each kind of skin change, with how to take them, for the script."""
    return {
        category: [
            {"kind": view.kind, "is_wanted": view.is_wanted, "how": _said(view)}
            for view in views_of(category)
        ]
        for category in clinical.SKIN
    }


def _devices_of() -> Callable[[str], Sequence[EnrolledDevice]]:
    """Return what gives the own site's devices for a picture: dermatoscopes for one of them."""
    register = services().devices
    enrolled = [] if register is None else register.listed(current_actor().site)

    def fitting(slot: str) -> Sequence[EnrolledDevice]:
        wanted = DeviceKind.DERMATOSCOPE if slot == "dermoscopic" else DeviceKind.CAMERA
        return [each for each in enrolled if each.kind is wanted]

    return fitting


def _said(labelled: Any) -> str:
    """Return the label of a question, option or site in the reader's language."""
    if isinstance(labelled, Mapping):
        return str(labelled["nb"] if language() == "nb" else labelled["en"])
    return str(labelled.label_nb if language() == "nb" else labelled.label_en)


def _other_name(site: Mapping[str, Any]) -> str:
    """Return what a site is called in the language that is not the reader's, to search by."""
    return str(site["en"] if language() == "nb" else site["nb"])


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
    beside = attachments.attachments_of(case, rows)
    names = {row.sop_instance_uid for row in beside}
    photos = [
        {
            "sop_instance_uid": row.sop_instance_uid,
            "kind": _kind(row),
            "is_recognizable": is_recognizable(row.attributes),
        }
        for row in rows
        if row.rows and row.sop_instance_uid not in names
    ]
    attached = [
        {
            "sop_instance_uid": row.sop_instance_uid,
            "title": attachments.title_of(row),
            "kind": kind_of(row),
        }
        for row in beside
    ]
    return {**_told(case), "photos": photos, "attachments": attached}


def _told(case: Case) -> dict[str, Any]:
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
    }


def _first_category() -> str:
    """Return the kind of skin change that is offered to one who has never referred."""
    return clinical.SKIN[0]


def _begun(before: Case) -> Mapping[str, Any]:
    """Return what a further lesion of the same visit begins with; nothing of it is kept yet."""
    told = _told(before)
    consent = {key: value for key, value in told["consent"].items() if key != RECORD}
    return {
        **told,
        "case_id": "",
        "question": "",
        "priority": Priority.ROUTINE.value,
        "clinical": visits.taken_over(before),
        "consent": consent,
        "photos": [],
    }


def _by_visit(rows: Sequence[DraftRow]) -> Sequence[Sequence[DraftRow]]:
    """Return drafts in groups: those of one visit together, the first begun first."""
    groups: dict[str, list[DraftRow]] = {}
    for row in rows:
        groups.setdefault(visits.visit_of(row.case), []).insert(0, row)
    return list(groups.values())


def _in_visit(row: DraftRow) -> Mapping[str, Any]:
    """Return what the script needs to know of another case of the visit."""
    is_draft = row.case.state is CaseState.DRAFT
    return {
        "case_id": row.case.id,
        "name": lesion_name(row.case),
        "is_ready": is_draft and not row.lacks,
        "is_draft": is_draft,
    }


def _lacks_in_words(row: DraftRow) -> str:
    """Return what a draft lacks, in words."""
    words = {
        "where": _("where it is"),
        "pictures": _("a picture"),
        "question": _("a question"),
        "consent": _("the patient's consent"),
    }
    return ", ".join(words[what] for what in row.lacks)


def _kind(row: InstanceRow) -> str:
    """Return which picture an object is: value 4 of Image Type says so."""
    described = str(row.attributes.get("ImageType", "")).lower()
    return next((kind for kind in _KINDS if kind in described), "overview")
