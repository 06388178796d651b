"""Every kind of measurement in the structured report: valid, read back, in its own unit."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from highdicom import sr
from pydicom import Dataset, dcmread

from casework.model import Report
from pacs_bridge import outlines, reply_measured
from pacs_bridge.reply_objects import Evidence
from pacs_bridge.reply_text import text_sr
from tests.pacs_bridge.test_reply_objects import DOSSIER, REPORT, STUDY, part10

CT = Evidence("1.2.3.4", "1.2.3.4.1", "1.2.840.10008.5.1.4.1.1.2", "1.2.3.5", "CT", 512, 512, 1,
              True)  # fmt: skip
STATS = {"mean": 43.2, "sd": 5.1, "min": 20.0, "max": 60.0, "count": 812.0, "unit": "HU"}


def mark(kind: str, points: list[list[float]], value: float | None, unit: str, **more: Any) -> Any:
    return {"instance_uid": "1.2.3.5", "frame": 1, "kind": kind, "points": points, "value": value,
            "unit": unit, "calibration": "patient", "label": kind, **more}  # fmt: skip


MEASURED = [
    mark("length", [[1, 2], [30, 40]], 33.6, "mm", label="Nodule, right upper lobe"),
    mark("length", [[1, 2], [30, 40]], 47.8, "px", calibration="none"),
    mark("length", [[1, 2], [30, 40]], 9.5, "mm", calibration="detector"),
    mark("angle", [[9, 0], [0, 0], [0, 9]], 90.0, "°"),
    mark("cobb", [[0, 0], [9, 1], [0, 20], [9, 30]], 41.7, "°"),
    mark("bidirectional", [[0, 0], [20, 0], [10, -5], [10, 5]], 20.0, "mm", stats={"short": 10.0}),
    mark("ellipse", [[20, 30], [40, 30], [30, 10], [30, 50]], 628.3, "mm²", stats=STATS),
    mark("rectangle", [[10, 20], [30, 50]], 600.0, "px²", calibration="none", stats=STATS),
    mark("probe", [[12.5, 13.5]], 24.0, "HU"),
    mark("arrow", [[5, 5], [9, 9]], None, ""),
    mark("text", [[5, 5]], None, "", label="again in spring"),
]
NOTED = [{"instance_uid": "1.2.3.5", "frame": 1, "note": "the edge"}]
SIGNED = replace(
    REPORT, content={"impression": "Seen.", "measurements": MEASURED, "key_images": NOTED}
)


def made(report: Report = SIGNED) -> Dataset:
    reply = reply_measured.measured_sr(DOSSIER, report, [CT], study=STUDY)
    assert reply is not None
    return dcmread(BytesIO(part10(reply)))


def numbers(item: Dataset) -> list[Dataset]:
    found = [item] if item.get("ValueType") == "NUM" else []
    return found + [each for child in item.get("ContentSequence") or () for each in numbers(child)]


def test_each_figure_is_a_number_with_its_concept_and_ucum_unit() -> None:
    found = [
        (
            n.ConceptNameCodeSequence[0].CodeMeaning,
            next((c.ConceptCodeSequence[0].CodeMeaning for c in n.get("ContentSequence") or ()
                  if c.ConceptNameCodeSequence[0].CodeValue == "121401"), ""),
            float(n.MeasuredValueSequence[0].NumericValue),
            n.MeasuredValueSequence[0].MeasurementUnitsCodeSequence[0].CodeValue,
        )
        for n in numbers(made())
    ]  # fmt: skip
    region = [
        ("Attenuation Coefficient", "Mean", 43.2, "[hnsf'U]"),
        ("Attenuation Coefficient", "Standard Deviation", 5.1, "[hnsf'U]"),
        ("Attenuation Coefficient", "Minimum", 20.0, "[hnsf'U]"),
        ("Attenuation Coefficient", "Maximum", 60.0, "[hnsf'U]"),
    ]
    assert found == [
        ("Length", "", 33.6, "mm"),
        ("Length", "", 47.8, "{pixels}"),
        ("Length", "", 9.5, "mm"),
        ("Angle", "", 90.0, "deg"),
        ("Cobb angle", "", 41.7, "deg"),
        ("Long axis", "", 20.0, "mm"),
        ("Short axis", "", 10.0, "mm"),
        *region,
        ("Area", "", 628.3, "mm2"),
        *region,
        ("Area", "", 600.0, "{pixels}"),
        ("Attenuation Coefficient", "", 24.0, "[hnsf'U]"),
    ]


def test_millimetres_at_the_detector_say_that_they_are() -> None:
    methods = [
        [c.ConceptCodeSequence[0].CodeMeaning for c in n.get("ContentSequence") or ()
         if c.ConceptNameCodeSequence[0].CodeValue == "370129005"]
        for n in numbers(made())[:3]
    ]  # fmt: skip
    assert methods == [[], [], ["At the detector, magnification not known"]]


def test_highdicom_reads_back_regions_and_the_names_they_are_tracked_by() -> None:
    report = sr.ComprehensiveSR.from_dataset(made()).content
    regions = report.get_planar_roi_measurement_groups()
    assert [each.tracking_identifier for each in regions] == ["ellipse", "rectangle"]
    ellipse, rectangle = (each.roi for each in regions)
    assert ellipse.graphic_type is sr.GraphicTypeValues.ELLIPSE
    assert ellipse.value.tolist() == [[30, 10], [30, 50], [20, 30], [40, 30]]  # the longer first
    assert rectangle.graphic_type is sr.GraphicTypeValues.POLYLINE
    assert rectangle.value.tolist() == [[10, 20], [30, 20], [30, 50], [10, 50], [10, 20]]
    others = report.get_image_measurement_groups()
    assert others[0].tracking_identifier == "Nodule, right upper lobe"
    assert len(others) == 7


def test_the_report_is_the_same_again() -> None:
    assert made() == made()


def test_the_text_report_has_them_as_lines_in_its_language() -> None:
    reply = text_sr(replace(DOSSIER, reports=(SIGNED,)), [SIGNED], SIGNED, [CT], study=dict(STUDY))
    document = dcmread(BytesIO(part10(reply)))
    (findings,) = [item for item in document.ContentSequence
                   if item.ConceptNameCodeSequence[0].CodeMeaning == "Findings"]  # fmt: skip
    lines = [item.TextValue for item in findings.ContentSequence]
    assert lines[0] == "Nodule, right upper lobe: 33,6 mm"
    assert lines[2] == "length: 9,5 mm (ved detektoren, ikke i pasienten)"
    assert lines[6] == "ellipse: middel 43,2 HU, SD 5,1, min 20, maks 60; 628,3 mm²"
    assert len(lines) == 9


@pytest.mark.peers
@pytest.mark.parametrize("make", [reply_measured.measured_sr, reply_measured.key_objects])
def test_dciodvfy_finds_no_error_in_any_kind(make: Any, tmp_path: Path) -> None:
    file = tmp_path / "reply.dcm"
    reply = make(DOSSIER, SIGNED, [CT], study=STUDY)
    file.write_bytes(part10(reply))
    said = subprocess.run(["dciodvfy", file], capture_output=True, text=True, check=False).stderr
    assert [line for line in said.splitlines() if line.startswith("Error")] == []


def test_axes_aslant_in_pixels_that_are_not_square_become_the_ellipses_own() -> None:
    u, v = np.array([30.0, 4.0]), np.array([-3.0, 9.0])
    ends = [[50 - u[0], 40 - u[1]], [50 + u[0], 40 + u[1]], [50 - v[0], 40 - v[1]],
            [50 + v[0], 40 + v[1]]]  # fmt: skip
    kind, points = outlines.region_of("ellipse", ends)
    major, minor = (points[1] - points[0]) / 2, (points[3] - points[2]) / 2
    assert kind == "ELLIPSE"
    assert abs(float(major @ minor)) < 1e-2
    assert np.hypot(*major) > np.hypot(*minor)
    assert abs(np.hypot(*major) * np.hypot(*minor) - abs(u[0] * v[1] - u[1] * v[0])) < 1e-2
    inverse = np.linalg.inv(np.column_stack([major, minor]))
    for turn in np.linspace(0, 2 * np.pi, 13):  # every place on the one lies on the other
        assert abs(np.hypot(*(inverse @ (np.cos(turn) * u + np.sin(turn) * v))) - 1) < 1e-4


def test_key_images_carry_what_was_noted_on_them() -> None:
    reply = reply_measured.key_objects(DOSSIER, SIGNED, [CT], study=STUDY)
    assert reply is not None
    texts = [item.TextValue for item in dcmread(BytesIO(part10(reply))).ContentSequence
             if item.ValueType == "TEXT"]  # fmt: skip
    assert texts == ["the edge"]
