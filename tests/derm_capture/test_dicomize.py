"""The attributes of a wrapped photograph, and that a repeat is the same object."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from casework.errors import Invalid
from casework.model import Patient
from casework.photo_links import Link, Purpose
from derm_capture import acquisition, validate
from derm_capture.context import Device, Kind, Lesion
from derm_capture.dicomize import DERMOSCOPIC_PHOTOGRAPHY, VL_PHOTOGRAPHIC
from storage.part10 import walk
from tests.derm_capture import pictures
from tests.derm_capture.wrapping import CHIN, FOREARM, dciodvfy, read, wrapped

PHOTO = pictures.jpeg(pictures.skin(), orientation=6)
KINDS = [kind for kind in Kind if kind is not Kind.CLIP]  # of photographs


@pytest.mark.parametrize("kind", KINDS)
def test_wrap_when_repeated_then_it_is_the_same_object_to_the_byte(kind):
    assert wrapped(PHOTO, kind=kind) == wrapped(PHOTO, kind=kind)


def test_wrap_when_the_capture_differs_then_the_object_does_too():
    one, other = wrapped(PHOTO), wrapped(PHOTO, capture_id="photo-2")
    assert one.sop_instance_uid != other.sop_instance_uid
    assert (one.study_uid, one.series_uid) == (other.study_uid, other.series_uid)


def test_wrap_when_no_capture_is_named_then_the_bytes_name_it():
    same = {wrapped(PHOTO, capture_id="", study_uid="").sop_instance_uid for _ in range(2)}
    other = wrapped(pictures.jpeg(pictures.skin(seed=2)), capture_id="", study_uid="")
    assert len(same) == 1
    assert other.sop_instance_uid not in same


def test_wrap_when_overview_then_it_is_a_vl_photographic_object():
    made = wrapped(PHOTO, kind=Kind.OVERVIEW)
    ds = read(made)
    assert made.sop_class_uid == ds.SOPClassUID == VL_PHOTOGRAPHIC
    assert (ds.Modality, ds.ImageType[3]) == ("XC", "OVERVIEW")
    assert (ds.Rows, ds.Columns) == (96, 64)
    assert ds.PatientName == "LUNDE^MÁRJÁ ØYGUNN"
    assert ds.SpecificCharacterSet == "ISO_IR 192"
    assert ds.AccessionNumber == "7K3M-2QXF"
    assert ds.IssuerOfPatientIDQualifiersSequence[0].UniversalEntityIDType == "ISO"
    assert ds.AcquisitionDateTime == "20260203104207+0100"
    assert ds.TimezoneOffsetFromUTC == "+0100"
    assert (ds.StudyDate, ds.StudyTime) == ("20260203", "103000")
    assert (ds.Manufacturer, ds.ManufacturerModelName) == ("Nordcam", "Fjellfone 9")
    assert ds.FlashFiringStatus == 0
    equipment = ds.ContributingEquipmentSequence[0]
    assert "90 degrees without loss" in equipment.ContributionDescription
    assert "Exif" in equipment.ContributionDescription
    assert "TrackingUID" not in ds


def test_wrap_when_dermoscopic_then_its_own_modules_are_filled():
    device = Device("Dermlite", "DL5", contact="CONTACT", immersion="ALCOHOL", magnification=10)
    ds = read(wrapped(PHOTO, kind=Kind.DERMOSCOPIC, device=device, lesion=Lesion("A", "2.25.7")))
    assert ds.SOPClassUID == DERMOSCOPIC_PHOTOGRAPHY
    assert (ds.Modality, ds.ContactMethod, ds.ImmersionMedia) == ("DMS", "CONTACT", "ALCOHOL")
    assert (ds.Manufacturer, ds.ManufacturerModelName) == ("Dermlite", "DL5")
    assert ds.DeviceSerialNumber == "Not stated"
    assert (ds.TrackingID, ds.TrackingUID) == ("A", "2.25.7")
    assert ds.LightSourcePolarization == ""
    assert ds.FrameOfReferenceUID


def test_wrap_when_no_contact_then_no_immersion_is_said():
    ds = read(wrapped(PHOTO, kind=Kind.DERMOSCOPIC, device=Device(contact="NON_CONTACT")))
    assert "ImmersionMedia" not in ds


@pytest.mark.parametrize(
    ("site", "side", "image_laterality", "laterality"),
    [
        (FOREARM, "L", "L", None),
        (FOREARM, "B", "B", None),
        (FOREARM, "", None, ""),
        (CHIN, "", "U", None),
    ],
)
def test_wrap_when_a_side_is_known_or_not_then_it_says_so(site, side, image_laterality, laterality):
    ds = read(wrapped(PHOTO, site_code=site, laterality=side))
    assert ds.get("ImageLaterality") == image_laterality
    assert ds.get("Laterality") == laterality
    region = ds.AnatomicRegionSequence[0]
    assert region.CodeValue == site
    assert ("AnatomicRegionModifierSequence" in region) == bool(side)


def test_wrap_when_answers_are_given_then_they_are_coded_with_the_picture():
    said = {"skin_type": "4", "symptoms": ["itch", "bleeding"], "evolution": ["grown"]}
    ds = read(wrapped(PHOTO, acquisition=acquisition.items_of(said)))
    codes = [item.ConceptCodeSequence[0].CodeValue for item in ds.AcquisitionContextSequence]
    assert codes == ["C74572", "297968009", "418363000", "162499001"]
    assert len(read(wrapped(PHOTO)).AcquisitionContextSequence) == 0
    assert acquisition.items_of({"skin_type": 9, "symptoms": "none", "evolution": ["none"]}) == ()


def test_wrap_when_texts_are_hostile_then_they_fit_their_place():
    name = "<script>alert(1)</script>\\^" + "Ø" * 80
    made = wrapped(PHOTO, patient=Patient("1", name=name), question="Er dette føflekkreft?\n" * 9)
    ds = read(made)
    assert "\\" not in str(ds.PatientName)
    assert len(str(ds.PatientName).encode()) <= 64
    assert len(ds.RequestAttributesSequence[0].ReasonForTheRequestedProcedure.encode()) <= 64
    assert validate.check(made.part10) == ()


@pytest.mark.parametrize("number", ["", "1" * 65, "a\\b"])
def test_wrap_when_the_patient_has_no_number_then_it_is_refused(number):
    with pytest.raises(Invalid) as refused:
        wrapped(PHOTO, patient=Patient(number))
    assert refused.value.code == "patient-id"


def test_wrap_when_no_camera_gave_a_time_then_the_telephone_or_the_case_does():
    silent = pictures.encoded(pictures.skin(), "PNG")
    said = datetime(2026, 7, 1, 22, 30, tzinfo=UTC)
    assert read(wrapped(silent, captured_at=said)).AcquisitionDateTime == "20260702003000+0200"
    assert read(wrapped(silent)).AcquisitionDateTime == "20260203103000+0100"


@pytest.mark.parametrize("kind", KINDS)
def test_wrapped_when_walked_at_the_door_then_its_frame_is_found(kind):
    made = wrapped(PHOTO, kind=kind)
    header = walk(made.dataset, transfer_syntax_uid=made.transfer_syntax_uid)
    assert header.sop_instance_uid == made.sop_instance_uid
    assert header.pixel is not None
    assert header.pixel.encapsulated
    assert header.pixel.frames == 1
    assert pictures.GPS_NOTE not in made.part10


@pytest.mark.peers
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("lesion", [None, Lesion("A", "2.25.7")])
def test_wrapped_when_dciodvfy_reads_it_then_there_is_no_error(kind, lesion, tmp_path):
    said = {"skin_type": "2", "symptoms": ["pain"]}
    made = wrapped(
        PHOTO,
        kind=kind,
        lesion=lesion,
        site_code=FOREARM,
        laterality="R",
        question="Er dette føflekkreft?" * 5,
        referrer="Sárá^Elle",
        institution="Legekontoret på hjørnet",
        acquisition=acquisition.items_of(said),
        links=(Link("2.25.99", VL_PHOTOGRAPHIC, "2.25.98", Purpose.LOCALIZER),),
    )
    said_of_it = dciodvfy(made, tmp_path)
    assert [line for line in said_of_it if line.startswith("Error")] == []
    if kind is not Kind.DERMOSCOPIC and lesion is None:
        assert said_of_it == []
