"""What the page of the findings form is given: the template that suits the case, and its texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from jinja2.utils import htmlsafe_json_dumps

from casework.model import Case, CaseDossier
from casework.template_choice import Subject, best_template
from casework.templates import Template
from viewer.api.phrases import phrases_of_actor
from viewer.api.templates import TemplateShape
from viewer.draft_words import notices, template_of_draft
from viewer.guard import current_actor
from viewer.languages import language
from viewer.services import findings_forms, services

_BODY = ("BodyPartExamined", "StudyDescription", "SeriesDescription")


def form_parts(
    dossier: CaseDossier, draft: Mapping[str, Any], instances: Sequence[Any]
) -> dict[str, Any]:
    """Return what the page needs beside the draft: chosen template, titles, phrases, notices."""
    offered = findings_forms().templates.offered(current_actor().site)
    chosen = template_of_draft(draft)
    if chosen is None and not draft.get("template"):
        chosen = best_template(offered, subject_of(dossier, instances))
    speaks = str(draft.get("language") or "") if draft.get("fields") else ""
    shape = None if chosen is None else TemplateShape.of(chosen, speaks or language()).model_dump()
    is_mine = dossier.case.holder_id == current_actor().id
    said = notices(dossier.case, dossier.studies) if is_mine and draft else []
    block = {
        "template": shape,
        "phrases": [each.model_dump() for each in phrases_of_actor().phrases],
        "notices": [each.model_dump() for each in said],
        "dictation": services().settings.dictation,
        "specialty": dossier.case.specialty.value,
    }
    return {
        "templates": _titles(offered, chosen, dossier.case),
        "chosen_template": chosen.name if chosen else "",
        "may_dictate": services().settings.dictation,
        "form_block": htmlsafe_json_dumps(block),
    }


def subject_of(dossier: CaseDossier, instances: Sequence[Any]) -> Subject:
    """Return what is examined and asked, as far as the images and the referral tell."""
    case = dossier.case
    attributes = [row.attributes for row in {row.series_uid: row for row in instances}.values()]
    texts = [study.description for study in dossier.studies]
    texts += [str(a.get(key) or "") for a in attributes for key in _BODY]
    return Subject(
        specialty=case.specialty.value,
        modalities=frozenset(str(a.get("Modality") or "") for a in attributes) - {""},
        body=" ".join(text for text in texts if text),
        category=str(case.referral.clinical.get("category") or ""),
        question=case.referral.question,
    )


def _titles(
    offered: Sequence[Template], chosen: Template | None, case: Case
) -> list[tuple[str, str]]:
    """Return the templates of the select: those of the specialty, and the chosen one."""
    shown = [
        each
        for each in offered
        if not each.suits.specialties or case.specialty.value in each.suits.specialties
    ]
    if chosen is not None and chosen.name not in [each.name for each in shown]:
        shown.append(chosen)
    return [(each.name, each.title.of(language())) for each in shown]
