"""Which versions a referral has had: as it was sent, and after each answer to a question.

Worked out from the conversation and from when images came; neither is ever changed. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from casework.model import Case, Message


@dataclass(frozen=True)
class CameIn:
    """One object that came to a case, and when."""

    sop_instance_uid: str
    at: datetime


@dataclass(frozen=True)
class ReferralVersion:
    """One version: when and by whom it was sent, in answer to what, and what was new in it."""

    number: int
    at: datetime | None  # None: not sent yet
    by: str
    words: str
    asked: str  # what the specialist had asked; empty of the first
    asked_reason: str
    asked_at: datetime | None
    new: tuple[str, ...]  # SOP Instance UIDs


def versions_of(
    case: Case, messages: Sequence[Message], came: Sequence[CameIn]
) -> Sequence[ReferralVersion]:
    """Return the versions of a referral, the first one first.

    What comes after a question belongs to its answer, also when that is not written yet.
    """
    turns = sorted((m for m in messages if m.kind in {"question", "answer"}), key=lambda m: m.id)
    asked = [m for m in turns if m.kind == "question"]
    begins = [question.at for question in asked]
    versions = [
        ReferralVersion(
            1, case.submitted_at, case.referral.referrer, case.referral.question,
            "", "", None, _between(came, None, begins[0] if begins else None),
        )
    ]  # fmt: skip
    for at, question in enumerate(asked):
        end = begins[at + 1] if at + 1 < len(begins) else None
        answers = [m for m in turns if m.kind == "answer" and m.id > question.id]
        answer = answers[0] if answers else None
        if answer is not None and any(question.id < q.id < answer.id for q in asked):
            continue  # it was asked anew before an answer came: that question has it
        new = _between(came, question.at, end)
        if answer is None and not new:
            continue
        versions.append(
            ReferralVersion(
                len(versions) + 1,
                answer.at if answer else None,
                answer.author if answer else "",
                answer.text if answer else "",
                question.text,
                question.reason,
                question.at,
                new,
            )
        )
    return versions


def new_since_asked(
    versions: Sequence[ReferralVersion], *, signed_at: datetime | None
) -> ReferralVersion | None:
    """Return the answer that a reader has to look at: the last one, unless it was signed since."""
    last = versions[-1]
    if last.number == 1 or last.at is None or (signed_at is not None and signed_at >= last.at):
        return None
    return last


def _between(
    came: Sequence[CameIn], begin: datetime | None, end: datetime | None
) -> tuple[str, ...]:
    return tuple(
        each.sop_instance_uid
        for each in came
        if (begin is None or each.at >= begin) and (end is None or each.at < end)
    )
