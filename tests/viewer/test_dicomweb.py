"""DICOMweb over HTTP: what is stored is found, and comes back as it was sent."""

import io
import os

import pydicom
import pytest
from werkzeug.http import parse_options_header

from viewer.dicomweb.multipart import read_parts

STUDY, SERIES = "1.2.826.0.1", "1.2.826.0.1.0"
INSTANCE = "1.2.826.0.1.1"
URL = f"/dicom-web/studies/{STUDY}/series/{SERIES}/instances/{INSTANCE}"


@pytest.fixture(scope="module")
def stored(shared_world):
    """Return the world with two slices of one series and one slice of another site."""
    first = shared_world.store("hammer")
    shared_world.store("hammer", SOPInstanceUID="1.2.826.0.1.2", InstanceNumber=2)
    uids = {"StudyInstanceUID": "1.9", "SeriesInstanceUID": "1.9.1", "SOPInstanceUID": "1.9.1.1"}
    shared_world.store("berg", **uids, PatientID="berg-1", PatientName="Berg^Bo", Modality="CR")
    return shared_world, first


def parts_of(answer):
    kind, options = parse_options_header(answer.headers["Content-Type"])
    assert kind == "multipart/related"
    body = io.BytesIO(answer.get_data())
    return options, [(p.media_type, p.file.read()) for p in read_parts(body, options["boundary"])]


def uids(found, tag):
    return [match[tag]["Value"][0] for match in found]


def test_studies_of_ones_own_sight_only(stored):
    world, _ = stored
    url = "/dicom-web/studies"
    assert uids(world.client("referrer@hammer").get(url).get_json(), "0020000D") == [STUDY]
    assert uids(world.client("referrer@berg").get(url).get_json(), "0020000D") == ["1.9"]
    both = world.client("radiologist@centre").get(url).get_json()
    assert sorted(uids(both, "0020000D")) == [STUDY, "1.9"]


def test_study_has_the_attributes_of_the_standard(stored):
    world, _ = stored
    answer = world.client("referrer@hammer").get("/dicom-web/studies")
    assert answer.content_type == "application/dicom+json"
    match = answer.get_json()[0]
    assert match["00100010"]["Value"][0]["Alphabetic"].startswith("<script>")
    assert match["00080061"] == {"vr": "CS", "Value": ["CT"]}
    assert match["00201206"] == {"vr": "IS", "Value": [1]}
    assert match["00201208"] == {"vr": "IS", "Value": [2]}
    assert match["00081190"]["Value"][0].endswith(f"/dicom-web/studies/{STUDY}")


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("PatientID=hammer-1", 1),
        ("00100020=hammer-1", 1),
        ("PatientID=other", 0),
        ("PatientID=hammer*", 1),
        ("StudyDate=20260101-20260131", 1),
        ("StudyDate=20250101-20250131", 0),
        ("ModalitiesInStudy=CT", 1),
        ("ModalitiesInStudy=MR", 0),
        (f"StudyInstanceUID={STUDY},1.9", 1),
        ("limit=0", 0),
        ("offset=1", 0),
        ("includefield=all&includefield=StudyComments", 1),
    ],
)
def test_study_search(stored, query, count):
    world, _ = stored
    answer = world.client("referrer@hammer").get(f"/dicom-web/studies?{query}")
    assert answer.status_code == 200, answer.text
    assert len(answer.get_json()) == count


@pytest.mark.parametrize("query", ["Nonsense=1", "limit=x", "offset=-1"])
def test_search_that_makes_no_sense_is_refused(stored, query):
    world, _ = stored
    answer = world.client("referrer@hammer").get(f"/dicom-web/studies?{query}")
    assert answer.status_code == 400


def test_more_matches_than_asked_for_are_announced(stored):
    world, _ = stored
    answer = world.client("radiologist@centre").get("/dicom-web/studies?limit=1")
    assert len(answer.get_json()) == 1
    assert answer.headers["Warning"].startswith("299 ")


def test_series_and_instances(stored):
    world, _ = stored
    client = world.client("referrer@hammer")
    series = client.get(f"/dicom-web/studies/{STUDY}/series").get_json()
    assert uids(series, "0020000E") == [SERIES]
    assert series[0]["00201209"]["Value"] == [2]
    found = client.get(f"/dicom-web/studies/{STUDY}/series/{SERIES}/instances").get_json()
    assert sorted(uids(found, "00080018")) == [INSTANCE, "1.2.826.0.1.2"]
    assert found[0]["00280010"] == {"vr": "US", "Value": [4]}
    assert len(client.get(f"/dicom-web/studies/{STUDY}/instances").get_json()) == 2
    assert len(client.get("/dicom-web/instances?Modality=CT").get_json()) == 2
    assert client.get("/dicom-web/series?Modality=CR").get_json() == []


