"""Photographs over the API: what their objects refer to, which device took them, in which words."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from typing import Any

import pydicom
import pytest
from pydicom.dataset import FileDataset

from casework.access import Scope
from casework.identifiers import derived_uid
from derm_capture import validate
from lysbro.photographs import PhotoIntake
from tests.derm_capture import pictures
from tests.viewer.conftest import World
from tests.viewer.test_pages import page, signed_in, submit

ALL = Scope(sites=None, specialties=None, own_site="fjord")
ARM, CHIN = "41550009", "23747009"
SCOPE = {
    "name": "DL5", "kind": "dermatoscope", "manufacturer": "Dermlite", "model": "DL5",
    "serial": "A-17", "software": "none", "contact": "CONTACT", "immersion": "ALCOHOL",
    "polarization": "POLARIZED", "magnification": 10,
}  # fmt: skip
Take = Callable[..., FileDataset]


@pytest.fixture
def taking(world: World) -> Take:
    """Give what takes a photograph in a case and returns its object."""
    client = world.client("referrer@fjord")
    seeds = iter(range(1000))

    def take(case_id: str, kind: str, **given: str) -> FileDataset:
        fields = {"kind": kind, "site_code": ARM, "laterality": "L", **given}
        picture = pictures.jpeg(pictures.skin(seed=next(seeds)))
        answer = client.post(
            f"/api/cases/{case_id}/photos",
            data={**fields, "photo": (io.BytesIO(picture), "photo.jpg")},
        )
        assert answer.status_code == 201, answer.text
        return object_of(world, answer.get_json()["sop_instance_uid"])

    return take


def object_of(world: World, uid: str) -> FileDataset:
    row = world.parts.index.instance(ALL, uid)
    return pydicom.dcmread(io.BytesIO(world.parts.archive.read_part10(row)))


def referred(ds: FileDataset) -> list[str]:
    return [str(i.ReferencedSOPInstanceUID) for i in ds.get("ReferencedImageSequence") or []]


def is_sound(world: World, case_id: str) -> bool:
    """Hold each object of a case against the own check, within its study."""
    rows = world.parts.index.instances_of(ALL, derived_uid("study", case_id), site="fjord")
    known = {row.sop_instance_uid for row in rows}
    return all(
        validate.check(world.parts.archive.read_part10(row), known=known) == () for row in rows
    )


def test_pictures_of_one_lesion_refer_to_each_other_and_to_no_other(
    world: World, taking: Take
) -> None:
    case_id = world.derm_case()
    early = taking(case_id, "closeup")
    overview = taking(case_id, "overview")
    near = taking(case_id, "dermoscopic")
    other = taking(case_id, "closeup", lesion="B")
    elsewhere = taking(case_id, "closeup", site_code=CHIN, laterality="")
    retaken = taking(case_id, "overview")
    last = taking(case_id, "closeup")
    assert referred(early) == []
    assert referred(overview) == [early.SOPInstanceUID]
    assert referred(near) == [overview.SOPInstanceUID]
    assert referred(other) == referred(elsewhere) == []
    assert referred(retaken) == [early.SOPInstanceUID, near.SOPInstanceUID]
    assert referred(last) == [retaken.SOPInstanceUID]
    objects = (early, overview, near, other, elsewhere, retaken, last)
    assert [ds.InstanceNumber for ds in objects] == list(range(1, 8))
    by_series = {ds.SeriesInstanceUID: ds.SeriesNumber for ds in objects}
    assert len(by_series) == len(set(by_series.values())) == 4
    assert is_sound(world, case_id)


def test_pictures_of_another_case_of_the_same_patient_are_not_referred_to(
    world: World, taking: Take
) -> None:
    taking(world.derm_case(), "overview", lesion="A")
    assert referred(taking(world.derm_case(), "closeup", lesion="A")) == []


def test_photograph_that_was_stored_and_not_noted_comes_out_the_same_again(
    world: World, taking: Take, monkeypatch: pytest.MonkeyPatch
) -> None:
    case_id = world.derm_case()
    client = world.client("referrer@fjord")
    data = pictures.jpeg(pictures.skin(seed=77))
    fields = {"kind": "closeup", "site_code": ARM, "laterality": "L", "capture_id": "once"}
    url = f"/api/cases/{case_id}/photos"

    def post() -> int:
        form = {**fields, "photo": (io.BytesIO(data), "photo.jpg")}
        return client.post(url, data=form).status_code

    def dies(*_: Any) -> None:
        raise RuntimeError("the power went")

    with monkeypatch.context() as dying:
        dying.setattr(type(world.parts.casebook), "note_capture", dies)
        assert post() == 500
    taking(case_id, "overview")  # and the answers change as well
    client.put(f"/api/cases/{case_id}/referral", json={"clinical": {"skin_type": "5"}})
    assert post() == 201
    assert world.parts.index.conflicts() == []
    assert len(client.get(url).get_json()["photos"]) == 2
    assert is_sound(world, case_id)


def test_device_is_enrolled_by_its_site_and_named_by_the_picture(
    world: World, taking: Take
) -> None:
    client = world.client("referrer@fjord")
    made = client.post("/api/devices", json=SCOPE)
    assert made.status_code == 201, made.text
    device = made.get_json()
    assert (device["site"], device["in_use"]) == ("fjord", True)
    listed = client.get("/api/devices").get_json()["devices"]
    assert [each["id"] for each in listed] == [device["id"]]
    case_id = world.derm_case()
    ds = taking(case_id, "dermoscopic", device=str(device["id"]))
    assert (ds.Manufacturer, ds.DeviceSerialNumber) == ("Dermlite", "A-17")
    assert (ds.LightSourcePolarization, ds.ContactMethod, ds.ImmersionMedia) == (
        "POLARIZED", "CONTACT", "ALCOHOL",
    )  # fmt: skip
    assert ds.OpticalMagnificationFactor == 10
    assert is_sound(world, case_id)
    retired = client.post(f"/api/devices/{device['id']}/retire", json={})
    assert retired.get_json()["in_use"] is False
    assert client.post(f"/api/devices/{device['id']}/retire", json={}).status_code == 200
    assert client.get("/api/devices").get_json()["devices"] == []
    assert [len(world.audit(action)) for action in ("device-added", "device-retired")] == [1, 1]


@pytest.mark.parametrize(
    ("who", "status"),
    [("admin@fjord", 201), ("dermatologist@centre", 403), ("coordinator@centre", 403)],
)
def test_only_those_who_refer_or_administer_enrol_devices(
    world: World, who: str, status: int
) -> None:
    assert world.client(who).post("/api/devices", json=SCOPE).status_code == status


def test_device_of_another_site_does_not_exist(world: World) -> None:
    theirs = world.client("referrer@vik").post("/api/devices", json=SCOPE).get_json()["id"]
    client = world.client("referrer@fjord")
    assert client.get("/api/devices").get_json()["devices"] == []
    assert client.post(f"/api/devices/{theirs}/retire", json={}).status_code == 404
    answer = client.post(
        f"/api/cases/{world.derm_case()}/photos",
        data={
            "kind": "closeup", "site_code": CHIN, "device": str(theirs),
            "photo": (io.BytesIO(pictures.jpeg(pictures.skin())), "p.jpg"),
        },
    )  # fmt: skip
    assert (answer.status_code, answer.get_json()["code"]) == (404, "no-such-device")


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"serial": ""}, 422),
        ({"immersion": "BEER"}, 422),
        ({"contact": "NON_CONTACT"}, 422),
        ({"kind": "telescope"}, 422),
        ({"site": "vik"}, 422),
    ],
)
def test_device_that_no_object_could_name_is_refused(
    world: World, change: dict[str, str], status: int
) -> None:
    answer = world.client("referrer@fjord").post("/api/devices", json=SCOPE | change)
    assert answer.status_code == status
    assert world.client("referrer@fjord").get("/api/devices").get_json()["devices"] == []


def test_page_of_devices_enrols_shows_and_retires(world: World) -> None:
    client = signed_in(world, "referrer@fjord")
    path = "/admin/devices"
    assert "None yet." in page(client, path)
    fields = {name: str(value) for name, value in SCOPE.items()}
    wrong = submit(client, path, on=path, **fields | {"serial": ""})
    assert wrong.status_code == 422
    assert "lacks serial" in wrong.text
    assert 'value="Dermlite"' in wrong.text
    assert submit(client, path, on=path, **fields | {"magnification": "10,5"}).status_code == 302
    (device,) = world.parts.devices.listed("fjord")
    assert device.magnification == 10.5
    shown = page(client, path)
    assert "10.5×" in shown
    capture = page(client, "/capture")
    chips = re.findall(r'name="device-(\w+)" value="(\d*)"', capture)
    assert chips == [("dermoscopic", str(device.id)), ("dermoscopic", "")]
    assert submit(client, f"{path}/{device.id}/retire", on=path).status_code == 302
    assert 'name="device-' not in page(client, "/capture")


def test_capture_page_carries_the_pictures_of_each_kind(world: World) -> None:
    text = page(signed_in(world, "referrer@fjord"), "/capture")
    block = re.search(r'id="views">(.*?)</script>', text, re.S)
    assert block is not None
    views = json.loads(block[1])
    assert [view["kind"] for view in views["rash"]] == ["overview", "closeup"]
    assert {view["kind"]: view["is_wanted"] for view in views["hair"]}["dermoscopic"] is False
    assert set(views) == {"mole", "rash", "wound", "nails", "hair", "mucosa"}
    for site in ("770822006", "43067004", "8001006", "113277000"):  # nail, scalp, tongue, mouth
        assert f'value="{site}"' in text
    assert 'data-question="exudate" data-kind="choice" data-categories="wound"' in text


def test_answers_of_each_kind_stand_in_the_words_of_the_case(world: World) -> None:
    clinical = {
        "category": "wound", "exudate": "much", "pulses": "Ikke undersøkt", "abi": "0,8",
        "infection_signs": ["none", "pus"],
    }  # fmt: skip
    case_id = world.derm_case(clinical=clinical)
    client = world.client("referrer@fjord")
    kept = client.get(f"/api/cases/{case_id}").get_json()["clinical"]
    assert kept == {
        "category": "wound", "exudate": "much", "pulses": "not-examined", "abi": 0.8,
        "infection_signs": ["pus"],
    }  # fmt: skip
    shown = page(signed_in(world, "referrer@fjord"), f"/cases/{case_id}")
    for words in ("How much fluid?", "Much", "Not examined", "Pus", "0.8"):
        assert words in shown


def test_camera_whose_clock_is_off_is_told_of_and_not_refused(world: World) -> None:
    data = pictures.jpeg(pictures.skin())  # its camera says February 2026
    advice = world.client("referrer@fjord").post(
        "/api/photos/assess", data={"photo": (io.BytesIO(data), "p.jpg")}
    )
    (clock,) = [a for a in advice.get_json()["advice"] if a["check"] == "clock"]
    assert (clock["verdict"], clock["threshold"]) == ("doubtful", 24.0)
    assert "2026-02-03" in clock["message"]
    assert PhotoIntake(world.parts).assess(data)[-1]["check"] == "clock"
