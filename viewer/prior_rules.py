"""The administrator's page of earlier studies: rules, what is asked and fetched, what failed."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from casework.errors import Invalid, LysbroError
from casework.model import AePermission
from casework.priors import PriorRule
from viewer.admin import admins_only
from viewer.error_words import error_in
from viewer.guard import current_actor
from viewer.languages import language
from viewer.prior_words import notes_of
from viewer.services import prefetching, services

bp = Blueprint("prior_rules", __name__, url_prefix="/admin/priors")

_FIELDS = (
    "site", "modality", "body_part", "years", "modalities", "most_studies", "most_images",
    "most_megabytes", "large_images", "from_hour", "to_hour",
)  # fmt: skip
_LATELY = 30
_MEGABYTE = 1_000_000


@bp.get("")
@admins_only
def page() -> str:
    """Show the rules, the newest questions and what was given up, with a form for a rule."""
    return _page()


@bp.post("")
@admins_only
def add() -> Response | tuple[str, int]:
    """Add a rule; or show the form again as it was filled in, with the reason."""
    given = {name: request.form.get(name, "").strip()[:200] for name in _FIELDS}
    nodes = request.form.getlist("nodes")
    try:
        rule = prefetching().rules.add(_rule(given, nodes))
    except LysbroError as error:
        message = error_in(error.message, language())
        return _page(message=message, given=given | {"nodes": nodes}), 422
    _note("prior-rule-added", str(rule.id))
    return redirect(url_for("prior_rules.page", _anchor="rules"))


@bp.post("/<int:rule_id>/remove")
@admins_only
def remove(rule_id: int) -> Response:
    """Forget a rule; what was fetched by it stays."""
    prefetching().rules.remove(rule_id)
    _note("prior-rule-removed", str(rule_id))
    return redirect(url_for("prior_rules.page", _anchor="rules"))


@bp.post("/<kind>/<int:job_id>/replay")
@admins_only
def replay(kind: str, job_id: int) -> Response:
    """Put a question or a fetch that was given up back in the queue."""
    again = prefetching().queue.replay(kind, job_id)
    _note(f"prior-{kind}-replayed", again.subject)
    return redirect(url_for("prior_rules.page", _anchor="given-up"))


def _page(**more: Any) -> str:
    known = prefetching()
    nodes = [node for node in services().people.aes() if AePermission.FETCH in node.permissions]
    return render_template(
        "admin_priors.html",
        rules=known.rules.listed(),
        nodes=nodes,
        sites=services().people.sites(),
        counts=known.queue.counts(),
        given_up=known.queue.given_up(),
        lately=[
            (case_id, site, notes_of([asked]))
            for case_id, site, asked in known.standings.lately(_LATELY)
        ],
        **({"given": {}, "message": ""} | more),
    )


@bp.app_template_global()
def error_text(message: str) -> str:
    """Return the words of an error in the language of the one who looks."""
    return error_in(message, language())


def _rule(given: dict[str, str], nodes: list[str]) -> PriorRule:
    megabytes = _number(given, "most_megabytes")
    return PriorRule(
        id=0,
        nodes=tuple(nodes),
        site=given["site"],
        modality=given["modality"].upper(),
        body_part=given["body_part"].upper(),
        years=_number(given, "years") or 5,
        modalities=frozenset(given["modalities"].upper().replace(",", " ").split()),
        most_studies=_number(given, "most_studies") or 3,
        most_images=_number(given, "most_images"),
        most_bytes=None if megabytes is None else megabytes * _MEGABYTE,
        large_images=_number(given, "large_images"),
        from_hour=_number(given, "from_hour") or 0,
        to_hour=_number(given, "to_hour") or 0,
    )


def _number(given: dict[str, str], name: str) -> int | None:
    text = given[name]
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise Invalid(f"{text} is no number.", code="no-number")
    return int(text)


def _note(action: str, subject: str) -> None:
    actor = current_actor()
    services().ledger.append(None, actor=actor, action=action, subject=subject, site=actor.site)