@pytest.mark.parametrize(
    "accept", ["*/*", 'multipart/related; type="application/dicom"; transfer-syntax=*']
)
def test_instance_comes_back_as_it_was_sent(stored, accept):
    world, first = stored
    answer = world.client("referrer@hammer").get(URL, headers={"Accept": accept})
    options, parts = parts_of(answer)
    assert options["type"] == "application/dicom"
    assert [media_type for media_type, _ in parts] == ["application/dicom"]
    assert pydicom.dcmread(io.BytesIO(parts[0][1])) == first


def test_one_instance_may_come_alone(stored):
    world, first = stored
    answer = world.client("referrer@hammer").get(URL, headers={"Accept": "application/dicom"})
    assert answer.content_type == "application/dicom; transfer-syntax=1.2.840.10008.1.2.1"
    assert pydicom.dcmread(io.BytesIO(answer.get_data())) == first


@pytest.mark.parametrize(
    "url", [f"/dicom-web/studies/{STUDY}", f"/dicom-web/studies/{STUDY}/series/{SERIES}"]
)
def test_study_and_series_come_whole(stored, url):
    world, _ = stored
    _, parts = parts_of(world.client("referrer@hammer").get(url))
    found = [pydicom.dcmread(io.BytesIO(data)).SOPInstanceUID for _, data in parts]
    assert sorted(found) == [INSTANCE, "1.2.826.0.1.2"]
    assert world.audit("images-retrieved")


@pytest.mark.parametrize(
    "accept",
    [
        "image/png",
        'multipart/related; type="application/dicom"; transfer-syntax=1.2.840.10008.1.2.4.50',
    ],
)
def test_form_that_there_is_not_is_refused(stored, accept):
    world, _ = stored
    assert world.client("referrer@hammer").get(URL, headers={"Accept": accept}).status_code == 406


def test_metadata_is_the_header_without_pixels(stored):
    world, _ = stored
    answer = world.client("referrer@hammer").get(f"/dicom-web/studies/{STUDY}/metadata")
    assert answer.content_type == "application/dicom+json"
    found = answer.get_json()
    assert len(found) == 2
    assert found[0]["00280010"] == {"vr": "US", "Value": [4]}
    assert found[0]["0020000D"]["Value"] == [STUDY]
    assert found[0]["7FE00010"]["BulkDataURI"].endswith(f"{URL}/bulkdata/7FE00010")


def test_frames_come_as_they_are_stored(stored):
    world, first = stored
    client = world.client("referrer@hammer")
    accept = {"Accept": 'multipart/related; type="application/octet-stream"'}
    options, parts = parts_of(client.get(f"{URL}/frames/1", headers=accept))
    assert options["type"] == "application/octet-stream"
    assert parts == [("application/octet-stream", first.PixelData)]
    single = client.get(f"{URL}/frames/1", headers={"Accept": "application/octet-stream"})
    assert single.get_data() == first.PixelData


@pytest.mark.parametrize(("frames", "status"), [("2", 404), ("0", 404), ("1,x", 400)])
def test_frame_that_is_not_there(stored, frames, status):
    world, _ = stored
    assert world.client("referrer@hammer").get(f"{URL}/frames/{frames}").status_code == status


def post(client, bodies, *, url="/dicom-web/studies", media_type="application/dicom", **kwargs):
    boundary = "some-boundary"
    head = f"--{boundary}\r\nContent-Type: {media_type}\r\n\r\n".encode()
    data = b"".join(head + body + b"\r\n" for body in bodies) + f"--{boundary}--\r\n".encode()
    content_type = f'multipart/related; type="application/dicom"; boundary={boundary}'
    return client.post(url, data=data, content_type=content_type, **kwargs)


def test_store_answers_when_the_object_can_be_found(world, part10_slice):
    client = world.client("referrer@hammer")
    answer = post(client, [part10_slice(), part10_slice(SOPInstanceUID="1.2.826.0.1.2")])
    assert answer.status_code == 200, answer.text
    body = answer.get_json()
    assert body["00081190"]["Value"][0].endswith(f"/dicom-web/studies/{STUDY}")
    stored = body["00081199"]["Value"]
    assert uids(stored, "00081155") == [INSTANCE, "1.2.826.0.1.2"]
    assert "00081198" not in body
    assert len(client.get(f"/dicom-web/studies/{STUDY}/instances").get_json()) == 2
    custody = client.get(f"/api/instances/{INSTANCE}/custody").get_json()["custody"]
    assert custody[0]["detail"]["door"] == "stow"


