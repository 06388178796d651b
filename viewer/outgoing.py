"""The page of what goes out: destinations, how they are sent to, the queue, what was given up."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from casework.errors import Invalid, LysbroError
from casework.identifiers import normal_ae_title
from storage.destinations import FORMS
from storage.outbox_desk import DEAD, QUEUED
from viewer.admin import admins_only
from viewer.error_words import error_in
from viewer.guard import current_actor
from viewer.i18n import _
from viewer.languages import language
from viewer.services import outgoing, services

bp = Blueprint("outgoing", __name__, url_prefix="/admin/outgoing")

_LISTED = 100
_MISSING = 20
_NUMBERS = ("most_at_once", "rate_kb", "commit_wait_s", "most_attempts")


@bp.get("")
@admins_only
def page() -> str:
    """Show the destinations and the queue; of one destination with `?to=`."""
    return _page()


@bp.post("/destinations")
@admins_only
def set_destination() -> Response | tuple[str, int]:
    """Say how a node is sent to."""
    title = request.form.get("title", "")
    try:
        changes = _changes()
        found = outgoing().destinations.set(title, **changes)
    except LysbroError as error:
        return _page(error=error), 422
    _note("destination-set", found.title, **changes)
    return redirect(url_for("outgoing.page", _anchor="destinations"))


@bp.post("/pause")
@admins_only
def pause() -> Response:
    """Send a node nothing more, or send to it again."""
    title = request.form.get("title", "")
    if request.form.get("on") == "1":
        _note("destination-paused", outgoing().destinations.pause(title).title)
    else:
        _note("destination-resumed", outgoing().destinations.resume(title).title)
    return redirect(url_for("outgoing.page", _anchor="destinations"))


@bp.post("/replay")
@admins_only
def replay_all() -> Response:
    """Send again all that was given up for a destination."""
    title = normal_ae_title(request.form.get("title", ""))
    count = services().outbox.replay_all(title)
    _note("delivery-replayed", title, jobs=count)
    return redirect(url_for("outgoing.page", _anchor="queue"))


@bp.post("/jobs/<int:job_id>/cancel")
@admins_only
def cancel(job_id: int) -> Response:
    """Take a study out of the queue."""
    study_uid = services().outbox.cancel(job_id)
    _note("send-cancelled", study_uid, job=job_id)
    return redirect(url_for("outgoing.page", _anchor="queue"))


@bp.app_template_global()
def sent_form_name(form: str) -> str:
    """Return in which form a destination is sent images."""
    if not form:
        return _("as they are kept")
    return _("uncompressed") if form == "uncompressed" else form.upper()


@bp.app_template_global()
def reply_way_name(channel: str) -> str:
    """Return by what a reply goes, in a word or two; empty where it stays in the house."""
    return {
        "inbox": _("inbox"),
        "study": _("with the images"),
        "ae": _("DICOM"),
        "hl7": _("HL7"),
        "fhir": _("FHIR"),
        "webhook": _("webhook"),
        "mail": _("e-mail"),
    }.get(channel, channel)


def _changes() -> dict[str, Any]:
    numbers: dict[str, int | None] = {}
    for name in _NUMBERS:
        text = request.form.get(name, "").strip()
        if text and not text.isdigit():
            raise Invalid(f"'{text[:40]}' is no number.", code="bad-destination")
        numbers[name] = int(text) if text else None
    rate = numbers["rate_kb"]
    changes: dict[str, Any] = {
        "form": request.form.get("form", ""),
        "asks_commitment": request.form.get("asks_commitment") == "1",
        "rate_bytes": rate * 1000 if rate else None,
        "most_attempts": numbers["most_attempts"],
        "most_at_once": numbers["most_at_once"] or 1,
    }
    if numbers["commit_wait_s"] is not None:
        changes["commit_wait_s"] = numbers["commit_wait_s"]
    return changes


def _page(*, error: LysbroError | None = None) -> str:
    to = normal_ae_title(request.args.get("to", ""))[:16]
    outbox, parts = services().outbox, outgoing()
    nodes = [node for node in services().people.aes() if node.host and node.port]
    dead = outbox.listed(destination=to, state=DEAD, limit=_LISTED)
    return render_template(
        "admin_outgoing.html",
        nodes=nodes,
        settings={node.title: parts.destinations.of(node.title) for node in nodes},
        waiting={each.destination: each for each in parts.destinations.waiting()},
        dead=dead,
        missing={
            job.id: outbox.missing(job.id, _MISSING + 1) for job in dead if job.kind == "send"
        },
        most_missing=_MISSING,
        queued=outbox.listed(destination=to, state=QUEUED, limit=_LISTED),
        to=to,
        forms=FORMS,
        message=error_in(error.message, language()) if error is not None else "",
    )


def _note(action: str, subject: str, **detail: Any) -> None:
    actor = current_actor()
    services().ledger.append(
        None, actor=actor, action=action, subject=subject, site=actor.site, detail=detail
    )
