"""What has become of a case's signed versions, in words: who signed what, shown what, gone where.

Each version is hashed again while the page is made. Decides nothing and changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import Blueprint

from casework.delivery import superseding
from casework.model import CaseDossier, Delivery, Report
from casework.report_changes import changed_parts, corrected_from, is_as_signed
from storage.outbox_desk import DEAD, DONE
from viewer.error_words import error_in
from viewer.i18n import _, _n, moment
from viewer.languages import language

bp = Blueprint("reply_trail", __name__)


@dataclass(frozen=True)
class SignedVersion:
    """One signed version, and whether it still is what was signed."""

    report: Report
    name: str
    is_as_signed: bool
    changed: str  # what a correction changed, in words
    why: str
    referral_version: int  # of the question, which an answer had made anew
    shown: tuple[str, ...]  # what the reader had been shown, a line for each series


@dataclass(frozen=True)
class Gone:
    """Where one version has gone, and how that stands."""

    version: int
    where: str
    state: str
    is_trouble: bool


@bp.app_template_global()
def signed_versions(dossier: CaseDossier) -> Sequence[SignedVersion]:
    """Return the signed versions of a case, the newest first."""
    ordered = sorted(dossier.reports, key=lambda each: each.version, reverse=True)
    return [_version(dossier, report) for report in ordered]


@bp.app_template_global()
def deliveries_in_words(dossier: CaseDossier) -> Sequence[Gone]:
    """Return where the versions of a case went, the newest first."""
    ordered = sorted(dossier.deliveries, key=lambda each: (-each.report_version, each.id))
    return [
        Gone(each.report_version, _where(dossier, each), _state(each), each.state == DEAD)
        for each in ordered
    ]


@bp.app_template_global()
def correction_of(dossier: CaseDossier, report: Report) -> str:
    """Return what a correction changed, in words; empty where it is none."""
    if report.kind != "correction":
        return ""
    before = corrected_from(dossier.reports, report)
    if before is None:
        return ""
    names = _part_names()
    parts = [names.get(key, key) for key in changed_parts(before.content, report.content)]
    return ", ".join(parts) or _("nothing but the pictures")


def _version(dossier: CaseDossier, report: Report) -> SignedVersion:
    kinds = {"original": _("Answer"), "addendum": _("Addendum"), "correction": _("Correction")}
    return SignedVersion(
        report=report,
        name=kinds.get(report.kind, report.kind),
        is_as_signed=is_as_signed(report),
        changed=correction_of(dossier, report),
        referral_version=int((report.content.get("referral") or {}).get("version") or 1),
        why=str(report.content.get("why_corrected") or ""),
        shown=tuple(_shown(report.displayed or report.content.get("displayed") or {})),
    )


def _part_names() -> Mapping[str, str]:
    return {
        "findings": _("Findings"),
        "impression": _("Impression"),
        "advice": _("Advice"),
        "diagnoses": _("Diagnoses"),
        "urgency": _("Urgency"),
        "assessable": _("Could the images be judged?"),
        "reason": _("Reason"),
        "follow_up": _("Follow-up"),
        "safety_net": _("Come back if"),
        "measurements": _("Measurements"),
        "plain_words": _("In plain words, for the patient"),
    }


def _shown(displayed: Mapping[str, Any]) -> Sequence[str]:
    series = displayed.get("series")
    lines = []
    for each in series if isinstance(series, list) else ():
        if isinstance(each, Mapping) and (line := _shown_line(each)):
            lines.append(line)
    return lines


def _shown_line(each: Mapping[str, Any]) -> str:
    """Say how much of a series was on the screen, and how."""
    images, lossless, preview = (
        value if isinstance(value, int) else 0
        for value in (each.get(name) for name in ("images", "lossless", "preview_only"))
    )
    if not images:
        return ""
    seen, title = lossless + preview, str(each.get("title") or _("Images"))
    if not seen:
        return f"{title}: " + _n("{n} image not shown", "{n} images not shown", images)
    if seen >= images:
        parts = [_n("the only image shown", "all {n} images shown", images)]
    else:
        parts = [_("{seen} of {images} images shown", seen=seen, images=images)]
    if preview:
        parts.append(_("{n} as preview only", n=preview))
    return f"{title}: {', '.join(parts)}"


def _where(dossier: CaseDossier, delivery: Delivery) -> str:
    if delivery.channel == "inbox":
        return _("Inbox of {site}", site=dossier.case.site_name or dossier.case.site)
    if delivery.channel == "study":
        return _("With the images")
    name = delivery.destination
    return {
        "ae": _("DICOM node {name}", name=name),
        "hl7": _("HL7 to {name}", name=name),
        "fhir": _("FHIR to {name}", name=name),
        "webhook": _("Notice to {name}", name=name),
        "mail": _("E-mail notice to {name}", name=name),
    }.get(delivery.channel, name)


def _state(delivery: Delivery) -> str:
    reason = error_in(delivery.last_error, language()) if delivery.last_error else ""
    newer = superseding(delivery.acknowledgement)
    if newer is not None:
        return _("not sent any more: version {n} is there, whole", n=newer)
    if delivery.state == DONE:
        at = _at(delivery.done_at)
        said = _("there since {time}", time=at) if at else _("there")
        if delivery.attempts > 1:
            said += ", " + _("at attempt {n}", n=delivery.attempts)
        return f"{said} ({delivery.acknowledgement})" if delivery.acknowledgement else said
    if delivery.state == DEAD:
        given_up = _n(
            "given up after {n} attempt", "given up after {n} attempts", delivery.attempts
        )
        return f"{given_up}: {reason}" if reason else given_up
    if not delivery.attempts:
        return _("waits to go")
    again = _("is tried again {time}", time=_at(delivery.next_attempt_at))
    count = _n("{n} attempt", "{n} attempts", delivery.attempts)
    said = f"{count}, {again}"
    return f"{said}: {reason}" if reason else said


def _at(value: datetime | None) -> str:
    return moment(value) if value is not None else ""
