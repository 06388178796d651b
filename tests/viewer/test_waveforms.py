"""Recorded curves: their samples are those that pydicom reads, however they are coded."""

from __future__ import annotations

import gzip
import io
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian

from casework.custody import Door, Origin
from casework.errors import Invalid, NotFound
from tests.viewer.conftest import World, part10
from viewer.waveforms import GAP, Recording, is_recording, recording_of, samples_of

ECG = "1.2.840.10008.5.1.4.1.1.9.1.1"
UID = "1.2.826.0.1.9"


def code(value: str, meaning: str, scheme: str = "SCPECG") -> list[Dataset]:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return [item]


def channel(meaning: str, **attributes: Any) -> Dataset:
    item = Dataset()
    item.ChannelSourceSequence = code("5.6.3-9-1", meaning)
    item.WaveformBitsStored = 16
    if "ChannelSensitivity" in attributes:
        item.ChannelSensitivityUnitsSequence = code("uV", "microvolt", "UCUM")
    for keyword, value in attributes.items():
        setattr(item, keyword, value)
    return item


def recording(
    samples: np.ndarray[Any, Any], kind: str, *, channels: list[Dataset] | None = None, **group: Any
) -> Dataset:
    """Return an ECG object with one group: samples of shape (moments, channels)."""
    item = Dataset()
    item.WaveformOriginality = "ORIGINAL"
    item.NumberOfWaveformChannels = samples.shape[1]
    item.NumberOfWaveformSamples = samples.shape[0]
    item.SamplingFrequency = 500
    item.MultiplexGroupLabel = "RHYTHM"
    item.ChannelDefinitionSequence = channels or [
        channel(f"Lead {name}", ChannelSensitivity=2.5, ChannelBaseline=10)
        for name in ("I", "II", "III")[: samples.shape[1]]
    ]
    item.WaveformBitsAllocated = samples.dtype.itemsize * 8
    item.WaveformSampleInterpretation = kind
    for keyword, value in group.items():
        setattr(item, keyword, value)
    item.add_new("WaveformData", "OB" if samples.dtype.itemsize == 1 else "OW", samples.tobytes())
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.SOPClassUID, ds.SOPInstanceUID = ECG, UID
    ds.StudyInstanceUID, ds.SeriesInstanceUID = f"{UID}.1", f"{UID}.2"
    ds.PatientID, ds.PatientName, ds.Modality = "hammer-1", "Test^Ecg", "ECG"
    ds.StudyDate, ds.AcquisitionDateTime = "20260102", "20260102101500"
    ds.WaveformSequence = [item]
    return ds


def reread(ds: Dataset, syntax: str = ExplicitVRLittleEndian) -> Dataset:
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = syntax
    file = io.BytesIO()
    pydicom.dcmwrite(file, ds, enforce_file_format=True)
    file.seek(0)
    return pydicom.dcmread(file)


def values(found: Recording, counts: np.ndarray[Any, Any], group: int = 0) -> np.ndarray[Any, Any]:
    defined = found.groups[group].channels
    return np.array(
        [row * each.scale + each.baseline for row, each in zip(counts, defined, strict=True)]
    ).T


CODED = [
    ("SB", np.arange(-128, 127, dtype=np.int8).reshape(-1, 1)),
    ("UB", np.arange(0, 255, dtype=np.uint8).reshape(-1, 3)),
    ("SS", np.array([[-32767, 0], [32767, -5], [12, 13]], np.int16)),
    ("US", np.array([[65535, 1], [32768, 2]], np.uint16)),
    ("SL", np.array([[1_000_000, -5], [1_000_003, 5]], np.int32)),
    ("UL", np.array([[4_000_000_000], [4_000_000_009]], np.uint32)),
]


@pytest.mark.parametrize(("kind", "samples"), CODED)
def test_the_values_of_a_curve_are_those_that_were_recorded(
    kind: str, samples: np.ndarray[Any, Any]
) -> None:
    ds = reread(recording(samples, kind))
    told = values(recording_of(ds), samples_of(ds, 1))
    assert np.array_equal(told, samples.astype(float) * 2.5 + 10)
    if samples.dtype.itemsize < 4:  # pydicom reads no more
        assert np.array_equal(told, ds.waveform_array(0))


def test_a_wide_range_of_32_bits_keeps_its_shape() -> None:
    samples = np.array([[-2_000_000_000], [0], [2_000_000_000]], np.int32)
    ds = reread(recording(samples, "SL"))
    told = values(recording_of(ds), samples_of(ds, 1))
    assert np.allclose(told, samples * 2.5 + 10, atol=4e9 * 2.5 / 65000)


def test_curves_in_big_endian_are_read_as_they_were_written() -> None:
    samples = np.array([[256, 1], [-3, 700]], ">i2")
    ds = reread(recording(samples, "SS"), ExplicitVRBigEndian)
    told = values(recording_of(ds), samples_of(ds, 1))
    assert np.array_equal(told, samples.astype(float) * 2.5 + 10)


def test_what_is_padding_is_a_gap() -> None:
    samples = np.array([[5], [-999], [7]], np.int16)
    ds = recording(samples, "SS")
    ds.WaveformSequence[0].add_new("WaveformPaddingValue", "OW", np.int16(-999).tobytes())
    assert samples_of(reread(ds), 1).tolist() == [[5, GAP, 7]]


def test_a_part_is_cut_to_what_there_is() -> None:
    samples = np.arange(20, dtype=np.int16).reshape(10, 2)
    ds = reread(recording(samples, "SS"))
    assert samples_of(ds, 1, first=8, count=50).tolist() == [[16, 18], [17, 19]]
    assert samples_of(ds, 1, first=99).shape == (2, 0)
    with pytest.raises(NotFound):
        samples_of(ds, 2)


