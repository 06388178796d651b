"""Says to the one who writes what a draft lacks and where it contradicts itself.

`casework.draft_notices` finds it; here are the words, and what is known of the images' sides.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from casework.draft_notices import Notice, notices_of
from casework.errors import NotFound
from casework.model import Case, StudyOfCase
from casework.templates import Template
from viewer.api.calls import Answer
from viewer.guard import current_actor, current_scope
from viewer.i18n import _
from viewer.languages import language
from viewer.services import findings_forms, services
from viewer.texts import mark

_FEW = 40  # images of a study that are asked for their side, one by one
_LACKS: Mapping[str, str] = {
    "no-impression": mark("No impression yet"),
    "no-diagnoses": mark("No diagnosis"),
    "no-malignancy": mark("Malignancy: nothing said"),
    "no-advice": mark("No advice"),
    "no-follow-up": mark("No follow-up"),
    "no-safety-net": mark("When to come back: nothing said"),
    "no-findings": mark("No findings"),
    "no-answer": mark("{field}: not answered"),
    "not-measured": mark("{what}: not measured"),
    "other-side": mark("The text says {said}; the images are of the {images} side."),
    "denied": mark("The text says there is none of this, the form says there is: {field}."),
    "other-length": mark("The text says {said}; drawn is {drawn}."),
    "suspicion-without-urgency": mark("High suspicion of malignancy, and no hurry: is that meant?"),
    "urgency-without-suspicion": mark("Cancer pathway, and little suspicion: is that meant?"),
}
_SIDES: Mapping[str, str] = {"L": mark("left"), "R": mark("right")}


class NoticeShape(Answer):
    """Something of a draft to look at again; it keeps nobody from signing."""

    code: str
    text: str
    is_contradiction: bool


def notices(case: Case, studies: Sequence[StudyOfCase]) -> list[NoticeShape]:
    """Return what the draft of a case lacks, then where it contradicts itself, in words."""
    draft = case.draft or {}
    template = template_of_draft(draft)
    found = notices_of(draft, template, sides=_sides(case, studies), language=language())
    return [
        NoticeShape(code=each.code, text=_said(each), is_contradiction=each.is_contradiction)
        for each in found
    ]


def template_of_draft(draft: Mapping[str, Any]) -> Template | None:
    """Return the template that a draft uses, in its version; None without one."""
    if not draft.get("template"):
        return None
    version = int(draft.get("template_version") or 0)
    try:
        kept = findings_forms().templates.one(current_actor().site, draft["template"], version)
    except NotFound:
        return None
    return kept.template


def _said(notice: Notice) -> str:
    about = {k: _(_SIDES[v]) if v in _SIDES else v for k, v in notice.about.items()}
    return _(_LACKS[notice.code], **about)


def _sides(case: Case, studies: Sequence[StudyOfCase]) -> frozenset[str]:
    """Return the sides that the images are of, as they or the referral say."""
    index, scope = services().index, current_scope()
    found = [str(case.referral.clinical.get("laterality") or "")]
    for study in studies:
        found += [s.laterality for s in index.series_of(scope, study.study_uid, study.site)]
        if study.instance_count <= _FEW:
            rows = index.instances_of(scope, study.study_uid, site=study.site)
            found += [str(row.attributes.get("ImageLaterality") or "") for row in rows]
    return _known(found)


def _known(sides: Iterable[str]) -> frozenset[str]:
    return frozenset(side[:1].upper() for side in sides if side) - {"U"}
