"""Says what is remarked on a case's images in words. Decides nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from casework.fitness import Remark, Weight
from viewer.i18n import _, _n
from viewer.texts import mark
from viewer.words import reason_name

_TEXTS: Mapping[str, str] = {
    "other-number": mark("an object or the order has another patient number"),
    "other-name": mark("an object or the order has another name"),
    "other-birth-date": mark("an object or the order has another birth date"),
    "arriving": mark("still arriving"),
    "no-side": mark("{series}: left or right is not said"),
    "uneven": mark("{series}: slices are not evenly spaced"),
    "no-scale": mark("{n} of {of} images without a scale: lengths in pixels only"),
    "not-shown": mark("cannot be shown here: {what}"),
}
_COUNTED: Mapping[str, tuple[str, str]] = {
    "missing": (mark("{n} image missing"), mark("{n} images missing")),
    "conflicts": (
        mark("{n} object came twice, with different contents"),
        mark("{n} objects came twice, with different contents"),
    ),
    "gaps": (
        mark("{series}: {n} slice missing after {after}"),
        mark("{series}: {n} slices missing, the first after {after}"),
    ),
    "twice": (
        mark("{series}: {n} slice is there twice"),
        mark("{series}: {n} slices are there twice"),
    ),
    "warned": (mark("{n} picture with a warning"), mark("{n} pictures with a warning")),
    "lossy": (
        mark("{n} image was compressed with loss"),
        mark("{n} images were compressed with loss"),
    ),
}
_METHODS = {
    "ISO_10918_1": "JPEG",
    "ISO_14495_1": "JPEG-LS",
    "ISO_15444_1": "JPEG 2000",
    "ISO_15444_15": "HTJ2K",
}


@dataclass(frozen=True)
class Line:
    """One remark in words, and how strongly to say it."""

    text: str
    tone: str  # act, or empty


@dataclass(frozen=True)
class FitnessWords:
    """The state of a case's images: in a few words, and what makes it."""

    short: str
    tone: str  # act | fine, or empty
    lines: Sequence[Line]


def words_of(remarks: Iterable[Remark], *, is_empty: bool = False) -> FitnessWords:
    """Return remarks in words."""
    lines = [
        Line(_said(remark), "act" if remark.weight is Weight.ACT else "") for remark in remarks
    ]
    if not lines:
        state = _("no images yet") if is_empty else _("fit to read")
        return FitnessWords(state, "" if is_empty else "fine", lines)
    lead, tone = lines[0].text, lines[0].tone
    if len(lines) == 1:
        return FitnessWords(lead, tone, lines)
    more = _n("and {n} more remark", "and {n} more remarks", len(lines) - 1)
    return FitnessWords(f"{lead}, {more}", tone, lines)


def _said(remark: Remark) -> str:
    """Return a remark in words; a code of the reader's reasons is said by theirs."""
    values = dict(remark.values)
    if remark.code in _TEXTS:
        return _(_TEXTS[remark.code], **values)
    if remark.code == "other-side":
        sides = {"L": _("left"), "R": _("right")}
        return _(
            "asked about the {asked} side, images of the {side} one",
            asked=sides[values["asked"]],
            side=sides.get(values["side"], values["side"]),
        )
    if remark.code not in _COUNTED:
        return reason_name(remark.code)
    told = _n(*_COUNTED[remark.code], values.pop("n"), **values)
    if remark.code == "warned" and values["kept"]:
        return _("{told}, kept knowingly", told=told)
    return f"{told}{_how(values)}" if remark.code == "lossy" else told


def _how(values: Mapping[str, Any]) -> str:
    """Return how images were compressed, as far as that is said."""
    method, ratio = str(values["method"]), values["ratio"]
    said = " ".join(filter(None, (_METHODS.get(method, method), f"{ratio:.0f}:1" if ratio else "")))
    return f" ({said})" if said else ""
