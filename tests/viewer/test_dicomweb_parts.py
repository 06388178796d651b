"""The pure parts of DICOMweb: multipart bodies, the JSON model, the Accept header."""

import io
from datetime import UTC, datetime

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st

from casework.errors import Invalid
from viewer.dicomweb import accept, dicom_json
from viewer.dicomweb.accept import Wanted
from viewer.dicomweb.multipart import new_boundary, read_parts, write_parts
from viewer.dicomweb.recent import WINDOW, Recent


class Dribble:
    """Gives a few bytes at a time, as a slow network does."""

    def __init__(self, data, step):
        self._file, self._step = io.BytesIO(data), step

    def read(self, size=-1, /):
        return self._file.read(self._step)


def read_all(body, boundary, step=7):
    return [(p.media_type, p.file.read()) for p in read_parts(Dribble(body, step), boundary)]


@given(
    parts=st.lists(st.binary(max_size=300), min_size=1, max_size=4),
    step=st.integers(min_value=1, max_value=64),
)
def test_what_is_written_is_read_again(parts, step):
    boundary = new_boundary()
    body = b"".join(
        write_parts(boundary, [("Content-Type: application/dicom", [p]) for p in parts])
    )
    assert read_all(body, boundary, step) == [("application/dicom", p) for p in parts]


def test_delimiters_inside_content_that_are_not_whole_do_not_end_a_part():
    content = b"\r\n--boun\r\n-\r\n--\r\n--bounda"
    body = b"preamble\r\n--boundary\r\nContent-Type: application/dicom\r\n\r\n" + content
    body += b"\r\n--boundary--\r\nepilogue"
    assert read_all(body, "boundary", 3) == [("application/dicom", content)]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"--b\r\nContent-Type: x\r\n\r\nabc",
        b"--b\r\nContent-Type",
        b"no boundary at all",
        b"--b",
    ],
)
def test_body_that_is_cut_off_is_refused(body):
    with pytest.raises(Invalid):
        read_all(body, "b")


def test_header_of_a_part_has_a_limit():
    with pytest.raises(Invalid):
        read_all(b"--b\r\nX: " + b"a" * 100_000, "b", 4096)


def test_to_json_gives_each_vr_its_form():
    found = dicom_json.to_json(
        {
            "PatientName": "Yamada^Tarou=山田^太郎=やまだ^たろう",
            "Rows": 4,
            "PixelSpacing": [0.5, 0.25],
            "ImageType": "ORIGINAL\\PRIMARY",
            "StudyDescription": "",
            "InstanceNumber": "12",
            "AnatomicRegionSequence": [{"CodeValue": "T-1"}],
            "NoSuchKeyword": 1,
        }
    )
    assert found == {
        "00080008": {"vr": "CS", "Value": ["ORIGINAL", "PRIMARY"]},
        "00081030": {"vr": "LO"},
        "00082218": {"vr": "SQ", "Value": [{"00080100": {"vr": "SH", "Value": ["T-1"]}}]},
        "00100010": {
            "vr": "PN",
            "Value": [
                {
                    "Alphabetic": "Yamada^Tarou",
                    "Ideographic": "山田^太郎",
                    "Phonetic": "やまだ^たろう",
                }
            ],
        },
        "00200013": {"vr": "IS", "Value": [12]},
        "00280010": {"vr": "US", "Value": [4]},
        "00280030": {"vr": "DS", "Value": [0.5, 0.25]},
    }


@pytest.mark.parametrize(
    ("name", "keyword"),
    [("PatientID", "PatientID"), ("00100020", "PatientID"), ("Nonsense", ""), ("0010002", "")],
)
def test_keyword_of(name, keyword):
    assert dicom_json.keyword_of(name) == keyword


@pytest.mark.parametrize(
    ("header", "first"),
    [
        (None, Wanted(False, "*/*", "")),
        ("application/dicom", Wanted(False, "application/dicom", "")),
        (
            'multipart/related; type="application/dicom"; transfer-syntax=*',
            Wanted(True, "application/dicom", "*"),
        ),
        ('text/html;q=0.1, multipart/related; type="image/jls"', Wanted(True, "image/jls", "")),
        ("multipart/related", Wanted(True, "*/*", "")),
    ],
)
def test_accept(header, first):
    headers = {} if header is None else {"Accept": header}
    with Flask("test").test_request_context("/", headers=headers):
        assert accept.wanted()[0] == first


def test_recent_forgets_after_its_window_and_stays_bounded():
    seen, start = Recent(), datetime(2026, 1, 1, tzinfo=UTC)
    assert seen.is_first("a", start)
    assert not seen.is_first("a", start + WINDOW / 2)
    assert seen.is_first("a", start + WINDOW)
    assert all(seen.is_first(n, start) for n in range(20_000))
    assert len(seen._seen) <= 10_000
