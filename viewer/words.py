"""What the pages call things: states, roles, priorities, people, the links of the header.

The words of docs/glossary.md in the reader's language. Decides nothing about a case.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from flask import Blueprint, g, request
from markupsafe import Markup

from casework.clinical import DURATION_UNITS, QUESTIONS, Option, Question, reason_label
from casework.codings import codes_text
from casework.describing import suspicion_text
from casework.model import (
    AePermission,
    Case,
    CaseState,
    Patient,
    Priority,
    Referral,
    Role,
    SiteKind,
    Specialty,
)
from casework.visits import VISIT
from viewer.bodymap.picture import picture_of
from viewer.due_words import time_left
from viewer.guard import actor_or_none
from viewer.i18n import _, _n, clock, span
from viewer.languages import language
from viewer.measured_words import calibration_text, measurement_name, measurement_text
from viewer.plain_words import certainty_text, name_text, urgency_text
from viewer.services import services
from viewer.texts import mark

bp = Blueprint("words", __name__)
for _text in (calibration_text, measurement_name, measurement_text):
    bp.add_app_template_global(_text)

_PHOTOGRAPHS_AND_PAPERS = frozenset({"XC", "DMS", "DOC", "SR", "KO"})
_WHERE = ("site", "laterality", "lesion")
_TOLD_ELSEWHERE = frozenset({*_WHERE, VISIT, "map"})


@dataclass(frozen=True)
class Link:
    """One link of the header, with the number that stands beside it."""

    href: str
    label: str
    count: int | None = None


@bp.app_template_global()
def nav_links() -> Sequence[Link]:
    """Return the header's links for the one who is signed in."""
    actor = actor_or_none()
    if actor is None:
        return ()
    if actor.role is Role.ADMIN:
        return (
            Link("/admin", _("Exchange")),
            Link("/admin/outgoing", _("Outgoing")),
            Link("/admin/routing", _("Routing")),
            Link("/admin/channels", _("Replies")),
            Link("/admin/people", _("People and sites")),
            Link("/admin/priors", _("Earlier studies")),
            Link("/admin/templates", _("Templates")),
            Link("/admin/statistics", _("Statistics")),
            Link("/admin/audit", _("Audit")),
            Link("/admin/erasure", _("Erasure")),
            Link("/orders", _("Orders")),
        )
    if actor.role is Role.REFERRER:
        links = [Link("/", _("Cases"))]
        if actor.site_kind is SiteKind.GP:
            links.append(Link("/capture", _("New referral")))
        links.append(Link("/orders", _("Orders")))
        return links
    waiting: int | None = g.get("waiting_count")
    links = [Link("/", _("Cases"), waiting)]
    if actor.role is not Role.COORDINATOR:
        links.append(Link("/?mine=1", _("Mine"), g.get("mine_count")))
    links.append(Link("/?state=replied", _("Replies")))
    if actor.role is Role.COORDINATOR:
        links.append(Link("/orders", _("Orders")))
        links.append(Link("/admin/statistics", _("Statistics")))
    return links


@bp.app_template_global()
def is_here(href: str) -> bool:
    """Tell whether a link of the header leads to the page that is shown."""
    path, _question, query = href.partition("?")
    if query:
        return request.full_path == href
    elsewhere = {link.href for link in nav_links() if "?" in link.href}
    return request.path == path and request.full_path not in elsewhere


@bp.app_template_global()
def role_name(role: Role | str | None) -> str:
    """Return what a role is called."""
    return (
        {
            Role.REFERRER: _("Referrer"),
            Role.RADIOLOGIST: _("Radiologist"),
            Role.DERMATOLOGIST: _("Dermatologist"),
            Role.COORDINATOR: _("Coordinator"),
            Role.ADMIN: _("Administrator"),
        }.get(Role(role), "")
        if role
        else ""
    )


@bp.app_template_global()
def kind_name(kind: SiteKind | str) -> str:
    """Return what a kind of site is called."""
    return {
        SiteKind.HOSPITAL: _("Hospital"),
        SiteKind.GP: _("GP office"),
        SiteKind.CENTRE: _("Centre"),
    }[SiteKind(kind)]


@bp.app_template_global()
def permission_name(permission: AePermission) -> str:
    """Return what a permission of a DICOM node lets it do."""
    return {
        AePermission.STORE: _("send images"),
        AePermission.QUERY: _("search"),
        AePermission.RETRIEVE: _("fetch images"),
        AePermission.COMMIT: _("ask for commitment"),
        AePermission.WORKLIST: _("fetch the worklist"),
        AePermission.REPLY: _("be sent replies"),
        AePermission.ASK: _("be asked how much there is"),
        AePermission.FETCH: _("be asked for earlier studies"),
    }[permission]


