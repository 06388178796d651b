"""Every attribute of the two objects, line by line: its value, and what it comes from."""

from __future__ import annotations

from typing import Any

import pytest
from pydicom.datadict import tag_for_keyword

from casework.identifiers import derived_uid
from casework.photo_links import Link, Purpose
from derm_capture import acquisition
from derm_capture.context import Device, Kind, Lesion
from derm_capture.dicomize import DERMOSCOPIC_PHOTOGRAPHY, VL_PHOTOGRAPHIC
from derm_capture.srgb import SRGB
from tests.derm_capture import pictures
from tests.derm_capture.wrapping import FOREARM, read, wrapped

PHOTO = pictures.jpeg(pictures.skin(), orientation=6)
OVERVIEW = Link("2.25.99", VL_PHOTOGRAPHIC, "2.25.98", Purpose.LOCALIZER)
DERMATOSCOPE = Device(
    "Dermlite", "DL5", "A-17", "none", "POLARIZED", "CONTACT", "ALCOHOL", magnification=10
)
CONTEXT: dict[str, Any] = {
    "site_code": FOREARM,
    "laterality": "R",
    "lesion": Lesion("A", "2.25.7"),
    "referrer": "Elle^Sárá",
    "institution": "Legekontoret",
    "question": "Melanom?",
    "acquisition": acquisition.items_of({"skin_type": "2"}),
    "links": (OVERVIEW,),
    "series_number": 3,
    "instance_number": 5,
}
VL = read(wrapped(PHOTO, kind=Kind.CLOSEUP, **CONTEXT))
DERMOSCOPIC = read(wrapped(PHOTO, kind=Kind.DERMOSCOPIC, device=DERMATOSCOPE, **CONTEXT))
ABSENT = object()
EMPTY = ""

LINES: tuple[tuple[str, str, Any, str], ...] = (
    # keyword, type in the IOD, value, where it comes from
    ("SpecificCharacterSet", "1C", "ISO_IR 192", "always UTF-8"),
    ("ImageType", "1", ["ORIGINAL", "PRIMARY", "", "CLOSEUP"], "kind; DERIVED when changed"),
    ("SOPClassUID", "1", VL_PHOTOGRAPHIC, "kind"),
    ("StudyInstanceUID", "1", "2.25.1000", "case"),
    ("SeriesInstanceUID", "1", derived_uid("photo-series", "2.25.1000", "2.25.7", "XC"), "lesion"),
    ("StudyDate", "2", "20260203", "case made"),
    ("StudyTime", "2", "103000", "case made"),
    ("ContentDate", "2C", "20260203", "camera"),
    ("ContentTime", "1C", "104207", "camera"),
    ("AcquisitionDateTime", "3", "20260203104207+0100", "camera"),
    ("TimezoneOffsetFromUTC", "3", "+0100", "zone of the practice"),
    ("AccessionNumber", "2", "7K3M-2QXF", "case"),
    ("StudyID", "2", "7K3M-2QXF", "case"),
    ("Modality", "1", "XC", "kind"),
    ("Manufacturer", "2", "Nordcam", "camera, or the enrolled device"),
    ("ManufacturerModelName", "3", "Fjellfone 9", "the same"),
    ("ReferringPhysicianName", "2", "Elle^Sárá", "referrer"),
    ("InstitutionName", "3", "Legekontoret", "site"),
    ("PatientName", "2", "LUNDE^MÁRJÁ ØYGUNN", "case"),
    ("PatientID", "2", "13886512345", "case"),
    ("PatientBirthDate", "2", "19710618", "case"),
    ("PatientSex", "2", "F", "case"),
    ("IssuerOfPatientID", "3", "2.16.578.1.12.4.1.4.1", "case"),
    ("SeriesNumber", "2", 3, "one for each series of the case"),
    ("InstanceNumber", "2", 5, "one for each picture of the case"),
    ("PatientOrientation", "2C", EMPTY, "not known of skin"),
    ("ImageLaterality", "3", "R", "side"),
    ("Laterality", "2C", ABSENT, "ImageLaterality says it"),
    ("SamplesPerPixel", "1", 3, "stream"),
    ("PhotometricInterpretation", "1", "YBR_FULL_422", "stream"),
    ("PlanarConfiguration", "1C", 0, "always by pixel"),
    ("Rows", "1", 96, "stream, upright"),
    ("Columns", "1", 64, "stream, upright"),
    ("BitsAllocated", "1", 8, "always"),
    ("BitsStored", "1", 8, "always"),
    ("HighBit", "1", 7, "always"),
    ("PixelRepresentation", "1", 0, "always"),
    ("BurnedInAnnotation", "3", "NO", "asked"),
    ("RecognizableVisualFeatures", "1", "NO", "asked"),
    ("LossyImageCompression", "2", "01", "source"),
    ("LossyImageCompressionMethod", "1C", "ISO_10918_1", "source"),
    ("ICCProfile", "1", SRGB + b"\0" * (len(SRGB) % 2), "source, or sRGB"),
    ("ColorSpace", "3", "SRGB", "profile"),
    ("BodyPartExamined", "3", "ARM", "site"),
    ("TrackingID", "1C", "A", "lesion"),
    ("TrackingUID", "1C", "2.25.7", "lesion"),
    ("SeriesDescription", "3", "Photographs, forearm, front, lesion A", "series"),
    ("PixelSpacing", "3", ABSENT, "scale card only"),
    ("FlashFiringStatus", "3", 0, "camera"),
    ("ExposureTimeInSeconds", "3", 0.02, "camera"),
    ("GPSLatitude", "-", ABSENT, "never"),
    ("CameraOwnerName", "-", ABSENT, "never"),
    ("MakerNote", "-", ABSENT, "never"),
)

