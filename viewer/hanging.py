"""Decides how a case is hung: which series first, side by side or one, which windows on the keys.

Pure: from what the manifest knows of each series.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from viewer.display import Window

CT_WINDOWS: tuple[Window, ...] = (
    Window(40, 80, "Brain"),
    Window(75, 215, "Subdural"),
    Window(35, 40, "Stroke"),
    Window(500, 2500, "Bone"),
    Window(-600, 1500, "Lung"),
    Window(40, 400, "Soft tissue"),
    Window(60, 160, "Liver"),
    Window(300, 600, "Angiography"),
)
"""Windows in Hounsfield units; key 9 is always the window that the images came with."""

_FIRST_WORDS: tuple[tuple[tuple[str, ...], str], ...] = (
    (("head", "brain", "hode", "skull", "cereb"), "Brain"),
    (("lung", "lunge"), "Lung"),
    (("chest", "thorax", "abdom", "pelvi", "neck", "hals", "mage"), "Soft tissue"),
)


@dataclass(frozen=True)
class Hung:
    """What hanging needs to know of a series."""

    key: str
    kind: str  # stack | photo | video | document | text | other
    modality: str
    frames: int
    text: str = ""  # description and body part, for the words in it
    is_scout: bool = False


@dataclass(frozen=True)
class Hanging:
    """How a case opens."""

    layout: str  # stack | photos | list
    first: str = ""  # key of the series that opens


def hang(series: Sequence[Hung]) -> Hanging:
    """Return how a case opens: the fullest series that is no scout, or photographs side by side."""
    stacks = [each for each in series if each.kind == "stack"]
    if stacks:
        fullest = max(stacks, key=lambda each: (not each.is_scout, each.frames))
        return Hanging("stack", fullest.key)
    photos = [each for each in series if each.kind == "photo"]
    if photos:
        return Hanging("photos", photos[0].key)
    return Hanging("list", series[0].key if series else "")


def presets_of(modality: str) -> tuple[Window, ...]:
    """Return the windows of the number keys; none where values mean nothing fixed."""
    return CT_WINDOWS if modality == "CT" else ()


def default_window(series: Hung, sent: Sequence[Window]) -> Window | None:
    """Return the window that a series opens in: as sent, else by what the images are of."""
    if sent:
        return sent[0]
    if series.modality != "CT":
        return None
    words = series.text.lower()
    wanted = next(
        (name for roots, name in _FIRST_WORDS if any(r in words for r in roots)), "Soft tissue"
    )
    return next(window for window in CT_WINDOWS if window.label == wanted)
