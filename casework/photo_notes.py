"""Says what a reader is told of a photograph's check: what was wrong, and if it was kept anyway."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class PhotoNote:
    """What the check found wrong with one photograph, in both languages."""

    sop_instance_uid: str
    kind: str
    messages: Sequence[tuple[str, str]]  # English, bokmål
    kept_anyway: bool  # the one who took it had been told


def judged(
    kind: str, advice: Sequence[Mapping[str, Any]], *, kept_anyway: bool
) -> dict[str, Any] | None:
    """Return what is kept of the advice on a photograph; None when all of it is good."""
    poor = [
        {name: str(each.get(name) or "") for name in ("check", "verdict", "message", "message_nb")}
        for each in advice
        if str(each.get("verdict")) != "good"
    ]
    return {"kind": kind, "kept_anyway": kept_anyway, "advice": poor} if poor else None


def warned_of(kept: Mapping[str, Any] | None) -> list[str]:
    """Return the checks that had something to say of a photograph."""
    return [str(each["check"]) for each in (kept or {}).get("advice", ())]


def worst_of(kept: Sequence[Mapping[str, Any]]) -> tuple[str, str]:
    """Return the first sentence of the gravest advice on some photographs, in both languages."""
    advice = [each for one in kept for each in one.get("advice", ())]
    worst = min(advice, key=lambda each: each.get("verdict") != "poor", default=None)
    if worst is None:
        return ("", "")
    english = str(worst["message"])
    return _first_sentence(english), _first_sentence(str(worst["message_nb"] or english))


def note_of(sop_instance_uid: str, kept: Mapping[str, Any]) -> PhotoNote:
    """Return the note that `judged` has kept."""
    return PhotoNote(
        sop_instance_uid,
        str(kept.get("kind", "")),
        [
            (str(each["message"]), str(each["message_nb"] or each["message"]))
            for each in kept.get("advice", ())
        ],
        bool(kept.get("kept_anyway")),
    )


def _first_sentence(text: str) -> str:
    return text.split(". ", maxsplit=1)[0].rstrip(".")
