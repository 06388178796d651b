"""The case page: the reading room for those who read, and for those who asked the reply.

Nothing is decided here; the casebook decides and this shows, by forms that need no script.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from casework import access
from casework.delivery import superseding
from casework.errors import Invalid, NotFound, Refused
from casework.lifecycle import Event, possible
from casework.model import Actor, Case, CaseDossier, CaseState, Delivery, Report, Role, SiteKind
from casework.outcomes import Outcome
from storage.index import InstanceRow
from storage.referring import ATTACHABLE
from viewer import headers, reading, referral_news, reply_images, reply_view
from viewer.api import attachments
from viewer.attributes import is_recognizable
from viewer.custody import passages_of
from viewer.guard import current_actor, current_scope
from viewer.i18n import _
from viewer.languages import language
from viewer.lesion_pictures import lesions_over_time
from viewer.manifest import kind_of, poster_of
from viewer.prior_words import notes_of
from viewer.render import is_photograph
from viewer.report_pdf import render_report
from viewer.services import prefetching, required_photos, services

bp = Blueprint("replies", __name__)

_PHOTOGRAPHED = frozenset({"XC", "DMS", "GM", "ES"})
_MOST_PICTURES = 24


@dataclass(frozen=True)
class Picture:
    """One image of the page: a small one to show, and what opens when it is pressed."""

    small: str
    large: str
    is_photograph: bool
    is_recognizable: bool
    film: str = ""  # where it is played, when it is one


@dataclass(frozen=True)
class Attachment:
    """A document or another picture of the page."""

    title: str
    address: str
    preview: str  # empty for a document


@dataclass(frozen=True)
class Turn:
    """One line of a case's history."""

    at: datetime
    text: str


@bp.get("/cases/<case_id>")
def case_page(case_id: str) -> Response | str:
    """Show a case as the one who looks needs it, and note that they did."""
    actor = current_actor()
    dossier = services().casebook.dossier(current_scope(), case_id)
    _note(actor, "case-opened", dossier.case)
    if actor.role is not Role.REFERRER:
        return reading.reading_room(dossier)
    if Event.OPEN in possible(dossier.case.state) and actor.site == dossier.case.site:
        services().casebook.open_reply(actor, case_id)
        dossier = services().casebook.dossier(current_scope(), case_id)
    return _reply_page(actor, dossier)


@bp.post("/cases/<case_id>/acknowledge")
def acknowledge(case_id: str) -> Response:
    """Take the referrer's word that the reply has been read."""
    services().casebook.acknowledge(current_actor(), case_id)
    return redirect(url_for("replies.case_page", case_id=case_id))


@bp.post("/cases/<case_id>/answer")
def answer(case_id: str) -> Response:
    """Send the referrer's answer to what the specialist asked, with the files that go with it."""
    text, actor = _text("text"), current_actor()
    _attach(actor, case_id)
    joining = request.form.getlist("join")[:10]
    services().casebook.answer(actor, case_id, text=text, joining=joining)
    return redirect(url_for("replies.case_page", case_id=case_id, _anchor="conversation"))


@bp.post("/cases/<case_id>/submit")
def submit(case_id: str) -> Response:
    """Send a draft to the specialists."""
    services().casebook.submit(current_actor(), case_id)
    return redirect(url_for("replies.case_page", case_id=case_id))


@bp.post("/cases/<case_id>/withdraw")
def withdraw(case_id: str) -> Response:
    """Take a referral back."""
    services().casebook.withdraw(current_actor(), case_id, reason=_text("reason"))
    return redirect(url_for("replies.case_page", case_id=case_id))


@bp.post("/cases/<case_id>/outcome")
def note_outcome(case_id: str) -> Response:
    """Keep what a case was in the end."""
    said = Outcome(
        basis=_text("basis"), text=_text("text"), malignant=_text("malignant") or "unknown"
    )
    services().casebook.note_outcome(current_actor(), case_id, said)
    return redirect(url_for("replies.case_page", case_id=case_id, _anchor="outcome"))


