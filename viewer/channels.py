"""The page of reply channels: by which further ways the sites' signed replies go."""

from __future__ import annotations

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from casework.errors import Invalid, LysbroError, Unavailable
from casework.reply_channels import OPTIONS, ReplyChannel, Way
from storage.reply_channels import ReplyChannels
from viewer.admin import admins_only
from viewer.error_words import error_in
from viewer.guard import current_actor
from viewer.i18n import _
from viewer.languages import language
from viewer.services import services

bp = Blueprint("channels", __name__, url_prefix="/admin/channels")


@bp.get("")
@admins_only
def page() -> str:
    """Show the channels, with a form for another."""
    return _page()


@bp.post("")
@admins_only
def add() -> Response | tuple[str, int]:
    """Add a channel; or show the form again as it was filled in, with the reason."""
    given = {
        name: request.form.get(name, "").strip()[:300]
        for name in ("name", "site", "way", "address", "options")
    }
    try:
        added = _channels().add(_read(given))
    except LysbroError as error:
        return _page(message=error_in(error.message, language()), given=given), 422
    _note("channel-added", added)
    return redirect(url_for("channels.page"))


@bp.post("/<name>/turn")
@admins_only
def turn(name: str) -> Response:
    """Turn a channel off for replies signed from now on, or on again."""
    on = request.form.get("on") == "1"
    found = _channels().turn(name, on=on)
    _note("channel-turned-on" if on else "channel-turned-off", found)
    return redirect(url_for("channels.page"))


@bp.post("/<name>/remove")
@admins_only
def remove(name: str) -> Response:
    """Remove a channel."""
    found = _channels().of(name)
    _channels().remove(name)
    _note("channel-removed", found)
    return redirect(url_for("channels.page"))


def _page(message: str = "", given: dict[str, str] | None = None) -> str:
    return render_template(
        "admin_channels.html",
        channels=_channels().all(),
        sites=services().people.sites(),
        ways=[(way.value, way_name(way)) for way in Way],
        options=OPTIONS,
        message=message,
        given=given or {},
    )


def _read(given: dict[str, str]) -> ReplyChannel:
    if given["way"] not in set(Way):
        raise Invalid(_("Choose how the replies go."), code="unknown-way")
    pairs = [part.partition("=") for part in given["options"].split()]
    told = {name: value for name, _sign, value in pairs}
    return ReplyChannel(given["name"], given["site"], Way(given["way"]), given["address"], told)


@bp.app_template_global()
def way_name(way: Way) -> str:
    """Return what a way is called."""
    return {
        Way.HL7: _("HL7 message (ORU)"),
        Way.FHIR: _("FHIR server"),
        Way.WEBHOOK: _("Webhook"),
        Way.MAIL: _("Notice by mail"),
    }[way]


def _channels() -> ReplyChannels:
    found = services().reply_channels
    if found is None:
        raise Unavailable("This server keeps no reply channels. Use another.")
    return found


def _note(action: str, channel: ReplyChannel) -> None:
    services().ledger.append(
        None,
        actor=current_actor(),
        action=action,
        subject=channel.name,
        case_id="",
        site=channel.site,
        detail={"way": channel.way.value},
    )
