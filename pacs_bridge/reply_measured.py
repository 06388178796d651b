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

from highdicom import sr
from highdicom.ko import KeyObjectSelection, KeyObjectSelectionDocument
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filebase import DicomIO
from pydicom.filewriter import write_dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from casework.identifiers import derived_uid
from casework.measured import figures_of
from casework.model import CaseDossier, Report
from pacs_bridge.measured_groups import group_of
from pacs_bridge.reply_objects import Evidence, ReplyObject, described, series_of
from pacs_bridge.syntaxes import EXPLICIT_LE

COMPREHENSIVE_SR = "1.2.840.10008.5.1.4.1.1.88.33"
KEY_OBJECTS = "1.2.840.10008.5.1.4.1.1.88.59"
MEASURED_SERIES, KEY_SERIES = 9902, 9903


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
        image, figures = known.get(str(said.get("instance_uid"))), figures_of(said)
        if image is None or not figures:
            continue
        uid = derived_uid("reply-measurement", report.uid, str(at))
        tracking = sr.TrackingIdentifier(
            uid=uid, identifier=str(said.get("label") or f"Measurement {at}")
        )
        groups.append(group_of(said, figures, image, tracking))
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
        content=KeyObjectSelection(
            Code("113000", "DCM", "Of Interest"), images, description=_notes(report) or None
        ),
        series_instance_uid=series_uid,
        series_number=KEY_SERIES,
        sop_instance_uid=derived_uid("reply-key", report.uid, str(report.version)),
        instance_number=report.version,
        manufacturer="Lysbro",
        transfer_syntax_uid=EXPLICIT_LE,
    )
    return _made(made, dossier, study_uid, series_uid, signed_at, study)


def _notes(report: Report) -> str:
    """Return what the reader noted on key images, each note once (PS3.16 TID 2010)."""
    notes = [str(each.get("note") or "") for each in report.content.get("key_images") or ()]
    return "; ".join(dict.fromkeys(filter(None, notes)))


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
