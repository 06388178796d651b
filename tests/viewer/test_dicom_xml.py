"""The Native DICOM Model over every door: written and read back, searched for, sent by clients."""

from __future__ import annotations

from typing import Any

import pytest

from casework.workitems import work_item_uid
from tests.viewer.workitems import READER, TRANSACTION, URL, asked_state, study_in
from viewer.dicomweb import dicom_xml, native_xml

XML = "application/dicom+xml"
MANY = f'multipart/related; type="{XML}"'
JSON = "application/dicom+json"


def datasets(answer: Any) -> list[Any]:
    """Return the data sets of an answer in XML, as DICOM JSON."""
    assert answer.content_type.startswith(MANY), answer.content_type
    boundary = answer.content_type.partition("boundary=")[2].encode()
    found = []
    for part in answer.data.split(b"--" + boundary)[1:-1]:
        head, _, content = part.partition(b"\r\n\r\n")
        assert f"Content-Type: {XML}".encode() in head
        found.append(native_xml.read_xml(content[:-2]))
    return found


def test_what_is_written_is_read_back() -> None:
    dataset = {
        "00080005": {"vr": "CS", "Value": ["ISO_IR 192"]},
        "00090010": {"vr": "LO", "Value": ['MAKER <1> "&"']},
        "00091001": {"vr": "LO", "Value": ["own"]},
        "00091110": {"vr": "UN", "InlineBinary": "AQI="},
        "00090011": {"vr": "LO", "Value": ["OTHER"]},
        "00100010": {
            "vr": "PN",
            "Value": [
                {"Alphabetic": "Yamada^Tarou^^Dr", "Ideographic": "山田^太郎", "Phonetic": "やまだ"}
            ],
        },
        "00104000": {"vr": "LT", "Value": ["one\r\ntwo\tthree\n <b>&amp;</b>  "]},
        "00180050": {"vr": "DS", "Value": [1.25]},
        "00280010": {"vr": "US", "Value": [512]},
        "00281052": {"vr": "DS"},
        "00400275": {"vr": "SQ", "Value": [{"00400007": {"vr": "LO", "Value": ["A", None, "B"]}}]},
        "7FE00010": {"vr": "OW", "BulkDataURI": 'http://x/?a=1&b="2"'},
    }
    written = dicom_xml.document(dataset)
    back = native_xml.read_xml(written)
    assert back.pop("00180050")["Value"] == ["1.25"]  # a DS is a text there
    assert back == {k: v for k, v in dict(sorted(dataset.items())).items() if k != "00180050"}


def test_what_xml_cannot_hold_is_replaced_and_not_left_to_break_the_document() -> None:
    broken = {"00104000": {"vr": "LT", "Value": ["a\x00\x1b\x0c\ud800\ufffeb"]}}
    assert native_xml.read_xml(dicom_xml.document(broken)) == {
        "00104000": {"vr": "LT", "Value": ["a" + "\ufffd" * 5 + "b"]}
    }


@pytest.mark.parametrize("path", ["studies", "series", "instances"])
def test_a_search_answers_in_xml_what_it_answers_in_json(world: Any, path: str) -> None:
    world.store("hammer")
    world.store("hammer", SOPInstanceUID="1.2.826.0.1.2", InstanceNumber=2)
    client = world.client("referrer@hammer")
    url = f"/dicom-web/{path}"
    told = client.get(url, headers={"Accept": JSON}).get_json(force=True)
    found = datasets(client.get(url, headers={"Accept": MANY}))
    assert [each["0020000D"] for each in found] == [each["0020000D"] for each in told]
    assert [each.keys() for each in found] == [each.keys() for each in told]
    assert found[0]["00100010"] == told[0]["00100010"] if path == "studies" else found


@pytest.mark.parametrize("url", ["/dicom-web/studies?PatientID=nobody", f"{URL}?PatientID=nobody"])
def test_nothing_that_matches_is_no_content_in_xml(world: Any, url: str) -> None:
    client = world.client("referrer@hammer")
    answer = client.get(url, headers={"Accept": MANY})
    assert (answer.status_code, answer.data) == (204, b"")
    assert client.get(url, headers={"Accept": JSON}).get_json(force=True) == []


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("*/*", JSON),
        (f"{MANY}, {JSON};q=0.5", MANY),
        (f"{MANY};q=0.2, {JSON}", JSON),
        (f"{XML}, {JSON};q=0.1", JSON),
        ("text/html", None),
        (f"{JSON};q=0", None),
    ],
)
@pytest.mark.parametrize("url", ["/dicom-web/studies", URL])
def test_the_form_is_the_one_that_is_wanted_most(
    world: Any, url: str, accept: str, kind: str | None
) -> None:
    study_in(world)
    answer = world.client(READER).get(url, headers={"Accept": accept})
    assert answer.status_code == (200 if kind else 406)
    if kind:
        assert answer.content_type.startswith(kind)


def test_a_work_item_is_told_searched_for_and_claimed_in_xml(world: Any) -> None:
    case_id = study_in(world, PatientName="Ås^Kari")
    client, uid = world.client(READER), work_item_uid(case_id)
    (found,) = datasets(client.get(URL, headers={"Accept": MANY}))
    assert found["00080018"]["Value"] == [uid]
    answer = client.get(f"{URL}/{uid}", headers={"Accept": XML})
    assert answer.content_type == XML
    assert native_xml.read_xml(answer.data)["00100010"]["Value"] == [{"Alphabetic": "Ås^Kari"}]
    body = dicom_xml.document(asked_state("IN PROGRESS", TRANSACTION))
    claim = client.put(f"{URL}/{uid}/state", data=body, content_type=XML)
    assert claim.status_code == 200, claim.text
    told = client.get(f"{URL}/{uid}").get_json(force=True)
    assert told["00741000"]["Value"] == ["IN PROGRESS"]
    for wrong in (b"<NativeDicomModel>", b"<!DOCTYPE x><NativeDicomModel/>", b"{}"):
        refused = client.put(f"{URL}/{uid}/state", data=wrong, content_type=XML)
        assert refused.status_code == 400
