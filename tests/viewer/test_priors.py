"""The pages and the call of a case's earlier studies, and the administrator's page of rules."""

from __future__ import annotations

import json
import re

import pytest

from casework.model import AePermission
from viewer.manifest_columns import unfolded

NOW, THEN = "20260302", "20250110"


@pytest.fixture(scope="module")
def furnished(shared_world):
    """Return a world whose hospital has a case with an earlier one, and one of a stranger."""
    for number, date, more in (
        (1, NOW, {"StudyDescription": "CT Head"}),
        (2, THEN, {"StudyDescription": "CT caput", "BodyPartExamined": "HEAD"}),
        (3, THEN, {"PatientID": "another"}),
        (4, "20270101", {"StudyDescription": "CT later"}),
    ):
        uid = f"1.2.9.{number}"
        given = {"PatientID": "prior-1", "StudyDate": date, **more}
        shared_world.store(
            "hammer", StudyInstanceUID=uid, SeriesInstanceUID=f"{uid}.1",
            SOPInstanceUID=f"{uid}.1.1", **given,
        )  # fmt: skip
    shared_world.parts.people.add_ae(
        "HAMMER_PACS", "hammer", "127.0.0.1", 104, frozenset({AePermission.FETCH})
    )
    return shared_world, shared_world.case_of("hammer", "1.2.9.1")


def test_the_call_lists_the_patients_earlier_studies(furnished):
    world, case_id = furnished
    answer = world.client("radiologist@centre").get(f"/api/cases/{case_id}/priors").get_json()
    (prior,) = answer["priors"]
    assert (prior["study_uid"], prior["date"], prior["instance_count"]) == (
        "1.2.9.2", "2025-01-10", 1,
    )  # fmt: skip
    assert (prior["body_part"], prior["has_report"], answer["asked"]) == ("HEAD", False, [])
    for stranger in ("referrer@berg", "referrer@fjord"):
        assert world.client(stranger).get(f"/api/cases/{case_id}/priors").status_code == 404


def test_the_room_lists_it_and_its_page_shows_its_images(furnished):
    world, case_id = furnished
    reader = world.client("radiologist@centre")
    page = reader.get(f"/cases/{case_id}").get_data(as_text=True)
    address = f"/cases/{case_id}/priors/hammer/1.2.9.2"
    assert f'href="{address}"' in page
    answer = reader.get(address)
    assert answer.status_code == 200
    text = answer.get_data(as_text=True)
    (series,) = json.loads(text.split('id="manifest">')[1].split("</script>")[0])["series"]
    assert [each["uid"] for each in unfolded(series)] == ["1.2.9.2.1.1"]
    assert "It has not been answered." in text
    assert reader.get("/api/instances/1.2.9.2.1.1/frames/1?site=hammer").status_code == 200
    own = world.client("referrer@hammer").get(f"/cases/{case_id}").get_data(as_text=True)
    assert "CT caput" in own


@pytest.mark.parametrize("study", ["1.2.9.3", "1.2.9.4", "1.2.9.1", "1.2.9.77"])
def test_another_study_is_no_earlier_one_of_the_case(furnished, study):
    world, case_id = furnished
    address = f"/cases/{case_id}/priors/hammer/{study}"
    assert world.client("radiologist@centre").get(address).status_code == 404


def test_an_administrator_adds_and_removes_rules(furnished):
    world, _ = furnished
    admin = world.client("admin@centre")
    given = {"nodes": "HAMMER_PACS", "years": "3", "most_studies": "2", "body_part": "head"}
    wrong = admin.post("/admin/priors", data=given | {"from_hour": "24"})
    assert wrong.status_code == 422
    assert "from hour: give a number from 0 to 23." in wrong.get_data(as_text=True)
    for field, value, said in (
        ("body_part", "soul", "SOUL is no part of the body"),
        ("years", "many", "many is no number."),
        ("nodes", "NOBODY", "There is no node NOBODY"),
        ("nodes", "", "There is no node"),
        ("site", "nowhere", "There is no site nowhere."),
    ):
        text = admin.post("/admin/priors", data=given | {field: value}).get_data(as_text=True)
        assert said in text, field

    assert admin.post("/admin/priors", data=given).status_code == 302
    page = admin.get("/admin/priors").get_data(as_text=True)
    assert "3 years back, 2 studies at most" in page
    (rule_id,) = re.findall(r"/admin/priors/(\d+)/remove", page)
    assert admin.post(f"/admin/priors/{rule_id}/remove").status_code == 302
    assert "There is no rule, so nobody is asked." in admin.get("/admin/priors").get_data(
        as_text=True
    )
    assert admin.post("/admin/priors/question/1/replay").status_code == 404
    assert world.client("radiologist@centre").get("/admin/priors").status_code == 403
