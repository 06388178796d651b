"""The views of the body map: which drawing each shows, which way round, what it is called.

The drawings are read once; a view that is mirrored shows the other side of the patient.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any

from viewer.bodymap import face_details, genitals, hands_and_feet, head, whole_body
from viewer.bodymap.drawing import Figure, Part, read_figure
from viewer.i18n import _
from viewer.texts import mark

DRAWINGS: Mapping[str, str] = MappingProxyType(
    {
        "front": whole_body.FRONT,
        "back": whole_body.BACK,
        "left": whole_body.LEFT,
        "head-front": head.HEAD_FRONT,
        "head-left": head.HEAD_LEFT,
        "head-back": head.HEAD_BACK,
        "head-top": head.HEAD_TOP,
        "eye": face_details.EYE,
        "ear": face_details.EAR,
        "ear-behind": face_details.EAR_BEHIND,
        "hand-palm": hands_and_feet.HAND_PALM,
        "hand-back": hands_and_feet.HAND_BACK,
        "foot-top": hands_and_feet.FOOT_TOP,
        "foot-sole": hands_and_feet.FOOT_SOLE,
        "genital-f": genitals.FEMALE,
        "genital-m": genitals.MALE,
    }
)


@dataclass(frozen=True)
class View:
    """One view: a drawing as it is or mirrored, within a group that has its tabs together."""

    key: str
    drawing: str
    is_mirrored: bool
    group: str
    short: str  # on its tab, within its group
    name: str  # where it stands alone


def _pair(drawing: str, group: str, right: tuple[str, str], left: tuple[str, str]) -> list[View]:
    own = figure(drawing).side
    return [
        View(f"{drawing}-{side}", drawing, side != own, group, *said)
        for side, said in (("R", right), ("L", left))
    ]


@cache
def figure(drawing: str) -> Figure:
    """Return a drawing, read."""
    return read_figure(DRAWINGS[drawing])


_AHEAD, _BEHIND = mark("From the front"), mark("From behind")
_LEFT, _RIGHT, _ABOVE = mark("From the left"), mark("From the right"), mark("From above")

VIEWS: Sequence[View] = (
    View("front", "front", False, "body", _AHEAD, mark("The body from the front")),
    View("back", "back", False, "body", _BEHIND, mark("The body from behind")),
    View("left", "left", False, "body", _LEFT, mark("The body from the left")),
    View("right", "left", True, "body", _RIGHT, mark("The body from the right")),
    View("head-front", "head-front", False, "head", _AHEAD, mark("The head from the front")),
    View("head-back", "head-back", False, "head", _BEHIND, mark("The head from behind")),
    View("head-left", "head-left", False, "head", _LEFT, mark("The head from the left")),
    View("head-right", "head-left", True, "head", _RIGHT, mark("The head from the right")),
    View("head-top", "head-top", False, "head", _ABOVE, mark("The head from above")),
    *_pair("eye", "eye", (mark("Right eye"),) * 2, (mark("Left eye"),) * 2),
    *_pair("ear", "ear", (mark("Right ear"),) * 2, (mark("Left ear"),) * 2),
    *_pair(
        "ear-behind",
        "ear",
        (mark("Right, behind"), mark("The right ear from behind")),
        (mark("Left, behind"), mark("The left ear from behind")),
    ),
    *_pair("hand-palm", "hand", (mark("Right palm"),) * 2, (mark("Left palm"),) * 2),
    *_pair(
        "hand-back",
        "hand",
        (mark("Back of the right"), mark("Back of the right hand")),
        (mark("Back of the left"), mark("Back of the left hand")),
    ),
    *_pair(
        "foot-top",
        "foot",
        (mark("Right, top"), mark("Top of the right foot")),
        (mark("Left, top"), mark("Top of the left foot")),
    ),
    *_pair(
        "foot-sole",
        "foot",
        (mark("Right sole"), mark("Sole of the right foot")),
        (mark("Left sole"), mark("Sole of the left foot")),
    ),
    View(
        "genital-f", "genital-f", False, "genital", mark("Woman"), mark("External genitals, woman")
    ),
    View("genital-m", "genital-m", False, "genital", mark("Man"), mark("External genitals, man")),
)

BY_KEY: Mapping[str, View] = MappingProxyType({view.key: view for view in VIEWS})

_TWINS = {"left": "right", "head-left": "head-right"}


def twin(key: str) -> str:
    """Return the view that shows the same of the patient's other side; a middle one is its own."""
    for one, other in _TWINS.items():
        if key in (one, other):
            return other if key == one else one
    if key[-2:] in ("-L", "-R"):
        return key[:-1] + ("R" if key.endswith("L") else "L")
    return key


def drawings_json() -> str:
    """Return every drawing as the page's script has it built in (`python -m viewer.bodymap`)."""
    drawn = {drawing: _as_sent(figure(drawing)) for drawing in DRAWINGS}
    lines = (f'"{name}":{json.dumps(each, separators=(",", ":"))}' for name, each in drawn.items())
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _as_sent(drawn: Figure) -> Mapping[str, Any]:
    """Return a drawing as the script takes it: of one in halves, the left one only."""
    step = 2 if drawn.is_halved else 1
    return {
        "box": [drawn.width, drawn.height],
        "side": drawn.side,
        "halved": drawn.is_halved,
        "shapes": drawn.shapes[::step],
        "edges": drawn.edges[::step],
        "lines": drawn.lines[::step],
        "parts": [
            {
                "code": part.code,
                "also": part.also,
                "twinAlso": _twin_also(drawn, part),
                "side": part.side,
                "opens": part.opens,
                "d": part.outline,
            }
            for part in drawn.parts
            if not drawn.is_halved or part.side in (drawn.side, "")
        ],
    }


def _twin_also(drawn: Figure, part: Part) -> Sequence[str]:
    """Return the further sites of a part's mirror image, which may differ from its own."""
    if not drawn.is_halved or not part.side:
        return part.also
    at = drawn.parts.index(part)
    return drawn.parts[at + 1].also  # a pair is read one after the other


def page_views() -> Sequence[Mapping[str, Any]]:
    """Return the views as the page's script takes them, with names in the reader's language."""
    return [
        {
            "key": view.key,
            "drawing": view.drawing,
            "mirrored": view.is_mirrored,
            "group": view.group,
            "twin": twin(view.key),
            "short": _(view.short),
            "name": _(view.name),
        }
        for view in VIEWS
    ]
