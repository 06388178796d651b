"""A reader's arrangements are remembered by kind of case; what is compared lies beside it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.viewer.conftest import World

STUDY, BEFORE = "1.2.3.90", "1.2.3.91"
OWN = {"layout": "1x2", "panes": [{"modality": "CT", "text": "a"}, {"other": "prior"}]}
ADDRESS = "/api/reading-preferences"


@pytest.fixture(scope="module")
def case(shared_world: World) -> tuple[World, str]:
    """Return a world with a case of a chest CT and an earlier one of the same patient."""
    for study, day in ((STUDY, "20260102"), (BEFORE, "20250102")):
        shared_world.store(
            "hammer", StudyInstanceUID=study, SeriesInstanceUID=f"{study}.1", StudyDate=day,
            SOPInstanceUID=f"{study}.1.1", PatientID="reading-1", PatientName="Test^Ole",
        )  # fmt: skip
    return shared_world, shared_world.case_of("hammer", STUDY)


def test_an_arrangement_is_kept_for_the_one_who_made_it(case: tuple[World, str]) -> None:
    world, _ = case
    reader, other = world.client("radiologist@centre"), world.client("coordinator@centre")
    kept = reader.put(f"{ADDRESS}/CT-chest", json=OWN)
    assert kept.status_code == 200
    hung = kept.get_json()["preferences"]["CT-chest"]
    assert hung["layout"] == OWN["layout"]
    assert [(each["kind"], each["other"]) for each in hung["panes"]] == [
        ("stack", ""),
        ("stack", "prior"),
    ]
    assert reader.get(ADDRESS).get_json() == kept.get_json()
    assert other.get(ADDRESS).get_json() == {"preferences": {}}
    assert reader.delete(f"{ADDRESS}/CT-chest").get_json() == {"preferences": {}}
    assert reader.delete(f"{ADDRESS}/CT-chest").status_code == 200


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("CT-chest", {"layout": "3x3", "panes": [{}]}),
        ("CT-chest", {"layout": "1x1", "panes": []}),
        ("CT-chest", {"layout": "1x1", "panes": [{"text": "x" * 201}]}),
        ("CT-chest", {"layout": "1x1", "panes": [{}], "more": 1}),
        ("a kind", OWN),
        ("CT-" + "x" * 80, OWN),
    ],
)
def test_what_is_no_arrangement_is_refused(
    case: tuple[World, str], kind: str, body: dict[str, Any]
) -> None:
    answer = case[0].client("radiologist@centre").put(f"{ADDRESS}/{kind}", json=body)
    assert answer.status_code == 422, answer.text


def test_an_earlier_study_opens_beside_its_case_and_that_is_noted(case: tuple[World, str]) -> None:
    world, case_id = case
    reader = world.client("radiologist@centre")
    address = f"/api/cases/{case_id}/priors/hammer/{BEFORE}"
    opened = reader.get(f"{address}/manifest").get_json()
    assert (opened["title"], opened["day"]) == ("CT thorax", "2025-01-02")
    assert opened["answer"] == {"none": "It has not been answered."}
    assert [each["study_uid"] for each in opened["series"]] == [BEFORE]
    assert [entry.subject for entry in world.audit("prior-opened")] == [BEFORE]
    events = reader.get(f"/api/instances/{BEFORE}.1.1/custody").get_json()["custody"]
    assert "opened" in [event["event"] for event in events]
    assert (
        reader.get(f"{address}/picture")
        .headers["Location"]
        .startswith(f"/api/instances/{BEFORE}.1.1/frames/1/preview")
    )
    assert reader.get(f"/api/cases/{case_id}/priors/hammer/{STUDY}/manifest").status_code == 404
    assert reader.get(f"/api/cases/{case_id}/priors/hammer/{STUDY}/picture").status_code == 404


def test_a_case_without_lesions_has_no_earlier_pictures(case: tuple[World, str]) -> None:
    world, case_id = case
    found = world.client("radiologist@centre").get(f"/api/cases/{case_id}/lesions/before")
    assert (found.get_json()["series"], found.get_json()["captions"]) == ([], {})
