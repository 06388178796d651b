"""Measurements: which are taken as they are, which are refused by name, and how they are said."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casework.errors import Invalid
from casework.findings import canonical_json, normal_findings
from casework.measured import POINTS, doubt_of, figures_of, name_of, said_in

REGION = {"mean": 43.2, "sd": 5.1, "min": 20.0, "max": 60.0, "count": 812.0, "unit": "HU"}


def mark(kind: str, value: float | None = None, unit: str = "", **more: Any) -> dict[str, Any]:
    points = [[float(at), float(at * 2)] for at in range(POINTS.get(kind, 1))]
    return {"instance_uid": "1.2.3", "frame": 1, "kind": kind, "points": points, "value": value,
            "unit": unit, "calibration": "patient", "label": "", **more}  # fmt: skip


def normal(said: dict[str, Any]) -> dict[str, Any]:
    (found,) = normal_findings({"measurements": [said]})["measurements"]
    return dict(found)


SOUND = [
    (mark("length", 42.13, "mm"), "42.1 mm"),
    (mark("length", 163.0, "px", calibration="none"), "163 px"),
    (mark("angle", 76.06, "°"), "76.1°"),
    (mark("cobb", 21.7, "°"), "21.7°"),
    (mark("bidirectional", 41.6, "mm", stats={"short": 24.9}), "41.6 × 24.9 mm"),
    (mark("ellipse", 508.6, "mm²", stats=REGION),
     "mean 43.2 HU, SD 5.1, min 20, max 60; 508.6 mm²"),
    (mark("rectangle", 2041.0, "px²", calibration="none"), "2041 px²"),
    (mark("probe", 24.0, "HU"), "24 HU"),
    (mark("probe", None, "HU"), ""),
    (mark("arrow", label="edge"), ""),
    (mark("text", label="again in spring"), ""),
]  # fmt: skip


@pytest.mark.parametrize(("said", "text"), SOUND)
def test_a_sound_measurement_is_kept_and_said(said: dict[str, Any], text: str) -> None:
    found = normal(said)
    assert {key: value for key, value in found.items() if key != "frame"} == {
        key: value for key, value in said.items() if key != "frame"
    }
    assert said_in(found) == text


REFUSED = [
    (mark("circle", 1.0, "mm"), "kind"),
    (mark("length", 1.0, "mm", points=[[1, 2]]), "points"),
    (mark("angle", 1.0, "°", points=[[1, 2], [3, 4]]), "points"),
    (mark("ellipse", 1.0, "mm²", points=[[1, 2], [3, 4]]), "points"),
    (mark("length", 1.0, "mm²"), "value"),
    (mark("length", -1.0, "mm"), "value"),
    (mark("angle", 181.0, "°"), "value"),
    (mark("arrow", 1.0, "mm"), "value"),
    (mark("text"), "label"),
    (mark("length", 1.0, "mm", label="x" * 201), "label"),
    (mark("length", 1.0, "mm", calibration="none"), "unit"),
    (mark("ellipse", 1.0, "mm²", calibration="none"), "unit"),
    (mark("length", 1.0, "mm", stats={"mean": 1.0}), "stats"),
    (mark("ellipse", 1.0, "mm²", stats={"short": 1.0}), "stats"),
    (mark("ellipse", 1.0, "mm²", stats={"median": 1.0}), "median"),
    (mark("ellipse", 1.0, "mm²", stats={**REGION, "sd": -1.0}), "stats"),
    (mark("ellipse", 1.0, "mm²", stats={**REGION, "mean": 70.0}), "stats"),
    (mark("bidirectional", 1.0, "mm", stats={"short": 2.0}), "short"),
]


@pytest.mark.parametrize(("said", "named"), REFUSED)
def test_a_measurement_that_says_what_it_cannot_is_refused_by_name(
    said: dict[str, Any], named: str
) -> None:
    with pytest.raises(Invalid, match=named) as refused:
        normal(said)
    assert "measurements[0]" in refused.value.message


numbers = st.floats(0, 1e6, allow_nan=False)


@st.composite
def marks(draw: st.DrawFn) -> dict[str, Any]:
    kind = draw(st.sampled_from(sorted(POINTS)))
    point = st.lists(st.floats(-1e5, 1e5), min_size=2, max_size=2)
    points = draw(st.lists(point, min_size=POINTS[kind], max_size=POINTS[kind]))
    label = draw(st.text(st.characters(codec="utf-8", exclude_categories=["C"]), max_size=80))
    if kind == "text" and not label.strip():
        label = "x"
    is_scaled = draw(st.booleans())
    said = mark(kind, label=label, calibration="patient" if is_scaled else "none")
    said["points"] = points
    match kind:
        case "length" | "bidirectional":
            said |= {"value": draw(numbers), "unit": "mm" if is_scaled else "px"}
        case "angle" | "cobb":
            said |= {"value": draw(st.floats(0, 180)), "unit": "°"}
        case "ellipse" | "rectangle":
            low, mean, high = sorted(draw(st.tuples(numbers, numbers, numbers)))
            said |= {"value": draw(numbers), "unit": "mm²" if is_scaled else "px²"}
            said["stats"] = {"mean": mean, "sd": draw(numbers), "min": low, "max": high}
        case "probe":
            said |= {"value": draw(st.floats(-1e5, 1e5)), "unit": "HU"}
    return said


@given(st.lists(marks(), max_size=6))
def test_what_is_normal_stays_so_and_is_said_in_full(given_marks: list[dict[str, Any]]) -> None:
    once = normal_findings({"measurements": given_marks})
    assert canonical_json(normal_findings(once)) == canonical_json(once)
    for said in once["measurements"]:
        figures = figures_of(said)
        assert bool(figures) == (said["kind"] not in ("arrow", "text"))
        assert bool(said_in(said)) == bool(figures)
        assert not any(f.unit in ("mm", "mm²") for f in figures if said["calibration"] == "none")


def test_a_draft_of_lengths_alone_is_as_it_was() -> None:
    old = mark("length", 12.0, "mm", label="Length 1")
    assert normal(old) == old


def test_a_key_image_may_have_a_note() -> None:
    images = [{"instance_uid": "1.2", "frame": 3, "note": " the edge\nof it "},
              {"instance_uid": "1.2", "frame": 4}]  # fmt: skip
    assert normal_findings({"key_images": images})["key_images"] == [
        {"instance_uid": "1.2", "frame": 3, "note": "the edge of it"},
        {"instance_uid": "1.2", "frame": 4},
    ]


def test_a_measurement_without_a_name_is_called_by_its_kind() -> None:
    assert name_of(mark("cobb", 1.0, "°")) == "Cobb angle"
    assert name_of(mark("cobb", 1.0, "°", label="T5 to T12")) == "T5 to T12"


def test_millimetres_that_may_not_be_the_patients_say_so() -> None:
    assert "detector" in doubt_of(mark("length", 1.0, "mm", calibration="detector"))
    assert "not stated" in doubt_of(mark("ellipse", 1.0, "mm²", calibration="unstated"))
    assert doubt_of(mark("length", 1.0, "mm")) == ""
    assert doubt_of(mark("angle", 1.0, "°", calibration="detector")) == ""
