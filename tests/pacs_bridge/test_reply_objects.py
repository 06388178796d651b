"""The object in which a signed reply travels: right, valid, and the same every time."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from datetime import UTC, date, datetime
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import dcmread
from reportlab.pdfgen.canvas import Canvas

from casework.model import (
    Case,
    CaseDossier,
    CaseState,
    Patient,
    Priority,
    Referral,
    Report,
    Specialty,
    StudyOfCase,
)
from pacs_bridge.reply_objects import ReplyObject, encapsulated_pdf
from storage.filemeta import build_file_meta

CASE = Case(
    id="7K3M-2QXF", state=CaseState.SIGNED, specialty=Specialty.DERMATOLOGY,
    priority=Priority.ROUTINE, site="fjordgata", site_name="Fjordgata legekontor",
    patient=Patient("123", "2.16.578.1", "Bjørnson^Åse", date(1955, 2, 14), "F"),
    referral=Referral("What is it?"), created_at=datetime(2026, 1, 1, tzinfo=UTC), version=3,
)  # fmt: skip
REPORT = Report(
    version=1, kind="original", uid="2.25.77", content={}, sha256="x", signed_by="Dr. Elle Sárá",
    signed_by_id="user:3", signed_at=datetime(2026, 1, 2, 23, 30, tzinfo=UTC),
)  # fmt: skip
DOSSIER = CaseDossier(CASE, (StudyOfCase("1.2.3.4", "fjordgata", "Skin"),))
STUDY = {
    "StudyDate": "20260101", "StudyTime": "120000", "StudyID": "S1", "AccessionNumber": "A7",
    "ReferringPhysicianName": "Solbakken^Ingrid",
}  # fmt: skip
SOURCES = [("1.2.840.10008.5.1.4.1.1.77.1.4", "1.2.3.5")]


def pdf() -> bytes:
    buffer = BytesIO()
    canvas = Canvas(buffer, invariant=1)
    canvas.drawString(100, 700, "Benign naevus.")
    canvas.save()
    return buffer.getvalue()


def part10(reply: ReplyObject) -> bytes:
    meta = build_file_meta(
        sop_class_uid=reply.sop_class_uid,
        sop_instance_uid=reply.sop_instance_uid,
        transfer_syntax_uid=reply.transfer_syntax_uid,
    )
    return meta + reply.dataset


def made(report: Report = REPORT, case: Case = CASE, **more: object) -> ReplyObject:
    dossier = replace(DOSSIER, case=case)
    return encapsulated_pdf(
        dossier, report, pdf(), sources=SOURCES, issuer=case.patient.issuer, study=STUDY, **more
    )


def test_object_belongs_to_patient_and_study_that_it_answers() -> None:
    ds = dcmread(BytesIO(part10(made())))

    assert (ds.PatientID, str(ds.PatientName)) == ("123", "Bjørnson^Åse")
    assert (ds.IssuerOfPatientID, ds.PatientBirthDate, ds.PatientSex) == (
        "2.16.578.1", "19550214", "F",
    )  # fmt: skip
    assert (ds.StudyInstanceUID, ds.StudyDate, ds.AccessionNumber) == ("1.2.3.4", "20260101", "A7")
    assert (ds.Modality, ds.MIMETypeOfEncapsulatedDocument) == ("DOC", "application/pdf")
    assert ds.ConceptNameCodeSequence[0].CodeValue == "34758-3"
    assert ds.SourceInstanceSequence[0].ReferencedSOPInstanceUID == "1.2.3.5"
    assert (ds.ContentDate, ds.ContentTime) == ("20260103", "003000")  # in Oslo
    assert ds.EncapsulatedDocument[: ds.EncapsulatedDocumentLength] == pdf()


def test_same_report_gives_the_same_bytes_and_another_version_another_object() -> None:
    addendum = replace(REPORT, version=2, kind="addendum")

    assert made() == made()
    assert made(addendum).sop_instance_uid != made().sop_instance_uid
    assert made(addendum).series_uid == made().series_uid
    assert "addendum" in dcmread(BytesIO(part10(made(addendum)))).DocumentTitle


def test_stand_in_for_an_issuer_does_not_leave_the_house() -> None:
    patient = replace(CASE.patient, issuer="site:fjordgata")

    ds = dcmread(BytesIO(part10(made(case=replace(CASE, patient=patient)))))

    assert "IssuerOfPatientID" not in ds


@pytest.mark.peers
@pytest.mark.parametrize("specialty", list(Specialty))
@pytest.mark.parametrize("kind", ["original", "addendum", "correction"])
def test_object_is_valid(tmp_path: Path, specialty: Specialty, kind: str) -> None:
    file = tmp_path / "reply.dcm"
    file.write_bytes(part10(made(replace(REPORT, kind=kind), replace(CASE, specialty=specialty))))

    told = subprocess.run(["dciodvfy", str(file)], check=False, capture_output=True, text=True)

    assert told.stderr.splitlines() == ["EncapsulatedPDF"]
