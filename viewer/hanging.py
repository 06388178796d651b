"""Decides how a case is hung: which series beside which, in which steps, in which windows.

Pure: from what the manifest knows of each series, the question, and what the reader chose before.
The rules are a table in `hanging_rules`; nothing here knows of pixels.
"""

from __future__ import annotations

import re
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from casework.prior_regions import Region, regions_in
from viewer.display import Window
from viewer.hanging_rules import (
    AUTO,
    RADIOGRAPHS,
    RULES,
    SPREAD_FIRST,
    Rule,
    StepRule,
    Want,
    asks_in,
)

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
KIND_OF_CASE = re.compile(r"[A-Z0-9]{1,16}-[a-z]{1,16}")
"""What a kind of case is called: a modality and a part of the body."""

_IN_NAMES = frozenset(string.ascii_uppercase + string.digits)
_MOST_STEPS = 8
_MOST_PANES = 4
LAYOUTS = ("1x1", "1x2", "2x1", "2x2")
"""Rows times columns of panes."""


@dataclass(frozen=True)
class Hung:
    """What hanging needs to know of a series."""

    key: str
    kind: str  # stack | photo | video | document | text | other
    modality: str
    frames: int
    text: str = ""  # description and body part, for the words in it
    is_scout: bool = False
    plane: str = ""  # axial | coronal | sagittal, or empty
    views: tuple[str, ...] = ()  # of each image, where it says: PA, LL, R CC


@dataclass(frozen=True)
class Asked:
    """What is asked of a case, and what there is besides its own images."""

    question: str = ""
    specialty: str = ""
    has_prior: bool = False  # an earlier study of the same part
    has_lesion_before: bool = False  # earlier pictures of its lesions


@dataclass(frozen=True)
class Place:
    """What hangs in one pane: an image of a series, the nearest prior, or the lesion before."""

    series: str = ""
    image: int | None = None  # from 0; None: where a series opens by itself
    window: Window | None = None  # None: as it comes
    other: str = ""  # prior | lesion, when it is no series of the case


@dataclass(frozen=True)
class Step:
    """One arrangement of panes."""

    layout: str
    places: tuple[Place, ...]
    is_own: bool = False  # as the reader left it the last time


@dataclass(frozen=True)
class Hanging:
    """How a case opens, and what comes after it."""

    layout: str  # stack | photos | list
    first: str = ""  # key of the series that opens
    kind: str = ""  # of case: what a reader's own arrangement is remembered for
    steps: tuple[Step, ...] = ()


def hang(
    series: Sequence[Hung],
    asked: Asked | None = None,
    *,
    kept: Mapping[str, Mapping[str, Any]] | None = None,
) -> Hanging:
    """Return how a case opens: by its question, part of the body, modality and series; what the
    reader chose for this kind of case (`kept`, by kind) comes before the standard.
    """
    asked = asked or Asked()
    main = _main(series)
    if main is None:
        return Hanging("list", series[0].key if series else "", steps=_listed(series))
    region = _region(main, asked)
    kind = _kind(main, region)
    standard = _photo_steps(main, asked) if main.kind == "photo" else _steps(series, main, asked)
    own = _own_step((kept or {}).get(kind), series, asked)
    steps = _distinct([*([own] if own else []), *standard])[:_MOST_STEPS]
    return Hanging(
        "photos" if main.kind == "photo" else "stack",
        steps[0].places[0].series or main.key,
        kind,
        steps,
    )


def _kind(main: Hung, region: Region | None) -> str:
    modality = "".join(each for each in main.modality.upper() if each in _IN_NAMES)
    return f"{modality or 'OT'}-{region or 'any'}"


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
    return _window_named(wanted)


def _main(series: Sequence[Hung]) -> Hung | None:
    """Return the fullest stack that is no scout, else the first photograph."""
    stacks = [each for each in series if each.kind == "stack"]
    if stacks:
        return max(stacks, key=lambda each: (not each.is_scout, each.frames))
    return next((each for each in series if each.kind == "photo"), None)


def _region(main: Hung, asked: Asked) -> Region | None:
    """Return the part of the body: the images say it, else the question does."""
    found = regions_in(main.text) or regions_in(asked.question)
    return min(found, key=list(Region).index) if found else None


def _listed(series: Sequence[Hung]) -> tuple[Step, ...]:
    return (Step("1x1", (Place(series[0].key),)),) if series else ()


def _photo_steps(main: Hung, asked: Asked) -> list[Step]:
    """Photographs hang side by side in one pane, with the lesion's earlier ones beneath."""
    now = Place(main.key)
    before = Step("2x1", (now, Place(other="lesion")))
    return [*([before] if asked.has_lesion_before else []), Step("1x1", (now,))]


