"""The table of hanging: what hangs beside what, by modality, part of the body and question.

Data and the words in it; `hanging` reads it. The first rule that fits is taken, so the narrower
ones come first. Words are stems of English, Norwegian and the vendors' short names.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from casework.prior_regions import Region

AUTO = "auto"
"""A layout of as many panes as there are different series for."""

RADIOGRAPHS = frozenset({"CR", "DX", "RG", "MG", "IO", "PX"})
"""Modalities of which each image is looked at beside the others, not scrolled."""

SPREAD_FIRST = (
    "R CC", "L CC", "R MLO", "L MLO", "PA", "AP", "R AP", "L AP", "LL", "RL", "LAT", "R LL", "L LL",
    "R LAT", "L LAT",
)  # fmt: skip
"""In which order views hang: breasts as mirrored pairs (right on the left), frontal before side."""

_ASKS: Mapping[str, tuple[str, ...]] = {
    "trauma": (
        " fall", " fell ", "trauma", "accident", "fract", "injur", "brudd", "ulykke", "skade",
    ),
    "bleed": ("bleed", "haem", "hemat", "hemorr", "blød", "hematom", "warfarin", "anticoag"),
    "stroke": ("stroke", "infarct", "infarkt", "hjerneslag", "aphasi", "afasi", "hemipar"),
    "embolism": ("embol",),
}  # fmt: skip


_WORDS = re.compile(r"\w+")


def asks_in(question: str) -> frozenset[str]:
    """Return what a question is about, of the things that the table knows."""
    words = " " + " ".join(_WORDS.findall(question.casefold())) + " "
    return frozenset(name for name, stems in _ASKS.items() if any(stem in words for stem in stems))


@dataclass(frozen=True)
class Want:
    """Which series a pane wants, and in which window."""

    plane: str = ""
    window: str = ""  # by its name among the CT windows; empty: as it comes
    must: tuple[str, ...] = ()  # one of these words
    likes: tuple[str, ...] = ()
    dislikes: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    strict: bool = False  # a series of no known plane does not do


@dataclass(frozen=True)
class StepRule:
    """A layout with what each of its panes wants."""

    layout: str
    wants: tuple[Want, ...]


@dataclass(frozen=True)
class Rule:
    """For which cases some steps are; nothing said is any."""

    modalities: frozenset[str]
    steps: tuple[StepRule, ...]
    regions: frozenset[Region] = frozenset()
    asks: frozenset[str] = frozenset()


_BONE = ("bone", "ben ", "skjelett", "sharp", "kernel b", "hr6", "hr7", "br6", "br7")
_CONTRAST = ("angio", "cta", "arter", "contrast", "kontrast", " km", "pe ", "pulm")
_LUNG = ("lung", "lunge", "thin", "tynn")

BRAIN = Want("axial", "Brain", dislikes=_BONE)
SUBDURAL = Want("axial", "Subdural", dislikes=_BONE)
STROKE = Want("axial", "Stroke", dislikes=_BONE)
BONE = Want("axial", "Bone", likes=_BONE)
LUNG = Want("axial", "Lung", likes=_LUNG)
SOFT = Want("axial", "Soft tissue", dislikes=(*_BONE, *_LUNG))


def _planes(window: str = "") -> StepRule:
    """Return the three planes beside each other, of those that were reconstructed."""
    return StepRule(
        AUTO,
        (
            Want("axial", window, strict=True),
            Want("coronal", window, strict=True),
            Want("sagittal", window, strict=True),
        ),
    )


def _two(left: Want, right: Want) -> StepRule:
    return StepRule("1x2", (left, right))


def _one(want: Want) -> StepRule:
    return StepRule("1x1", (want,))


_CT, _MR = frozenset({"CT"}), frozenset({"MR"})
_HEAD = frozenset({Region.HEAD})

RULES: tuple[Rule, ...] = (
    Rule(
        _CT,
        (_two(BRAIN, STROKE), _two(BRAIN, Want("axial", "Angiography", must=_CONTRAST)), _planes()),
        _HEAD,
        frozenset({"stroke"}),
    ),
    Rule(
        _CT,
        (_two(BRAIN, BONE), _two(BRAIN, SUBDURAL), _planes("Brain"), _planes("Bone")),
        _HEAD,
        frozenset({"trauma"}),
    ),
    Rule(_CT, (_two(BRAIN, SUBDURAL), _one(BONE), _planes("Brain")), _HEAD, frozenset({"bleed"})),
    Rule(_CT, (_one(BRAIN), _two(BRAIN, BONE), _planes("Brain")), _HEAD),
    Rule(
        _CT,
        (
            _one(Want("axial", "Angiography", likes=_CONTRAST, dislikes=_LUNG)),
            _two(LUNG, SOFT),
            _planes(),
        ),
        frozenset({Region.CHEST}),
        frozenset({"embolism"}),
    ),
    Rule(
        _CT,
        (_two(LUNG, SOFT), _one(BONE), _planes()),
        frozenset({Region.CHEST}),
    ),
    Rule(
        _CT,
        (_one(SOFT), _planes("Soft tissue"), _two(SOFT, BONE)),
        frozenset({Region.ABDOMEN, Region.PELVIS, Region.NECK}),
    ),
    Rule(
        _CT,
        (
            _planes("Bone"),
            _two(BONE, SOFT),
        ),
        frozenset({Region.SPINE, Region.ARM, Region.LEG}),
    ),
    Rule(_CT, (_planes(),)),
    Rule(
        _MR,
        (
            StepRule(
                AUTO,
                (
                    Want(must=("flair", "dark fluid", "dark-fluid")),
                    Want(must=("dwi", "diff", "b1000", "trace"), without=("adc",)),
                    Want(must=("t2",), without=("flair", "dark", "*")),
                    Want(must=("t1",)),
                ),
            ),
            _two(
                Want(must=("dwi", "diff", "b1000", "trace"), without=("adc",)), Want(must=("adc",))
            ),
            _two(
                Want(must=("t1",), without=("gd", "km", "post", "+c")),
                Want(must=(" gd", " km", "post", "+c")),
            ),
            _planes(),
        ),
        _HEAD,
    ),
    Rule(
        _MR,
        (
            StepRule(
                AUTO,
                (
                    Want("sagittal", must=("t2",), without=("stir",), strict=True),
                    Want("sagittal", must=("t1",), strict=True),
                    Want("sagittal", must=("stir", "tirm", "dixon"), strict=True),
                    Want("axial", must=("t2",), strict=True),
                ),
            ),
            _planes(),
        ),
        frozenset({Region.SPINE}),
    ),
    Rule(_MR, (_planes(),)),
)
