"""Opens what lies beside a case for comparison: an earlier study, the earlier pictures of a lesion.

That they were opened is noted in custody, and for a study in the audit, whoever shows them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from casework.errors import NotFound
from casework.lesions import KnownLesion, LesionPicture
from casework.model import Case, CaseDossier
from storage.priors import Prior
from viewer import reply_view
from viewer.guard import current_actor, current_scope
from viewer.i18n import _
from viewer.imaging import imaging
from viewer.lesion_pictures import lesions_over_time, row_of
from viewer.manifest import build_manifest, kind_of
from viewer.noting import note
from viewer.prior_told import prior_title
from viewer.reading import note_opened
from viewer.services import prefetching, services

_MOST_BEFORE = 24  # earlier pictures of lesions that are offered, the newest


@dataclass(frozen=True)
class Opened:
    """An earlier study that is looked at beside a case."""

    prior: Prior
    case: Case
    reply: reply_view.Reply | None
    manifest: dict[str, Any]

    def sent(self) -> dict[str, Any]:
        """Return it as the reading room takes it."""
        return {
            "title": prior_title(self.prior),
            "day": self.prior.day.isoformat() if self.prior.day else "",
            "answer": _answer(self.prior, self.reply),
            "measurements": self.reply.content.get("measurements", []) if self.reply else [],
            **self.manifest,
        }


def open_prior(case_id: str, *, site: str, study_uid: str) -> Opened:
    """Return an earlier study of a case, its opening noted, or raise NotFound."""
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
    manifest = build_manifest(
        replace(dossier, studies=()), instances, tables=imaging().tables.table
    )
    return Opened(prior, dossier.case, _reply(prior), manifest)


def picture_of(*, site: str, study_uid: str) -> tuple[str, int] | None:
    """Return the instance and frame that stand for a study in a list, or None."""
    rows = services().index.instances_of(current_scope(), study_uid, site=site)
    shown = [row for row in rows if kind_of(row) in {"stack", "photo"}]
    if not shown:
        return None
    middle = shown[len(shown) // 2]
    return middle.sop_instance_uid, (middle.frames or 1) // 2 + 1 if (middle.frames or 1) > 1 else 1


def lesions_before(case_id: str) -> dict[str, Any]:
    """Return the pictures of a case's lesions from other visits as a manifest, newest first; that
    they were opened is noted.
    """
    dossier = services().casebook.dossier(current_scope(), case_id)
    named = [
        (lesion, picture)
        for lesion in lesions_over_time(dossier.case)
        for picture in lesion.pictures
        if picture.case_id != case_id
    ]
    named.sort(key=lambda pair: _when(pair[1]), reverse=True)
    named = named[:_MOST_BEFORE]
    rows = [row_of(picture) for _lesion, picture in named]
    note_opened(current_actor(), dossier.case, rows)
    for uid in sorted({lesion.uid for lesion, _picture in named}):
        note("lesion-opened", uid, case_id=case_id)
    manifest = build_manifest(replace(dossier, studies=()), rows)
    return {
        "captions": {
            picture.sop_instance_uid: _caption(lesion, picture) for lesion, picture in named
        },
        **manifest,
    }


def _caption(lesion: KnownLesion, picture: LesionPicture) -> dict[str, str]:
    return {
        "lesion": lesion.label,
        "day": picture.day.isoformat() if picture.day else "",
    }


def _when(picture: LesionPicture) -> str:
    return picture.day.isoformat() if picture.day else ""


def _answer(prior: Prior, reply: reply_view.Reply | None) -> Mapping[str, Any]:
    """Return what was answered then, or in words that nothing was."""
    if reply is None:
        why = (
            _("It has not been answered.")
            if prior.case_id
            else _("It was never sent to be read here, so there is no answer to it.")
        )
        return {"none": why}
    parts = (reply.answer, *reply.addenda)
    return {
        "impression": "\n\n".join(str(each.content.get("impression", "")) for each in parts),
        "findings": "\n\n".join(
            str(each.content["findings"]) for each in parts if each.content.get("findings")
        ),
        "by": reply.answer.signed_by,
        "at": reply.latest_at.isoformat(),
    }


def _reply(prior: Prior) -> reply_view.Reply | None:
    """Return what was answered to an earlier study, where its case is within sight."""
    if not prior.case_id:
        return None
    try:
        dossier: CaseDossier = services().casebook.dossier(current_scope(), prior.case_id)
    except NotFound:
        return None
    return reply_view.reply_of(dossier.reports)