DERMOSCOPIC_LINES: tuple[tuple[str, str, Any, str], ...] = (
    ("SOPClassUID", "1", DERMOSCOPIC_PHOTOGRAPHY, "kind"),
    ("ImageType", "1", ["ORIGINAL", "PRIMARY", "", "DERMOSCOPIC"], "kind"),
    ("Modality", "1", "DMS", "kind"),
    ("SeriesInstanceUID", "1", derived_uid("photo-series", "2.25.1000", "2.25.7", "DMS"), "lesion"),
    ("Manufacturer", "1", "Dermlite", "enrolled device"),
    ("ManufacturerModelName", "1", "DL5", "enrolled device"),
    ("DeviceSerialNumber", "1", "A-17", "enrolled device"),
    ("SoftwareVersions", "1", "none", "enrolled device"),
    ("RecognizableVisualFeatures", "1", "NO", "asked"),
    ("LightSourcePolarization", "2", "POLARIZED", "enrolled device"),
    ("EmitterColorTemperature", "2", None, "not known"),
    ("ContactMethod", "2", "CONTACT", "enrolled device"),
    ("ImmersionMedia", "2C", "ALCOHOL", "enrolled device, in contact only"),
    ("OpticalMagnificationFactor", "2", 10, "enrolled device"),
    ("PositionReferenceIndicator", "2", EMPTY, "for older checkers"),
    ("TrackingID", "1C", "A", "lesion"),
    ("TrackingUID", "1C", "2.25.7", "lesion"),
    ("SeriesDescription", "3", "Dermoscopic photographs, forearm, front, lesion A", "series"),
)


def matches(ds: Any, keyword: str, value: Any) -> None:
    assert tag_for_keyword(keyword) is not None
    if value is ABSENT:
        assert keyword not in ds
        return
    assert keyword in ds
    found = ds[keyword].value
    if isinstance(value, list):
        assert list(found) == value
    else:
        assert found == value


