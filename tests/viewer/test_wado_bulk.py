"""Bulk data by its address: in the metadata, as one value, in parts, and all of a study."""

from __future__ import annotations

import io
from contextlib import suppress
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from casework.errors import Invalid
from storage.bulk import find_value, path_of, swapped
from storage.part10 import BytesSource, WalkLimits
from tests.storage.building import UNDEFINED, element, item, sequence
from tests.viewer import retrieving
from tests.viewer.retrieving import (
    BIG_PIXELS,
    DOCUMENT,
    EXPLICIT,
    READER,
    STREAM,
    STUDY,
    TABLE,
    WORDS,
    Stored,
    multipart,
    native_of,
    parts_of,
)  # fmt: skip
from viewer.dicomweb import dicom_xml
from viewer.dicomweb.partial import part_of

OCTETS = "application/octet-stream"
NATIVE_MODEL = "{http://dicom.nema.org/PS3.19/models/NativeDICOM}"


@pytest.fixture(scope="module")
def world(shared_world: Any) -> tuple[Any, dict[str, Stored]]:
    return shared_world, retrieving.store_all(shared_world)


def get(world: Any, url: str, accept: str = OCTETS, **headers: str) -> Any:
    url = url.removeprefix("http://localhost")
    return world[0].client(READER).get(url, headers={"Accept": accept, **headers})


def header_of(world: Any, name: str) -> Any:
    return get(world, world[1][name].url + "/metadata", "application/dicom+json").get_json()[0]


def addresses(node: Any) -> list[str]:
    if isinstance(node, list):
        return [uri for each in node for uri in addresses(each)]
    if not isinstance(node, dict):
        return []
    here = [node["BulkDataURI"]] if "BulkDataURI" in node else []
    return here + [uri for each in node.values() for uri in addresses(each)]


def test_metadata_names_every_value_of_bulk_data_and_each_can_be_fetched(world: Any) -> None:
    header = header_of(world, "document")
    assert header["00091001"]["vr"] == "UN"
    nested = header["00400555"]["Value"]
    expected = {
        header["00091001"]["BulkDataURI"]: b"\1\2\3\4",
        header["00091002"]["BulkDataURI"]: b"\0\0\x80\x3f" * 3,
        nested[0]["0040A043"]["BulkDataURI"]: b"\1\2",
        nested[1]["00091001"]["BulkDataURI"]: TABLE,
        header["00420011"]["BulkDataURI"]: DOCUMENT,
    }
    assert sorted(addresses(header)) == sorted(expected)
    for address, value in expected.items():
        answer = get(world, address)
        assert (answer.status_code, answer.content_type) == (200, OCTETS)
        assert answer.data == value + b"\0" * (len(value) % 2)
    assert nested[1]["00091001"]["BulkDataURI"].endswith("/bulkdata/00400555/2/00091001")


@pytest.mark.parametrize(
    "name", ["grey", "implicit", "deflated", "rle", "colour", "planar", "big", "jpeg"]
)
def test_pixel_data_is_one_value_when_it_is_wanted_plain(world: Any, name: str) -> None:
    address = header_of(world, name)["7FE00010"]["BulkDataURI"]
    answer = get(world, address)
    assert answer.content_type == f"{OCTETS}; transfer-syntax={EXPLICIT}"
    assert answer.data == native_of(name)
    ((head, value),) = parts_of(get(world, address, multipart(OCTETS)))
    assert (head["content-location"], value) == (address, native_of(name))


def test_compressed_pixel_data_comes_frame_by_frame(world: Any) -> None:
    url = world[1]["rle"].url
    parts = parts_of(get(world, url + "/bulkdata/7FE00010", multipart(OCTETS, "*")))
    frames = [
        get(world, f"{url}/frames/{n}", f"{OCTETS};transfer-syntax=*").data for n in (1, 2, 3)
    ]
    assert [value for _, value in parts] == frames


def test_values_that_came_in_big_endian_are_given_in_little(world: Any) -> None:
    header = header_of(world, "big")
    address = header["00283000"]["Value"][0]["00283006"]["BulkDataURI"]
    little = np.frombuffer(WORDS, ">u2").astype("<u2").tobytes()
    assert get(world, address).data == little
    assert get(world, address, Range="bytes=3-4096").data == little[3:4097]
    pixels = get(world, world[1]["big"].url + "/bulkdata/7FE00010", Range="bytes=1-6")
    assert pixels.data == np.frombuffer(BIG_PIXELS, ">u2").astype("<u2").tobytes()[1:7]


