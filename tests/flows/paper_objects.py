"""Objects without pixels to read in a browser: an ECG, reports, doses, key objects, a PDF."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian
from reportlab.pdfgen.canvas import Canvas

ECG, BASIC_SR, DOSE_SR, KEYS, PDF = (
    "1.2.840.10008.5.1.4.1.1.9.1.1",
    "1.2.840.10008.5.1.4.1.1.88.22",
    "1.2.840.10008.5.1.4.1.1.88.67",
    "1.2.840.10008.5.1.4.1.1.88.59",
    "1.2.840.10008.5.1.4.1.1.104.1",
)
LEADS = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
RATE_HZ, BEAT_S = 500, 0.8


def write_papers(folder: Path, study: str, *, image: str, seconds: int = 20) -> None:
    """Write the objects of a study; reports point to one of its images."""
    for number, ds in enumerate(
        (ecg(seconds), report(image), dose_report(), key_objects(image), document()), 50
    ):
        ds.SpecificCharacterSet = "ISO_IR 192"
        ds.StudyInstanceUID, ds.SeriesInstanceUID = study, f"{study}.{number}"
        ds.SOPInstanceUID = f"{study}.{number}.1"
        ds.SeriesNumber, ds.InstanceNumber = number, 1
        ds.PatientID, ds.PatientName = f"phantom-{study[-1]}", "Phantom^Grey"
        ds.StudyDate, ds.StudyTime, ds.AccessionNumber = "20260105", "101500", ""
        ds.ContentDate, ds.ContentTime = "20260105", "111500"
        ds.file_meta = FileMetaDataset()
        ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
        ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
        file = io.BytesIO()
        pydicom.dcmwrite(file, ds, enforce_file_format=True)
        (folder / f"paper-{study[-1]}-{number}.dcm").write_bytes(file.getvalue())


def code(meaning: str, value: str = "1", scheme: str = "99TEST") -> list[Dataset]:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return [item]


def beat(at_s: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return one heart's millivolts: a P wave, a QRS complex and a T wave each beat."""
    phase = (at_s % BEAT_S) - 0.3
    waves = ((-0.16, 0.025, 0.12), (-0.02, 0.008, -0.12), (0, 0.010, 1.1), (0.025, 0.010, -0.25),
             (0.24, 0.045, 0.28))  # fmt: skip
    return sum(
        height * np.exp(-((phase - at) ** 2) / (2 * width**2)) for at, width, height in waves
    )


def ecg(seconds: int) -> Dataset:
    """Return a twelve-lead ECG at 75 beats a minute, R waves of 1.1 mV in lead I."""
    curve = beat(np.arange(seconds * RATE_HZ) / RATE_HZ)
    gains = (1, 1.2, 0.4, -1, 0.4, 0.8, -0.5, 0.6, 0.9, 1.3, 1.2, 1)
    samples = np.array([np.rint(curve * gain * 400) for gain in gains], np.int16).T
    group, channels = Dataset(), []
    for lead in LEADS:
        channel = Dataset()
        channel.ChannelSourceSequence = code(f"Lead {lead}", "5.6.3-9-1", "SCPECG")
        channel.ChannelSensitivity, channel.ChannelSensitivityCorrectionFactor = 2.5, 1
        channel.ChannelSensitivityUnitsSequence = code("microvolt", "uV", "UCUM")
        channel.ChannelBaseline, channel.WaveformBitsStored = 0, 16
        channel.FilterLowFrequency, channel.FilterHighFrequency = 0.05, 150
        channels.append(channel)
    group.WaveformOriginality, group.MultiplexGroupLabel = "ORIGINAL", "RHYTHM"
    group.NumberOfWaveformChannels, group.NumberOfWaveformSamples = samples.shape[::-1]
    group.SamplingFrequency, group.ChannelDefinitionSequence = RATE_HZ, channels
    group.WaveformBitsAllocated, group.WaveformSampleInterpretation = 16, "SS"
    group.add_new("WaveformData", "OW", samples.tobytes())
    words, rate = Dataset(), Dataset()
    words.UnformattedTextValue = "Sinus rhythm, normal ECG"
    rate.ConceptNameCodeSequence, rate.NumericValue = code("RR Interval"), "800"
    rate.MeasurementUnitsCodeSequence = code("milliseconds", "ms", "UCUM")
    ds = Dataset()
    ds.SOPClassUID, ds.Modality, ds.SeriesDescription = ECG, "ECG", "12-lead ECG"
    ds.AcquisitionDateTime = "20260105101500"
    ds.WaveformSequence, ds.WaveformAnnotationSequence = [group], [words, rate]
    return ds


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


