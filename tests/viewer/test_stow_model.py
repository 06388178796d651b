"""Metadata with bulk data becomes an object of the right transfer syntax and the same bytes."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from typing import Any

import imagecodecs
import numpy as np
import pydicom
import pytest
from pydicom.encaps import generate_frames

from tests.viewer.stow_bodies import (
    INSTANCE,
    JSON,
    PDF,
    PDF_CLASS,
    SERIES,
    STUDY,
    URL,
    VIDEO_PHOTO,
    XML,
    empty_again,
    metadata,
    metadata_part,
    mp4,
    mpeg2,
    part,
    picture,
    rle_frame,
    send,
    streams,
    with_pixels,
)

ROOT = "1.2.840.10008.1.2.4."
OCTETS = "application/octet-stream"
NATIVE = {
    "Rows": 20, "Columns": 12, "SamplesPerPixel": 1, "PhotometricInterpretation": "MONOCHROME2",
    "BitsAllocated": 8, "BitsStored": 8, "HighBit": 7, "PixelRepresentation": 0,
}  # fmt: skip


@pytest.fixture
def world(shared_world: Any) -> Iterator[Any]:
    """Return the world of the module, with nothing in it."""
    yield shared_world
    empty_again(shared_world)


def stored(world: Any, answer: Any, instance: str = INSTANCE) -> pydicom.Dataset:
    """Return the object that was stored, as it is retrieved."""
    assert answer.status_code == 200, answer.text
    url = URL.replace(INSTANCE, instance) if instance != INSTANCE else URL
    as_kept = {"Accept": "application/dicom; transfer-syntax=*"}
    found = world.client("referrer@hammer").get(url, headers=as_kept)
    assert found.status_code == 200, found.text
    return pydicom.dcmread(io.BytesIO(found.get_data()))


def refused(answer: Any) -> list[int]:
    """Return the reasons why named objects were not stored."""
    assert answer.status_code == 409, answer.text
    return [
        each["00081197"]["Value"][0] for each in answer.get_json(force=True)["00081198"]["Value"]
    ]


@pytest.mark.parametrize("name", streams())
def test_compressed_frame_is_stored_as_it_came_in_its_own_syntax(world: Any, name: str) -> None:
    media_type, stream, syntax, photometric = streams()[name]
    answer = send(
        world.client("referrer@hammer"),
        [metadata_part(with_pixels()), part(media_type, stream, "pixels")],
    )
    dataset = stored(world, answer)
    assert dataset.file_meta.TransferSyntaxUID == syntax
    assert (dataset.Rows, dataset.Columns) == (20, 12)
    assert dataset.PhotometricInterpretation == photometric
    assert dataset.SamplesPerPixel == (1 if photometric == "MONOCHROME2" else 3)
    (frame,) = generate_frames(dataset.PixelData, number_of_frames=1)
    code_stream = stream[stream.find(b"\xff\x4f\xff\x51") :] if name == "jp2 file" else stream
    assert frame in {code_stream, code_stream + b"\0"}
    is_lossy = name in {"jpeg", "jpeg grey", "jls near", "j2k lossy"}
    assert dataset.get("LossyImageCompression") == ("01" if is_lossy else None)
    assert dataset.PatientName == "Nordmann^Åse"
    seen = world.client("referrer@hammer").get(f"{URL}/frames/1/rendered")
    assert (seen.status_code, seen.content_type) == (200, "image/jpeg")


def test_metadata_may_be_xml(world: Any) -> None:
    media_type, stream, syntax, _ = streams()["jpeg"]
    answer = send(
        world.client("referrer@hammer"),
        [metadata_part(with_pixels(), XML), part(media_type, stream, "pixels")],
        kind=XML,
        headers={"Accept": XML},
    )
    assert answer.content_type == XML
    assert b"ReferencedSOPSequence" in answer.data
    dataset = stored(world, answer)
    assert dataset.file_meta.TransferSyntaxUID == syntax
    assert dataset.PatientName == "Nordmann^Åse"


def test_several_parts_of_one_location_are_frames(world: Any) -> None:
    frames = [imagecodecs.jpeg8_encode(picture(3) + n, level=90) for n in range(3)]
    answer = send(
        world.client("referrer@hammer"),
        [metadata_part(with_pixels()), *(part("image/jpeg", f, "pixels") for f in frames)],
    )
    dataset = stored(world, answer)
    assert dataset.NumberOfFrames == 3
    assert [f[: len(g)] for f, g in zip(
        generate_frames(dataset.PixelData, number_of_frames=3), frames, strict=True
    )] == frames  # fmt: skip


def test_several_objects_come_in_one_body_and_relative_addresses_are_found(world: Any) -> None:
    one, two = picture(1), picture(1) + 1
    sets = [
        with_pixels("a/pixels", **NATIVE),
        with_pixels("http://localhost/dicom-web/b", SOPInstanceUID="1.2.826.0.7.2", **NATIVE),
    ]
    answer = send(
        world.client("referrer@hammer"),
        [
            metadata_part(sets),
            part(OCTETS, two.tobytes(), "/dicom-web/b"),
            part(OCTETS, one.tobytes(), "http://localhost/dicom-web/a/pixels"),
        ],
    )
    assert stored(world, answer).PixelData == one.tobytes()
    assert stored(world, answer, "1.2.826.0.7.2").PixelData == two.tobytes()


@pytest.mark.parametrize("inline", [True, False])
def test_native_pixels_are_written_in_explicit_little_endian(world: Any, inline: bool) -> None:
    pixels = picture(1, np.uint16).tobytes()
    sixteen = {**NATIVE, "BitsAllocated": 16, "BitsStored": 12, "HighBit": 11}
    dataset = with_pixels(vr="OW", **sixteen)
    parts = [metadata_part(dataset), part(OCTETS, pixels, "pixels")]
    if inline:
        encoded = base64.b64encode(pixels).decode()
        dataset["7FE00010"] = {"vr": "OW", "InlineBinary": encoded}
        parts = [metadata_part(dataset)]
    found = stored(world, send(world.client("referrer@hammer"), parts))
    assert found.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.1"
    assert found.PixelData == pixels
    assert found["PixelData"].VR == "OW"


def test_rle_takes_the_image_from_the_metadata(world: Any) -> None:
    pixels = picture(1)
    answer = send(
        world.client("referrer@hammer"),
        [metadata_part(with_pixels(**NATIVE)),
         part("image/dicom-rle", rle_frame(pixels.tobytes()), "pixels")],
    )  # fmt: skip
    dataset = stored(world, answer)
    assert dataset.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.5"
    assert np.array_equal(dataset.pixel_array, pixels)


def test_document_becomes_an_encapsulated_one(world: Any) -> None:
    dataset = metadata(SOPClassUID=PDF_CLASS, Modality="DOC", DocumentTitle="Svar")
    dataset["00420011"] = {"vr": "OB", "BulkDataURI": "doc"}
    answer = send(
        world.client("referrer@hammer"),
        [metadata_part(dataset), part("application/pdf", PDF + b"x", "doc")],
    )
    found = stored(world, answer)
    assert found.MIMETypeOfEncapsulatedDocument == "application/pdf"
    assert found.EncapsulatedDocumentLength == len(PDF) + 1
    assert found.EncapsulatedDocument[: len(PDF) + 1] == PDF + b"x"


@pytest.mark.parametrize(
    ("media_type", "video", "syntax", "size", "frames"),
    [
        ("video/mp4", mp4(), "102", (480, 640), 50),
        ("video/mp4", mp4(configuration=b"\x01\x64\x00\x2a\xff"), "104", (480, 640), 50),
        ("video/mp4", mp4(kind=b"hvc1"), "107", (480, 640), 50),
        ("video/mp4", mp4(kind=b"hev1", configuration=b"\1\2" + bytes(10) + b"\x99"), "108",
         (480, 640), 50),
        ("video/mpeg2", mpeg2(), "100", (576, 720), 25),
        ("video/mpeg2", mpeg2(1920, 1080), "101", (1080, 1920), 25),
    ],
)  # fmt: skip
def test_video_is_stored_as_it_came(
    world: Any, media_type: str, video: bytes, syntax: str, size: tuple[int, int], frames: int
) -> None:
    more = {"NumberOfFrames": frames} if media_type == "video/mpeg2" else {}
    answer = send(
        world.client("referrer@hammer"),
        [metadata_part(with_pixels(SOPClassUID=VIDEO_PHOTO, **more)),
         part(media_type, video, "pixels")],
    )  # fmt: skip
    dataset = stored(world, answer)
    assert dataset.file_meta.TransferSyntaxUID == ROOT + syntax
    assert (dataset.Rows, dataset.Columns) == size
    assert dataset.NumberOfFrames == frames
    assert dataset.FrameTime == 40
    assert dataset.PhotometricInterpretation == "YBR_PARTIAL_420"
    (fragment,) = generate_frames(dataset.PixelData, number_of_frames=1)
    assert fragment[: len(video)] == video


def test_syntax_that_is_named_is_kept_where_the_stream_is_of_it(world: Any) -> None:
    _, stream, _, _ = streams()["jls"]
    near = part(f"image/jls; transfer-syntax={ROOT}81", stream, "pixels")
    answer = send(world.client("referrer@hammer"), [metadata_part(with_pixels()), near])
    assert stored(world, answer).file_meta.TransferSyntaxUID == ROOT + "81"


def test_sequences_names_and_private_elements_survive_both_models(world: Any) -> None:
    dataset = metadata(PatientName="Yamada^Tarou=山田^太郎") | {
        "00400275": {
            "vr": "SQ",
            "Value": [{"00400007": {"vr": "LO", "Value": ["Føflekk"]}}, {}],
        },
        "00091001": {"vr": "FD", "Value": [1.5, -2.25]},
        "00090010": {"vr": "LO", "Value": ["LYSBRO TEST"]},
        "00181150": {"vr": "IS", "Value": [12]},
        "00180050": {"vr": "DS", "Value": [0.1 + 0.2]},
        "00280009": {"vr": "AT", "Value": ["00181063"]},
        "00081140": {"vr": "SQ"},
    }
    client = world.client("referrer@hammer")
    for kind, uid in ((JSON, INSTANCE), (XML, "1.2.826.0.7.2")):
        sent = dataset | {"00080018": {"vr": "UI", "Value": [uid]}}
        found = stored(world, send(client, [metadata_part(sent, kind)], kind=kind), uid)
        assert found.PatientName.ideographic == "山田^太郎"
        (first, second) = found.RequestAttributesSequence
        assert first.ScheduledProcedureStepDescription == "Føflekk"
        assert len(second) == 0
        assert found[0x00091001].value == [1.5, -2.25]
        assert found.SliceThickness == pytest.approx(0.3)
        assert found.ExposureTime == 12
        assert found.FrameIncrementPointer == 0x00181063
        assert found.SpecificCharacterSet == "ISO_IR 192"


JPEG = streams()["jpeg"][1]


@pytest.mark.parametrize(
    ("dataset", "bulk", "reason"),
    [
        (with_pixels(), [], 0xC000),  # nothing has the location
        (with_pixels(), [part("image/jpeg", JPEG, "other")], 0xC000),
        (with_pixels(), [part("image/jpeg", JPEG[:40], "pixels")], 0xC000),
        (with_pixels(), [part("image/jpeg", b"GIF89a", "pixels")], 0xC000),
        (with_pixels(), [part("image/gif", b"GIF89a", "pixels")], 0xC122),
        (with_pixels(), [part("image/jls", JPEG, "pixels")], 0xC000),  # mislabelled
        (with_pixels(Rows=21), [part("image/jpeg", JPEG, "pixels")], 0xA900),
        (with_pixels(Columns=20, Rows=12), [part("image/jpeg", JPEG, "pixels")], 0xA900),
        (with_pixels(SamplesPerPixel=1), [part("image/jpeg", JPEG, "pixels")], 0xA900),
        (with_pixels(PhotometricInterpretation="RGB"), [part("image/jpeg", JPEG, "pixels")],
         0xA900),
        (with_pixels(NumberOfFrames=2), [part("image/jpeg", JPEG, "pixels")], 0xA900),
        (with_pixels(LossyImageCompression="00"), [part("image/jpeg", JPEG, "pixels")], 0xA900),
        (with_pixels(), [part(f"image/jpeg; transfer-syntax={ROOT}70", JPEG, "pixels")], 0xA900),
        (with_pixels(), [part("image/jpeg", JPEG, "pixels", Content_Encoding="gzip")], 0xC000),
        (with_pixels(), [part(OCTETS, bytes(240), "pixels")], 0xC000),  # of no size
        (with_pixels(**NATIVE), [part(OCTETS, bytes(239), "pixels")], 0xA900),
        (with_pixels(**NATIVE), [part(f"{OCTETS}; transfer-syntax=1.2.840.10008.1.2.2",
                                      bytes(240), "pixels")], 0xC122),
        (with_pixels(SOPClassUID=VIDEO_PHOTO), [part("video/mp4", mp4(kind=b"mp4v"), "pixels")],
         0xC122),
        (with_pixels(), [part("video/mp4", mp4(configuration=b"\1\x64\0\x33"), "pixels")], 0xC122),
        (with_pixels(), [part("video/mp4", b"no boxes at all", "pixels")], 0xC000),
        (with_pixels(), [part("video/mpeg2", mpeg2(), "pixels")], 0xA900),  # how many frames?
        (metadata(PatientName=None) | {"00100010": {"vr": "PN", "Value": ["x"]}}, [], 0xC000),
        (metadata() | {"00280010": {"vr": "US", "Value": [70000]}}, [], 0xC000),
        (metadata() | {"0028": {"vr": "US"}}, [], 0xC000),
        (metadata() | {"00280010": {"vr": "XX", "Value": [1]}}, [], 0xC000),
        (metadata() | {"00280010": 5}, [], 0xC000),
        (metadata() | {"7FE00010": {"vr": "OB", "InlineBinary": "!"}}, [], 0xC000),
        (metadata(SOPClassUID=PDF_CLASS) | {"00420011": {"vr": "OB", "BulkDataURI": "d"}},
         [part("application/pdf", b"no pdf", "d")], 0xA900),
        (metadata() | {"00420011": {"vr": "OB", "BulkDataURI": "d"}},
         [part("application/pdf", PDF, "d")], 0xA900),  # a photograph has no document
    ],
)  # fmt: skip
def test_what_does_not_fit_together_is_not_stored_and_the_reason_told(
    shared_world: Any, dataset: dict[str, Any], bulk: list[bytes], reason: int
) -> None:
    client = shared_world.client("referrer@hammer")
    answer = send(client, [metadata_part(dataset), *bulk])
    assert refused(answer) == [reason]
    assert client.get("/dicom-web/instances").get_json() == []


def test_object_without_its_names_is_told_of_without_a_name(shared_world: Any) -> None:
    client = shared_world.client("referrer@hammer")
    for keyword in ("SOPInstanceUID", "SOPClassUID", "StudyInstanceUID", "SeriesInstanceUID"):
        answer = send(client, [metadata_part(metadata(**{keyword: None}))])
        assert answer.status_code == 409
        assert ("0008119A" in answer.get_json(force=True)) == (keyword == "SOPInstanceUID")


def test_part_that_nobody_refers_to_is_told_of(world: Any) -> None:
    media_type, stream, _, _ = streams()["jpeg"]
    answer = send(
        world.client("referrer@hammer"),
        [metadata_part(with_pixels()), part(media_type, stream, "pixels"),
         part(media_type, stream, "forgotten")],
    )  # fmt: skip
    assert answer.status_code == 202
    found = answer.get_json(force=True)
    assert len(found["00081199"]["Value"]) == len(found["0008119A"]["Value"]) == 1


def test_object_of_another_study_is_not_stored(shared_world: Any) -> None:
    answer = send(
        shared_world.client("referrer@hammer"),
        [metadata_part(metadata())],
        url="/dicom-web/studies/1.2.3",
    )
    assert refused(answer) == [0xC409]


def test_object_under_a_uid_that_has_other_bytes_goes_to_quarantine_and_is_warned_of(
    world: Any,
) -> None:
    client = world.client("referrer@hammer")
    assert send(client, [metadata_part(metadata())]).status_code == 200
    assert send(client, [metadata_part(metadata())]).status_code == 200  # a harmless repeat
    answer = send(client, [metadata_part(metadata(InstanceNumber=2))])
    assert answer.status_code == 202
    (item,) = answer.get_json(force=True)["00081199"]["Value"]
    assert item["00081196"]["Value"] == [0xB00E]
    assert "Value" not in item["00081190"]  # there the other one would come
    assert len(world.parts.index.conflicts()) == 1


@pytest.mark.parametrize(
    ("parts", "status"),
    [
        ([part(JSON, b"{not json")], 400),
        ([part(JSON, b"[1]")], 400),
        ([part(JSON, b"[" * 50_000)], 400),
        ([part("image/jpeg", JPEG, "pixels")], 400),  # no metadata at all
        ([part(JSON, b"[]")], 400),
    ],
)
def test_metadata_that_is_none_is_refused(
    shared_world: Any, parts: list[bytes], status: int
) -> None:
    assert send(shared_world.client("referrer@hammer"), parts).status_code == status


BOMB = b"""<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]>
<NativeDicomModel><DicomAttribute tag="00100020" vr="LO"><Value number="1">&b;</Value>
</DicomAttribute></NativeDicomModel>"""
OUTSIDE = b"""<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>
<NativeDicomModel><DicomAttribute tag="00100020" vr="LO"><Value number="1">&e;</Value>
</DicomAttribute></NativeDicomModel>"""


@pytest.mark.parametrize(
    "document",
    [
        BOMB,
        OUTSIDE,
        b"no xml",
        b"<other/>",
        b"<NativeDicomModel>",
        b"<NativeDicomModel><DicomAttribute tag='1' vr='LO'/></NativeDicomModel>",
        b"<a>" * 200 + b"</a>" * 200,
        b"<NativeDicomModel><DicomAttribute tag='00280010' vr='US'><Value number='9999999'>1"
        b"</Value></DicomAttribute></NativeDicomModel>",
        b"<NativeDicomModel><DicomAttribute tag='00280010' vr='US'><Value number='1'>x"
        b"</Value></DicomAttribute></NativeDicomModel>",
    ],
)
def test_xml_that_is_hostile_or_none_is_refused(shared_world: Any, document: bytes) -> None:
    client = shared_world.client("referrer@hammer")
    answer = send(client, [part(XML, document)], kind=XML)
    assert answer.status_code == 400
    assert "root:" not in answer.text


def test_study_and_series_are_those_of_the_metadata(world: Any) -> None:
    answer = send(world.client("referrer@hammer"), [metadata_part(metadata())])
    found = answer.get_json(force=True)
    assert found["00081190"]["Value"][0].endswith(f"/dicom-web/studies/{STUDY}")
    where = found["00081199"]["Value"][0]["00081190"]["Value"][0]
    assert where.endswith(f"/studies/{STUDY}/series/{SERIES}/instances/{INSTANCE}")
