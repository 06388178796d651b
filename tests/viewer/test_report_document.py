"""Structured reports as documents: what stands where, in words, with units; never too much."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.dataset import Dataset

from tests.viewer.conftest import World
from tests.viewer.test_frames import UID, store_paper
from viewer.report_document import MOST_ITEMS, document_of
from viewer.report_items import Item

BASIC, DOSE, KEYS = (f"1.2.840.10008.5.1.4.1.1.88.{n}" for n in (11, 67, 59))


def code(meaning: str, value: str = "1", scheme: str = "DCM") -> list[Dataset]:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return [item]


def content(kind: str, name: str, *below: Dataset, relation: str = "CONTAINS", **values: Any):
    item = Dataset()
    item.RelationshipType, item.ValueType = relation, kind
    if name:
        item.ConceptNameCodeSequence = code(name)
    for keyword, value in values.items():
        setattr(item, keyword, value)
    if below:
        item.ContentSequence = list(below)
    return item


def number(name: str, value: str, unit: str, **values: Any) -> Dataset:
    measured = Dataset()
    measured.NumericValue = value
    measured.MeasurementUnitsCodeSequence = code(unit, unit, "UCUM")
    return content("NUM", name, MeasuredValueSequence=[measured], **values)


def image(uid: str, frames: list[int] | None = None) -> Dataset:
    shown = Dataset()
    shown.ReferencedSOPInstanceUID = uid
    if frames:
        shown.ReferencedFrameNumber = frames
    return content("IMAGE", "", ReferencedSOPSequence=[shown])


def report(*below: Dataset, sop_class: str = BASIC, **values: Any) -> Dataset:
    ds = content("CONTAINER", "Report", *below, **values)
    ds.SOPClassUID = sop_class
    return ds


def names(items: tuple[Item, ...]) -> list[tuple[str, str, str]]:
    return [(each.kind, each.name, each.value) for each in items]


def test_what_a_report_says_stands_under_its_headings() -> None:
    found = document_of(
        report(
            content(
                "CODE",
                "Language",
                relation="HAS CONCEPT MOD",
                ConceptCodeSequence=code("Norwegian"),
            ),
            content(
                "PNAME", "Person Observer Name", relation="HAS OBS CONTEXT", PersonName="Lund^Kari"
            ),
            content(
                "CONTAINER",
                "Findings",
                content("TEXT", "Finding", TextValue="No <b>bleeding</b>."),
                content("DATE", "Study Date", Date="20260102"),
                content("TIME", "Study Time", Time="101500"),
                number("Diameter", "12.5", "mm"),
                number("Attenuation", "40", "[hnsf'U]"),
                number("Ratio", "0.8", "1"),
            ),
            CompletionFlag="COMPLETE",
            VerificationFlag="VERIFIED",
        )  # fmt: skip
    )
    assert (found.title, found.kind) == ("Report", "report")
    assert (found.completion, found.verification) == ("COMPLETE", "VERIFIED")
    assert found.context == (("Language", "Norwegian"), ("Person Observer Name", "Kari Lund"))
    assert names(found.items) == [("heading", "Findings", "")]
    assert names(found.items[0].items) == [
        ("text", "Finding", "No <b>bleeding</b>."),
        ("value", "Study Date", "2 Jan 2026"),
        ("value", "Study Time", "10:15"),
        ("number", "Diameter", "12.5 mm"),
        ("number", "Attenuation", "40 HU"),
        ("number", "Ratio", "0.8"),
    ]


def test_what_modifies_an_item_stands_beside_it_and_uids_do_not() -> None:
    site = content("CODE", "Finding Site", relation="HAS CONCEPT MOD",
                   ConceptCodeSequence=code("Lung"))  # fmt: skip
    tracked = content("UIDREF", "Tracking UID", relation="HAS OBS CONTEXT", UID="1.2.3")
    found = document_of(report(content("CONTAINER", "Group", site, tracked)))
    assert found.items[0].details == (("Finding Site", "Lung"),)


def test_images_that_follow_each_other_are_one_list() -> None:
    found = document_of(report(image("1.1"), image("1.2", [3, 4]), sop_class=KEYS))
    assert found.kind == "key-objects"
    assert [(s.uid, s.frames) for s in found.items[0].shown] == [("1.1", ()), ("1.2", (3, 4))]
    assert len(found.items) == 1


def test_a_drawn_shape_leads_to_the_image_it_is_drawn_on() -> None:
    on = image("1.1", [7])
    on.RelationshipType = "SELECTED FROM"
    drawn = content("SCOORD", "Outline", on, GraphicType="POLYLINE", GraphicData=[1.0, 2, 3, 4])
    found = document_of(report(number("Length", "4", "mm"), drawn)).items[1]
    assert (found.kind, found.name, found.value) == ("shape", "Outline", "POLYLINE")
    assert [(s.uid, s.frames) for s in found.shown] == [("1.1", (7,))]


def test_what_another_item_is_referred_to_by_its_place_is_called_by_its_name() -> None:
    by_place = Dataset()
    by_place.RelationshipType = "INFERRED FROM"
    by_place.ReferencedContentItemIdentifier = [1, 1]
    text = content("TEXT", "Conclusion", by_place, TextValue="Growing.")
    found = document_of(report(number("Diameter", "3", "cm"), text))
    assert found.items[1].items[0].value == "Diameter"


def test_the_events_of_a_dose_report_are_a_table() -> None:
    def event(protocol: str, ctdi: str, dlp: str) -> Dataset:
        dose = content(
            "CONTAINER",
            "CT Dose",
            number("Mean CTDIvol", ctdi, "mGy"),
            number("DLP", dlp, "mGy.cm"),
        )
        return content(
            "CONTAINER", "CT Acquisition",
            content("TEXT", "Acquisition Protocol", TextValue=protocol), dose,
        )  # fmt: skip

    total = content("CONTAINER", "CT Accumulated Dose Data", number("DLP Total", "512", "mGy.cm"))
    found = document_of(
        report(total, content("CONTAINER", "Dose", event("Topogram", "0.1", "4"),
                              event("Thorax", "7.2", "508")), sop_class=DOSE)
    )  # fmt: skip
    assert found.kind == "dose"
    table = found.items[1].table
    assert table is not None
    assert table.columns == ("Acquisition Protocol", "Mean CTDIvol", "DLP")
    assert table.rows == (("Topogram", "0.1 mGy", "4 mGy.cm"), ("Thorax", "7.2 mGy", "508 mGy.cm"))


def test_a_report_that_is_too_deep_or_too_long_is_cut_and_says_so() -> None:
    item = content("TEXT", "Bottom", TextValue="here")
    for _ in range(200):
        item = content("CONTAINER", "Deeper", item)
    assert document_of(report(item)).is_cut
    many = [content("TEXT", "Line", TextValue=str(n)) for n in range(MOST_ITEMS + 5)]
    found = document_of(report(*many))
    assert (len(found.items), found.is_cut) == (MOST_ITEMS, True)
    assert not document_of(report(content("TEXT", "Line", TextValue="1"))).is_cut


REAL = {
    "dicom-test-files/dcmqi/sr-example/sr.dcm": "number SUVbw 2.91136 g/ml (SUVbw)",
    "highdicom/sr_document_with_multiple_groups.dcm": "number Diameter 10.0 mm",
    "pydicom/reportsi.dcm": "text Report Text Enter text",
    "pydicom/test-SR.dcm": "number Diameter 3 cm",
}


@pytest.mark.fixtures
@pytest.mark.parametrize("path", REAL)
def test_real_reports_read_as_documents(fixtures_dir: Path, path: str) -> None:
    def told(items: tuple[Item, ...]):
        for each in items:
            yield f"{each.kind} {each.name} {each.value}"
            yield from told(each.items)

    found = document_of(pydicom.dcmread(fixtures_dir / "dicom_sr_docs" / path))
    assert REAL[path] in list(told(found.items))
    assert not found.is_cut


def test_a_report_of_a_case_is_given_as_a_document(world: World) -> None:
    body = report(content("TEXT", "Finding", TextValue="No bleeding."), image("1.2.3"))
    store_paper(
        world, BASIC, Modality="SR", ConceptNameCodeSequence=code("Head CT"),
        ContentSequence=body.ContentSequence, CompletionFlag="PARTIAL",
        VerificationFlag="UNVERIFIED", ContentDate="20260102", ContentTime="101500",
    )  # fmt: skip
    reader = world.client("radiologist@centre")
    told = reader.get(f"/api/instances/{UID}/report").get_json()
    assert (told["title"], told["completion"]) == ("Head CT", "PARTIAL")
    assert told["written_at"] == "2 Jan 2026, 10:15"
    assert [(i["kind"], i["value"]) for i in told["items"]] == [
        ("text", "No bleeding."), ("images", ""),
    ]  # fmt: skip
    assert told["items"][1]["shown"] == [{"uid": "1.2.3", "frames": []}]