@bp.get("/cases/<case_id>/report.pdf")
def report_pdf(case_id: str) -> Response:
    """Give a signed version as a PDF: the newest, or the one asked for with `?version=`."""
    actor = current_actor()
    dossier = services().casebook.dossier(current_scope(), case_id)
    report = _version(dossier.reports, request.args.get("version", type=int))
    _note(actor, "report-exported", dossier.case)
    content = render_report(
        dossier,
        report,
        language=language(),
        timezone=services().settings.timezone,
        pictures=reply_images.printed_pictures(dossier, report),
    )
    response = Response(content, mimetype="application/pdf")
    name = f"{dossier.case.id}-{report.version}.pdf"
    response.headers["Content-Disposition"] = f'inline; filename="{name}"'
    return response


def _reply_page(actor: Actor, dossier: CaseDossier) -> str:
    case = dossier.case
    reply = reply_view.reply_of(dossier.reports)
    standing = (reply.answer, *reply.addenda) if reply else ()
    pictures, attached = _pictures(dossier, reply), _attached(dossier)
    shown = reply_images.pictures_of(dossier, standing)
    if any(picture.film for picture in pictures):
        headers.widen_csp("media-src", "'self'")
    return render_template(
        "case.html",
        dossier=dossier,
        case=case,
        reply=reply,
        diagnoses=reply_view.diagnoses_of(reply.content) if reply else (),
        pictures=pictures,
        reply_pictures=shown,
        versions=referral_news.versions_in_words(dossier, _rows(dossier)),
        joinable=services().casebook.joinable(current_scope(), case),
        history=_history(dossier),
        passages=passages_of(dossier),
        lesions=lesions_over_time(case),
        priors=prefetching().priors.of_case(current_scope(), case.id),
        prior_notes=notes_of(prefetching().standings.of_case(case.id)),
        has_missing=any(study.missing_instances for study in dossier.studies),
        may={event.value for event in Event if _may(actor, event, case)},
        attachments=attached,
        may_attach=case.state in ATTACHABLE,
        may_photograph=actor.site_kind is SiteKind.GP,
        strings=("case",),
    )


def _named(reply: reply_view.Reply) -> Sequence[reply_view.Image]:
    return reply_view.images_of((reply.answer, *reply.addenda))


def _pictures(dossier: CaseDossier, reply: reply_view.Reply | None) -> Sequence[Picture]:
    """Return the films that the reply points to; where it points to nothing, the photographs."""
    site = dossier.case.site
    named = _named(reply)[:_MOST_PICTURES] if reply else ()
    if named:
        found = [
            (row, each.frame)
            for each in named
            if (row := reply_images.row_of(each.instance_uid, site)) and kind_of(row) == "video"
        ]
    else:
        rows = _rows(dossier)
        beside = {row.pk for row in attachments.attachments_of(dossier.case, rows)}
        found = [
            (row, 1)
            for row in rows
            if row.attributes.get("Modality") in _PHOTOGRAPHED and row.pk not in beside
        ]
    return [_picture(row, frame) for row, frame in found[:_MOST_PICTURES] if row.rows]


def _rows(dossier: CaseDossier) -> Sequence[InstanceRow]:
    return [
        row
        for study in dossier.studies
        for row in services().index.instances_of(current_scope(), study.study_uid, site=study.site)
    ]


def _attached(dossier: CaseDossier) -> Sequence[Attachment]:
    """Return the documents and other pictures, in the order they were added."""
    found = []
    for row in attachments.attachments_of(dossier.case, _rows(dossier)):
        uid, site = row.sop_instance_uid, row.site
        is_document = kind_of(row) == "document"
        way = "api_frames.document" if is_document else "api_frames.photo"
        preview = "" if is_document else url_for("api_frames.preview", uid=uid, frame=1, site=site)
        address = url_for(way, uid=uid, site=site)
        if not is_document and kind_of(row) != "photo":
            address = preview  # a grey picture has no colours of its own
        found.append(Attachment(attachments.title_of(row), address, preview))
    return found


