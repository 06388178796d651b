"""Objects of many kinds in one study, for the tests of what is retrieved over DICOMweb."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import imagecodecs
import numpy as np
from pydicom import dcmread
from pydicom.dataset import Dataset
from werkzeug.http import parse_options_header

from casework.access import Scope
from casework.custody import Door, Origin
from storage.part10 import build_file_meta
from tests.storage.building import deflated, element, encapsulated, item, sequence, us
from tests.storage.pictures import Picture

STUDY = "1.2.826.0.1.50"
ORIGIN = Origin(site="hammer", door=Door.IMPORT, association="test")
READER = "radiologist@centre"
EVERYTHING = Scope(sites=None, specialties=None, own_site="")
EXPLICIT, IMPLICIT = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2"
BIG, DEFLATED = "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99"
RLE, JPEG, JPEG_LOSSLESS = "1.2.840.10008.1.2.5", "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.70"
JPEG_LS, J2K, HTJ2K = (f"1.2.840.10008.1.2.4.{n}" for n in ("80", "90", "201"))
H264 = "1.2.840.10008.1.2.4.102"
MADE = (JPEG_LS, J2K, HTJ2K, RLE)

GREY = Picture(rows=24, columns=20, frames=3)
SMALL = Picture(rows=24, columns=20, frames=3, seed=2)
SIGNED = Picture(rows=17, columns=13, is_signed=True, seed=3)
COLOUR = Picture(rows=16, columns=18, samples=3, allocated=8, stored=8, photometric="RGB", seed=4)
PLANAR = Picture(
    rows=16, columns=18, samples=3, allocated=8, stored=8, photometric="RGB", planar=1, seed=5
)
DOCUMENT = b"%PDF-1.7 " + bytes(range(256)) * 40
STREAM = bytes(range(256)) * 9
TABLE = bytes(range(200)) * 400
WORDS = np.arange(3000, dtype=">u2").tobytes()


@dataclass(frozen=True)
class Stored:
    """An object that is in the world, by the name of what it shows."""

    uid: str
    syntax: str

    @property
    def url(self) -> str:
        return f"/dicom-web/studies/{STUDY}/series/{STUDY}.1/instances/{self.uid}"


def objects() -> dict[str, tuple[str, bytes]]:
    """Return transfer syntax and data set of each kind of object."""
    uids = {name: f"{STUDY}.1.{n}" for n, name in enumerate(KINDS, 1)}
    jpeg = [bytes(imagecodecs.jpeg8_encode(_array(COLOUR), level=90))]
    return {
        "grey": (EXPLICIT, _of(GREY, uids["grey"], EXPLICIT)),
        "implicit": (IMPLICIT, _of(SMALL, uids["implicit"], IMPLICIT)),
        "deflated": (DEFLATED, _of(SIGNED, uids["deflated"], DEFLATED)),
        "rle": (RLE, _of(GREY, uids["rle"], RLE)),
        "colour": (EXPLICIT, _of(COLOUR, uids["colour"], EXPLICIT)),
        "planar": (EXPLICIT, _of(PLANAR, uids["planar"], EXPLICIT, pixels=_by_plane(PLANAR))),
        "big": (BIG, _big(uids["big"])),
        "jpeg": (JPEG, _coded(COLOUR, uids["jpeg"], jpeg, photometric="YBR_FULL_422")),
        "jpegls": (JPEG_LS, _coded(SIGNED, uids["jpegls"], [_jpeg_ls(SIGNED)])),
        "document": (EXPLICIT, _document(uids["document"])),
        "report": (IMPLICIT, _report(uids["report"])),
        "video": (H264, _video(uids["video"])),
    }


KINDS = (
    "grey", "implicit", "deflated", "rle", "colour", "planar", "big", "jpeg", "jpegls",
    "document", "report", "video",
)  # fmt: skip


def store_all(world: Any) -> dict[str, Stored]:
    """Take one of each kind in and return them by name."""
    stored = {}
    for name, (syntax, content) in objects().items():
        uid = f"{STUDY}.1.{KINDS.index(name) + 1}"
        sop_class = _class_of(name)
        meta = build_file_meta(
            sop_class_uid=sop_class, sop_instance_uid=uid, transfer_syntax_uid=syntax
        )
        world.parts.archive.receive_part10(meta + content, ORIGIN)
        stored[name] = Stored(uid, syntax)
    world.parts.archive.settle()
    return stored


def native_of(name: str) -> bytes:
    """Return the native frames of a kind, little endian, one after the other."""
    pictures = {
        "grey": GREY, "implicit": SMALL, "deflated": SIGNED, "rle": GREY, "colour": COLOUR,
        "jpegls": SIGNED,
    }  # fmt: skip
    if name == "planar":
        return _by_plane(PLANAR)
    if name == "big":
        return np.frombuffer(BIG_PIXELS, ">u2").astype("<u2").tobytes()
    if name == "jpeg":
        jpeg = bytes(imagecodecs.jpeg8_encode(_array(COLOUR), level=90))
        return imagecodecs.jpeg8_decode(jpeg, colorspace="YCBCR", outcolorspace="RGB").tobytes()
    return pictures[name].pixels


def parts_of(answer: Any) -> list[tuple[dict[str, str], bytes]]:
    """Return the heads and contents of a multipart answer."""
    _, options = parse_options_header(answer.headers["Content-Type"])
    boundary = options["boundary"].encode()
    found = []
    for part in answer.get_data().split(b"--" + boundary)[1:-1]:
        head, _, content = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        lines = (line.split(": ", 1) for line in head.decode().split("\r\n"))
        found.append(({k.lower(): v for k, v in lines}, content.removesuffix(b"\r\n")))
    return found


def multipart(media_type: str, syntax: str = "") -> str:
    """Return an Accept header."""
    named = f"; transfer-syntax={syntax}" if syntax else ""
    return f'multipart/related; type="{media_type}"{named}'


def read(data: bytes) -> Dataset:
    """Return a file that has come back."""
    return dcmread(io.BytesIO(data))


def decoded(coded: bytes, syntax: str, picture: Picture) -> bytes:
    """Return a compressed frame decoded with another decoder than the encoder's, where there is."""
    kind = f"<{'i' if picture.is_signed else 'u'}{picture.allocated // 8}"
    if syntax in (HTJ2K, J2K):
        return np.asarray(imagecodecs.jpeg2k_decode(coded)).astype(kind).tobytes()
    return np.asarray(imagecodecs.jpegls_decode(coded)).astype(kind).tobytes()