def test_all_bulk_data_of_an_instance_a_series_and_a_study_has_its_addresses(world: Any) -> None:
    document = world[1]["document"].url
    found = {
        h["content-location"]: v for h, v in parts_of(get(world, document + "/bulkdata", "*/*"))
    }
    assert sorted(found) == sorted(addresses(header_of(world, "document")))
    study = f"/dicom-web/studies/{STUDY}"
    for url in (study, f"{study}/series/{STUDY}.1"):
        parts = parts_of(get(world, url + "/bulkdata", multipart(OCTETS, "*")))
        locations = [head["content-location"] for head, _ in parts]
        assert len(set(locations)) == len(locations)
        assert {a for a in locations if "/bulkdata/" in a} >= set(found)
        pixels = parts_of(get(world, url + "/pixeldata", multipart(OCTETS, "*")))
        assert {h["content-location"] for h, _ in pixels} < set(locations)
    assert get(world, study + "/bulkdata", "application/dicom").status_code == 406
    assert get(world, world[1]["report"].url + "/bulkdata", "*/*").status_code == 404
    assert get(world, world[1]["document"].url + "/pixeldata", "*/*").status_code == 404


@pytest.mark.parametrize(
    ("path", "accept", "status"),
    [
        ("00420011", "application/pdf", 200),
        ("00420011", "image/png", 406),
        ("00420011", multipart(OCTETS), 200),
        ("00420011", f"{OCTETS};transfer-syntax=1.2.840.10008.1.2.4.50", 406),
        ("0040a043", OCTETS, 404),
        ("00400555", OCTETS, 404),
        ("00400555/3/0040A043", OCTETS, 404),
        ("00400555/1/0040A043", OCTETS, 200),
        ("7FE00010", OCTETS, 404),
        ("x", OCTETS, 400),
        ("00400555/0/0040A043", OCTETS, 400),
        ("00400555/1", OCTETS, 400),
    ],
)
def test_a_value_that_is_not_there_or_not_so_is_said(
    world: Any, path: str, accept: str, status: int
) -> None:
    answer = get(world, f"{world[1]['document'].url}/bulkdata/{path}", accept)
    assert answer.status_code == status, answer.text
    if accept == "application/pdf":
        assert answer.content_type == "application/pdf"


@pytest.mark.parametrize(
    ("asked", "status", "content_range"),
    [
        ("bytes=0-9", 206, "bytes 0-9/{n}"),
        ("bytes=5-", 206, "bytes 5-{last}/{n}"),
        ("bytes=-7", 206, "bytes {tail}-{last}/{n}"),
        ("bytes=10-999999", 206, "bytes 10-{last}/{n}"),
        ("bytes=999999-", 416, "bytes */{n}"),
        ("bytes=-0", 416, "bytes */{n}"),
        ("bytes=0-1,4-5", 200, None),
        ("bytes=9-1", 200, None),
        ("items=0-1", 200, None),
    ],
)
@pytest.mark.parametrize(
    ("name", "path", "how"),
    [
        ("document", "/bulkdata/00420011", OCTETS),
        ("grey", "/frames/2", OCTETS),
        ("rle", "/bulkdata/7FE00010", OCTETS),
        ("grey", "", "application/dicom"),
        ("video", "/rendered", "video/mp4"),
        ("grey", "/rendered", "image/jpeg"),
    ],
)
def test_a_part_of_a_body_is_given(
    world: Any, name: str, path: str, how: str, asked: str, status: int, content_range: str | None
) -> None:
    url = world[1][name].url + path
    whole = get(world, url, how)
    assert whole.headers["Accept-Ranges"] == "bytes"
    n = len(whole.data)
    answer = get(world, url, how, Range=asked)
    assert answer.status_code == status
    told = answer.headers.get("Content-Range")
    assert told == (content_range and content_range.format(n=n, last=n - 1, tail=n - 7))
    if status == 416:
        return
    start, stop = (0, n)
    if told and status == 206:
        first, _, last = told.removeprefix("bytes ").partition("/")[0].partition("-")
        start, stop = int(first), int(last) + 1
    assert answer.data == whole.data[start:stop]
    assert int(answer.headers["Content-Length"]) == stop - start


def test_a_range_holds_only_for_the_same_thing(world: Any) -> None:
    url = world[1]["document"].url + "/bulkdata/00420011"
    tag = get(world, url).headers["ETag"]
    assert get(world, url, Range="bytes=0-1", **{"If-Range": tag}).status_code == 206
    for other in ('"another"', "Sat, 28 Nov 2026 00:00:00 GMT", f"W/{tag}"):
        assert get(world, url, Range="bytes=0-1", **{"If-Range": other}).status_code == 200