def _picture(row: InstanceRow, frame: int) -> Picture:
    uid, site = row.sop_instance_uid, row.site
    if kind_of(row) == "video":
        poster = url_for("api_frames.preview", uid=uid, frame=poster_of(row), site=site)
        film = url_for("api_films.film", uid=uid, site=site)
        return Picture(poster, film, is_photograph=True, is_recognizable=False, film=film)
    small = url_for("api_frames.preview", uid=uid, frame=frame, site=site)
    whole = url_for("api_frames.photo", uid=uid, site=site)
    own_jpeg = is_photograph(row)
    is_photographed = row.attributes.get("Modality") in _PHOTOGRAPHED
    return Picture(
        small, whole if own_jpeg else small, is_photographed, is_recognizable(row.attributes)
    )


def _history(dossier: CaseDossier) -> Sequence[Turn]:
    case = dossier.case
    turns = [Turn(case.created_at, _("Referral begun"))]
    if case.submitted_at:
        turns.append(Turn(case.submitted_at, _("Sent to the specialists")))
    if case.claimed_at and case.holder_name:
        turns.append(Turn(case.claimed_at, _("Claimed by {name}", name=case.holder_name)))
    for message in dossier.messages:
        turns.append(Turn(message.at, _message_turn(message.kind, message.author)))
    for report in dossier.reports:
        turns.append(Turn(report.signed_at, _report_turn(report)))
    for delivery in dossier.deliveries:
        if delivery.done_at and delivery.channel != "inbox":
            turns.append(Turn(delivery.done_at, _delivery_turn(delivery)))
    if case.read_at:
        turns.append(Turn(case.read_at, _("Answer opened")))
    if case.closed_at:
        turns.append(Turn(case.closed_at, _("Answer acknowledged")))
    return sorted(turns, key=lambda turn: turn.at)


def _message_turn(kind: str, author: str) -> str:
    return {
        "question": _("{name} asked for something", name=author),
        "answer": _("{name} answered", name=author),
        "decline": _("{name} declined the case", name=author),
        "withdraw": _("{name} withdrew the referral", name=author),
    }.get(kind, _("{name} wrote a note", name=author))


def _delivery_turn(delivery: Delivery) -> str:
    if delivery.channel == "study":
        return _("Answer filed with the images")
    if (newer := superseding(delivery.acknowledgement)) is not None:
        return _("Not sent any more: version {n} is there, whole", n=newer)
    told = _("Delivered to {destination}", destination=delivery.destination)
    return f"{told} ({delivery.acknowledgement})" if delivery.acknowledgement else told


def _report_turn(report: Report) -> str:
    return {
        "addendum": _("{name} signed an addendum", name=report.signed_by),
        "correction": _("{name} signed a correction", name=report.signed_by),
    }.get(report.kind, _("{name} signed the answer", name=report.signed_by))


def _may(actor: Actor, event: Event, case: Case) -> bool:
    if event not in possible(case.state):
        return False
    try:
        access.require_may(actor, event, site=case.site, holder_id=case.holder_id)
    except Refused:
        return False
    return True


def _version(reports: Sequence[Report], version: int | None) -> Report:
    fitting = [report for report in reports if version in (None, report.version)]
    if not fitting:
        raise NotFound("There is no signed report of that version.", code="no-such-report")
    return max(fitting, key=lambda report: report.version)


def _text(name: str) -> str:
    text = request.form.get(name, "").strip()
    if not text:
        raise Invalid("Write a text first. Go back, and what you had is still there.", code="empty")
    return text


def _attach(actor: Actor, case_id: str) -> None:
    """Keep the documents and pictures that were chosen with an answer."""
    files = [file for file in request.files.getlist("file") if file.filename]
    if not files:
        return
    case = services().casebook.dossier(current_scope(), case_id).case
    services().casebook.require_attachments_wanted(actor, case)
    for file in files:
        data = attachments.read_attachment(file)
        title = request.form.get("title", "").strip()[:64]
        required_photos().attach(actor, case, data, title=title, attachment_id="")


def _note(actor: Actor, action: str, case: Case) -> None:
    services().ledger.append(
        None, actor=actor, action=action, subject=case.id, case_id=case.id, site=actor.site
    )


@bp.app_template_global()
def waits_for_referrer(case: Case) -> bool:
    """Tell whether the one who asked is the one being waited for."""
    return case.state is CaseState.WAITING
