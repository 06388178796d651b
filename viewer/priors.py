"""The page of one earlier study of a case: its images in the viewer, and what was answered then."""

from __future__ import annotations

from dataclasses import replace

from flask import Blueprint, render_template
from jinja2.utils import htmlsafe_json_dumps

from casework.errors import NotFound
from casework.model import CaseDossier
from storage.priors import Prior
from viewer import reply_view
from viewer.guard import current_actor, current_scope
from viewer.i18n import _
from viewer.manifest import build_manifest
from viewer.reading import let_photographs_be_shown, note_opened
from viewer.services import prefetching, services

bp = Blueprint("priors", __name__)


@bp.get("/cases/<case_id>/priors/<site>/<study_uid>")
def page(case_id: str, site: str, study_uid: str) -> str:
    """Show an earlier study of a case; that it was opened is in custody and in the audit."""
    actor, scope = current_actor(), current_scope()
    prior = prefetching().priors.one(scope, case_id, site=site, study_uid=study_uid)
    dossier = services().casebook.dossier(scope, case_id)
    instances = services().index.instances_of(scope, study_uid, site=site)
    note_opened(actor, dossier.case, instances)
    services().ledger.append(
        None,
        actor=actor,
        action="prior-opened",
        subject=study_uid,
        case_id=case_id,
        site=site,
    )
    manifest = build_manifest(replace(dossier, studies=()), instances)
    let_photographs_be_shown(manifest)
    reply = _reply(prior)
    return render_template(
        "prior.html",
        prior=prior,
        case=dossier.case,
        reply=reply,
        draft_block=htmlsafe_json_dumps(
            {"anchors": reply_view.anchors_of_reply(reply) if reply is not None else []}
        ),
        manifest=htmlsafe_json_dumps(manifest),
        strings=("reading",),
    )


@bp.app_template_global()
def prior_title(prior: Prior) -> str:
    """Return what an earlier study is, in a few words."""
    kinds = "/".join(prior.modalities)
    if not prior.description:
        return _("{kinds} study", kinds=kinds) if kinds else _("Study")
    if kinds and not prior.description.upper().startswith(prior.modalities[0].upper()):
        return f"{kinds} {prior.description}"
    return prior.description


def _reply(prior: Prior) -> reply_view.Reply | None:
    """Return what was answered to an earlier study, where its case is within sight."""
    if not prior.case_id:
        return None
    try:
        dossier: CaseDossier = services().casebook.dossier(current_scope(), prior.case_id)
    except NotFound:
        return None
    return reply_view.reply_of(dossier.reports)
