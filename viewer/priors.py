"""The page of one earlier study of a case: its images in the viewer, and what was answered then."""

from __future__ import annotations

from flask import Blueprint, render_template
from jinja2.utils import htmlsafe_json_dumps

from viewer.prior_opening import open_prior
from viewer.prior_told import prior_title
from viewer.reading import let_photographs_be_shown

bp = Blueprint("priors", __name__)

bp.add_app_template_global(prior_title)


@bp.get("/cases/<case_id>/priors/<site>/<study_uid>")
def page(case_id: str, site: str, study_uid: str) -> str:
    """Show an earlier study of a case; that it was opened is in custody and in the audit."""
    opened = open_prior(case_id, site=site, study_uid=study_uid)
    let_photographs_be_shown(opened.manifest)
    return render_template(
        "prior.html",
        prior=opened.prior,
        case=opened.case,
        reply=opened.reply,
        manifest=htmlsafe_json_dumps(opened.manifest),
        strings=("reading",),
    )
