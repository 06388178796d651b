"""Fills the attributes of a photograph's data set, module by module (PS3.3).

Decides no pixel and reads no file.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from casework.errors import Invalid
from derm_capture import VERSION, anatomy
from derm_capture.anatomy import BodySite, Code
from derm_capture.coded import item_of
from derm_capture.context import CaptureContext, Kind
from derm_capture.equipment import Made, made_with
from derm_capture.exif import Camera
from derm_capture.scale import MARKER_MM, Scale
from derm_capture.srgb import SRGB
from derm_capture.stored import Stored
from derm_capture.text import long_text, person, short_string
from derm_capture.times import Times

NOT_STATED = "Not stated"

_MODIFYING_EQUIPMENT = Code("109103", "DCM", "Modifying Equipment")
_ACQUIRING_EQUIPMENT = Code("109101", "DCM", "Acquisition Equipment")
_DERMOSCOPY = Code("446078004", "SCT", "Dermoscopic photography")
_PHOTOGRAPHY = Code("197157006", "SCT", "Photography of patient")
_NUMBERS = {Kind.OVERVIEW: 1, Kind.CLOSEUP: 2, Kind.DERMOSCOPIC: 3, Kind.CLIP: 1, Kind.OTHER: 1}
_SERIES = {Kind.DERMOSCOPIC: 2, Kind.CLIP: 4, Kind.OTHER: 90}
_WORDS = {"XC": "Photographs", "DMS": "Dermoscopic photographs"}
_OWN_WORDS = {Kind.CLIP: "Film", Kind.OTHER: "Other picture"}
_OID_ISSUER_TYPE = "ISO"
_CASE_NUMBERS = "LYSBRO"  # who gives the numbers of cases
_EXPOSURE_DECIMALS = {
    "ExposureTimeInSeconds": "exposure_s",
    "FNumber": "f_number",
    "FocalLength": "focal_length_mm",
    "SubjectDistance": "subject_distance_m",
    "DigitalZoomRatio": "digital_zoom",
    "ShutterSpeedValue": "shutter_speed",
    "ApertureValue": "aperture",
    "BrightnessValue": "brightness",
    "ExposureBiasValue": "exposure_bias",
    "MaxApertureValue": "max_aperture",
}
_MAY_BE_NEGATIVE = frozenset({"ShutterSpeedValue", "BrightnessValue", "ExposureBiasValue"})
_EXPOSURE_INTEGERS = {  # with the most that Exif defines
    "PhotographicSensitivity": ("iso", 2**31 - 1),
    "StandardOutputSensitivity": ("standard_sensitivity", 2**31 - 1),
    "RecommendedExposureIndex": ("recommended_index", 2**31 - 1),
    "FocalLengthIn35mmFilm": ("focal_length_35mm", 2**31 - 1),
    "SensitivityType": ("sensitivity_type", 7),
    "ExposureProgram": ("exposure_program", 8),
    "MeteringMode": ("metering_mode", 255),
    "LightSource": ("light_source", 255),
    "SensingMethod": ("sensing_method", 8),
    "CustomRendered": ("custom_rendered", 1),
    "ExposureMode": ("exposure_mode", 2),
    "WhiteBalance": ("white_balance", 1),
    "SceneCaptureType": ("scene_capture_type", 3),
    "GainControl": ("gain_control", 4),
    "Contrast": ("contrast", 2),
    "Saturation": ("saturation", 2),
    "Sharpness": ("sharpness", 2),
    "SubjectDistanceRange": ("subject_distance_range", 3),
}


@dataclass(frozen=True)
class Names:
    """The UIDs of an object and its modality."""

    sop_class_uid: str
    sop_instance_uid: str
    study_uid: str
    series_uid: str
    frame_of_reference_uid: str
    modality: str


def put_identity(ds: Dataset, context: CaptureContext, names: Names, times: Times) -> None:
    """Fill the Patient, SOP Common and General Series modules."""
    patient = context.patient
    if not patient.id or len(patient.id) > 64 or "\\" in patient.id:
        raise Invalid(
            "The patient's number is missing or too long. Give one of 1 to 64 characters.",
            code="patient-id",
        )
    ds.SOPClassUID, ds.SOPInstanceUID = names.sop_class_uid, names.sop_instance_uid
    ds.StudyInstanceUID, ds.SeriesInstanceUID = names.study_uid, names.series_uid
    ds.Modality = names.modality
    ds.PatientName = person(patient.name)
    ds.PatientID = patient.id
    ds.PatientBirthDate = f"{patient.birth_date:%Y%m%d}" if patient.birth_date else ""
    ds.PatientSex = patient.sex if patient.sex in ("M", "F", "O") else ""
    if patient.issuer:
        ds.IssuerOfPatientID = long_text(patient.issuer)
        if set(patient.issuer) <= set("0123456789."):
            qualifier = Dataset()
            qualifier.UniversalEntityID = patient.issuer
            qualifier.UniversalEntityIDType = _OID_ISSUER_TYPE
            ds.IssuerOfPatientIDQualifiersSequence = Sequence([qualifier])
    ds.TimezoneOffsetFromUTC = times.offset
    default = _SERIES.get(context.kind, 1)
    ds.SeriesNumber = default if context.series_number is None else context.series_number
    number = context.instance_number
    ds.InstanceNumber = _NUMBERS[context.kind] if number is None else number


def put_study(ds: Dataset, context: CaptureContext, times: Times) -> None:
    """Fill the General Study module, the times, and the request that the picture answers."""
    ds.StudyDate, ds.StudyTime = f"{times.study:%Y%m%d}", f"{times.study:%H%M%S}"
    ds.ContentDate, ds.ContentTime = f"{times.content:%Y%m%d}", f"{times.content:%H%M%S}"
    ds.AcquisitionDateTime = times.acquired
    ds.SeriesDate, ds.SeriesTime = ds.StudyDate, ds.StudyTime
    ds.AccessionNumber = short_string(context.case_id)
    ds.StudyID = short_string(context.case_id) or "1"
    ds.StudyDescription = "Skin photographs"
    ds.ReferringPhysicianName = person(context.referrer)
    if context.institution:
        ds.InstitutionName = long_text(context.institution)
    if context.case_id:
        issuer = Dataset()
        issuer.LocalNamespaceEntityID = _CASE_NUMBERS
        ds.IssuerOfAccessionNumberSequence = Sequence([issuer])
        request = Dataset()
        request.AccessionNumber = short_string(context.case_id)
        request.RequestedProcedureID = short_string(context.case_id)
        if context.question:
            request.ReasonForTheRequestedProcedure = long_text(context.question)
        ds.RequestAttributesSequence = Sequence([request])


def put_anatomy(ds: Dataset, context: CaptureContext, site: BodySite | None) -> None:
    """Fill where on the body the picture was taken, and of which lesion; without a site, which only
    a picture of no kind lacks, no region is named (type 1C: it may be of none), and no side.
    """
    if site is None:
        ds.ImageLaterality = "U"
        ds.SeriesDescription = long_text(context.title or _OWN_WORDS[context.kind])
        return
    region = item_of(Code(site.code, site.scheme, site.meaning))
    side = anatomy.LATERALITIES.get(context.laterality)
    if side is not None:
        region.AnatomicRegionModifierSequence = Sequence([item_of(side)])
        ds.ImageLaterality = context.laterality
    elif site.paired:
        ds.Laterality = ""  # type 2C: a side there is, and nobody said which
    else:
        ds.ImageLaterality = "U"
    ds.AnatomicRegionSequence = Sequence([region])
    if site.body_part:
        ds.BodyPartExamined = site.body_part
    what = _OWN_WORDS.get(context.kind) or _WORDS[ds.Modality]  # of a series: ImageType tells kinds
    words = [what, site.en.lower()]
    if context.lesion is not None:
        ds.TrackingID = long_text(context.lesion.label)
        ds.TrackingUID = context.lesion.uid
        words.append(f"lesion {context.lesion.label}")
    ds.SeriesDescription = long_text(context.title or ", ".join(words))


def put_equipment(ds: Dataset, context: CaptureContext, camera: Camera, kept: Stored) -> None:
    """Fill who made the picture with what, and what was done to it since (General Equipment)."""
    made = made_with(context.device, camera, is_dermoscopic=context.kind is Kind.DERMOSCOPIC)
    _put_made(ds, made.device, filler=NOT_STATED if context.kind is Kind.DERMOSCOPIC else "")
    capture = Dataset()
    capture.PurposeOfReferenceCodeSequence = Sequence([item_of(_MODIFYING_EQUIPMENT)])
    capture.Manufacturer = "Lysbro"
    capture.ManufacturerModelName = "Lysbro capture"
    capture.SoftwareVersions = VERSION
    said = (*kept.steps, *kept.changes) or ("stored as it came in",)
    capture.ContributionDescription = "; ".join(said)[:1024]
    ds.ContributingEquipmentSequence = Sequence([capture])
    if made.behind is not None:
        behind = Dataset()
        behind.PurposeOfReferenceCodeSequence = Sequence([item_of(_ACQUIRING_EQUIPMENT)])
        _put_made(behind, made.behind, filler="")
        behind.ContributionDescription = "The camera behind the dermatoscope"
        ds.ContributingEquipmentSequence.append(behind)


def put_exposure(ds: Dataset, camera: Camera) -> None:
    """Fill what the camera said of the exposure (PS3.17 annex NNNN); where it was taken is never
    kept.
    """
    numbers = camera.numbers
    if re.fullmatch(r"\d{4}", camera.version):
        ds.EXIFVersion = camera.version
    if "flash" in numbers:
        ds.FlashFiringStatus = int(numbers["flash"]) & 1  # the other bits tell of the flash's mode
    for keyword, name in _EXPOSURE_DECIMALS.items():
        least = -1e9 if keyword in _MAY_BE_NEGATIVE else 0
        if name in numbers and least < numbers[name] < 1e9:
            setattr(ds, keyword, f"{numbers[name]:.6g}")
    for keyword, (name, most) in _EXPOSURE_INTEGERS.items():
        if name in numbers and 0 <= numbers[name] <= most:
            setattr(ds, keyword, int(numbers[name]))
    if camera.lens_make:
        ds.LensMake = camera.lens_make
    if camera.lens_model:
        ds.LensModel = camera.lens_model


def put_image(ds: Dataset, context: CaptureContext, kept: Stored) -> None:
    """Fill the General Image, Image Pixel, VL Image and ICC Profile modules."""
    made = "DERIVED" if kept.changes else "ORIGINAL"
    ds.ImageType = [
        made,
        "PRIMARY",
        "",
        context.kind.value.upper(),
    ]  # value 3 is enumerated: C.8.12.1.1
    if kept.changes:
        ds.DerivationDescription = "; ".join(kept.changes)
    ds.PatientOrientation = ""
    ds.SamplesPerPixel = kept.samples
    ds.PhotometricInterpretation = kept.photometric
    if kept.samples > 1:
        ds.PlanarConfiguration = 0
    ds.Rows, ds.Columns = kept.rows, kept.columns
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 8, 8, 7, 0
    ds.BurnedInAnnotation = "YES" if context.burned_in else "NO"
    ds.RecognizableVisualFeatures = "YES" if context.recognizable else "NO"
    ds.LossyImageCompression = "01" if kept.lossy_method else "00"
    if kept.lossy_method:
        ds.LossyImageCompressionRatio = f"{kept.ratio:.4g}"
        ds.LossyImageCompressionMethod = kept.lossy_method
    if kept.icc:
        ds.ICCProfile = kept.icc + b"\x00" * (len(kept.icc) % 2)
        if kept.icc == SRGB:
            ds.ColorSpace = "SRGB"


def put_scale(ds: Dataset, scale: Scale | None) -> None:
    """Say how large a pixel is and by what that is known (PS3.3 section 10.7), or nothing."""
    if scale is None or not scale.can_measure:
        return
    ds.PixelSpacing = [f"{scale.mm_per_pixel:.5g}"] * 2
    ds.PixelSpacingCalibrationType = "FIDUCIAL"
    ds.PixelSpacingCalibrationDescription = f"Marker of {MARKER_MM:g} mm in the plane of the skin"


def put_procedure(ds: Dataset, context: CaptureContext) -> None:
    """Say which procedure the study is, and by which its series was made."""
    is_dermoscopic = context.kind is Kind.DERMOSCOPIC
    made_by = _DERMOSCOPY if is_dermoscopic else _PHOTOGRAPHY
    ds.ProcedureCodeSequence = Sequence([item_of(_PHOTOGRAPHY)])
    ds.PerformedProtocolCodeSequence = Sequence([item_of(made_by)])


def put_dermoscopy(ds: Dataset, context: CaptureContext, names: Names) -> None:
    """Fill the Dermoscopic Image module, and a frame of reference, which older checkers ask for."""
    device = context.device
    ds.LightSourcePolarization = device.polarization
    ds.EmitterColorTemperature = ""
    ds.ContactMethod = device.contact
    if device.contact == "CONTACT":  # type 2C: absent otherwise
        ds.ImmersionMedia = device.immersion
    ds.OpticalMagnificationFactor = f"{device.magnification:g}" if device.magnification else ""
    ds.FrameOfReferenceUID = names.frame_of_reference_uid
    ds.PositionReferenceIndicator = ""


def _put_made(ds: Dataset, made: Made, *, filler: str) -> None:
    """Fill what made a picture; with a filler each is type 1 (Enhanced General Equipment)."""
    found = {
        "Manufacturer": made.manufacturer or filler,
        "ManufacturerModelName": made.model or filler,
        "DeviceSerialNumber": made.serial or filler,
        "SoftwareVersions": made.software or filler,
    }
    for keyword, value in found.items():
        if value or keyword == "Manufacturer":
            setattr(ds, keyword, long_text(value))
