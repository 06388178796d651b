"""The drawings of the body map: closed, side by side, the right way round, and of every site."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from casework import body_point
from derm_capture import anatomy
from viewer.bodymap.__main__ import BUILT_IN
from viewer.bodymap.drawing import SWAPPED, Figure, Part, read_figure
from viewer.bodymap.picture import picture_of
from viewer.bodymap.views import BY_KEY, DRAWINGS, VIEWS, drawings_json, figure, twin

FINE = 4  # pixels for each unit of a drawing, where areas are compared
PHONE_STAGE_PX = (326, 424)  # of a telephone 360 pixels wide, with the way out above the figure
MOST_ZOOM = 16
THUMB_PX = 44

UNSEEN = {  # sites of the pick list that no view has, and why
    "Retina": "inside the eye",
    "Mucosa of upper lip": "inside the mouth",
    "Mucosa of lower lip": "inside the mouth",
    "Oral mucosa": "inside the mouth",
    "Mucosa of tongue": "inside the mouth",
    "Mucosa of tip of tongue": "inside the mouth",
    "Mucosa of dorsum of oral part of tongue": "inside the mouth",
    "Mucosa of dorsum of pharyngeal part of tongue": "inside the mouth",
    "Mucosa of floor of mouth": "inside the mouth",
    "Mucosa of maxillary gingiva": "inside the mouth",
    "Mucosa of mandibular gingiva": "inside the mouth",
    "Mucosa of oral segment of hard palate": "inside the mouth",
    "Mucosa of uvula": "inside the mouth",
    "Mucosa of palatoglossal arch": "inside the mouth",
    "Mucosa of posterior wall of oropharynx": "inside the throat",
    "Mucosa of pharynx": "inside the throat",
    "Tooth": "inside the mouth",
    "Skin": "names no place",
}

Point = tuple[float, float]


def points_of(outline: str) -> list[Point]:
    """Return the points of an outline, its curves as short straight pieces."""
    words = re.findall(r"[MlcZ]|-?(?:\d+\.?\d*|\.\d+)", outline)
    assert words[0] == "M"
    assert words[-1] == "Z"
    assert words.count("M") == words.count("Z") == 1
    x, y = float(words[1]), float(words[2])
    found, i, command = [(x, y)], 3, ""
    while words[i] != "Z":
        if words[i] in "lc":
            command, i = words[i], i + 1
        count = 2 if command == "l" else 6
        n = [float(word) for word in words[i : i + count]]
        i += count
        if command == "c":
            for t in (k / 8 for k in range(1, 8)):
                a, b, c = 3 * (1 - t) ** 2 * t, 3 * (1 - t) * t * t, t**3
                step = (a * n[j] + b * n[2 + j] + c * n[4 + j] for j in (0, 1))
                found.append((x + next(step), y + next(step)))
        x, y = x + n[-2], y + n[-1]
        found.append((x, y))
    return found


def area_of(part: Part, drawn: Figure) -> NDArray[np.bool_]:
    size = (int(drawn.width * FINE), int(drawn.height * FINE))
    image = Image.new("1", size)
    ImageDraw.Draw(image).polygon(
        [(x * FINE, y * FINE) for x, y in points_of(part.outline)], fill=1
    )
    return np.asarray(image)


def all_parts() -> Iterator[tuple[str, Part]]:
    for name in DRAWINGS:
        for part in figure(name).parts:
            yield name, part


@pytest.mark.parametrize("name", DRAWINGS)
def test_each_outline_is_closed_and_inside_its_view(name: str) -> None:
    drawn = figure(name)
    for part in drawn.parts:
        points = points_of(part.outline)
        across, down = [x for x, _y in points], [y for _x, y in points]
        assert min(across) >= 0, part.code
        assert max(across) <= drawn.width, part.code
        assert min(down) >= 0, part.code
        assert max(down) <= drawn.height, part.code


@pytest.mark.parametrize("name", DRAWINGS)
def test_parts_lie_side_by_side(name: str) -> None:
    drawn = figure(name)
    areas = [area_of(part, drawn) for part in drawn.parts]
    covered = np.zeros_like(areas[0], dtype=np.uint8)
    for area in areas:
        covered += area
    # Neighbours share the pixels of their border, so what lies two deep is as thin as a line.
    double = covered > 1
    inner = double[1:-1, 1:-1] & double[:-2, 1:-1] & double[2:, 1:-1]
    inner = inner & double[1:-1, :-2] & double[1:-1, 2:]
    for part, area in zip(drawn.parts, areas, strict=True):
        shared = (inner & area[1:-1, 1:-1]).sum() / area.sum()
        assert shared <= 0.03, (part.code, part.side, shared)


def test_each_code_is_a_site_and_one_that_has_sides_lies_on_one() -> None:
    for name, part in all_parts():
        assert anatomy.site_of(part.code).paired <= (part.side != ""), (name, part.code)
        assert part.code not in part.also
        assert len(set(part.also)) == len(part.also)
        for code in part.also:
            assert anatomy.site_of(code)


def test_every_site_that_can_be_seen_from_outside_is_on_a_view() -> None:
    drawn = {
        code for _name, part in all_parts() if not part.opens for code in (part.code, *part.also)
    }
    unseen = {site.meaning for site in anatomy.SITES if site.code not in drawn}
    assert unseen == set(UNSEEN)


def test_a_site_asked_for_often_is_the_first_choice_of_a_part_or_the_whole_of_several() -> None:
    first = {part.code for _name, part in all_parts()}
    wholes = {code for _name, part in all_parts() for code in part.also}
    often = {site.code for site in anatomy.SITES if site.common and site.meaning not in UNSEEN}
    assert often - first - wholes == set()


def test_the_patients_right_is_on_the_left_from_the_front_and_on_the_right_from_behind() -> None:
    for name, sign in (("front", 1), ("head-front", 1), ("back", -1), ("head-back", -1)):
        drawn = figure(name)
        for part in drawn.parts:
            points = points_of(part.outline)
            middle = sum(x for x, _y in points) / len(points)
            expected = (
                "" if part.side == "" else "R" if middle * sign < drawn.width / 2 * sign else "L"
            )
            assert part.side == expected, (name, part.code)


def test_a_part_of_a_pair_is_the_mirror_image_of_its_twin() -> None:
    for name in DRAWINGS:
        drawn = figure(name)
        if not drawn.is_halved:
            continue
        sided = [part for part in drawn.parts if part.side]
        for one, other in zip(sided[::2], sided[1::2], strict=True):
            assert (one.code, SWAPPED[one.side]) == (other.code, other.side)
            turned = [(drawn.width - x, y) for x, y in points_of(one.outline)]
            assert np.allclose(turned, points_of(other.outline), atol=0.25), (name, one.code)


def test_views_are_those_that_a_referral_may_name_and_each_has_its_twin() -> None:
    assert {view.key for view in VIEWS} == set(body_point.VIEWS)
    for view in VIEWS:
        other = BY_KEY[twin(view.key)]
        assert twin(other.key) == view.key
        assert other.drawing == view.drawing
        assert (other.is_mirrored != view.is_mirrored) == (other.key != view.key)


def test_what_is_shown_closer_is_a_view_of_the_same_side() -> None:
    for view in VIEWS:
        for part in figure(view.drawing).parts:
            if part.opens:
                opened = twin(part.opens) if view.is_mirrored else part.opens
                side = SWAPPED[part.side] if view.is_mirrored else part.side
                assert opened in BY_KEY
                if opened.endswith(("-L", "-R")):
                    assert opened[-1] == side, (view.key, part.code)


def test_a_view_of_one_side_has_parts_of_that_side_only() -> None:
    for view in VIEWS:
        named = {"left": "L", "right": "R"}.get(view.key.removeprefix("head-"), view.key[-1])
        if named in "LR":
            sides = {part.side for part in figure(view.drawing).parts}
            assert {SWAPPED[s] if view.is_mirrored else s for s in sides} == {named}, view.key


def test_each_part_can_be_made_as_large_as_a_thumb_on_a_telephone() -> None:
    small = []
    for name, part in all_parts():
        drawn = figure(name)
        fitting = min(PHONE_STAGE_PX[0] / drawn.width, PHONE_STAGE_PX[1] / drawn.height)
        points = points_of(part.outline)
        wide, high = (max(p[i] for p in points) - min(p[i] for p in points) for i in (0, 1))
        if min(wide, high) * fitting * MOST_ZOOM < THUMB_PX:
            small.append((name, part.code, wide, high))
    assert small == []


def test_the_scripts_drawings_are_these() -> None:
    assert BUILT_IN.read_text("utf-8") == drawings_json(), "run `python -m viewer.bodymap`"


@pytest.mark.parametrize(
    "text",
    [
        "box 10 10\none 1 : a b",
        "box 10 10\nedge a@1,1 b\none 1 : a b",
        "box 10 10\ncircle 1,1",
    ],
    ids=range(3),
)
def test_drawing_when_it_makes_no_sense_then_it_says_where(text: str) -> None:
    with pytest.raises(ValueError, match="drawing"):
        read_figure(text)


def test_picture_when_the_point_is_on_no_view_then_there_is_none() -> None:
    assert picture_of(None, "x") == ""
    assert picture_of({"view": "elsewhere", "x": 0, "y": 0}, "x") == ""
