"""Which form objects and frames come in for what a client takes, and that pixels are equal."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from storage.part10 import BytesSource, read_file_meta, walk
from tests.storage.pictures import Picture
from tests.viewer import retrieving
from tests.viewer.retrieving import (
    BIG,
    COLOUR,
    DEFLATED,
    EXPLICIT,
    GREY,
    H264,
    HTJ2K,
    IMPLICIT,
    J2K,
    JPEG,
    JPEG_LOSSLESS,
    JPEG_LS,
    MADE,
    READER,
    RLE,
    SIGNED,
    SMALL,
    STUDY,
    Stored,
    decoded,
    multipart,
    native_of,
    parts_of,
    read,
)  # fmt: skip
from viewer.dicomweb import accept

DICOM, OCTETS = "application/dicom", "application/octet-stream"
JP2, JLS, JPHC = "image/jp2", "image/jls", "image/jphc"
IMAGES = ("grey", "implicit", "deflated", "rle", "colour", "planar", "big", "jpeg", "jpegls")
PICTURES = {"grey": GREY, "implicit": SMALL, "deflated": SIGNED, "rle": GREY, "colour": COLOUR}


@pytest.fixture(scope="module")
def world(shared_world: Any) -> tuple[Any, dict[str, Stored]]:
    return shared_world, retrieving.store_all(shared_world)


def get(world: Any, url: str, accept: str | None = None, **headers: str) -> Any:
    told = {} if accept is None else {"Accept": accept}
    return world[0].client(READER).get(url, headers={**told, **headers})


def syntax_in(data: bytes) -> str:
    return read_file_meta(BytesSource(data)).transfer_syntax_uid


OBJECTS = [
    # what is asked for, the object, status, transfer syntax
    (DICOM, "grey", 200, EXPLICIT),
    (DICOM, "implicit", 200, EXPLICIT),
    (DICOM, "deflated", 200, EXPLICIT),
    (DICOM, "rle", 200, EXPLICIT),
    (DICOM, "big", 200, EXPLICIT),
    (DICOM, "jpeg", 200, EXPLICIT),
    (DICOM, "jpegls", 200, EXPLICIT),
    (DICOM, "document", 200, EXPLICIT),
    (DICOM, "report", 200, EXPLICIT),
    (DICOM, "video", 200, H264),
    (f"{DICOM}; transfer-syntax=*", "implicit", 200, IMPLICIT),
    (f"{DICOM}; transfer-syntax=*", "big", 200, BIG),
    (f"{DICOM}; transfer-syntax=*", "jpeg", 200, JPEG),
    (f'{DICOM}; transfer-syntax="{DEFLATED}"', "deflated", 200, DEFLATED),
    (f"{DICOM};transfer-syntax={JPEG_LS}", "rle", 200, JPEG_LS),
    (f"{DICOM};transfer-syntax={HTJ2K}", "jpegls", 200, HTJ2K),
    (f"{DICOM};transfer-syntax={J2K}", "jpeg", 200, J2K),
    (f"{DICOM};transfer-syntax={RLE}", "big", 200, RLE),
    (f"{DICOM};transfer-syntax={JPEG}", "jpeg", 200, JPEG),
    (f"{DICOM};transfer-syntax={JPEG}", "grey", 406, ""),
    (f"{DICOM};transfer-syntax={JPEG_LOSSLESS}", "grey", 406, ""),
    (f"{DICOM};transfer-syntax={IMPLICIT}", "grey", 406, ""),
    (f"{DICOM};transfer-syntax={HTJ2K}", "document", 406, ""),
    (f"{DICOM};transfer-syntax={HTJ2K}", "report", 406, ""),
    (f"{DICOM};transfer-syntax={JPEG_LS}", "video", 406, ""),
    (f"{DICOM};transfer-syntax={EXPLICIT}", "video", 406, ""),
    (f"{DICOM};transfer-syntax=1.2.3", "grey", 406, ""),
    ("image/png", "grey", 406, ""),
    (f"{DICOM};q=0", "grey", 406, ""),
    (f"{DICOM};transfer-syntax=1.2.3, {DICOM};transfer-syntax={RLE};q=0.2", "grey", 200, RLE),
    (f"{DICOM};transfer-syntax={RLE};q=0.2, {DICOM};q=0.9", "grey", 200, EXPLICIT),
]  # fmt: skip


@pytest.mark.parametrize(("accept", "name", "status", "syntax"), OBJECTS)
def test_one_object_comes_in_the_form_that_is_asked_for(
    world: Any, accept: str, name: str, status: int, syntax: str
) -> None:
    answer = get(world, world[1][name].url, accept)
    assert answer.status_code == status, answer.text
    if status == 200:
        assert answer.content_type == f"{DICOM}; transfer-syntax={syntax}"
        assert syntax_in(answer.data) == syntax
        assert int(answer.headers["Content-Length"]) == len(answer.data)
    else:
        assert answer.get_json()["detail"]


FRAMES = [
    ("*/*", "grey", 200, f'multipart/related; type="{OCTETS}"', EXPLICIT),
    ("*/*", "jpeg", 200, f'multipart/related; type="{OCTETS}"', EXPLICIT),
    (OCTETS, "grey", 200, OCTETS, EXPLICIT),
    (OCTETS, "implicit", 200, OCTETS, EXPLICIT),
    (OCTETS, "big", 200, OCTETS, EXPLICIT),
    (OCTETS, "jpeg", 200, OCTETS, EXPLICIT),
    (f"{OCTETS};transfer-syntax=*", "jpeg", 200, "image/jpeg", JPEG),
    (f"{OCTETS};transfer-syntax=*", "rle", 200, "image/dicom-rle", RLE),
    (f"multipart/related;type={OCTETS};transfer-syntax=*", "jpegls", 200,
     f'multipart/related; type="{JLS}"', JPEG_LS),
    ("image/*", "jpeg", 200, "image/jpeg", JPEG),
    ("image/*", "grey", 406, "", ""),
    ("image/jpeg", "grey", 406, "", ""),
    (f"image/jpeg;transfer-syntax={JPEG_LOSSLESS}", "jpeg", 406, "", ""),
    (JLS, "grey", 200, JLS, JPEG_LS),
    (JPHC, "big", 200, JPHC, HTJ2K),
    (JP2, "jpeg", 200, JP2, J2K),
    (f'multipart/related; type="{JPHC}"', "rle", 200, f'multipart/related; type="{JPHC}"', HTJ2K),
    (f"{JPHC};transfer-syntax={HTJ2K}", "jpegls", 200, JPHC, HTJ2K),
    (f"{OCTETS};transfer-syntax={HTJ2K}", "grey", 406, "", ""),
    ("video/mp4", "grey", 406, "", ""),
    ("video/mp4", "video", 200, "video/mp4", H264),
    ("*/*", "video", 200, "video/mp4", H264),
    (OCTETS, "video", 406, "", ""),
    ("image/jpeg;q=0.5, application/*", "jpeg", 200, OCTETS, EXPLICIT),
    (f"*/*, {OCTETS};q=0", "jpegls", 200, f'multipart/related; type="{JLS}"', JPEG_LS),
]  # fmt: skip


@pytest.mark.parametrize(("accept", "name", "status", "kind", "syntax"), FRAMES)
def test_a_frame_comes_in_the_form_that_is_asked_for(
    world: Any, accept: str, name: str, status: int, kind: str, syntax: str
) -> None:
    answer = get(world, world[1][name].url + "/frames/1", accept)
    assert answer.status_code == status, answer.text
    if status != 200:
        return
    content_type = answer.content_type
    if kind.startswith("multipart"):
        assert content_type.startswith(kind)
        ((head, _),) = parts_of(answer)
        content_type = head["content-type"]
        kind = kind.split('"')[1]
    assert content_type == f"{kind}; transfer-syntax={syntax}"


def test_what_a_query_takes_comes_before_the_header(world: Any) -> None:
    frame = world[1]["grey"].url + "/frames/1"
    assert get(world, frame + f"?accept={JLS}", OCTETS).content_type.startswith(JLS)
    assert get(world, frame + f"?accept={JLS}%3Btransfer-syntax%3D1.2.3").status_code == 406


@pytest.mark.parametrize("name", IMAGES)
@pytest.mark.parametrize("syntax", [EXPLICIT, *MADE])
def test_an_object_keeps_its_pixels_and_its_header_in_every_form(
    world: Any, name: str, syntax: str
) -> None:
    stored = world[1][name]
    if syntax == stored.syntax:
        return
    answer = get(world, stored.url, f"{DICOM}; transfer-syntax={syntax}")
    assert answer.status_code == 200, answer.text
    data = answer.data
    meta = read_file_meta(BytesSource(data))
    header = walk(data[meta.dataset_offset :], transfer_syntax_uid=syntax)
    came = read(get(world, stored.url, f"{DICOM}; transfer-syntax=*").data)
    given = read(data)
    changed = {"PixelData", "PhotometricInterpretation", "PlanarConfiguration"}
    changed |= {"LossyImageCompression"} if name == "jpeg" else set()
    assert [e.tag for e in came if e.keyword not in changed] == [
        e.tag for e in given if e.keyword not in changed
    ]
    for keyword in ("PatientName", "Rows", "BitsStored", "PixelRepresentation", "SOPInstanceUID"):
        assert came.get(keyword) == given.get(keyword)
    assert header.pixel is not None
    frames = native_of(name)
    if syntax == EXPLICIT:
        assert given.PixelData == frames
        return
    picture = PICTURES.get(name, SIGNED if name == "jpegls" else GREY)
    size = len(frames) // header.pixel.frames
    if name == "planar":
        frames = retrieving.PLANAR.pixels  # compressed, colour goes by pixel
    is_colour = name in ("colour", "planar", "jpeg")
    picture = COLOUR if is_colour else picture
    for number, spans in enumerate(header.pixel.frame_table or ()):
        coded = b"".join(data[meta.dataset_offset :][o : o + n] for o, n in spans)
        if syntax == RLE:
            assert given.pixel_array.astype(given.pixel_array.dtype).tobytes() == frames
            break
        assert decoded(coded, syntax, picture) == frames[number * size : (number + 1) * size]
    if is_colour:
        assert (given.PhotometricInterpretation, given.PlanarConfiguration) == ("RGB", 0)


def test_what_is_lossy_stays_declared_so(world: Any) -> None:
    stored = world[1]["jpeg"]
    assert "LossyImageCompression" not in read(
        get(world, stored.url, f"{DICOM}; transfer-syntax=*").data
    )
    for syntax in (EXPLICIT, HTJ2K):
        given = read(get(world, stored.url, f"{DICOM}; transfer-syntax={syntax}").data)
        assert given.LossyImageCompression == "01"
        assert given.PhotometricInterpretation == "RGB"


@pytest.mark.parametrize("name", IMAGES)
def test_frames_are_the_pixels_one_by_one_and_together(world: Any, name: str) -> None:
    stored, pixels = world[1][name], native_of(name)
    count = {"grey": 3, "implicit": 3, "rle": 3, "big": 3}.get(name, 1)
    size = len(pixels) // count
    numbers = ",".join(str(n) for n in range(count, 0, -1))
    answer = get(world, f"{stored.url}/frames/{numbers}", multipart(OCTETS))
    given = [content for _, content in parts_of(answer)]
    assert given == [pixels[(n - 1) * size : n * size] for n in range(count, 0, -1)]
    one = get(world, f"{stored.url}/frames/{count}", OCTETS)
    assert one.data == pixels[(count - 1) * size :]


def test_a_study_comes_whole_in_one_form_or_as_each_is_kept(world: Any) -> None:
    url = f"/dicom-web/studies/{STUDY}"
    plain = parts_of(get(world, url, multipart(DICOM)))
    kept = parts_of(get(world, url, multipart(DICOM, "*")))
    assert len(plain) == len(kept) == len(world[1])
    syntaxes = {read(data).SOPInstanceUID: syntax_in(data) for _, data in kept}
    assert syntaxes == {each.uid: each.syntax for each in world[1].values()}
    for (head, data), (_, as_kept) in zip(plain, kept, strict=True):
        is_video = syntax_in(as_kept) == H264
        assert syntax_in(data) == (H264 if is_video else EXPLICIT)
        assert head["content-type"] == f"{DICOM}; transfer-syntax={syntax_in(data)}"
    assert get(world, url, multipart(DICOM, HTJ2K)).status_code == 406


def test_a_head_request_tells_without_a_body_and_notes_no_export(world: Any) -> None:
    stored = world[1]["colour"]
    client = world[0].client("coordinator@centre")
    for path in ("", "/metadata", "/frames/1", "/rendered", "/bulkdata/7FE00010"):
        asked = {"Accept": DICOM} if not path else {}
        answer = client.head(stored.url + path, headers=asked)
        assert (answer.status_code, answer.data) == (200, b""), path
    custody = client.get(f"/api/instances/{stored.uid}/custody").get_json()["custody"]
    exported = [line["detail"] for line in custody if line["event"] == "exported"]
    assert "coordinator centre" not in [detail.get("name") for detail in exported]


def test_answers_are_kept_by_their_browser_and_asked_for_again_by_tag(world: Any) -> None:
    stored = world[1]["grey"]
    for path, how in (
        ("/frames/1", OCTETS),
        ("/frames/1", multipart(OCTETS)),
        ("/frames/1", JPHC),
        ("/rendered", "image/png"),
        ("/frames/2/rendered", "image/jpeg"),
        ("/bulkdata/7FE00010", OCTETS),
        ("", DICOM),
    ):
        first = get(world, stored.url + path, how)
        assert first.headers["Cache-Control"] == "private, max-age=31536000, immutable"
        assert {"Cookie", "Authorization", "Accept"} == set(first.vary)
        tag = first.headers["ETag"]
        assert not tag.startswith("W/")
        again = get(world, stored.url + path, how, **{"If-None-Match": tag})
        assert (again.status_code, again.data) == (304, b"")
        assert again.headers["ETag"] == tag
        other = get(world, stored.url + path, how, **{"If-None-Match": '"another"'})
        assert (other.status_code, other.data) == (200, first.data)
    tags = {
        get(world, stored.url + "/frames/1", how).headers["ETag"] for how in (OCTETS, JPHC, JLS)
    }
    assert len(tags) == 3
    assert get(world, stored.url + "/metadata").headers["Cache-Control"] == "private, no-cache"
    assert get(world, stored.url + "/frames/9", OCTETS).headers["Cache-Control"] == "no-store"


def test_what_is_made_is_kept_and_goes_with_an_erasure(world: Any) -> None:
    cache = world[0].parts.archive.data / "cache" / "previews"
    made = get(world, world[1]["grey"].url + "/frames/2", JPHC).data
    kept = [path.read_bytes() for path in cache.glob("*/*")]
    assert made in kept  # in the folder that an erasure empties


@pytest.mark.parametrize("syntax", MADE)
def test_values_that_a_codec_cannot_carry_are_not_acceptable(world: Any, syntax: str) -> None:
    picture = Picture(rows=8, columns=8, allocated=16, stored=12, seed=9)
    uid = f"{STUDY}.2.{MADE.index(syntax)}"
    world[0].parts.archive.receive_part10(_with_unused_bits(picture, uid), retrieving.ORIGIN)
    world[0].parts.archive.settle()
    url = f"/dicom-web/studies/{STUDY}.2/series/{STUDY}.2.1/instances/{uid}"
    answer = get(world, url, f"{DICOM};transfer-syntax={syntax}")
    if syntax == RLE:  # carries every bit
        assert answer.status_code == 200
        return
    assert answer.status_code == 406
    assert "transfer-syntax=*" in answer.get_json()["detail"]


def _with_unused_bits(picture: Picture, uid: str) -> bytes:
    pixels = bytearray(picture.pixels)
    pixels[1] |= 0xF0
    data = picture.dataset(uid, pixels=bytes(pixels), study=f"{STUDY}.2")
    meta = retrieving.build_file_meta(
        sop_class_uid=retrieving.CT, sop_instance_uid=uid, transfer_syntax_uid=EXPLICIT
    )
    return meta + data


@pytest.mark.peers
@pytest.mark.skipif(shutil.which("dcmdjpls") is None, reason="dcmtk is not installed")
@pytest.mark.parametrize("name", ["grey", "deflated", "rle", "planar", "jpeg"])
def test_dcmtk_reads_the_same_values_from_jpeg_ls_that_was_made(
    world: Any, tmp_path: Path, name: str
) -> None:
    answer = get(world, world[1][name].url, f"{DICOM};transfer-syntax={JPEG_LS}")
    (tmp_path / "made.dcm").write_bytes(answer.data)
    subprocess.run(
        ["dcmdjpls", "+px", str(tmp_path / "made.dcm"), str(tmp_path / "plain.dcm")],
        check=True,
        capture_output=True,
    )
    expected = retrieving.PLANAR.pixels if name == "planar" else native_of(name)
    assert read((tmp_path / "plain.dcm").read_bytes()).PixelData == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("multipart/related; type=application/dicom", [(True, DICOM, "")]),
        ('multipart/related;TYPE="application/dicom";Transfer-Syntax="*"', [(True, DICOM, "*")]),
        ("multipart/related", [(True, "*/*", "")]),
        ("a/b;q=0.1, c/d", [(False, "c/d", ""), (False, "a/b", "")]),
        (
            "*/*, image/*, image/png",
            [(False, "image/png", ""), (False, "image/*", ""), (False, "*/*", "")],
        ),
        ("image/png;q=0", []),
        ("image/png;q=high", []),
        ('multipart/related; type="application/dicom', [(True, DICOM, "")]),
    ],
)  # fmt: skip
def test_media_ranges_are_read_as_clients_write_them(text: str, expected: list[Any]) -> None:
    found = accept.ranges_of(text)
    assert [(w.multipart, w.media_type, w.transfer_syntax) for w in found] == expected


def test_what_is_refused_is_not_in_a_wider_range() -> None:
    (wide,) = accept.ranges_of("image/*, image/gif;q=0")
    assert wide.takes("image/png")
    assert not wide.takes("image/gif")
