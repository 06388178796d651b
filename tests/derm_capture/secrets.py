"""Photographs with secrets in every place that a file has for them, and a search that finds
them.
"""

from __future__ import annotations

import base64
import io
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, PngImagePlugin
from PIL.TiffImagePlugin import IFDRational, ImageFileDirectory_v2

from derm_capture import jpeg
from derm_capture.srgb import SRGB
from tests.derm_capture import heif, pictures

PLACE = (69, 38, 57)  # degrees, minutes, seconds
FILE_NAME = "IMG_4711_Hemmelig_Hansen.jpg"


@dataclass(frozen=True)
class Planted:
    """A photograph, and the secrets in it by the place where they lie."""

    name: str
    data: bytes
    secrets: dict[str, bytes]


def secret(place: str) -> str:
    return f"Hemmelig-{place}-4711"


def planted(heif_file: bytes | None = None) -> Iterator[Planted]:
    """Yield photographs of each format and each way through, full of secrets."""
    usual, progressive = pictures.skin(96, 64), pictures.skin(96, 64, seed=2)
    yield Planted("upright", _jpeg(pictures.jpeg(usual, exif=_exif(1), icc=_profile())), JPEG)
    yield Planted("turned", _jpeg(pictures.jpeg(usual, exif=_exif(6), icc=_profile())), JPEG)
    sequential = pictures.jpeg(progressive, exif=_exif(1), icc=_profile(), progressive=True)
    yield Planted("progressive", _jpeg(sequential), JPEG)
    broken = pictures.jpeg(pictures.skin(90, 61), exif=_exif(6), icc=_profile())
    yield Planted("decoded", _jpeg(broken), JPEG)
    yield Planted("png", _png(usual), PNG)
    yield Planted("webp", _webp(usual), WEBP)
    yield Planted("tiff", _tiff(usual), TIFF)
    yield Planted("avif", _avif(usual), AVIF)
    yield Planted("bmp", pictures.encoded(usual, "BMP") + secret("behind").encode(), BEHIND)
    if heif_file is not None:
        yield Planted("heic", _heic(heif_file), HEIC)


def found_in(data: bytes, secrets: dict[str, bytes]) -> list[str]:
    """Return the places whose secrets are in data: plain, in UTF-16, base64, deflated or zipped."""
    layers = list(_layers(data))
    return [
        place
        for place, value in secrets.items()
        if any(form in layer for form in _forms(value) for layer in layers)
    ]