def _steps(series: Sequence[Hung], main: Hung, asked: Asked) -> list[Step]:
    stacks = [each for each in series if each.kind == "stack"]
    rule = _rule(main, asked)
    found: list[Step] = []
    if main.modality in RADIOGRAPHS:
        found += _spread([each for each in stacks if each.modality == main.modality])
    if rule is not None:
        found += [step for each in rule.steps if (step := _filled(each, rule, stacks)) is not None]
    if not any(step.layout == "1x1" for step in found):
        found.append(Step("1x1", (Place(main.key),)))
    lead = found[0].places[0]
    scout = next((each for each in stacks if each.is_scout and each is not main), None)
    if scout is not None:
        found.append(Step("1x2", (lead, Place(scout.key))))
    if asked.has_prior:
        found.append(Step("1x2", (lead, Place(other="prior"))))
    return found


def _rule(main: Hung, asked: Asked) -> Rule | None:
    """Return the first rule of the table that is for such a case."""
    region = _region(main, asked)
    asks = asks_in(asked.question)
    return next(
        (
            rule
            for rule in RULES
            if main.modality in rule.modalities
            and (not rule.regions or region in rule.regions)
            and (not rule.asks or asks & rule.asks)
        ),
        None,
    )


def _filled(step: StepRule, rule: Rule, stacks: Sequence[Hung]) -> Step | None:
    """Return a step with series in its panes; None when one of them stays empty."""
    likely = [each for each in stacks if each.modality in rule.modalities and not each.is_scout]
    chosen = [(want, _chosen(want, likely)) for want in step.wants]
    found = [Place(each.key, window=_window_named(want.window)) for want, each in chosen if each]
    if step.layout == AUTO:
        found = list(dict.fromkeys(found))[:_MOST_PANES]
        return Step(_layout_for(len(found)), tuple(found)) if len(found) > 1 else None
    return Step(step.layout, tuple(found)) if len(found) == len(step.wants) else None


def _chosen(want: Want, stacks: Sequence[Hung]) -> Hung | None:
    """Return the fullest series that a pane wants; one with the liked words before any other."""
    fitting = [
        each
        for each in stacks
        if (not want.plane or each.plane == want.plane or (not each.plane and not want.strict))
        and (not want.must or _has(each, want.must))
        and not _has(each, want.without)
    ]
    if not fitting:
        return None
    return max(
        fitting,
        key=lambda each: (_has(each, want.likes), not _has(each, want.dislikes), each.frames),
    )


def _has(series: Hung, words: Sequence[str]) -> bool:
    text = f" {series.text.casefold().replace('_', ' ')} "
    return any(word in text for word in words)


def _spread(stacks: Sequence[Hung]) -> list[Step]:
    """Return the images of a plain examination side by side, the main view first."""
    images = [
        (_view_rank(view), order, Place(each.key, image=n if each.frames > 1 else None))
        for order, each in enumerate(stacks)
        for n, view in enumerate(each.views or ("",) * each.frames)
    ]
    images.sort(key=lambda image: image[:2])
    places = [place for _, _, place in images]
    return [
        Step(_layout_for(len(group)), tuple(group))
        for at in range(0, len(places), _MOST_PANES)
        if (group := places[at : at + _MOST_PANES])
    ]


def _view_rank(view: str) -> int:
    return SPREAD_FIRST.index(view) if view in SPREAD_FIRST else len(SPREAD_FIRST)


def _layout_for(panes: int) -> str:
    return {1: "1x1", 2: "1x2"}.get(panes, "2x2")


def _window_named(label: str) -> Window | None:
    return next((window for window in CT_WINDOWS if window.label == label), None)


def _distinct(steps: Sequence[Step]) -> tuple[Step, ...]:
    """Leave out a step that shows the same as one before it."""
    found: list[Step] = []
    for step in steps:
        if not any((step.layout, step.places) == (each.layout, each.places) for each in found):
            found.append(step)
    return tuple(found)


def _own_step(kept: Mapping[str, Any] | None, series: Sequence[Hung], asked: Asked) -> Step | None:
    """Return the reader's own arrangement with this case's series; None when they are not here."""
    if not kept or kept.get("layout") not in LAYOUTS:
        return None
    places = [_own_place(each, series, asked) for each in kept.get("panes", ())]
    found = [place for place in places if place is not None]
    if not found or len(found) < len(places):
        return None
    return Step(str(kept["layout"]), tuple(found[:_MOST_PANES]), is_own=True)


def _own_place(kept: Mapping[str, Any], series: Sequence[Hung], asked: Asked) -> Place | None:
    other = kept.get("other", "")
    if other:
        is_here = asked.has_prior if other == "prior" else asked.has_lesion_before
        return Place(other=other) if is_here else None
    alike = [
        each
        for each in series
        if (each.kind, each.modality, each.plane)
        == (kept.get("kind"), kept.get("modality"), kept.get("plane"))
    ]
    if not alike:
        return None
    named = [each for each in alike if each.text.strip() == kept.get("text")]
    best = max(named or alike, key=lambda each: (not each.is_scout, each.frames))
    window = kept.get("window")
    place = Place(best.key, image=kept.get("image"))
    if place.image is not None and place.image >= best.frames:
        place = replace(place, image=None)
    return replace(place, window=Window(*window)) if window else place