BIG_PIXELS = np.arange(3 * 4 * 5, dtype=">u2").tobytes()


def _of(picture: Picture, uid: str, syntax: str, **how: Any) -> bytes:
    data = picture.dataset(
        uid, syntax=EXPLICIT if syntax == DEFLATED else syntax, study=STUDY, **how
    )
    return deflated(data) if syntax == DEFLATED else data


def _array(picture: Picture) -> np.ndarray:
    kind = f"<{'i' if picture.is_signed else 'u'}{picture.allocated // 8}"
    shape = (picture.rows, picture.columns) + ((picture.samples,) if picture.samples > 1 else ())
    return np.frombuffer(picture.pixels, kind).reshape(shape)


def _by_plane(picture: Picture) -> bytes:
    return np.ascontiguousarray(_array(picture).transpose(2, 0, 1)).tobytes()


def _jpeg_ls(picture: Picture) -> bytes:
    return bytes(imagecodecs.jpegls_encode(_array(picture).view(f"<u{picture.allocated // 8}")))


def _coded(picture: Picture, uid: str, frames: list[bytes], *, photometric: str = "") -> bytes:
    shown = picture.photometric
    whole = _of(picture, uid, EXPLICIT).replace(shown.encode(), (photometric or shown).encode())
    if photometric:  # a longer value: the element is built anew
        before = element(0x00280004, "CS", shown)
        whole = _of(picture, uid, EXPLICIT).replace(before, element(0x00280004, "CS", photometric))
    tag = whole.index(b"\xe0\x7f\x10\x00")
    return whole[:tag] + encapsulated(frames)


