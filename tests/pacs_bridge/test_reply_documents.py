"""Replies as structured reports and key objects: valid, whole, and the same every time."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from pydicom import Dataset, dcmread

from casework.model import Report
from pacs_bridge import reply_measured
from pacs_bridge.reply_objects import Evidence, ReplyObject
from pacs_bridge.reply_text import text_sr
from tests.pacs_bridge.test_reply_objects import DOSSIER, REPORT, STUDY, part10

SKIN = Evidence(
    "1.2.3.4", "1.2.3.4.1", "1.2.840.10008.5.1.4.1.1.77.1.4", "1.2.3.5", "XC", 3024, 4032, 1, True
)
CINE = replace(
    SKIN, sop_class_uid="1.2.840.10008.5.1.4.1.1.3.1", sop_instance_uid="1.2.3.6", frames=20,
    is_named=False, modality="US",
)  # fmt: skip
IMAGES = [SKIN, CINE]
SAID: dict[str, Any] = {
    "impression": "Benign naevus.", "findings": "Symmetric.", "advice": "None needed.",
    "described": "To the eye: Even.", "malignancy": "low", "language": "en",
    "safety_net": "Come back if it bleeds.",
    "diagnoses": [{"text": "Naevus", "code": "D22.5", "system": "icd-10",
                   "codes": [{"system": "sct", "code": "400096001"},
                             {"system": "icpc-2", "code": "S82"}]}],
    "measurements": [
        {"instance_uid": "1.2.3.5", "frame": 1, "kind": "length", "points": [[1, 2], [30, 40]],
         "value": 4.1, "unit": "mm", "label": "A"},
        {"instance_uid": "1.2.3.6", "frame": 7, "kind": "angle",
         "points": [[1, 2], [3, 4], [5, 6]], "value": 31.0, "unit": "°"},
        {"instance_uid": "1.2.9", "frame": 1, "kind": "length", "points": [[0, 0]], "value": 1.0},
    ],
    "key_images": [{"instance_uid": "1.2.3.5", "frame": 1}],
}  # fmt: skip
SIGNED = replace(REPORT, content=SAID)


def text(report: Report = SIGNED, before: tuple[Report, ...] = ()) -> ReplyObject:
    dossier = replace(DOSSIER, reports=(*before, report))
    return text_sr(dossier, [report], report, IMAGES, study=dict(STUDY))


def measured(report: Report = SIGNED) -> ReplyObject:
    made = reply_measured.measured_sr(DOSSIER, report, IMAGES, study=STUDY)
    assert made is not None
    return made


def key(report: Report = SIGNED) -> ReplyObject:
    made = reply_measured.key_objects(DOSSIER, report, IMAGES, study=STUDY)
    assert made is not None
    return made


MAKERS = [text, measured, key]


def read(made: ReplyObject) -> Dataset:
    return dcmread(BytesIO(part10(made)))


@pytest.mark.parametrize("make", MAKERS)
def test_the_object_is_of_the_patient_and_the_study_and_the_same_again(
    make: Callable[[], ReplyObject],
) -> None:
    made, found = make(), read(make())
    assert made == make()
    assert found.SOPInstanceUID == made.sop_instance_uid
    assert (found.StudyInstanceUID, found.PatientID) == ("1.2.3.4", "123")
    assert str(found.PatientName) == "Bjørnson^Åse"
    assert (found.AccessionNumber, found.StudyDate) == ("A7", "20260101")
    assert found.ContentDate == "20260103"  # signed half an hour after midnight in Oslo


@pytest.mark.peers
@pytest.mark.parametrize("make", [*MAKERS, lambda: text(replace(SIGNED, version=2), (SIGNED,))])
def test_dciodvfy_finds_no_error(make: Callable[[], ReplyObject], tmp_path: Path) -> None:
    file = tmp_path / "reply.dcm"
    file.write_bytes(part10(make()))
    said = subprocess.run(["dciodvfy", file], capture_output=True, text=True, check=False).stderr
    assert [line for line in said.splitlines() if line.startswith("Error")] == []


def test_the_text_of_the_reply_stands_under_its_headings() -> None:
    found = read(text())
    assert (found.CompletionFlag, found.VerificationFlag) == ("COMPLETE", "VERIFIED")
    sections = {
        item.ConceptNameCodeSequence[0].CodeMeaning: [
            each.TextValue for each in item.ContentSequence if each.ValueType == "TEXT"
        ]
        for item in found.ContentSequence
        if item.ValueType == "CONTAINER"
    }
    assert sections == {
        "Findings": ["To the eye: Even.", "Symmetric.", "A: 4,1 mm", "Vinkel: 31,0°", "Lengde: 1"],
        "Conclusions": [
            "Benign naevus.",
            "Naevus (ICPC-2 S82, ICD-10 D22.5, SNOMED CT 400096001)",
            "Low suspicion of malignancy",
        ],
        "Recommendations": ["None needed.", "Come back if it bleeds."],
    }
    codes = [
        (each.ConceptCodeSequence[0].CodeValue, each.ConceptCodeSequence[0].CodingSchemeDesignator)
        for item in found.ContentSequence
        if item.ValueType == "CONTAINER"
        for each in item.ContentSequence
        if each.ValueType == "CODE"
    ]
    assert codes == [("D22.5", "I10"), ("400096001", "SCT")]
    (picture,) = [item for item in found.ContentSequence if item.ValueType == "IMAGE"]
    assert picture.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == "1.2.3.5"


def test_a_correction_names_the_document_before_it() -> None:
    second = replace(SIGNED, version=2, kind="correction", uid="2.25.78")
    before = read(text(second, (SIGNED,))).PredecessorDocumentsSequence[0]
    named = before.ReferencedSeriesSequence[0].ReferencedSOPSequence[0]
    assert named.ReferencedSOPInstanceUID == text().sop_instance_uid


def test_each_measurement_points_to_its_image_and_frame() -> None:
    found = read(measured())
    numbers: list[tuple[float, str, str]] = []

    def walk(item: Dataset) -> None:
        if item.get("ValueType") == "NUM":
            value = item.MeasuredValueSequence[0]
            (place,) = [c for c in item.ContentSequence if c.ValueType == "SCOORD"]
            image = place.ContentSequence[0].ReferencedSOPSequence[0]
            where = f"{image.ReferencedSOPInstanceUID}/{image.get('ReferencedFrameNumber', '')}"
            unit = value.MeasurementUnitsCodeSequence[0].CodeValue
            numbers.append((float(value.NumericValue), unit, where))
        for child in item.get("ContentSequence") or ():
            walk(child)

    walk(found)
    assert numbers == [(4.1, "mm", "1.2.3.5/"), (31.0, "deg", "1.2.3.6/7")]


def test_the_key_images_are_those_that_were_marked() -> None:
    found = read(key())
    evidence = found.CurrentRequestedProcedureEvidenceSequence[0]
    (named,) = evidence.ReferencedSeriesSequence[0].ReferencedSOPSequence
    assert named.ReferencedSOPInstanceUID == "1.2.3.5"


def test_nothing_is_made_of_nothing() -> None:
    plain = replace(SIGNED, content={"impression": "Benign."})
    assert reply_measured.measured_sr(DOSSIER, plain, IMAGES) is None
    assert reply_measured.key_objects(DOSSIER, plain, IMAGES) is None
