"""The administrator's pages of templates: a centre's list, one as text, its versions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import Blueprint, Response, redirect, render_template, request, url_for
from pydantic import Field
from werkzeug.wrappers import Response as Redirect

from casework.errors import LysbroError
from casework.model import Site, SiteKind
from casework.shipped_templates import shipped
from casework.template_text import MAX_BYTES
from casework.templates import all_normal, text_of
from storage.templates import KeptTemplate, require_sense
from viewer.admin import admins_only
from viewer.api.calls import Answer, answer
from viewer.api.templates import TemplateShape
from viewer.error_words import error_in
from viewer.guard import current_actor
from viewer.languages import language
from viewer.noting import note
from viewer.services import findings_forms, services

bp = Blueprint("template_admin", __name__, url_prefix="/admin/templates")

_NEW = "# Title | Tittel\nspecialty: radiology\nmodality: CT\n\n## Section | Del\n"


class PreviewShape(Answer):
    """How a template would look, or which line is wrong."""

    error: str = ""
    template: TemplateShape | None = None
    normal: str = Field(description="what is written when everything is normal")


@bp.get("")
@admins_only
def page() -> str:
    """List the templates of a centre."""
    centre = _centre()
    return render_template(
        "admin_templates.html",
        centre=centre,
        centres=_centres(),
        rows=findings_forms().templates.listed(centre),
        shipped=shipped(),
    )


@bp.get("/<name>")
@admins_only
def edit(name: str) -> str:
    """Show a template as text, in the present or an older version, with its versions."""
    version = request.args.get("version", "")
    kept = findings_forms().templates.one(
        _centre(), name, int(version) if version.isdecimal() and len(version) < 7 else 0
    )
    return _editor(name, kept.text, kept=kept)


@bp.get("/new")
@admins_only
def new() -> str:
    """Show an empty template with the lines that it needs."""
    return _editor("", _NEW)


@bp.post("")
@admins_only
def save() -> Redirect | tuple[str, int]:
    """Keep the text as the next version; or show it again with what is wrong."""
    name = request.form.get("name", "").strip()[:64]
    text = request.form.get("text", "").replace("\r\n", "\n")
    try:
        kept = findings_forms().templates.save(_centre(), name, text, by=current_actor())
    except LysbroError as error:
        return _editor(name, text, message=error_in(error.message, language())), 422
    _note("template-saved", name, kept)
    return redirect(url_for("template_admin.page", centre=_centre()))


@bp.post("/<name>/<any(offer, withdraw, restore):verb>")
@admins_only
def change(name: str, verb: str) -> Redirect:
    """Offer a template, no longer offer it, or bring back the shipped text."""
    forms, centre, actor = findings_forms().templates, _centre(), current_actor()
    if verb == "restore":
        kept, action = forms.restore(centre, name, by=actor), "template-restored"
    else:
        kept = forms.set_enabled(centre, name, verb == "offer", by=actor)
        action = "template-offered" if verb == "offer" else "template-withdrawn"
    _note(action, name, kept)
    return redirect(url_for("template_admin.page", centre=centre))


@bp.post("/preview")
@admins_only
def preview() -> Response:
    """Tell how a text would look as a form; nothing is kept."""
    text = request.form.get("text", "")[:MAX_BYTES]
    try:
        template = require_sense("preview", text)
    except LysbroError as error:
        return answer(PreviewShape(error=error_in(error.message, language()), normal=""))
    return answer(
        PreviewShape(
            template=TemplateShape.of(template, language()),
            normal=text_of(template, all_normal(template), language()),
        )
    )


def _editor(name: str, text: str, *, kept: KeptTemplate | None = None, message: str = "") -> str:
    centre = _centre()
    more: dict[str, Any] = {"versions": findings_forms().templates.versions(centre, name)}
    return render_template(
        "admin_template.html",
        name=name,
        text=text,
        kept=kept,
        message=message,
        centre=centre,
        is_shipped=name in shipped(),
        strings=("form",),
        **more,
    )


def _centres() -> Sequence[Site]:
    """Return the sites whose people read: the centres, or every site where there is none."""
    sites = services().people.sites()
    return [site for site in sites if site.kind is SiteKind.CENTRE] or sites


def _centre() -> str:
    """Return whose templates are looked at: as asked for, else one's own, else the first."""
    asked, known = request.values.get("centre", ""), [site.slug for site in _centres()]
    own = current_actor().site
    return next((slug for slug in (asked, own) if slug in known), known[0] if known else own)


def _note(action: str, name: str, kept: KeptTemplate) -> None:
    note(action, name, detail={"centre": _centre(), "version": kept.template.version})
