"""Orders through the API: placed once, changed, cancelled, seen by whom they concern."""

from __future__ import annotations

from typing import Any

import pytest

from tests.viewer.conftest import World

STUDY = "1.2.826.0.1"


def body(**changes: Any) -> dict[str, Any]:
    return {
        "patient": {"id": "hammer-1", "name": "Ås^Kari", "birth_date": "1955-02-14", "sex": "F"},
        "procedure": "CT thorax",
        "question": "Embolism?",
        "priority": "urgent",
        "clinical": {"history": "Dyspnea"},
        "steps": [{"modality": "ct", "starts_at": "2026-03-02T10:15", "stations": ["HAMMER_CT"]}],
        "placer_number": "P1",
        "referrer": "BERG^LIV",
        **changes,
    }


def test_an_order_is_placed_once_under_its_placer_number(world: World) -> None:
    ward = world.client("referrer@hammer")
    first = ward.post("/api/orders", json=body())
    assert first.status_code == 201
    order = first.get_json()
    assert first.headers["Location"] == f"/api/orders/{order['order_id']}"
    assert (order["state"], order["site"], order["priority"]) == ("scheduled", "hammer", "urgent")
    assert order["accession_number"]
    assert order["study_uid"].startswith("2.25.")
    (step,) = order["steps"]
    assert (step["modality"], step["starts_at"]) == ("CT", "2026-03-02T10:15")

    again = ward.post("/api/orders", json=body())
    assert (again.status_code, again.get_json()) == (200, order)
    other = ward.post("/api/orders", json=body(question="Other?"))
    assert other.status_code == 409
    assert other.mimetype == "application/problem+json"
    assert (other.get_json()["code"], other.get_json()["state"]) == ("order-exists", "scheduled")
    assert len(ward.get("/api/orders?from=2026-03-02&to=2026-03-02").get_json()["orders"]) == 1
    assert len(world.audit("order-placed")) == 1


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"patient": {"id": "", "name": "A"}}, "patient.id"),
        ({"patient": {"id": "1"}}, "patient.name"),
        ({"steps": []}, "steps"),
        ({"steps": [{"modality": ""}]}, "modality"),
        ({"steps": [{"modality": "CT", "starts_at": "soon"}]}, "starts_at"),
        ({"steps": [{"modality": "CT", "starts_at": "2026-03-02T10:15Z"}]}, "starts_at"),
        ({"steps": [{"modality": "CT", "stations": ["A" * 17]}]}, "stations"),
        ({"accession_number": "A" * 17}, "accession_number"),
        ({"study_uid": "1.02.3"}, "study_uid"),
        ({"clinical": {"history": {"a": 1}}}, "clinical"),
        ({"unknown": 1}, "unknown"),
    ],
)
def test_what_cannot_be_ordered_is_answered_422_with_its_field(
    shared_world: World, changes: dict[str, Any], named: str
) -> None:
    answer = shared_world.client("referrer@hammer").post("/api/orders", json=body(**changes))
    assert answer.status_code == 422
    assert named in answer.get_json()["detail"]


def test_an_accession_number_is_of_one_order_of_a_site(world: World) -> None:
    ward = world.client("referrer@hammer")
    assert ward.post("/api/orders", json=body(accession_number="A1")).status_code == 201
    second = body(accession_number="A1", placer_number="P2")
    assert ward.post("/api/orders", json=second).get_json()["code"] == "accession-taken"
    assert world.client("referrer@berg").post("/api/orders", json=second).status_code == 201


def test_an_order_is_changed_by_its_own_site_until_it_has_ended(world: World) -> None:
    ward = world.client("coordinator@hammer")
    order = ward.post("/api/orders", json=body()).get_json()
    path = f"/api/orders/{order['order_id']}"
    changed = ward.put(path, json={"question": "Since when?"}, headers={"If-Match": '"1"'})
    assert changed.status_code == 200
    assert (changed.get_json()["question"], changed.headers["ETag"]) == ("Since when?", '"2"')
    assert changed.get_json()["procedure"] == "CT thorax"
    stale = ward.put(path, json={"question": "Which?"}, headers={"If-Match": '"1"'})
    assert (stale.status_code, stale.get_json()["code"]) == (409, "moved-on")
    assert world.client("referrer@berg").put(path, json={}).status_code == 404
    centre = world.client("coordinator@centre").put(path, json={"question": "X"})
    assert (centre.status_code, centre.get_json()["code"]) == (403, "wrong-site")
    assert world.client("radiologist@hammer").put(path, json={}).status_code == 403

    assert ward.post(f"{path}/cancel").get_json()["state"] == "cancelled"
    assert ward.delete(path).get_json()["state"] == "cancelled"
    ended = ward.put(path, json={"question": "Now?"})
    assert (ended.status_code, ended.get_json()["state"]) == (409, "cancelled")