def test_a_channel_says_how_it_was_recorded() -> None:
    named = channel(
        "Lead aVR, augmented limb lead", ChannelSensitivity=5, ChannelTimeSkew=0.002,
        ChannelSensitivityCorrectionFactor=0.5, FilterLowFrequency=0.05, FilterHighFrequency=150,
        NotchFilterFrequency=50,
    )  # fmt: skip
    bare = Dataset()
    bare.ChannelLabel = "ABP"
    ds = reread(recording(np.zeros((4, 2), np.int16), "SS", channels=[named, bare]))
    first, second = recording_of(ds).groups[0].channels
    assert (first.name, first.unit, first.scale, first.skew_ms) == ("aVR", "uV", 2.5, 2.0)
    assert (first.low_hz, first.high_hz, first.notch_hz) == (0.05, 150, 50)
    assert (second.name, second.unit, second.scale) == ("ABP", "", 1.0)


def test_what_was_said_of_a_recording_is_words_and_measurements() -> None:
    ds = recording(np.zeros((500, 1), np.int16), "SS")
    words, measured, at = Dataset(), Dataset(), Dataset()
    words.UnformattedTextValue = "Sinus rhythm"
    measured.ConceptNameCodeSequence = code("5.13.5-11", "QT Interval")
    measured.NumericValue = "368"
    measured.MeasurementUnitsCodeSequence = code("ms", "milliseconds", "UCUM")
    at.ConceptNameCodeSequence = code("1", "P Onset")
    at.TemporalRangeType, at.ReferencedSamplePositions = "POINT", [251]
    at.ReferencedWaveformChannels = [1, 1]
    ds.WaveformAnnotationSequence = [words, measured, at, Dataset()]
    notes = recording_of(reread(ds)).notes
    assert [(n.name, n.value, n.unit) for n in notes] == [
        ("", "Sinus rhythm", ""),
        ("QT Interval", "368", "ms"),
        ("P Onset", "", ""),
    ]
    assert (notes[2].at_ms, notes[2].group, notes[2].channel) == (500, 1, 1)


BROKEN = [
    {"WaveformSampleInterpretation": "MB"},
    {"NumberOfWaveformChannels": 0},
    {"NumberOfWaveformChannels": 60000},
    {"NumberOfWaveformSamples": 0},
    {"SamplingFrequency": 0},
]


@pytest.mark.parametrize("group", BROKEN)
def test_curves_that_cannot_be_read_are_refused(group: dict[str, Any]) -> None:
    ds = recording(np.zeros((4, 1), np.int16), "SS", **group)
    with pytest.raises(Invalid):
        recording_of(ds)


def test_samples_that_are_announced_and_missing_are_not_made_up() -> None:
    ds = recording(np.zeros((4, 1), np.int16), "SS", NumberOfWaveformSamples=1_000_000_000)
    assert recording_of(ds).groups[0].samples == 4


def test_sound_is_nothing_to_look_at() -> None:
    assert is_recording(ECG)
    assert is_recording("1.2.840.10008.5.1.4.1.1.9.2.1")
    assert not is_recording("1.2.840.10008.5.1.4.1.1.9.4.1")
    assert not is_recording("1.2.840.10008.5.1.4.1.1.2")


@pytest.mark.fixtures
def test_a_real_ecg_gives_the_values_that_pydicom_reads(fixtures_dir: Path) -> None:
    ds = pydicom.dcmread(fixtures_dir / "dicom_seg_pm_pr/pydicom/waveform_ecg.dcm")
    found = recording_of(ds)
    assert [(g.label, g.rate_hz, g.samples) for g in found.groups] == [
        ("RHYTHM", 1000, 10000),
        ("MEDIAN BEAT", 1000, 1200),
    ]
    leads = ["I", "II", "III", "aVR", "aVL", "aVF", *(f"V{n}" for n in range(1, 7))]
    assert [each.name for each in found.groups[0].channels] == leads
    for number in (0, 1):
        told = values(found, samples_of(ds, number + 1), number)
        assert np.array_equal(told, ds.waveform_array(number))
    assert {"RR Interval", "QT Interval"} <= {note.name for note in found.notes}


def test_a_recording_of_a_case_is_given_in_parts(world: World) -> None:
    samples = np.arange(3000, dtype=np.int16).reshape(1000, 3)
    world.store("hammer")  # the study's first image makes the case
    ds = recording(samples, "SS")
    ds.StudyInstanceUID = "1.2.826.0.1"
    origin = Origin(site="hammer", door=Door.IMPORT, association="test")
    world.parts.archive.receive_part10(part10(ds), origin)
    world.parts.archive.settle()
    reader = world.client("radiologist@centre")
    manifest = reader.get(
        f"/api/cases/{world.case_of('hammer', '1.2.826.0.1')}/manifest"
    ).get_json()
    assert "waveform" in [series["kind"] for series in manifest["series"]]
    told = reader.get(f"/api/instances/{UID}/waveform").get_json()
    assert [each["name"] for each in told["groups"][0]["channels"]] == ["I", "II", "III"]
    part = reader.get(f"/api/instances/{UID}/waveform/1?first=900&count=500")
    assert part.headers["Lysbro-Samples"] == "100"
    counts = np.frombuffer(gzip.decompress(part.data), "<i2").reshape(3, 100)
    assert counts[1].tolist() == samples[900:, 1].tolist()
    assert reader.get(f"/api/instances/{UID}/waveform/2").status_code == 404
    assert reader.get("/api/instances/1.2.826.0.1.1/waveform").status_code == 404
    assert world.client("referrer@berg").get(f"/api/instances/{UID}/waveform").status_code == 404
