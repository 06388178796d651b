"""What a signed version of findings holds: the findings, their question, what was read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from casework.anchors import anchors_of
from casework.errors import Invalid
from casework.findings import content_hash, normal_findings, require_signable
from casework.identifiers import derived_uid
from casework.lifecycle import Event
from casework.model import Actor, Case, Report, StudyOfCase

KINDS: Mapping[Event, str] = {
    Event.SIGN: "original",
    Event.ADDEND: "addendum",
    Event.CORRECT: "correction",
}
_TEXTS = ("impression", "findings", "advice")


@dataclass(frozen=True)
class Signature:
    """Who signs what, when."""

    actor: Actor
    at: datetime
    kind: str


def require_kind(findings: Mapping[str, Any], kind: str) -> None:
    """Raise Invalid unless findings hold what such a version needs.

    An addendum may be any text; what stands by itself needs an impression.
    """
    if kind != "addendum":
        require_signable(findings)
    elif not any(str(findings.get(name, "")).strip() for name in _TEXTS):
        raise Invalid("Write the addendum before you sign it.", code="addendum-missing")


def next_report(
    case: Case,
    findings: Mapping[str, Any],
    studies: Sequence[StudyOfCase],
    signature: Signature,
    *,
    displayed: Mapping[str, Any] | None = None,
    referral_version: int = 1,
) -> Report:
    """Return the version that follows the present one, or raise Invalid when it lacks something."""
    written = normal_findings({**findings, "displayed": displayed or findings.get("displayed")})
    require_kind(written, signature.kind)
    written["anchors"] = list(anchors_of(written))  # what no text mentions is not signed
    version = case.report_version + 1
    content = {
        **written,
        "amends": case.report_version or None,
        "referral": {
            "question": case.referral.question,
            "clinical": dict(case.referral.clinical),
            "referrer": case.referral.referrer,
            "site": case.site,
            "priority": case.priority.value,
            "version": referral_version,
        },
        "studies": [
            {
                "study_uid": study.study_uid,
                "site": study.site,
                "series_count": study.series_count,
                "instance_count": study.instance_count,
                "completeness": study.completeness,
            }
            for study in studies
        ],
    }
    return Report(
        version=version,
        kind=signature.kind,
        uid=derived_uid("report", case.id, str(version)),
        content=content,
        sha256=content_hash(content),
        signed_by=signature.actor.name,
        signed_by_id=signature.actor.id,
        signed_at=signature.at,
        displayed=written["displayed"],
    )