@pytest.mark.parametrize("line", LINES, ids=lambda line: line[0])
def test_vl_photographic_when_wrapped_then_this_attribute_is_right(line):
    matches(VL, line[0], line[2])


@pytest.mark.parametrize("line", DERMOSCOPIC_LINES, ids=lambda line: line[0])
def test_dermoscopic_when_wrapped_then_this_attribute_is_right(line):
    matches(DERMOSCOPIC, line[0], line[2])


@pytest.mark.parametrize(("ds", "lines"), [(VL, LINES), (DERMOSCOPIC, DERMOSCOPIC_LINES)])
def test_types_when_one_is_required_then_it_has_a_value_and_type_two_is_there(ds, lines):
    for keyword, type_, _value, _source in lines:
        if type_ in {"1", "2"}:
            assert keyword in ds
        if type_ == "1":
            assert ds[keyword].value not in (None, "")


@pytest.mark.parametrize("ds", [VL, DERMOSCOPIC], ids=["vl", "dermoscopic"])
def test_sequences_when_wrapped_then_each_holds_what_it_should(ds):
    assert ds.IssuerOfPatientIDQualifiersSequence[0].UniversalEntityIDType == "ISO"
    assert ds.IssuerOfAccessionNumberSequence[0].LocalNamespaceEntityID == "LYSBRO"
    region = ds.AnatomicRegionSequence[0]
    assert (region.CodeValue, region.CodingSchemeDesignator) == (FOREARM, "SCT")
    assert region.AnatomicRegionModifierSequence[0].CodeValue == "24028007"
    request = ds.RequestAttributesSequence[0]
    assert (request.AccessionNumber, request.RequestedProcedureID) == ("7K3M-2QXF", "7K3M-2QXF")
    assert request.ReasonForTheRequestedProcedure == "Melanom?"
    assert ds.ProcedureCodeSequence[0].CodeValue == "197157006"
    (context,) = ds.AcquisitionContextSequence
    assert context.ConceptCodeSequence[0].CodeValue == "C74570"
    assert ds.ContributingEquipmentSequence[0].PurposeOfReferenceCodeSequence[0].CodeValue == (
        "109103"
    )


def test_protocol_when_a_series_is_dermoscopic_then_the_series_says_so_and_the_study_does_not():
    codes = [ds.PerformedProtocolCodeSequence[0].CodeValue for ds in (VL, DERMOSCOPIC)]
    assert codes == ["197157006", "446078004"]
    assert len({ds.ProcedureCodeSequence[0].CodeValue for ds in (VL, DERMOSCOPIC)}) == 1


def test_references_when_there_is_an_overview_then_it_is_the_localizer_in_its_series():
    (image,) = VL.ReferencedImageSequence
    assert image.ReferencedSOPInstanceUID == "2.25.99"
    assert image.PurposeOfReferenceCodeSequence[0].CodeValue == "121311"
    (series,) = VL.ReferencedSeriesSequence
    assert series.SeriesInstanceUID == "2.25.98"
    assert [i.ReferencedSOPInstanceUID for i in series.ReferencedInstanceSequence] == ["2.25.99"]
    alone = read(wrapped(PHOTO))
    assert "ReferencedImageSequence" not in alone
    assert "ReferencedSeriesSequence" not in alone


def test_series_when_two_lesions_or_places_then_each_has_its_own():
    one = wrapped(PHOTO, site_code=FOREARM, laterality="R")
    others = (
        {"site_code": FOREARM, "laterality": "L"},
        {"lesion": Lesion("A", "2.25.7")},
        {"lesion": Lesion("B", "2.25.8")},
        {"site_code": FOREARM, "laterality": "R", "kind": Kind.DERMOSCOPIC},
    )
    assert len({one.series_uid, *(wrapped(PHOTO, **given).series_uid for given in others)}) == 5
    overview = wrapped(PHOTO, site_code=FOREARM, laterality="R", kind=Kind.OVERVIEW)
    assert overview.series_uid == one.series_uid