@bp.app_template_global()
def specialty_name(specialty: Specialty) -> str:
    """Return what a specialty is called."""
    return {Specialty.RADIOLOGY: _("Radiology"), Specialty.DERMATOLOGY: _("Dermatology")}[specialty]


@bp.app_template_global()
def priority_name(priority: Priority) -> str:
    """Return what a priority is called."""
    return {
        Priority.ROUTINE: _("Routine"),
        Priority.URGENT: _("Urgent"),
        Priority.ASAP: _("As soon as possible"),
        Priority.STAT: _("Immediate"),
    }[priority]


@bp.app_template_global()
def state_name(state: CaseState) -> str:
    """Return what a state is called where it stands alone."""
    return {
        CaseState.DRAFT: _("Draft"),
        CaseState.SUBMITTED: _("Waiting for a specialist"),
        CaseState.CLAIMED: _("Being read"),
        CaseState.WAITING: _("Waiting for the referrer"),
        CaseState.REPORTED: _("Being written"),
        CaseState.SIGNED: _("Answered"),
        CaseState.DELIVERED: _("Answered"),
        CaseState.READ: _("Answer read"),
        CaseState.CLOSED: _("Closed"),
        CaseState.WITHDRAWN: _("Withdrawn"),
        CaseState.DECLINED: _("Declined"),
    }[state]


@bp.app_template_global()
def reason_name(code: str) -> str:
    """Return what a reason for asking back is called, or the code where it is not ours."""
    return reason_label(code, language=language())


@bp.app_template_global()
def clinical_facts(referral: Referral) -> Sequence[tuple[str, str]]:
    """Return the clinical answers of a referral, each with its question, in words."""
    norwegian = language() == "nb"
    known = {question.key: question for question in QUESTIONS}
    facts = place_facts(referral)
    for key, value in referral.clinical.items():
        if key in _TOLD_ELSEWHERE:
            continue
        question = known.get(key)
        label = key if question is None else question.label_nb if norwegian else question.label_en
        facts.append((label, _answer_text(question, value, norwegian=norwegian)))
    return facts


@bp.app_template_global()
def body_picture(referral: Referral) -> Markup:
    """Return where on the body it is as a small figure, where the referral points to it."""
    point = referral.clinical.get("map")
    return picture_of(point, _place(referral)) if isinstance(point, Mapping) else Markup("")


def place_facts(referral: Referral) -> list[tuple[str, str]]:
    """Return where on the body it is, and what the lesion is called."""
    told = (
        (_("Where"), _place(referral)),
        (_("Lesion"), str(referral.clinical.get("lesion") or "")),
    )
    return [(label, said) for label, said in told if said]


def _place(referral: Referral) -> str:
    """Return where on the body it is, in the words of the pick list.

    A code that the list does not have stays as it is.
    """
    code, side = (str(referral.clinical.get(key) or "") for key in ("site", "laterality"))
    door = services().photos
    named = {str(site["code"]): site for site in door.sites()} if code and door else {}
    place = str(named[code]["nb" if language() == "nb" else "en"]) if code in named else code
    sides = {"L": _("Left"), "R": _("Right")}
    return ", ".join(part for part in (place, sides.get(side, side).lower()) if part)


def category_name(referral: Referral) -> str:
    """Return what a skin referral is about, by its own category; empty when it names none."""
    category = referral.clinical.get("category")
    question = next((each for each in QUESTIONS if each.key == "category"), None)
    if not category or question is None:
        return ""
    return _answer_text(question, category, norwegian=language() == "nb")


def _answer_text(question: Question | None, value: Any, *, norwegian: bool) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(_answer_text(question, each, norwegian=norwegian) for each in value)
    if isinstance(value, Mapping) and "unit" in value:
        unit = _option_text(DURATION_UNITS, str(value["unit"]), norwegian=norwegian)
        return f"{value.get('value', '')} {unit}".strip()
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    options = question.options if question is not None else ()
    return _option_text(options, str(value), norwegian=norwegian)


def _option_text(options: Sequence[Option], value: str, *, norwegian: bool) -> str:
    for option in options:
        if option.value == value:
            return option.label_nb if norwegian else option.label_en
    return value


@bp.app_template_global()
def urgency_name(urgency: str) -> str:
    """Return what the urgency of an answer asks of the referrer."""
    return urgency_text(urgency, language())


