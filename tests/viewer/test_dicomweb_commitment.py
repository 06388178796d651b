"""Storage commitment over the web (PS3.18 chapter 13): asked for, waited for, fetched, refused."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from pydicom.uid import CTImageStorage

from lysbro.committing import Committer
from storage.commitment_requests import MAX_OPEN
from storage.commitment_rows import OVER_WEB, Asked
from storage.mover import Mover
from storage.objects import FolderStore
from viewer.dicomweb import dicom_xml, native_xml

STUDY, SERIES, INSTANCE = "1.2.826.0.1", "1.2.826.0.1.0", "1.2.826.0.1.1"
MISSING = "1.2.826.0.9.9"
URL = "/dicom-web/commitment-requests/1.2.3.4"
JSON = {"Content-Type": "application/dicom+json"}


def item(uid: str, sop_class: str = CTImageStorage) -> dict[str, Any]:
    return {
        "00081150": {"vr": "UI", "Value": [sop_class]},
        "00081155": {"vr": "UI", "Value": [uid]},
    }


def flat(*uids: str) -> dict[str, Any]:
    return {"00081199": {"vr": "SQ", "Value": [item(uid) for uid in uids]}}


def sequence(*items: Mapping[str, Any]) -> dict[str, Any]:
    return {"vr": "SQ", "Value": list(items)}


def by_study(*uids: str) -> dict[str, Any]:
    named = [{"00081155": {"vr": "UI", "Value": [uid]}} for uid in uids]
    of_class = {
        "00081150": {"vr": "UI", "Value": [CTImageStorage]},
        "0008114A": sequence(*named),
    }
    series = {"0020000E": {"vr": "UI", "Value": [SERIES]}, "00081112": sequence(of_class)}
    study = {"0020000D": {"vr": "UI", "Value": [STUDY]}, "00081115": sequence(series)}
    return {"00081110": sequence(study)}


def work(world: Any) -> None:
    """Let the worker pack what is quiet and look at what is asked."""
    Mover(world.parts.archive, quiet_s=0).run_once(world.parts.clock() + timedelta(seconds=1))
    while Committer(world.parts).look():
        pass


def uids_in(answer: Any, tag: str) -> list[str]:
    found = answer.get_json(force=True).get(tag, {"Value": []})["Value"]
    return [each["00081155"]["Value"][0] for each in found]


def test_instance_is_committed_once_it_was_read_back_from_the_store(world: Any) -> None:
    world.store("hammer")
    client = world.client("referrer@hammer")
    asked = client.post(URL, json=flat(INSTANCE), headers=JSON)
    assert (asked.status_code, asked.data) == (202, b"")
    assert int(asked.headers["Retry-After"]) >= 1
    assert asked.headers["Location"].endswith(URL)
    assert client.get(URL).status_code == 202
    work(world)
    answer = client.get(URL)
    assert (answer.status_code, answer.content_type) == (200, "application/dicom+json")
    assert uids_in(answer, "00081199") == [INSTANCE]
    assert "00081198" not in answer.get_json(force=True)
    assert client.get(URL).data == answer.data  # it stays
    assert world.audit("commitment-requested")


def test_bytes_that_are_damaged_in_the_store_are_not_committed(world: Any) -> None:
    world.store("hammer")
    Mover(world.parts.archive, quiet_s=0).run_once(world.parts.clock() + timedelta(seconds=1))
    store = world.parts.store
    assert isinstance(store, FolderStore)
    (pack,) = (world.parts.settings.data / "store").rglob("*.zip")
    data = pack.read_bytes()
    pixels = bytes(range(32))
    assert pixels in data
    pack.chmod(0o600)
    pack.write_bytes(data.replace(pixels, bytes(32)))
    client = world.client("referrer@hammer")
    client.post(URL, json=flat(INSTANCE), headers=JSON)
    work(world)
    answer = client.get(URL)
    assert answer.status_code == 200
    (failed,) = answer.get_json(force=True)["00081198"]["Value"]
    assert failed["00081197"]["Value"] == [0x0110]


def test_what_never_came_fails_and_is_told_apart(world: Any, monkeypatch: Any) -> None:
    world.store("hammer")
    client = world.client("referrer@hammer")
    client.post(URL, json=flat(INSTANCE, MISSING), headers=JSON)
    work(world)
    assert client.get(URL).status_code == 202  # it may come yet
    now = world.parts.clock()
    monkeypatch.setattr(world.parts.commitments, "clock", lambda: now + timedelta(hours=2))
    work(world)
    answer = client.get(URL)
    assert uids_in(answer, "00081199") == [INSTANCE]
    assert uids_in(answer, "00081198") == [MISSING]
    assert answer.get_json(force=True)["00081198"]["Value"][0]["00081197"]["Value"] == [0x0112]


def test_what_is_named_by_study_is_answered_by_study(world: Any) -> None:
    world.store("hammer")
    client = world.client("referrer@hammer")
    assert client.post(URL, json=[by_study(INSTANCE)], headers=JSON).status_code == 202
    work(world)
    assert client.get(URL).get_json(force=True) == by_study(INSTANCE)


def test_xml_is_taken_and_given(world: Any) -> None:
    world.store("hammer")
    client = world.client("referrer@hammer")
    xml = "application/dicom+xml"
    asked = client.post(URL, data=dicom_xml.document(flat(INSTANCE)), headers={"Content-Type": xml})
    assert asked.status_code == 202
    work(world)
    answer = client.get(URL, headers={"Accept": xml})
    assert answer.content_type == xml
    assert native_xml.read_xml(answer.data) == flat(INSTANCE)


def test_transaction_uid_is_used_once(world: Any) -> None:
    world.store("hammer")
    client = world.client("referrer@hammer")
    assert client.post(URL, json=flat(INSTANCE), headers=JSON).status_code == 202
    assert client.post(URL, json=flat(INSTANCE), headers=JSON).status_code == 409
    berg = world.client("referrer@berg")
    assert berg.post(URL, json=flat(INSTANCE), headers=JSON).status_code == 202


def test_only_ones_own_sites_objects_count_and_only_ones_own_requests_are_seen(world: Any) -> None:
    world.store("hammer")
    hammer, berg = world.client("referrer@hammer"), world.client("referrer@berg")
    hammer.post(URL, json=flat(INSTANCE), headers=JSON)
    assert berg.get(URL).status_code == 404
    assert world.client("radiologist@centre").get(URL).status_code == 404
    berg.post(URL, json=flat(INSTANCE), headers=JSON)
    work(world)
    assert hammer.get(URL).status_code == 200
    assert berg.get(URL).status_code == 202  # for berg it is one that has not come


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        ({}, JSON, 400),
        ({"00081199": {"vr": "SQ"}}, JSON, 400),
        (flat("no uid"), JSON, 400),
        ({"00081199": {"vr": "SQ", "Value": ["x"]}}, JSON, 400),
        ({"00081199": 7}, JSON, 400),
        (flat(INSTANCE) | by_study(INSTANCE), JSON, 400),
        ({"00081110": sequence({"0020000D": {"vr": "UI", "Value": ["1.2"]}})}, JSON, 400),
        ([flat(INSTANCE), flat(INSTANCE)], JSON, 400),
        (flat(INSTANCE), {"Content-Type": "text/plain"}, 415),
        (flat(INSTANCE), {**JSON, "Content-Encoding": "gzip"}, 415),
        (flat(INSTANCE), {**JSON, "Accept": "image/jpeg"}, 406),
    ],
)
def test_request_that_cannot_be_read_is_refused(
    shared_world: Any, body: Any, headers: dict[str, str], status: int
) -> None:
    url = "/dicom-web/commitment-requests/1.2.3.5"
    client = shared_world.client("referrer@hammer")
    assert client.post(url, json=body, headers=headers).status_code == status
    assert client.get(url).status_code == 404


def test_address_that_is_no_uid_is_refused(shared_world: Any) -> None:
    client = shared_world.client("referrer@hammer")
    url = "/dicom-web/commitment-requests/abc"
    assert client.post(url, json=flat(INSTANCE), headers=JSON).status_code == 400
    assert client.post(URL, data=b"{", headers=JSON).status_code == 400


def test_too_many_open_requests_are_put_off(world: Any, monkeypatch: Any) -> None:
    assert MAX_OPEN == 1000
    monkeypatch.setattr("storage.commitment_requests.MAX_OPEN", 1)
    client = world.client("referrer@hammer")
    assert client.post(URL, json=flat(MISSING), headers=JSON).status_code == 202
    answer = client.post(URL + ".1", json=flat(MISSING), headers=JSON)
    assert answer.status_code == 503
    assert answer.headers["Retry-After"]


def test_nobody_is_called_about_it(world: Any) -> None:
    world.store("hammer")
    world.client("referrer@hammer").post(URL, json=flat(INSTANCE), headers=JSON)
    work(world)
    assert world.parts.commitments.lease_report(lease_s=60) is None
    assert world.parts.commitments.counts()["reported"] == 1
    assert Asked("hammer", OVER_WEB, "", "1", ()).ae_title == ""
