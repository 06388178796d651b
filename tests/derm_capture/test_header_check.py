"""The own check of the header finds what general checkers pass."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from pydicom.dataset import FileDataset

from casework.photo_links import Link, Purpose
from derm_capture import acquisition
from derm_capture.context import Device, Kind, Lesion
from derm_capture.dicomize import VL_PHOTOGRAPHIC
from derm_capture.header_check import header_problems
from tests.derm_capture import pictures
from tests.derm_capture.wrapping import FOREARM, read, wrapped

LINK = Link("2.25.99", VL_PHOTOGRAPHIC, "2.25.98", Purpose.LOCALIZER)
MADE = wrapped(
    pictures.jpeg(pictures.skin()),
    kind=Kind.DERMOSCOPIC,
    site_code=FOREARM,
    laterality="R",
    lesion=Lesion("A", "2.25.7"),
    device=Device("Dermlite", "DL5", "A-17", "none", contact="CONTACT", immersion="WATER"),
    acquisition=acquisition.items_of({"skin_type": "2", "melanomas": 1}),
    links=(LINK,),
)
Change = Callable[[FileDataset], object]


def dropped(keyword: str) -> Change:
    return lambda ds: delattr(ds, keyword)


def put(keyword: str, value: object) -> Change:
    return lambda ds: setattr(ds, keyword, value)


def within(*path: str, **values: object) -> Change:
    def change(ds: FileDataset) -> None:
        for keyword in path:
            ds = ds[keyword][0]
        for keyword, value in values.items():
            setattr(ds, keyword, value)

    return change


FAULTS: tuple[tuple[str, Change, str], ...] = (
    ("modality", put("Modality", "XC"), "modality XC"),
    ("charset", put("SpecificCharacterSet", "ISO_IR 100"), "UTF-8"),
    ("zone", dropped("TimezoneOffsetFromUTC"), "offset from UTC"),
    ("time", put("AcquisitionDateTime", "20260203104207"), "acquisition time"),
    ("number", put("InstanceNumber", None), "no InstanceNumber"),
    ("faces", dropped("RecognizableVisualFeatures"), "no RecognizableVisualFeatures"),
    ("site", within("AnatomicRegionSequence", CodeMeaning="Arm"), "no site of CID 4029"),
    ("region", put("AnatomicRegionSequence", []), "0 anatomic regions"),
    ("side", dropped("ImageLaterality"), "nothing is said of the side"),
    ("other side", put("ImageLaterality", "L"), "another side"),
    ("tracking", dropped("TrackingID"), "tracking ID"),
    ("context", dropped("AcquisitionContextSequence"), "no acquisition context"),
    (
        "answer",
        within("AcquisitionContextSequence", "ConceptCodeSequence", CodeValue="1"),
        "1 is not of CID 4401",
    ),
    (
        "question",
        within("AcquisitionContextSequence", "ConceptNameCodeSequence", CodeValue="1"),
        "no question of TID 8300",
    ),
    ("no code", within("AcquisitionContextSequence", ValueType="TEXT"), "no code"),
    ("list", dropped("ReferencedSeriesSequence"), "common instance reference"),
    (
        "itself",
        within("ReferencedImageSequence", ReferencedSOPInstanceUID=MADE.sop_instance_uid),
        "refers to itself",
    ),
    (
        "purpose",
        within("ReferencedImageSequence", PurposeOfReferenceCodeSequence=[]),
        "without its purpose",
    ),
    ("serial", put("DeviceSerialNumber", ""), "no DeviceSerialNumber"),
    ("optics", dropped("LightSourcePolarization"), "no LightSourcePolarization"),
    ("fluid", put("ContactMethod", "NON_CONTACT"), "immersion fluid"),
)


def test_header_when_it_is_sound_then_there_is_nothing_to_say():
    assert list(header_problems(read(MADE), known={"2.25.99"})) == []


@pytest.mark.parametrize(
    ("change", "found"), [pytest.param(*rest, id=name) for name, *rest in FAULTS]
)
def test_header_when_one_thing_is_wrong_then_it_is_found(change, found):
    ds = read(MADE)
    change(ds)
    assert found in "; ".join(header_problems(ds))


def test_references_when_they_lead_out_of_the_study_then_that_is_found():
    assert "2.25.99 is not in this study" in list(header_problems(read(MADE), known={"2.25.1"}))
