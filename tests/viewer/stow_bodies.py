"""Bodies of STOW-RS requests for tests: metadata with bulk data, and what clients send wrongly."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from typing import Any

import imagecodecs
import numpy as np

from casework.erasure import Target
from casework.errors import NotFound
from viewer.dicomweb import dicom_json, dicom_xml

BOUNDARY = "some-boundary"
VL_PHOTO = "1.2.840.10008.5.1.4.1.1.77.1.4"
VIDEO_PHOTO = "1.2.840.10008.5.1.4.1.1.77.1.4.1"
PDF_CLASS = "1.2.840.10008.5.1.4.1.1.104.1"
STUDY, SERIES, INSTANCE = "1.2.826.0.7", "1.2.826.0.7.0", "1.2.826.0.7.1"
URL = f"/dicom-web/studies/{STUDY}/series/{SERIES}/instances/{INSTANCE}"
JSON, XML = dicom_json.MEDIA_TYPE, dicom_xml.MEDIA_TYPE
PDF = b"%PDF-1.4\n1 0 obj<<>>endobj\ntrailer<<>>\n%%EOF\n"


def empty_again(world: Any) -> None:
    """Erase what a test has stored, so that the next one may use the same world."""
    for study_uid in (STUDY, "1.2.826.0.1"):
        try:
            world.parts.erasures.erase(
                Target(study_uid=study_uid), actor=world.actors["admin@centre"], reason="a test"
            )
        except NotFound:
            continue


def metadata(**values: Any) -> dict[str, Any]:
    """Return the metadata of a photograph without a word of its pixels; None takes one away."""
    given = {
        "SOPClassUID": VL_PHOTO,
        "SOPInstanceUID": INSTANCE,
        "StudyInstanceUID": STUDY,
        "SeriesInstanceUID": SERIES,
        "PatientID": "hammer-1",
        "PatientName": "Nordmann^Åse",
        "Modality": "XC",
        "InstanceNumber": 1,
        **values,
    }
    return dicom_json.to_json({k: v for k, v in given.items() if v is not None})


def with_pixels(uri: str = "pixels", vr: str = "OB", **values: Any) -> dict[str, Any]:
    """Return metadata whose pixel data lies in a part."""
    return metadata(**values) | {"7FE00010": {"vr": vr, "BulkDataURI": uri}}


def part(content_type: str, content: bytes, location: str = "", **more: str) -> bytes:
    lines = [f"Content-Type: {content_type}"] if content_type else []
    lines += [f"Content-Location: {location}"] if location else []
    lines += [f"{name.replace('_', '-')}: {text}" for name, text in more.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + content


def body(parts: Sequence[bytes], *, end: bool = True) -> bytes:
    made = b"".join(f"--{BOUNDARY}\r\n".encode() + each + b"\r\n" for each in parts)
    return made + (f"--{BOUNDARY}--\r\n".encode() if end else b"")


def content_type(kind: str = JSON) -> str:
    return f'multipart/related; type="{kind}"; boundary={BOUNDARY}'


def metadata_part(dataset: Any, kind: str = JSON) -> bytes:
    if kind == XML:
        return part(XML, dicom_xml.document(dataset))
    listed = dataset if isinstance(dataset, list) else [dataset]
    return part(JSON, json.dumps(listed).encode())


def send(
    client: Any, parts: Sequence[bytes], *, kind: str = JSON, url: str = "/dicom-web/studies",
    headers: Mapping[str, str] | None = None,
) -> Any:  # fmt: skip
    return client.post(url, data=body(parts), content_type=content_type(kind), headers=headers)


def picture(samples: int = 3, dtype: Any = np.uint8) -> Any:
    """Return a small image, 20 rows of 12."""
    ramp = np.arange(20 * 12 * samples, dtype=np.uint32) * 37
    high = 255 if dtype == np.uint8 else 4095
    pixels = (ramp % high).astype(dtype).reshape(20, 12, samples)
    return pixels if samples > 1 else pixels[..., 0]


def streams() -> dict[str, tuple[str, bytes, str, str]]:
    """Return by name: media type, stream, transfer syntax, photometric interpretation."""
    grey, grey16, rgb = picture(1), picture(1, np.uint16), picture(3)
    root = "1.2.840.10008.1.2.4."
    return {
        "jpeg": (
            "image/jpeg", imagecodecs.jpeg8_encode(rgb, level=90), root + "50", "YBR_FULL_422",
        ),
        "jpeg grey": ("image/jpeg", imagecodecs.jpeg8_encode(grey), root + "50", "MONOCHROME2"),
        "jpeg lossless": (
            "image/jpeg", imagecodecs.ljpeg_encode(grey16, bitspersample=12), root + "57",
            "MONOCHROME2",
        ),
        "jls": ("image/jls", imagecodecs.jpegls_encode(grey16), root + "80", "MONOCHROME2"),
        "jls near": ("image/jls", imagecodecs.jpegls_encode(grey, level=2), root + "81",
                     "MONOCHROME2"),
        "jls colour": ("image/jls", imagecodecs.jpegls_encode(rgb), root + "80", "RGB"),
        "jp2 file": (
            "image/jp2", imagecodecs.jpeg2k_encode(rgb, codecformat="jp2", reversible=True,
                                                   level=0),
            root + "90", "YBR_RCT",
        ),
        "j2k": (
            "image/jp2", imagecodecs.jpeg2k_encode(grey16, codecformat="j2k", reversible=True,
                                                   level=0),
            root + "90", "MONOCHROME2",
        ),
        "j2k lossy": (
            "image/jp2", imagecodecs.jpeg2k_encode(rgb, codecformat="j2k", level=30),
            root + "91", "YBR_ICT",
        ),
        "htj2k": ("image/jphc", imagecodecs.htj2k_encode(grey16), root + "201", "MONOCHROME2"),
    }  # fmt: skip


def rle_frame(pixels: bytes) -> bytes:
    """Return 8 bit grey pixels as an RLE frame of one segment of literal runs."""
    runs = b"".join(
        bytes([len(pixels[at : at + 128]) - 1]) + pixels[at : at + 128]
        for at in range(0, len(pixels), 128)
    )
    return struct.pack("<16L", 1, 64, *[0] * 14) + runs + b"\0" * (len(runs) % 2)


def box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">L", 8 + len(content)) + kind + content


def mp4(
    *, kind: bytes = b"avc1", configuration: bytes = b"", columns: int = 640, rows: int = 480,
    frames: int = 50,
) -> bytes:  # fmt: skip
    """Return the boxes of an MPEG-4 file of 2 seconds that say what a video is."""
    name = b"hvcC" if kind in {b"hvc1", b"hev1"} else b"avcC"
    if not configuration:
        configuration = (
            b"\x01\x64\x00\x29\xff" if name == b"avcC" else b"\x01\x01" + bytes(10) + b"\x7b"
        )
    entry = bytes(24) + struct.pack(">HH", columns, rows) + bytes(50) + box(name, configuration)
    table = box(
        b"stbl",
        box(b"stsd", struct.pack(">LL", 0, 1) + box(kind, entry))
        + box(b"stsz", struct.pack(">LLL", 0, 1, frames)),
    )
    media = box(
        b"mdia",
        box(b"mdhd", bytes(12) + struct.pack(">LL", 1000, 2000) + bytes(4))
        + box(b"hdlr", bytes(8) + b"vide" + bytes(13))
        + box(b"minf", table),
    )
    return (
        box(b"ftyp", b"isom\0\0\2\0isomavc1")
        + box(b"mdat", bytes(range(100)))
        + box(b"moov", box(b"mvhd", bytes(100)) + box(b"trak", media))
    )


def mpeg2(columns: int = 720, rows: int = 576, rate: int = 3) -> bytes:
    packed = columns << 20 | rows << 8 | 2 << 4 | rate
    return b"\0\0\1\xba" + bytes(10) + b"\0\0\1\xb3" + packed.to_bytes(4, "big") + bytes(101)