def _big(uid: str) -> bytes:
    how = {"big": True}
    table = sequence(
        0x00283000,
        [item(us(0x00283002, 3, **how) + element(0x00283006, "OW", WORDS, **how), **how)],
        **how,
    )
    return b"".join(
        [
            *_identity(uid, CT, "CT", **how),
            us(0x00280002, 1, **how),
            element(0x00280004, "CS", "MONOCHROME2", **how),
            element(0x00280008, "IS", "3", **how),
            us(0x00280010, 4, **how),
            us(0x00280011, 5, **how),
            us(0x00280100, 16, **how),
            us(0x00280101, 12, **how),
            us(0x00280102, 11, **how),
            us(0x00280103, 0, **how),
            table,
            element(0x7FE00010, "OW", BIG_PIXELS, **how),
        ]
    )


CT, PDF = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.104.1"
SR, VIDEO = "1.2.840.10008.5.1.4.1.1.88.11", "1.2.840.10008.5.1.4.1.1.77.1.4.1"


def _class_of(name: str) -> str:
    return {"document": PDF, "report": SR, "video": VIDEO}.get(name, CT)


def _identity(uid: str, sop_class: str, modality: str, **how: Any) -> list[bytes]:
    return [
        element(0x00080016, "UI", sop_class, **how),
        element(0x00080018, "UI", uid, **how),
        element(0x00080060, "CS", modality, **how),
        element(0x00100010, "PN", "NESS^KARI", **how),
        element(0x00100020, "LO", "12345", **how),
        element(0x0020000D, "UI", STUDY, **how),
        element(0x0020000E, "UI", STUDY + ".1", **how),
    ]


def _document(uid: str) -> bytes:
    nested = sequence(
        0x00400555,
        [item(element(0x0040A043, "OB", b"\1\2")), item(element(0x00091001, "UN", TABLE))],
        undefined=True,
    )
    identity = _identity(uid, PDF, "DOC")
    return b"".join(
        [
            *identity[:3],
            element(0x00090010, "LO", "MAKER 1.0"),
            element(0x00091001, "UN", b"\1\2\3\4"),
            element(0x00091002, "OF", b"\0\0\x80\x3f" * 3),
            *identity[3:],
            nested,
            element(0x00420010, "ST", "A document"),
            element(0x00420011, "OB", DOCUMENT),
            element(0x00420012, "LO", "application/pdf"),
        ]
    )


def _report(uid: str) -> bytes:
    how = {"implicit": True}
    name = sequence(
        0x0040A043, [item(element(0x00080104, "LO", "Finding <of> note", **how))], **how
    )
    line = [
        element(0x0040A010, "CS", "CONTAINS", **how),
        element(0x0040A040, "CS", "TEXT", **how),
        name,
        element(0x0040A160, "UT", "Small & quiet", **how),
    ]
    return b"".join(
        [
            *_identity(uid, SR, "SR", **how),
            element(0x0040A040, "CS", "CONTAINER", **how),
            sequence(0x0040A730, [item(b"".join(line))], **how),
        ]
    )


def _video(uid: str) -> bytes:
    halves = [STREAM[:1000], STREAM[1000:]]
    return b"".join(
        [
            *_identity(uid, VIDEO, "ES"),
            us(0x00280002, 3),
            element(0x00280004, "CS", "YBR_PARTIAL_420"),
            element(0x00280008, "IS", "25"),
            us(0x00280010, 16),
            us(0x00280011, 16),
            us(0x00280100, 8),
            us(0x00280101, 8),
            us(0x00280102, 7),
            us(0x00280103, 0),
            encapsulated(halves),
        ]
    )