@given(length=st.integers(0, 300), first=st.integers(0, 400), last=st.integers(0, 400))
def test_a_range_is_what_it_says_of_every_body(length: int, first: int, last: int) -> None:
    body = bytes(n % 256 for n in range(length))
    part = part_of(length, range_header=f"bytes={first}-{last}")
    if last < first:
        assert part is not None
        assert part.is_whole
    elif first >= length:
        assert part is None
    else:
        assert part is not None
        assert body[part.start : part.stop] == body[first : last + 1]
        assert not part.is_whole
    tail = part_of(length, range_header=f"bytes=-{first}")
    if first == 0 or length == 0:
        assert tail is None
    else:
        assert tail is not None
        assert body[tail.start : tail.stop] == body[-first:]


@given(text=st.text(max_size=40))
def test_a_range_of_any_other_form_is_the_whole(text: str) -> None:
    part = part_of(100, range_header=text)
    assert part is None or 0 <= part.start < part.stop <= 100


@given(
    value=st.binary(max_size=60).map(lambda v: v + b"\0" * (len(v) % 2)),
    depth=st.integers(0, 4),
    before=st.integers(0, 2),
    undefined=st.booleans(),
    implicit=st.booleans(),
)
def test_a_value_is_found_at_every_depth(
    value: bytes, depth: int, before: int, undefined: bool, implicit: bool
) -> None:
    how = {"implicit": implicit}
    content = element(0x00091001, "UN", value, **how)
    path = "00091001"
    for _ in range(depth):
        items = [item(element(0x00080100, "SH", "CODE", **how))] * before + [
            item(content, undefined=undefined)
        ]
        content = sequence(0x00081115, items, undefined=undefined, **how)
        path = f"00081115/{before + 1}/{path}"
    content += element(0x00420011, "OB", b"%PDF", **how)
    syntax = "1.2.840.10008.1.2" if implicit else EXPLICIT
    found = find_value(
        BytesSource(content), path_of(path), transfer_syntax_uid=syntax, limits=WalkLimits()
    )
    assert found is not None
    assert content[found.offset : found.offset + found.length] == value


@given(st.text(max_size=30))
def test_a_path_is_read_or_refused(text: str) -> None:
    with suppress(Invalid):
        assert len(path_of(text)) % 2 == 1


def test_encapsulated_values_in_sequences_and_cut_words_are_left() -> None:
    icon = item(element(0x7FE00010, "OB", b"", length=UNDEFINED) + item(b"") + item(b"\1\2")
                + b"\xfe\xff\xdd\xe0\0\0\0\0")  # fmt: skip
    content = sequence(0x00880200, [icon])
    found = find_value(
        BytesSource(content),
        path_of("00880200/1/7FE00010"),
        transfer_syntax_uid=EXPLICIT,
        limits=WalkLimits(),
    )
    assert found is None
    assert swapped(b"\1\2\3", 2) == b"\2\1\3"


def test_a_video_is_its_stream(world: Any) -> None:
    url = world[1]["video"].url
    for path, how in (
        ("/rendered", "*/*"),
        ("/rendered", "video/*"),
        ("/frames/1", "video/mp4"),
        ("/frames/1", "*/*"),
        ("/bulkdata/7FE00010", "video/mp4"),
        ("/bulkdata/7FE00010?accept=video/mp4", "text/html"),
    ):
        answer = get(world, url + path, how)
        assert answer.status_code == 200, (path, how)
        assert answer.content_type.startswith("video/mp4")
        assert answer.data == STREAM
    across = get(world, url + "/rendered", "video/mp4", Range="bytes=990-1010")
    assert across.data == STREAM[990:1011]
    ((head, data),) = parts_of(get(world, url + "/frames/1", multipart("video/mp4")))
    assert (head["content-type"].partition(";")[0], data) == ("video/mp4", STREAM)
    assert get(world, url + "/frames/2", "video/mp4").status_code == 404
    still = get(world, url + "/rendered", "image/jpeg")
    assert still.status_code == 422  # no stream that can be decoded
    assert still.get_json()["code"] == "undecodable"