@bp.app_template_global()
def codes_of(diagnosis: Mapping[str, Any]) -> str:
    """Return every code of a diagnosis in a line."""
    return codes_text(diagnosis)


@bp.app_template_global()
def suspicion_name(content: Mapping[str, Any]) -> str:
    """Return how much malignancy is suspected, in words."""
    return suspicion_text(content, language())


@bp.app_template_global()
def certainty_name(certainty: int | None) -> str:
    """Return how sure the reader is, in words."""
    return certainty_text(certainty, language())


@bp.app_template_global()
def draft_address(case: Case) -> str:
    """Return where a case is gone on with: a skin draft in the capture page, others at home."""
    if case.state is CaseState.DRAFT and case.specialty is Specialty.DERMATOLOGY:
        return f"/capture?case={case.id}"
    return f"/cases/{case.id}"


@bp.app_template_global()
def site_name(slug: str) -> str:
    """Return the name of a site, or its slug where it has none."""
    names: dict[str, str] = g.setdefault("site_names", {})
    if slug not in names:
        site = services().people.site(slug)
        names[slug] = site.name if site is not None else slug
    return names[slug]


@bp.app_template_global()
def person_name(dicom_name: str) -> str:
    """Return a name of DICOM form (PS3.5 section 6.2.1.1, VR PN) as people write it."""
    return name_text(dicom_name) or _("Name not given")


@bp.app_template_global()
def sex_and_age(patient: Patient) -> str:
    """Return sex and age in short, as `M 71`, or what is known of them."""
    age = age_of(patient.birth_date)
    sex = {"M": _("M"), "F": _("F"), "O": _("other")}.get(patient.sex, "")
    if age.isdecimal() and not sex:
        return _("{n} y", n=age)
    return " ".join(part for part in (sex, age) if part) or "–"


def age_of(birth_date: date | None) -> str:
    """Return an age: years from 2 on, months below that, empty when the birth date is not known."""
    if birth_date is None:
        return ""
    today = services().clock().date()
    passed = (today.month, today.day) < (birth_date.month, birth_date.day)
    years = today.year - birth_date.year - passed
    if years >= 2:
        return str(years)
    months = (today.year - birth_date.year) * 12 + today.month - birth_date.month
    return _("{n} mo", n=max(0, months - (today.day < birth_date.day)))


@dataclass(frozen=True)
class Wait:
    """What a case waits for, in words, and how strongly to say it."""

    text: str
    tone: str = ""  # act | fine | quiet, or empty


@bp.app_template_global()
def wait_of(case: Case) -> Wait:
    """Return what a case waits for and how long there is: the clock that matters now."""
    now = services().clock()
    if case.state is CaseState.DRAFT:
        return Wait(_("Draft, not sent"), "quiet")
    if case.state is CaseState.WAITING:
        return Wait(_("waiting for the referrer"), "quiet")
    if case.state is CaseState.WITHDRAWN:
        return Wait(_("Withdrawn"), "quiet")
    if case.state is CaseState.DECLINED:
        return Wait(_("Declined"), "act")
    if case.state is CaseState.CLOSED:
        return Wait(_at(mark("Closed"), mark("Closed {time}"), case.closed_at), "quiet")
    if case.state is CaseState.READ:
        return Wait(_at(mark("Answer read"), mark("Read {time}"), case.read_at), "fine")
    if case.state in (CaseState.SIGNED, CaseState.DELIVERED):
        return _unread(case, now)
    return Wait(*time_left(case, now))


def _unread(case: Case, now: datetime) -> Wait:
    if case.escalated_at is not None and case.signed_at is not None:
        unread_s = (now - case.signed_at).total_seconds()
        return Wait(_("urgent answer unread for {span}", span=span(unread_s)), "act")
    return Wait(_at(mark("Answered"), mark("Answered {time}"), case.signed_at), "fine")


def _at(bare: str, with_time: str, at: datetime | None) -> str:
    return _(bare) if at is None else _(with_time, time=clock(at))


@bp.app_template_global()
def contents_of(specialty: Specialty, *, modalities: Sequence[str], count: int) -> str:
    """Return how much a case holds: `312 images`, `4 photos`."""
    if not count:
        return _("no images yet")
    if specialty is Specialty.DERMATOLOGY and not set(modalities) - _PHOTOGRAPHS_AND_PAPERS:
        return _n("{n} photo", "{n} photos", count)
    return _n("{n} image", "{n} images", count)
