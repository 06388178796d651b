"""Makes what a signed reply measured and pointed to as DICOM: TID 1500 and key objects.

By highdicom, which takes a second to load: import this where the first is made. The same report
gives the same UIDs and bytes.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from highdicom import sr
from highdicom.ko import KeyObjectSelection, KeyObjectSelectionDocument
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filebase import DicomIO
from pydicom.filewriter import write_dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from casework.identifiers import derived_uid
from casework.model import CaseDossier, Report
from pacs_bridge.reply_objects import Evidence, ReplyObject, described, series_of
from pacs_bridge.syntaxes import EXPLICIT_LE

COMPREHENSIVE_SR = "1.2.840.10008.5.1.4.1.1.88.33"
KEY_OBJECTS = "1.2.840.10008.5.1.4.1.1.88.59"
MEASURED_SERIES, KEY_SERIES = 9902, 9903

_UNITS: Mapping[str, tuple[str, str]] = {
    "mm": ("mm", "millimeter"),
    "mm2": ("mm2", "square millimeter"),
    "mm²": ("mm2", "square millimeter"),
    "deg": ("deg", "degree"),
    "°": ("deg", "degree"),
    "px": ("{pixels}", "pixels"),
    "HU": ("[hnsf'U]", "Hounsfield unit"),
}
"""UCUM."""

_CONCEPTS: Mapping[str, tuple[str, str, str]] = {
    "length": ("410668003", "SCT", "Length"),
    "angle": ("1483009", "SCT", "Angle"),
    "cobb": ("1483009", "SCT", "Angle"),
    "area": ("42798000", "SCT", "Area"),
}


def measured_sr(
    dossier: CaseDossier,
    report: Report,
    evidence: Sequence[Evidence],
    *,
    study: Mapping[str, Any] | None = None,
    timezone: str = "Europe/Oslo",
) -> ReplyObject | None:
    """Return the measurements as a Comprehensive SR of TID 1500, or None when there are none."""
    known = {each.sop_instance_uid: each for each in evidence}
    groups = []
    for at, said in enumerate(report.content.get("measurements") or (), 1):
        image = known.get(str(said.get("instance_uid")))
        if image is None or said.get("value") is None:
            continue
        unit, meaning = _UNITS.get(str(said.get("unit") or ""), ("1", "no units"))
        code = _CONCEPTS.get(str(said.get("kind")), _CONCEPTS["length"])
        source = _source(image, said)
        measurement = sr.Measurement(
            name=Code(*code),
            value=float(said["value"]),
            unit=Code(unit, "UCUM", meaning),
            referenced_coordinates=[_coordinates(said, source)],
        )
        uid = derived_uid("reply-measurement", report.uid, str(at))
        groups.append(
            sr.MeasurementsAndQualitativeEvaluations(
                tracking_identifier=sr.TrackingIdentifier(
                    uid=uid, identifier=str(said.get("label") or f"Measurement {at}")
                ),
                measurements=[measurement],
            )
        )
    if not groups:
        return None
    signed_at = report.signed_at.astimezone(ZoneInfo(timezone))
    content = sr.MeasurementReport(
        observation_context=_observer(report),
        procedure_reported=Code("363679005", "SCT", "Imaging"),
        imaging_measurements=groups,
        title=Code("126000", "DCM", "Imaging Measurement Report"),
    )
    study_uid, series_uid = series_of(dossier, "measured")
    made = sr.ComprehensiveSR(
        evidence=[_dataset(dossier, each, study) for each in evidence],
        content=content[0],
        series_instance_uid=series_uid,
        series_number=MEASURED_SERIES,
        sop_instance_uid=derived_uid("reply-measured", report.uid, str(report.version)),
        instance_number=report.version,
        manufacturer="Lysbro",
        is_complete=True,
        is_final=True,
        is_verified=True,
        verifying_observer_name=_person(report),
        verifying_organization=dossier.case.site_name or "Lysbro",
    )
    return _made(made, dossier, study_uid, series_uid, signed_at, study)


def key_objects(
    dossier: CaseDossier,
    report: Report,
    evidence: Sequence[Evidence],
    *,
    study: Mapping[str, Any] | None = None,
    timezone: str = "Europe/Oslo",
) -> ReplyObject | None:
    """Return the key images as a Key Object Selection, or None when none was marked."""
    marked = {str(each.get("instance_uid")) for each in report.content.get("key_images") or ()}
    images = [
        _dataset(dossier, each, study) for each in evidence if each.sop_instance_uid in marked
    ]
    if not images:
        return None
    signed_at = report.signed_at.astimezone(ZoneInfo(timezone))
    study_uid, series_uid = series_of(dossier, "key")
    made = KeyObjectSelectionDocument(
        evidence=images,
        content=KeyObjectSelection(Code("113000", "DCM", "Of Interest"), images),
        series_instance_uid=series_uid,
        series_number=KEY_SERIES,
        sop_instance_uid=derived_uid("reply-key", report.uid, str(report.version)),
        instance_number=report.version,
        manufacturer="Lysbro",
        transfer_syntax_uid=EXPLICIT_LE,
    )
    return _made(made, dossier, study_uid, series_uid, signed_at, study)


def _source(image: Evidence, said: Mapping[str, Any]) -> Any:
    frame = int(said.get("frame") or 1)
    frames = [frame] if image.frames > 1 else None
    return sr.SourceImageForRegion(image.sop_class_uid, image.sop_instance_uid, frames)


def _coordinates(said: Mapping[str, Any], source: Any) -> Any:
    points = np.array([point[:2] for point in said["points"]], dtype=np.float32)
    kind = sr.GraphicTypeValues.POINT if len(points) == 1 else sr.GraphicTypeValues.POLYLINE
    return sr.CoordinatesForMeasurement(kind, points, source)


def _observer(report: Report) -> Any:
    person = sr.PersonObserverIdentifyingAttributes(name=_person(report))
    return sr.ObservationContext(
        observer_person_context=sr.ObserverContext(
            observer_type=codes.DCM.Person, observer_identifying_attributes=person
        )
    )


def _dataset(dossier: CaseDossier, image: Evidence, study: Mapping[str, Any] | None) -> Dataset:
    """Return of an image what a document that points to it must agree with."""
    found = Dataset()
    for keyword, value in described(dossier, study or {}).items():
        if not isinstance(value, list):
            setattr(found, keyword, value)
    found.StudyInstanceUID, found.SeriesInstanceUID = image.study_uid, image.series_uid
    found.SOPClassUID, found.SOPInstanceUID = image.sop_class_uid, image.sop_instance_uid
    found.Rows, found.Columns = image.rows, image.columns
    found.Modality = image.modality
    if image.frames > 1:
        found.NumberOfFrames = image.frames
    return found


def _made(
    made: Dataset,
    dossier: CaseDossier,
    study_uid: str,
    series_uid: str,
    signed_at: datetime,
    study: Mapping[str, Any] | None,
) -> ReplyObject:
    """Return an object as it is sent: of the patient and the study, and without today's clock."""
    for keyword, value in described(dossier, study or {}).items():
        setattr(made, keyword, value)
    made.ContentDate, made.ContentTime = f"{signed_at:%Y%m%d}", f"{signed_at:%H%M%S}"
    made.InstanceCreationDate, made.InstanceCreationTime = made.ContentDate, made.ContentTime
    for observer in made.get("VerifyingObserverSequence") or ():
        observer.VerificationDateTime = f"{signed_at:%Y%m%d%H%M%S}"
    for equipment in made.get("ContributingEquipmentSequence") or ():
        if "ContributionDateTime" in equipment:
            equipment.ContributionDateTime = f"{signed_at:%Y%m%d%H%M%S}"
    made.file_meta = FileMetaDataset()
    out = io.BytesIO()
    file = DicomIO(out)
    file.is_little_endian, file.is_implicit_VR = True, False
    write_dataset(file, made)
    return ReplyObject(
        dataset=out.getvalue(),
        sop_class_uid=str(made.SOPClassUID),
        sop_instance_uid=str(made.SOPInstanceUID),
        study_uid=study_uid,
        series_uid=series_uid,
        transfer_syntax_uid=EXPLICIT_LE,
    )


def _person(report: Report) -> str:
    """Return who signed as a name of one component: how it parts is not known."""
    return report.signed_by.replace("^", " ") + "^"