def test_metadata_comes_as_the_native_model_too(world: Any) -> None:
    url = f"/dicom-web/studies/{STUDY}/metadata"
    parts = parts_of(get(world, url, multipart("application/dicom+xml")))
    assert {head["content-type"] for head, _ in parts} == {"application/dicom+xml"}
    assert len(parts) == len(world[1])
    json = {h["00080018"]["Value"][0]: h for h in get(world, url, "application/json").get_json()}
    for _, document in parts:
        root = ElementTree.fromstring(document)
        assert root.tag == NATIVE_MODEL + "NativeDicomModel"
        uid = root.find(f"{NATIVE_MODEL}DicomAttribute[@tag='00080018']/{NATIVE_MODEL}Value")
        assert uid is not None
        header = json[str(uid.text)]
        assert [a.get("tag") for a in root] == sorted(header)
        uris = [bulk.get("uri") for bulk in root.iter(NATIVE_MODEL + "BulkData")]
        assert sorted(map(str, uris)) == sorted(addresses(header))
    name = [ElementTree.parse(io.BytesIO(d)).getroot() for _, d in parts][0].find(
        f".//{NATIVE_MODEL}Alphabetic"
    )
    assert name is not None
    assert [(part.tag.removeprefix(NATIVE_MODEL), part.text) for part in name] == [
        ("FamilyName", "NESS"),
        ("GivenName", "KARI"),
    ]


@pytest.mark.parametrize(
    ("query", "accept", "status"),
    [
        ("", "*/*", 200),
        ("", "application/json;q=0.1", 200),
        ("", 'multipart/related; type="application/dicom+json"', 406),
        ("", "application/dicom", 406),
        ("", "text/html", 406),
        ("?accept=application/dicom+json", "text/html", 200),
        ("?accept=application/dicom%2Bjson", "text/html", 200),
        ("?charset=utf-8", "*/*", 200),
        ("?charset=iso-8859-1", "*/*", 406),
    ],
)
def test_metadata_comes_in_what_is_taken(world: Any, query: str, accept: str, status: int) -> None:
    answer = get(world, world[1]["grey"].url + "/metadata" + query, accept)
    assert answer.status_code == status, answer.text
    if status == 200:
        assert answer.content_type == "application/dicom+json"


def test_the_native_model_holds_what_json_holds() -> None:
    document = dicom_xml.document(
        {
            "00100010": {"vr": "PN", "Value": [{"Alphabetic": "Å<^&", "Ideographic": "山^"}, None]},
            "00080008": {"vr": "CS", "Value": ["A", None, "C"]},
            "00091001": {"vr": "UN", "InlineBinary": "AQI="},
            "00090010": {"vr": "LO", "Value": ['MAKER "1"']},
            "00081115": {"vr": "SQ", "Value": [{"00080018": {"vr": "UI", "Value": ["1.2"]}}, {}]},
            "0040A160": {"vr": "UT", "Value": ["a\x00b\x1b"]},
            "00280010": {"vr": "US"},
        }
    )
    root = ElementTree.fromstring(document)
    by_tag = {a.get("tag"): a for a in root}
    assert by_tag["00091001"].get("privateCreator") == 'MAKER "1"'
    assert by_tag["00100010"].get("keyword") == "PatientName"
    assert [v.get("number") for v in by_tag["00080008"]] == ["1", "3"]
    assert [i.get("number") for i in by_tag["00081115"]] == ["1", "2"]
    assert by_tag["0040A160"][0].text == "a\ufffdb\ufffd"
    assert by_tag["00100010"].find(f".//{NATIVE_MODEL}FamilyName").text == "Å<"  # type: ignore[union-attr]
    assert list(by_tag["00280010"]) == []


def test_a_document_that_a_browser_would_run_comes_as_octets_only(world: Any) -> None:
    uid, syntax = f"{STUDY}.8.1", EXPLICIT
    _, content = retrieving.objects()["document"]
    for before, after in (
        (world[1]["document"].uid.encode(), uid.encode()),
        (b"application/pdf ", b"text/javascript "),
    ):
        assert before in content
        content = content.replace(before, after + b"\0" * (len(before) - len(after)))
    meta = retrieving.build_file_meta(
        sop_class_uid=retrieving.PDF, sop_instance_uid=uid, transfer_syntax_uid=syntax
    )
    world[0].parts.archive.receive_part10(meta + content, retrieving.ORIGIN)
    world[0].parts.archive.settle()
    url = world[1]["document"].url.replace(world[1]["document"].uid, uid)
    answer = get(world, url + "/bulkdata/00420011", "*/*")
    assert (answer.status_code, answer.content_type) == (200, OCTETS)
    assert get(world, url + "/bulkdata/00420011", "text/javascript").status_code == 406
    assert get(world, url + "/rendered", "*/*").status_code == 406
