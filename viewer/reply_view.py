"""Puts a case's signed reports together as the reply that a referrer reads: the answer first.

Pure; knows neither the page nor the PDF that show it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from casework.anchors import anchors_of
from casework.codings import codes_text
from casework.model import CaseDossier, Report

URGENT_PATHWAYS = frozenset({"priority", "cancer-pathway"})
"""Urgencies of the advice that a referrer must act on."""


@dataclass(frozen=True)
class Diagnosis:
    """One diagnosis with its code and how sure the reader is (1 to 5, or none said)."""

    text: str
    code: str = ""
    system: str = ""
    certainty: int | None = None
    codes: str = ""  # all of them, in a line


@dataclass(frozen=True)
class Image:
    """One frame that the reply speaks of."""

    instance_uid: str
    frame: int


@dataclass(frozen=True)
class Reply:
    """What the referrer is told: the standing answer, what was added to it, what it replaced."""

    answer: Report
    addenda: Sequence[Report]
    replaced: Sequence[Report]

    @property
    def content(self) -> Mapping[str, Any]:
        """Return the findings of the standing answer."""
        return self.answer.content

    @property
    def is_urgent(self) -> bool:
        """Tell whether the referrer must act on the answer, or on anything added to it."""
        standing = (self.answer, *self.addenda)
        return any(report.content.get("urgency") in URGENT_PATHWAYS for report in standing)

    @property
    def latest_at(self) -> datetime:
        """Return when the newest part was signed."""
        return max(report.signed_at for report in (self.answer, *self.addenda))


def reply_of(reports: Sequence[Report]) -> Reply | None:
    """Return the reply that signed versions make up, or None when there are none.

    A correction replaces what was signed before it; an addendum stands beside what it adds to.
    """
    ordered = sorted(reports, key=lambda report: report.version)
    standing = [i for i, report in enumerate(ordered) if report.kind != "addendum"]
    if not standing:
        return None
    last = standing[-1]
    return Reply(answer=ordered[last], addenda=ordered[last + 1 :], replaced=ordered[:last])


def reply_as_of(dossier: CaseDossier, report: Report) -> Reply | None:
    """Return the reply as it stood when a version was signed."""
    return reply_of([each for each in dossier.reports if each.version <= report.version])


def diagnoses_of(content: Mapping[str, Any]) -> Sequence[Diagnosis]:
    """Return the diagnoses, the surest first as the reader ordered them."""
    return [
        Diagnosis(
            text=str(each.get("text", "")),
            code=str(each.get("code") or ""),
            system=str(each.get("system") or ""),
            certainty=_certainty(each.get("certainty")),
            codes=codes_text(each),
        )
        for each in content.get("diagnoses") or ()
    ]


def images_of(reports: Sequence[Report]) -> Sequence[Image]:
    """Return the frames that the reports point to, each once, in their order."""
    named = [
        Image(str(key["instance_uid"]), int(key.get("frame") or 1))
        for report in reports
        for part in ("anchors", "key_images", "measurements")
        for key in report.content.get(part) or ()
        if key.get("instance_uid")
    ]
    return tuple(dict.fromkeys(named))


def anchors_of_reply(reply: Reply) -> Sequence[Mapping[str, Any]]:
    """Return the anchors of the standing reports, each with the version that it is of."""
    return [
        {**anchor, "version": report.version}
        for report in (reply.answer, *reply.addenda)
        for anchor in anchors_of(report.content)
    ]


def _certainty(value: object) -> int | None:
    text = str(value) if value is not None else ""
    return int(text) if text.isdigit() else None
