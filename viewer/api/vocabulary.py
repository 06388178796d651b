"""The calls that say who is asking and which words a referral is made of."""

from __future__ import annotations

from collections.abc import Iterable

from flask import Blueprint, Response

from casework import clinical
from viewer.api.calls import answer, describe
from viewer.api.shapes import (
    ClinicalShape,
    MeShape,
    OptionShape,
    QuestionShape,
    SitesOnBody,
)
from viewer.guard import current_actor
from viewer.services import required_photos, services

bp = Blueprint("api_vocabulary", __name__, url_prefix="/api")


@bp.get("/me")
@describe("Who is asking", answers={200: MeShape})
def me() -> Response:
    """Say who is asking, in which role, of which site."""
    actor = current_actor()
    site = services().people.site(actor.site)
    return answer(
        MeShape(
            id=actor.id,
            name=actor.name,
            email=actor.email,
            role=actor.role.value if actor.role else None,
            site=actor.site,
            site_name=site.name if site else actor.site,
            site_kind=actor.site_kind.value,
        )
    )


@bp.get("/sites-on-body")
@describe("Sites on the body that a photograph may be of", answers={200: SitesOnBody})
def sites_on_body() -> Response:
    """List the sites on the body."""
    return answer(SitesOnBody(sites=required_photos().sites()))


@bp.get("/clinical")
@describe("The questions, consents and reasons of a referral", answers={200: ClinicalShape})
def clinical_words() -> Response:
    """List the words of a referral."""
    questions = [
        QuestionShape(
            key=q.key,
            kind=q.kind,
            label_en=q.label_en,
            label_nb=q.label_nb,
            options=_options(q.options),
            categories=list(q.categories),
        )
        for q in clinical.QUESTIONS
    ]
    return answer(
        ClinicalShape(
            questions=questions,
            consents=_options(clinical.CONSENTS),
            reason_codes=_options(clinical.REASON_CODES),
            duration_units=_options(clinical.DURATION_UNITS),
        )
    )


def _options(options: Iterable[clinical.Option]) -> list[OptionShape]:
    return [OptionShape(value=o.value, label_en=o.label_en, label_nb=o.label_nb) for o in options]
