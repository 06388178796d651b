"""What was measured, as the reply's page, its PDF and FHIR say it."""

from __future__ import annotations

from typing import Any

import pytest
from fhir.resources.R4B.observation import Observation

from tests.viewer.test_pages_reply import FINDINGS, dossier, report, text_of
from viewer.fhir.bundle import observations
from viewer.measured_words import calibration_text, measurement_line
from viewer.report_pdf import render_report

STATS = {"mean": 43.2, "sd": 5.1, "min": -20.0, "max": 60.0, "count": 812.0, "unit": "HU"}


def mark(kind: str, value: float | None, unit: str, **more: Any) -> dict[str, Any]:
    return {"instance_uid": "1.2.3", "frame": 1, "kind": kind, "points": [], "value": value,
            "unit": unit, "calibration": "patient", "label": "", **more}  # fmt: skip


MARKS = [
    mark("length", 42.1, "mm", label="Nodule"),
    mark("length", 9.5, "mm", calibration="detector"),
    mark("bidirectional", 20.0, "mm", stats={"short": 9.5}, calibration="calibrated"),
    mark("ellipse", 508.6, "mm²", stats=STATS, label="Cyst"),
    mark("cobb", 21.7, "°", label="T5 to T12"),
    mark("length", 163.0, "px", calibration="none"),
    mark("probe", 24.0, "HU"),
    mark("arrow", None, "", label="edge"),
    mark("arrow", None, ""),
    mark("text", None, "", label="again in spring"),
]
ENGLISH = [
    "Nodule: 42.1 mm",
    "Length: 9.5 mm (at the detector, not in the patient)",
    "Long and short axis: 20.0 × 9.5 mm (calibrated)",
    "Cyst: mean 43.2 HU, SD 5.1, min -20, max 60; 508.6 mm²",
    "T5 to T12: 21.7°",
    "Length: 163 px (no scale in the image)",
    "Value: 24 HU",
    "Arrow: edge",
    "",
    "Note: again in spring",
]
NORWEGIAN = [
    "Nodule: 42,1 mm",
    "Lengde: 9,5 mm (ved detektoren, ikke i pasienten)",
    "Lang og kort akse: 20,0 × 9,5 mm (kalibrert)",
    "Cyst: middel 43,2 HU, SD 5,1, min -20, maks 60; 508,6 mm²",
    "T5 to T12: 21,7°",
    "Lengde: 163 px (ingen målestokk i bildet)",
    "Verdi: 24 HU",
    "Pil: edge",
    "",
    "Notat: again in spring",
]


@pytest.mark.parametrize(("language", "lines"), [("en", ENGLISH), ("nb", NORWEGIAN)])
def test_every_kind_is_said_in_the_language(language: str, lines: list[str]) -> None:
    assert [measurement_line(each, language) for each in MARKS] == lines


def test_a_calibration_of_another_system_is_said_as_it_came() -> None:
    assert calibration_text({"calibration": "PixelSpacing"}, "nb") == "PixelSpacing"


def test_the_pdf_lists_them() -> None:
    signed = report(1, **{**FINDINGS, "measurements": MARKS})
    found = text_of(render_report(dossier(signed), signed, language="nb"))
    assert [line for line in NORWEGIAN if line and line not in found] == []


def test_fhir_has_an_observation_of_each_with_its_further_figures() -> None:
    signed = report(1, **{**FINDINGS, "measurements": MARKS})
    found = observations(dossier(signed), [signed])
    assert [each["code"]["text"] for each in found] == [
        "Nodule", "Length", "Long and short axis", "Cyst", "T5 to T12", "Length", "Value",
    ]  # fmt: skip
    for each in found:
        Observation.model_validate(each)
    by_id = {each["id"].rpartition("-m")[2]: each for each in found}
    assert by_id["2"]["note"] == [{"text": "at the detector, not in the patient"}]
    assert by_id["3"]["component"][0]["valueQuantity"]["value"] == 9.5
    cyst = by_id["4"]
    assert cyst["valueQuantity"] == {
        "value": 43.2, "unit": "HU", "system": "http://unitsofmeasure.org", "code": "[hnsf'U]",
    }  # fmt: skip
    assert [each["code"]["text"] for each in cyst["component"]] == ["sd", "min", "max", "area"]
    assert cyst["component"][-1]["valueQuantity"]["code"] == "mm2"
    assert by_id["6"]["valueQuantity"] == {"value": 163.0, "unit": "px"}
