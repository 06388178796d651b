"""An answer brings new words, pictures or a study; the reader sees which, and the versions stay."""

from __future__ import annotations

from typing import Any

import pytest

from casework.access import Scope
from lysbro.delivering import Deliverer
from tests.viewer.conftest import World

EVERYTHING = Scope(sites=None, specialties=None, own_site="")
FIRST, SECOND = "1.2.840.1", "1.2.840.2"


def pushed(world: World, study: str, site: str = "hammer", number: int = 1, **more: Any) -> None:
    world.store(
        site, StudyInstanceUID=study, SeriesInstanceUID=f"{study}.1",
        SOPInstanceUID=f"{study}.1.{number}", **more,
    )  # fmt: skip


@pytest.fixture
def asked(world: World) -> str:
    """Return a case whose reader has asked for another view."""
    pushed(world, FIRST, PatientID="p-1", SeriesDescription="Thorax front")
    case_id = world.case_of("hammer", FIRST)
    reader = world.client("radiologist@centre")
    assert reader.post(f"/api/cases/{case_id}/claim").status_code == 200
    question = {"text": "A lateral view, please.", "reason": "other"}
    assert reader.post(f"/api/cases/{case_id}/ask", json=question).status_code == 200
    return case_id


def test_a_study_that_was_pushed_as_the_answer_becomes_part_of_the_case(
    world: World, asked: str
) -> None:
    pushed(world, SECOND, PatientID="p-1", SeriesDescription="Thorax lateral")
    other = world.case_of("hammer", SECOND)
    ward, reader = world.client("referrer@hammer"), world.client("radiologist@centre")
    page = ward.get(f"/cases/{asked}").text
    assert f'name="join" value="{other}" checked' in page
    answer = {"text": "Here it is.", "join": [other]}
    assert ward.post(f"/api/cases/{asked}/answer", json=answer).status_code == 200
    case = reader.get(f"/api/cases/{asked}").get_json()
    assert [study["study_uid"] for study in case["studies"]] == [FIRST, SECOND]
    assert reader.get(f"/api/cases/{other}").get_json()["state"] == "withdrawn"
    room = reader.get(f"/cases/{asked}").text
    news = room[room.index('id="news"') :].split("</section>")[0]
    assert "New since you asked" in news
    assert "A lateral view, please." in news
    assert "Here it is." in news
    assert f'data-shows="{SECOND}.1.1">CT Thorax lateral, 1 image' in news
    assert "Thorax front" not in news
    assert "The referral, in 2 versions" in room
    pushed(world, SECOND, PatientID="p-1", number=2)
    assert world.case_of("hammer", SECOND) == asked  # what comes later of it is here too


def test_once_signed_nothing_is_new_and_the_versions_stay(world: World, asked: str) -> None:
    ward, reader = world.client("referrer@hammer"), world.client("radiologist@centre")
    answer = {"text": "It cannot be had."}
    assert ward.post(f"/api/cases/{asked}/answer", json=answer).status_code == 200
    room = reader.get(f"/cases/{asked}").text
    assert "No new images came with it." in room
    for verb, body in (("claim", {}), ("sign", {})):
        if verb == "sign":
            reader.put(f"/api/cases/{asked}/findings", json={"impression": "Normal."})
        assert reader.post(f"/api/cases/{asked}/{verb}", json=body).status_code == 200
    assert 'id="news"' not in reader.get(f"/cases/{asked}").text
    while Deliverer(world.parts).run_once():  # the reply is filed with the images
        pass
    page = ward.get(f"/cases/{asked}").text
    assert "No new images came with it." in page
    assert "What you have sent, in 2 versions" in page
    assert "Answers version 2 of the referral" in page
    assert "It cannot be had." in page


def test_what_is_not_an_answer_to_the_question_is_not_joined(world: World, asked: str) -> None:
    pushed(world, "1.2.840.3", PatientID="p-2")
    pushed(world, "1.2.840.4", PatientID="p-1")
    pushed(world, "1.2.840.5", "berg", PatientID="p-1")
    of_another = world.case_of("hammer", "1.2.840.3")
    being_read = world.case_of("hammer", "1.2.840.4")
    elsewhere = world.case_of("berg", "1.2.840.5")
    reader, ward = world.client("radiologist@centre"), world.client("referrer@hammer")
    assert reader.post(f"/api/cases/{being_read}/claim").status_code == 200
    page = ward.get(f"/cases/{asked}").text
    for other in (of_another, being_read, elsewhere, asked):
        answer = ward.post(f"/api/cases/{asked}/answer", json={"text": "This.", "join": [other]})
        assert answer.status_code == (404 if other == elsewhere else 409)
        assert f'value="{other}"' not in page
    dossier = world.parts.casebook.dossier(EVERYTHING, asked)
    assert dossier.case.state.value == "waiting"  # nothing of the answer was kept
    assert [study.study_uid for study in dossier.studies] == [FIRST]
    assert [message.kind for message in dossier.messages] == ["question"]