def _forms(value: bytes) -> Iterator[bytes]:
    yield value
    if value.isascii():
        yield value.decode().encode("utf-16-le")
        yield value.decode().encode("utf-16-be")
    for shift in range(3):
        coded = base64.b64encode(b"\0" * shift + value)
        yield coded[(0, 4, 4)[shift] : len(coded) // 4 * 4 - 4]


def _layers(data: bytes, depth: int = 0) -> Iterator[bytes]:
    yield data
    if depth == 3:
        return
    if data[:2] == b"PK":
        with zipfile.ZipFile(io.BytesIO(data)) as opened:
            for name in opened.namelist():
                yield name.encode()
                yield from _layers(opened.read(name), depth + 1)
    for start in (b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda", b"\x1f\x8b\x08"):
        at = data.find(start)
        while at >= 0:
            try:
                inflated = zlib.decompressobj(wbits=47).decompress(data[at:], 1 << 22)
            except zlib.error:
                inflated = b""
            if len(inflated) > 16:
                yield from _layers(inflated, depth + 1)
            at = data.find(start, at + 1)


_IN_EXIF = ("owner", "maker", "comment", "artist", "copyright", "description", "host", "gps-note")
_GPS = b"".join(struct.pack("<LL", n, 1) for n in PLACE)
_GPS_BIG = b"".join(struct.pack(">LL", n, 1) for n in PLACE)
_EXIF = {
    "gps": _GPS_BIG, "xp-author": secret("xp-author").encode(),
    **{place: secret(place).encode() for place in _IN_EXIF},
    "thumbnail": secret("thumbnail").encode(),
}  # fmt: skip
BEHIND = {"behind": secret("behind").encode()}
_NAMED = ("xmp", "iptc", "com", "app3", "app12", "jfxx", "mpf", "film", "profile")
JPEG = _EXIF | {place: secret(place).encode() for place in _NAMED} | BEHIND
PNG = (
    _EXIF
    | {p: secret(p).encode() for p in ("text", "itxt", "ztxt", "xmp", "profile-name", "private")}
    | {"profile": secret("profile").encode()} | BEHIND
)  # fmt: skip
WEBP = _EXIF | {p: secret(p).encode() for p in ("xmp", "private", "profile")}
AVIF = _EXIF | {p: secret(p).encode() for p in ("xmp", "profile")}
AVIF.pop("thumbnail")  # Pillow writes the Exif block anew
HEIC = _EXIF | {"xmp": secret("xmp").encode()}
TIFF = {
    p: secret(p).encode()
    for p in ("artist", "description", "xmp", "iptc", "photoshop", "private", "profile", "gps-note")
} | {"gps": _GPS}


def _profile() -> bytes:
    """Return a profile that has a name in place of its copyright."""
    count = int.from_bytes(SRGB[128:132])
    rows = [struct.unpack_from(">4sLL", SRGB, 132 + 12 * n) for n in range(count)]
    element = b"text" + bytes(4) + secret("profile").encode() + b"\0"
    rows = [(n, len(SRGB), len(element)) if n == b"cprt" else (n, at, size) for n, at, size in rows]
    table = b"".join(struct.pack(">4sLL", *row) for row in rows)
    made = SRGB[:132] + table + SRGB[132 + len(table) :] + element
    return struct.pack(">L", len(made)) + made[4:]


def _exif(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010F], exif[0x0110] = "Nordcam", "Fjellfone 9"
    exif[0x010E], exif[0x013B] = secret("description"), secret("artist")
    exif[0x8298], exif[0x013C] = secret("copyright"), secret("host")
    exif[0x9C9D] = secret("xp-author").encode("utf-16-le")
    inner = exif.get_ifd(0x8769)
    inner[0xA430], inner[0x927C] = secret("owner"), secret("maker").encode()
    inner[0x9286] = b"UNICODE\0" + secret("comment").encode("utf-16-le")
    gps = exif.get_ifd(0x8825)
    gps[1], gps[2] = "N", tuple(IFDRational(n, 1) for n in PLACE)
    gps[0x1B] = secret("gps-note").encode()
    block = exif.tobytes()
    return block + _second_directory(block)


def _second_directory(block: bytes) -> bytes:
    """Return what makes the bytes behind an Exif block a thumbnail; its chain is not followed."""
    return pictures.jpeg(pictures.skin(32, 32), exif=b"")[:-2] + b"\xff\xd9" + _com("thumbnail")


def _com(place: str) -> bytes:
    return _segment(0xFE, secret(place).encode())


def _segment(marker: int, payload: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(payload) + 2) + payload


def _jpeg(data: bytes) -> bytes:
    """Return a JPEG with a secret in each kind of segment, and behind its end."""
    xmp = f'<rdf:Description photoshop:City="{secret("xmp")}"/>'.encode()
    iptc = b"\x1c\x02\x50" + struct.pack(">H", len(secret("iptc"))) + secret("iptc").encode()
    resource = b"8BIM\x04\x04\0\0" + struct.pack(">L", len(iptc)) + iptc
    more = [
        _segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + xmp),
        _segment(0xED, b"Photoshop 3.0\0" + resource),
        _segment(0xE0, b"JFXX\0\x10" + secret("jfxx").encode()),
        _segment(0xE3, b"Meta\0" + secret("app3").encode()),
        _segment(0xEC, b"Ducky" + secret("app12").encode()),
        _segment(0xE2, b"MPF\0II*\0\x08\0\0\0\0\0"),
        _com("com"),
    ]
    at = _first_table(data)
    second = pictures.jpeg(pictures.skin(32, 32), exif=b"")
    second = second[:2] + _com("mpf") + second[2:]
    film = b"\0\0\0\x18ftypmp42" + secret("film").encode()
    behind = second + film + secret("behind").encode()
    return data[:at] + b"".join(more) + data[at:] + behind


def _first_table(data: bytes) -> int:
    """Return where the segments end that Pillow wrote before the tables."""
    return next(s.start for s in jpeg.read_jpeg(data).segments if s.marker == jpeg.DQT)


def with_reserved_segment(data: bytes) -> bytes:
    """Return a JPEG with a secret in a segment that T.81 reserves (B.1.1.3)."""
    at = _first_table(data)
    return data[:at] + _segment(0xF0, secret("reserved").encode()) + data[at:]


def _png(pixels: pictures.Pixels) -> bytes:
    info = PngImagePlugin.PngInfo()
    info.add_text("Author", secret("text"))
    info.add_text("Comment", secret("ztxt"), zip=True)
    info.add_itxt("Title", secret("itxt"), "nb", "Tittel", zip=True)
    info.add_itxt("XML:com.adobe.xmp", secret("xmp"))
    data = pictures.encoded(pixels, "PNG", pnginfo=info, exif=_exif(1))
    packed = zlib.compress(_profile())
    chunks = _chunk(b"iCCP", secret("profile-name").encode() + b"\0\0" + packed)
    chunks += _chunk(b"prVt", secret("private").encode())
    return data[:33] + chunks + data[33:] + secret("behind").encode()


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">L", len(body)) + kind + body + struct.pack(">L", zlib.crc32(kind + body))


def _webp(pixels: pictures.Pixels) -> bytes:
    xmp = secret("xmp").encode()
    data = pictures.encoded(pixels, "WEBP", exif=_exif(1), xmp=xmp, icc_profile=_profile())
    body = secret("private").encode()
    data += b"prVt" + struct.pack("<L", len(body)) + body + b"\0" * (len(body) % 2)
    return data[:4] + struct.pack("<L", len(data) - 8) + data[8:]


def _avif(pixels: pictures.Pixels) -> bytes:
    xmp = secret("xmp").encode()
    return pictures.encoded(pixels, "AVIF", exif=_exif(1), xmp=xmp, icc_profile=_profile())


def _heic(data: bytes) -> bytes:
    exif = bytes(4) + _exif(1).removeprefix(b"Exif\0\0")
    return heif.with_items(data, {b"Exif": exif, b"mime": secret("xmp").encode()})


def _tiff(pixels: pictures.Pixels) -> bytes:
    tags = ImageFileDirectory_v2()
    tags[0x013B], tags[0x010E] = secret("artist"), secret("description")
    for number, place in ((700, "xmp"), (33723, "iptc"), (34377, "photoshop"), (65000, "private")):
        tags[number] = secret(place).encode()
        tags.tagtype[number] = 7
    exif = Image.Exif()
    gps = exif.get_ifd(0x8825)
    gps[1], gps[2] = "N", tuple(IFDRational(n, 1) for n in PLACE)
    gps[0x1B] = secret("gps-note").encode()
    tags[0x8825] = dict(gps)
    return pictures.encoded(pixels, "TIFF", tiffinfo=tags, icc_profile=_profile())


def folder_bytes(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Yield every file below a folder with its name."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield str(path.relative_to(folder)), path.read_bytes()