def number(name: str, value: str, unit: str) -> Dataset:
    measured = Dataset()
    measured.NumericValue = value
    measured.MeasurementUnitsCodeSequence = code(unit, unit, "UCUM")
    return content("NUM", name, MeasuredValueSequence=[measured])


def pointer(uid: str) -> Dataset:
    shown = Dataset()
    shown.ReferencedSOPClassUID, shown.ReferencedSOPInstanceUID = "1.2.840.10008.5.1.4.1.1.2", uid
    return content("IMAGE", "", ReferencedSOPSequence=[shown])


def _root(sop_class: str, title: str, modality: str, *below: Dataset) -> Dataset:
    ds = content("CONTAINER", title, *below, ContinuityOfContent="SEPARATE")
    del ds.RelationshipType
    ds.SOPClassUID, ds.Modality, ds.SeriesDescription = sop_class, modality, title
    return ds


def report(image: str) -> Dataset:
    """Return a verified report with two measured nodules, one of them drawn."""
    drawn = pointer(image)
    drawn.RelationshipType = "SELECTED FROM"
    outline = content("SCOORD", "Outline", drawn, GraphicType="CIRCLE",
                      GraphicData=[10.0, 10, 20, 10])  # fmt: skip

    def nodule(name: str, size: str, *more: Dataset) -> Dataset:
        tracked = content("TEXT", "Tracking Identifier", relation="HAS OBS CONTEXT", TextValue=name)
        return content("CONTAINER", "Measurement Group", tracked, number("Diameter", size, "mm"),
                       *more)  # fmt: skip

    ds = _root(
        BASIC_SR, "Chest CT report", "SR",
        content("PNAME", "Person Observer Name", relation="HAS OBS CONTEXT",
                PersonName="Lund^Marit"),
        content("CONTAINER", "Findings",
                content("TEXT", "Finding", TextValue="Two nodules. <b>No</b> effusion."),
                pointer("1.2.3.4.5"), ContinuityOfContent="SEPARATE"),
        content("CONTAINER", "Imaging Measurements", nodule("N1", "8.2", outline),
                nodule("N2", "4.0"), ContinuityOfContent="SEPARATE"),
    )  # fmt: skip
    ds.CompletionFlag, ds.VerificationFlag = "COMPLETE", "VERIFIED"
    observer = Dataset()
    observer.VerifyingObserverName, observer.VerificationDateTime = "Lund^Marit", "20260105113000"
    observer.VerifyingOrganization = "Nordlys"
    observer.VerifyingObserverIdentificationCodeSequence = []
    ds.VerifyingObserverSequence = [observer]
    return ds


def dose_report() -> Dataset:
    """Return a dose report of two CT acquisitions."""

    def event(protocol: str, ctdi: str, dlp: str) -> Dataset:
        dose = content("CONTAINER", "CT Dose", number("Mean CTDIvol", ctdi, "mGy"),
                       number("DLP", dlp, "mGy.cm"), ContinuityOfContent="SEPARATE")  # fmt: skip
        return content("CONTAINER", "CT Acquisition",
                       content("TEXT", "Acquisition Protocol", TextValue=protocol), dose,
                       ContinuityOfContent="SEPARATE")  # fmt: skip

    ds = _root(
        DOSE_SR, "X-Ray Radiation Dose Report", "SR",
        content("CONTAINER", "CT Accumulated Dose Data", number("CT Dose Length Product Total",
                "512", "mGy.cm"), ContinuityOfContent="SEPARATE"),
        content("CONTAINER", "Irradiation events", event("Topogram", "0.1", "4"),
                event("Thorax", "7.2", "508"), ContinuityOfContent="SEPARATE"),
    )  # fmt: skip
    ds.CompletionFlag, ds.VerificationFlag = "COMPLETE", "UNVERIFIED"
    return ds


def key_objects(image: str) -> Dataset:
    """Return a selection of key objects with one image that is here and one that is not."""
    why = content("TEXT", "Key Object Description", TextValue="Largest nodule")
    return _root(KEYS, "Of Interest", "KO", why, pointer(image), pointer("1.2.3.4.5"))


def document() -> Dataset:
    """Return a PDF of two pages."""
    file = io.BytesIO()
    canvas = Canvas(file, invariant=True)
    for page in (1, 2):
        canvas.drawString(80, 700, f"Discharge letter, page {page}")
        canvas.showPage()
    canvas.save()
    ds = Dataset()
    ds.SOPClassUID, ds.Modality, ds.SeriesDescription = PDF, "DOC", "Discharge letter"
    ds.DocumentTitle, ds.MIMETypeOfEncapsulatedDocument = "Discharge letter", "application/pdf"
    data = file.getvalue()
    ds.EncapsulatedDocument = data + b"\0" * (len(data) % 2)
    return ds
