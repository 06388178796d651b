"""Where on the body map a referral points to is read, or refused."""

from __future__ import annotations

import pytest

from casework.body_point import VIEWS, normal_point
from casework.clinical import normal_clinical
from casework.errors import Invalid


def test_point_when_it_is_on_a_view_then_it_is_kept_with_a_pixels_precision() -> None:
    given = {"map": {"view": "hand-palm-L", "x": 0.123456, "y": 1, "more": "x"}}
    kept = {"map": {"view": "hand-palm-L", "x": 0.1235, "y": 1.0}}
    assert normal_clinical(given) == kept
    assert normal_clinical(kept) == kept


@pytest.mark.parametrize("nothing", [None, "", {}])
def test_point_when_there_is_none_then_no_answer_is_kept(nothing: object) -> None:
    assert normal_clinical({"map": nothing}) == {}


@pytest.mark.parametrize(
    "point",
    [
        {"view": "inside", "x": 0.5, "y": 0.5},
        {"view": ["front"], "x": 0.5, "y": 0.5},
        {"x": 0.5, "y": 0.5},
        {"view": "front", "x": 1.01, "y": 0.5},
        {"view": "front", "x": 0.5, "y": -0.01},
        {"view": "front", "x": 0.5},
        {"view": "front", "x": "0.5", "y": 0.5},
        {"view": "front", "x": True, "y": 0.5},
        {"view": "front", "x": float("nan"), "y": 0.5},
        "front",
        [0.5, 0.5],
    ],
    ids=range(11),
)
def test_point_when_it_is_on_no_view_then_it_is_refused(point: object) -> None:
    with pytest.raises(Invalid, match=r"clinical\.map must be "):
        normal_point(point)


def test_views_are_told_apart() -> None:
    assert len(set(VIEWS)) == len(VIEWS)
