"""Says in plain words how much of a study has come and where its images have been.

The words are of the index's own ledger. Decides nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from flask import Blueprint, render_template, request

from casework.completeness import ARRIVING, COMPLETE, PRESUMED, EvidenceKind
from casework.custody import CustodyEvent, Door, Trail
from casework.errors import NotFound
from casework.model import CaseDossier, CaseSummary, Specialty, StudyOfCase
from storage.rows import SenderRow, StudyCustodyRow, StudyTrail
from viewer.guard import current_scope
from viewer.i18n import _, _n, clock
from viewer.services import services
from viewer.texts import mark

bp = Blueprint("custody", __name__)

_PAGE = 200

_BY: Mapping[str, str] = {
    EvidenceKind.COUNTS: mark("by the number that was stated"),
    EvidenceKind.MPPS: mark("by what the modality says it has made"),
    EvidenceKind.COMMITMENT: mark("by what the sender asks us to keep"),
    EvidenceKind.SENDER: mark("by the sender's answer"),
}


@dataclass(frozen=True)
class Passage:
    """A study of a case, and where it has been: labels and texts."""

    study: StudyOfCase
    facts: Sequence[tuple[str, str]]


@bp.get("/cases/<case_id>/custody")
def images(case_id: str) -> str:
    """List the images of a case, each with where it has been."""
    dossier = services().casebook.dossier(current_scope(), case_id)
    studies = [study for study in dossier.studies if study.instance_count]
    number = max(1, request.args.get("study", 1, type=int))
    page = max(1, request.args.get("page", 1, type=int))
    if number > max(1, len(studies)) or page > 1_000_000:
        raise NotFound("The case has no such study.", code="no-such-study")
    rows = []
    if studies:
        study = studies[number - 1]
        rows = services().index.trails(
            current_scope(), study.study_uid, study.site, limit=_PAGE + 1, offset=_PAGE * (page - 1)
        )
    return render_template(
        "custody.html",
        case=dossier.case,
        studies=studies,
        number=number,
        page=page,
        rows=rows[:_PAGE],
        has_more=len(rows) > _PAGE,
        strings=("case",),
    )


def passages_of(dossier: CaseDossier) -> Sequence[Passage]:
    """Return where the studies of a case have been."""
    scope, index = current_scope(), services().index
    return [
        Passage(study, _facts(study, index.trail_of_study(scope, study.study_uid, study.site)))
        for study in dossier.studies
        if study.instance_count
    ]


@bp.app_template_global()
def completeness_words(study: StudyOfCase) -> str:
    """Return how much of a study is here, and by what that is known."""
    by = _(_BY[study.completeness_evidence]) if study.completeness_evidence in _BY else ""
    if study.missing_instances:
        expected = study.expected_instances or study.instance_count + study.missing_instances
        here = expected - study.missing_instances
        return _(
            "{here} of {expected} images are here, {missing} missing, {by}",
            here=here,
            expected=expected,
            missing=study.missing_instances,
            by=by,
        )
    if study.completeness == COMPLETE:
        return _("Complete, {by}", by=by)
    if study.completeness == PRESUMED:
        return _("Presumed complete: nothing has come for a while, and nobody said how many")
    return _("Still arriving")


@bp.app_template_global()
def completeness_note(row: CaseSummary) -> str:
    """Return how much of a radiology case is here, in the fewest words; empty where it says none.

    Photographs come one by one from the page that takes them, which says itself what is missing.
    """
    if not row.instance_count or row.case.specialty is not Specialty.RADIOLOGY:
        return ""
    if row.missing_instances:
        return _n("{n} image missing", "{n} images missing", row.missing_instances)
    return _in_short(row.completeness)


@bp.app_template_global()
def form_name(transfer_syntax_uid: str) -> str:
    """Return the short name of a lossless form that images are kept in."""
    names = {"1.2.840.10008.1.2.4.201": "HTJ2K", "1.2.840.10008.1.2.4.80": "JPEG-LS"}
    return names.get(transfer_syntax_uid, transfer_syntax_uid)


@bp.app_template_global()
def sender_name(sender: SenderRow | Trail) -> str:
    """Return who brought an image: the node, else the door that it came by."""
    return sender.calling_ae or {
        Door.CAPTURE.value: _("the capture page"),
        Door.STOW.value: _("DICOMweb"),
        Door.IMPORT.value: _("an import from disk"),
        Door.REPLY.value: _("Lysbro, as a signed answer"),
        Door.PRIOR.value: _("Lysbro, which fetched it as an earlier study"),
    }.get(sender.door, sender.door)


def _in_short(completeness: str) -> str:
    return {
        ARRIVING: _("still arriving"),
        COMPLETE: _("complete"),
        PRESUMED: _("presumed complete"),
    }.get(completeness, "")


def _facts(study: StudyOfCase, trail: StudyTrail) -> Sequence[tuple[str, str]]:
    facts = [(_("Images"), completeness_words(study))]
    for sender in trail.senders:
        when = _span(sender.first_at, sender.last_at)
        told = _n("{n} image, {when}, from {name}", "{n} images, {when}, from {name}",
                  sender.instances, when=when, name=sender_name(sender))  # fmt: skip
        facts.append((_("Received"), told))
    said = _Met(trail)
    facts += said.all_of(CustodyEvent.SYNCED, _("Safe on disk"))
    facts += said.all_of(CustodyEvent.RECOMPRESSED, _("Packed smaller, every value the same"))
    facts += said.all_of(CustodyEvent.VERIFIED, _("In the store and verified"))
    facts += said.all_of(CustodyEvent.COMMITTED, _("Committed to the sender"))
    facts += said.first_of(CustodyEvent.OPENED, _("First opened"), by=trail.opened_by)
    facts += said.first_of(CustodyEvent.EXPORTED, _("First exported"))
    facts += said.first_of(CustodyEvent.SENT, _("First sent on"))
    facts += said.all_of(
        CustodyEvent.COMMITTED_BY,
        _("Committed to by {name}", name=", ".join(trail.committed_by)),
    )
    return facts


@dataclass(frozen=True)
class _Met:
    """What a study's images have met, as lines of a list."""

    trail: StudyTrail

    def all_of(self, event: CustodyEvent, label: str) -> list[tuple[str, str]]:
        """Return when all images had met an event, or how many have."""

        def tell(row: StudyCustodyRow) -> str:
            if row.instances >= self.trail.instances:
                return clock(row.last_at)
            count, when = self.trail.instances, clock(row.last_at)
            return _("{n} of {count} images, {when}", n=row.instances, count=count, when=when)

        return self._line(event, label, tell)

    def first_of(self, event: CustodyEvent, label: str, by: str = "") -> list[tuple[str, str]]:
        """Return when the first image met an event, and by whom."""
        return self._line(
            event,
            label,
            lambda row: (
                _("{when} by {name}", when=clock(row.first_at), name=by)
                if by
                else clock(row.first_at)
            ),
        )

    def _line(
        self, event: CustodyEvent, label: str, tell: Callable[[StudyCustodyRow], str]
    ) -> list[tuple[str, str]]:
        row = self.trail.events.get(event.value)
        return [] if row is None else [(label, tell(row))]


def _span(first: datetime, last: datetime) -> str:
    began, ended = clock(first), clock(last)
    return began if began == ended else f"{began}–{ended}"