def test_orders_are_listed_by_day_state_name_and_number(world: World) -> None:
    ward = world.client("referrer@hammer")
    for number, day in enumerate(("2026-03-02", "2026-03-03", "2026-03-04")):
        steps = [{"modality": "CT", "starts_at": f"{day}T08:00"}]
        placed = body(placer_number=f"P{number}", accession_number=f"A{number}", steps=steps)
        assert ward.post("/api/orders", json=placed).status_code == 201

    def listed(query: str, who: str = "referrer@hammer") -> list[str]:
        answer = world.client(who).get(f"/api/orders?{query}")
        assert answer.status_code == 200, answer.text
        return [row["accession_number"] for row in answer.get_json()["orders"]]

    assert listed("from=2026-03-03&to=2026-03-04") == ["A1", "A2"]
    assert listed("from=2026-03-01&q=aas") == []
    assert listed("from=2026-03-01&q=kari") == ["A0", "A1", "A2"]
    assert listed("from=2026-03-01&q=A1") == ["A1"]
    assert listed("accession_number=A2", "coordinator@centre") == ["A2"]
    assert listed("placer_number=P0") == ["A0"]
    assert listed("accession_number=A2", "referrer@berg") == []
    assert listed("from=2026-03-01&state=cancelled") == []
    assert listed("") == []
    first = ward.get("/api/orders?from=2026-03-01&limit=2").get_json()
    assert len(first["orders"]) == 2
    assert len(ward.get(first["next"]).get_json()["orders"]) == 1
    assert ward.get("/api/orders?state=gone").status_code == 422


def test_a_study_takes_over_what_its_order_asks(world: World) -> None:
    ward = world.client("referrer@hammer")
    order = ward.post("/api/orders", json=body(study_uid=STUDY)).get_json()
    world.store("hammer", ReasonForTheRequestedProcedure="from the modality")
    case_id = world.case_of("hammer", STUDY)
    case = ward.get(f"/api/cases/{case_id}").get_json()
    assert case["question"] == "Embolism?"
    assert case["priority"] == "urgent"
    assert case["clinical"] == {"history": "Dyspnea"}
    assert ward.get(f"/api/orders/{order['order_id']}").get_json()["case_id"] == case_id


def test_an_order_that_comes_after_its_study_is_taken_over_too(world: World) -> None:
    world.store("hammer", AccessionNumber="A7")
    case_id = world.case_of("hammer", STUDY)
    ward = world.client("referrer@hammer")
    before = ward.get(f"/api/cases/{case_id}").get_json()
    order = ward.post("/api/orders", json=body(accession_number="A7")).get_json()
    case = ward.get(f"/api/cases/{case_id}").get_json()
    assert order["case_id"] == case_id
    assert (case["question"], case["priority"]) == ("Embolism?", "urgent")
    assert case["due_at"] < before["due_at"]

    ward.put(f"/api/orders/{order['order_id']}", json={"question": "Since when?"})
    assert ward.get(f"/api/cases/{case_id}").get_json()["question"] == "Since when?"


@pytest.mark.parametrize(
    "attributes",
    [
        {"PatientID": "another", "StudyInstanceUID": "1.2.9"},
        {"AccessionNumber": "A8", "PatientID": "another"},
    ],
)
def test_an_order_of_another_patient_is_never_taken_over(
    world: World, attributes: dict[str, str]
) -> None:
    ward = world.client("referrer@hammer")
    ward.post("/api/orders", json=body(study_uid="1.2.9", accession_number="A8"))
    dataset = world.store("hammer", **attributes)
    case_id = world.case_of("hammer", dataset.StudyInstanceUID)
    assert ward.get(f"/api/cases/{case_id}").get_json()["question"] == ""


def test_an_order_of_another_site_is_not_taken_over_by_its_number(world: World) -> None:
    world.client("referrer@berg").post("/api/orders", json=body(accession_number="A1"))
    world.store("hammer", AccessionNumber="A1")
    case_id = world.case_of("hammer", STUDY)
    case = world.client("referrer@hammer").get(f"/api/cases/{case_id}").get_json()
    assert case["question"] == ""
