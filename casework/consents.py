"""Decides what is kept of a patient's consents: to what, who agreed, how, when, and by whose hand.

Each purpose stands by itself. The one who refers says what was agreed to; time and writer are added
here and cannot be sent in. Keeps nothing itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from casework.errors import Conflict, Invalid
from casework.questions import CONSENTS, Option

RECORD = "record"
"""The key of a referral's consents under which each purpose has its record."""

WHO: tuple[Option, ...] = (
    Option("patient", "The patient", "Pasienten"),
    Option("guardian", "Parent or guardian", "Forelder eller verge"),
    Option("kin", "Next of kin", "Pårørende"),
)
"""Who can agree."""

HOW: tuple[Option, ...] = (
    Option("oral", "Spoken", "Muntlig"),
    Option("written", "In writing", "Skriftlig"),
)
"""How somebody agrees."""

REVOCABLE = ("teaching", "research")
"""What may be taken back after sending; the assessment ends by withdrawing the case."""

_PURPOSES = tuple(consent.value for consent in CONSENTS)


@dataclass(frozen=True)
class Consent:
    """What is known of one purpose: agreed to or not, and how that came about."""

    purpose: str
    given: bool
    who: str = ""  # of WHO
    how: str = ""  # of HOW
    at: datetime | None = None  # when it was written down
    by: str = ""  # who wrote it down
    withdrawn_at: datetime | None = None
    withdrawn_by: str = ""


def recorded(
    given: Mapping[str, Any], *, was: Mapping[str, Any], by: str, at: datetime
) -> dict[str, Any]:
    """Return consents with a record for each purpose; one that says the same as before stays."""
    before: Mapping[str, Any] = was.get(RECORD) or {}
    record = {}
    for purpose in _PURPOSES:
        if purpose not in given:
            continue
        said: dict[str, Any] = {"given": bool(given[purpose])}
        if said["given"]:
            said |= {"who": given.get("who") or "patient"}
            said |= {"how": given.get(f"{purpose}_how") or "oral"}
        old: Mapping[str, Any] = before.get(purpose) or {}
        is_same = all(old.get(key, "") == said.get(key, "") for key in ("given", "who", "how"))
        record[purpose] = dict(old) if old and is_same else {**said, "at": _text(at), "by": by}
    return {**given, RECORD: record} if record else dict(given)


def without(
    consent: Mapping[str, Any], purpose: str, *, by: str, at: datetime
) -> dict[str, Any] | None:
    """Return consents after one purpose was taken back; None when it is taken back already."""
    if purpose not in REVOCABLE:
        raise Invalid(
            "Only teaching and research can be taken back by themselves. "
            "To end the assessment, withdraw the case.",
            code="consent-not-revocable",
        )
    record: Mapping[str, Any] = consent.get(RECORD) or {}
    of_purpose: Mapping[str, Any] = record.get(purpose) or {}
    if not consent.get(purpose):
        if of_purpose.get("withdrawn_at"):
            return None
        raise Conflict("The patient never agreed to this.", code="consent-not-given")
    gone = {**of_purpose, "given": False, "withdrawn_at": _text(at), "withdrawn_by": by}
    return {**consent, purpose: False, RECORD: {**record, purpose: gone}}


def consents_of(consent: Mapping[str, Any]) -> tuple[Consent, ...]:
    """Return what is known of each purpose that was asked for, in their order."""
    record: Mapping[str, Any] = consent.get(RECORD) or {}
    return tuple(
        _consent(purpose, bool(consent[purpose]), record.get(purpose) or {})
        for purpose in _PURPOSES
        if purpose in consent
    )


def _consent(purpose: str, given: bool, record: Mapping[str, Any]) -> Consent:
    return Consent(
        purpose,
        given,
        who=str(record.get("who", "")),
        how=str(record.get("how", "")),
        at=_time(record.get("at")),
        by=str(record.get("by", "")),
        withdrawn_at=_time(record.get("withdrawn_at")),
        withdrawn_by=str(record.get("withdrawn_by", "")),
    )


def _text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds")


def _time(text: Any) -> datetime | None:
    return datetime.fromisoformat(text) if isinstance(text, str) and text else None