def test_store_in_part_is_202_with_the_reason(world, part10_slice):
    broken = part10_slice(SOPInstanceUID="1.2.826.0.1.3")[:-20]
    answer = post(world.client("referrer@hammer"), [part10_slice(), broken, b"no DICOM at all"])
    assert answer.status_code == 202
    body = answer.get_json()
    assert uids(body["00081199"]["Value"], "00081155") == [INSTANCE]
    failed = body["00081198"]["Value"]
    assert uids(failed, "00081155") == ["1.2.826.0.1.3"]
    assert uids(failed, "00081197") == [0xC000]
    assert uids(body["0008119A"]["Value"], "00081197") == [0xC000]


def test_store_of_nothing_that_can_be_kept_is_409(world):
    answer = post(world.client("referrer@hammer"), [b"no DICOM at all"])
    assert answer.status_code == 409
    assert "00081199" not in answer.get_json()
    assert world.client("referrer@hammer").get("/dicom-web/studies").get_json() == []


def test_store_refuses_an_object_of_another_study(world, part10_slice):
    answer = post(world.client("referrer@hammer"), [part10_slice()], url="/dicom-web/studies/1.2.3")
    assert answer.status_code == 409
    assert uids(answer.get_json()["00081198"]["Value"], "00081155") == [INSTANCE]


def test_store_of_a_single_object_without_multipart(world, part10_slice):
    client = world.client("referrer@hammer")
    answer = client.post(
        f"/dicom-web/studies/{STUDY}", data=part10_slice(), content_type="application/dicom"
    )
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(
    "content_type", ["application/json", 'multipart/related; type="image/jpeg"; boundary=b']
)
def test_store_of_another_form_is_415(world, content_type):
    client = world.client("referrer@hammer")
    answer = client.post("/dicom-web/studies", data=b"{}", content_type=content_type)
    assert answer.status_code == 415


def test_store_of_an_empty_or_cut_body_is_400(world, part10_slice):
    client = world.client("referrer@hammer")
    content_type = 'multipart/related; type="application/dicom"; boundary=b'
    for data in (b"", b"--b\r\nContent-Type: application/dicom\r\n\r\nabc"):
        answer = client.post("/dicom-web/studies", data=data, content_type=content_type)
        assert answer.status_code == 400


def test_store_may_be_larger_than_a_form_upload(world, part10_slice):
    large = part10_slice(Rows=1024, Columns=1024, PixelData=bytes(2 << 20))
    answer = post(world.client("referrer@hammer"), [large])
    assert answer.status_code == 200, answer.text


def test_same_uid_of_two_sites_stays_two_objects(world, part10_slice):
    post(world.client("referrer@hammer"), [part10_slice(PatientID="h")])
    post(world.client("referrer@berg"), [part10_slice(PatientID="b")])
    for site, number in (("hammer", "h"), ("berg", "b")):
        answer = world.client(f"referrer@{site}").get(URL, headers={"Accept": "application/dicom"})
        assert pydicom.dcmread(io.BytesIO(answer.get_data())).PatientID == number


def test_series_read_frame_by_frame_is_one_entry_of_the_audit(stored):
    world, _ = stored
    client = world.client("coordinator@centre")
    for instance in (INSTANCE, "1.2.826.0.1.2"):
        url = f"/dicom-web/studies/{STUDY}/series/{SERIES}/instances/{instance}/frames/1"
        assert client.get(url).status_code == 200
    entries = [e for e in world.audit("frames-retrieved") if e.actor_name == "coordinator centre"]
    assert [(e.subject, e.detail) for e in entries] == [(STUDY, {"series": SERIES})]


@pytest.mark.parametrize(
    ("path", "accept"),
    [
        ("", "application/dicom"),
        ("", 'multipart/related; type="application/dicom"'),
        ("", "application/dicom; transfer-syntax=1.2.840.10008.1.2.5"),
        ("/frames/1", "application/octet-stream"),
        ("/frames/1", "*/*"),
        ("/bulkdata/7FE00010", "application/octet-stream"),
        ("/metadata", "application/dicom+json"),
        ("/rendered", "image/png"),
        ("/thumbnail", "image/jpeg"),
    ],
)
def test_what_cannot_be_read_is_told_before_anything_goes_out(world, path, accept):
    world.store("hammer")
    for segment in (world.parts.archive.data / "spool").rglob("*"):
        if segment.is_file():
            os.truncate(segment, 0)
    answer = world.client("referrer@hammer").get(URL + path, headers={"Accept": accept})
    assert answer.status_code == 503, answer.text
    assert answer.headers["Retry-After"]
