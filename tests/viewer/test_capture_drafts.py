"""Drafts on the capture page: several lesions of a visit, a mis-shot taken out, consents."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from casework.custody import CustodyEvent
from tests.viewer.conftest import World, referral_body

SAMPLES = Path(__file__).parents[2] / "lysbro" / "samples" / "photos"
GP, OTHER, READER = "referrer@fjord", "referrer@vik", "dermatologist@centre"
SITE = "41550009"  # the back of a forearm


@pytest.fixture(scope="module")
def picture() -> bytes:
    return (SAMPLES / "closeup.png").read_bytes()


def photograph(world: World, case_id: str, picture: bytes, capture_id: str, **more: str) -> str:
    form = {"kind": "closeup", "site_code": SITE, "capture_id": capture_id, **more}
    answer = world.client(GP).post(
        f"/api/cases/{case_id}/photos", data={**form, "photo": (io.BytesIO(picture), "a.png")}
    )
    assert answer.status_code == 201, answer.text
    return str(answer.get_json()["sop_instance_uid"])


def shown(world: World, case_id: str) -> list[str]:
    photos = world.client(GP).get(f"/api/cases/{case_id}/photos").get_json()["photos"]
    return [photo["sop_instance_uid"] for photo in photos]


def test_a_mis_shot_is_out_of_the_draft_and_its_bytes_are_kept(world, picture):
    case_id = world.derm_case()
    first = photograph(world, case_id, picture, "one")
    second = photograph(world, case_id, picture, "two")
    gp = world.client(GP)
    for _again in range(2):
        assert gp.post(f"/api/cases/{case_id}/photos/one/set-aside", json={}).status_code == 200
    assert shown(world, case_id) == [second]
    assert gp.get(f"/api/instances/{first}/frames/1/preview").status_code == 404
    assert [e.detail["sop"] for e in world.audit("photo-set-aside")] == [first]
    with world.parts.database.read() as conn:
        events = conn.exec_driver_sql(
            "SELECT event FROM custody JOIN instances ON instances.pk = instance_pk "
            f"WHERE sop_instance_uid = '{first}'"
        ).scalars().all()  # fmt: skip
    assert CustodyEvent.SET_ASIDE.value in events
    assert world.parts.index.conflicts() == []


def test_a_draft_whose_pictures_are_all_out_is_not_sent(world, picture):
    case_id = world.derm_case()
    uid = photograph(world, case_id, picture, "one")
    gp = world.client(GP)
    assert gp.post(f"/api/cases/{case_id}/photos/{uid}/set-aside", json={}).status_code == 200
    refused = gp.post(f"/api/cases/{case_id}/submit", json={})
    assert (refused.status_code, refused.get_json()["code"]) == (422, "photo-missing")


def test_a_picture_of_a_case_that_was_sent_or_of_another_site_stays(world, picture):
    case_id = world.derm_case()
    photograph(world, case_id, picture, "one")
    address = f"/api/cases/{case_id}/photos/one/set-aside"
    assert world.client(OTHER).post(address, json={}).status_code == 404
    gp = world.client(GP)
    assert gp.post(f"/api/cases/{case_id}/photos/none/set-aside", json={}).status_code == 404
    assert gp.post(f"/api/cases/{case_id}/submit", json={}).status_code == 200
    assert gp.post(address, json={}).status_code == 409
    assert len(shown(world, case_id)) == 1


def test_what_the_check_found_and_that_it_was_kept_anyway_reaches_the_reader(world):
    from PIL import Image  # noqa: PLC0415

    dark = io.BytesIO()
    Image.open(SAMPLES / "closeup.png").convert("RGB").point(lambda v: v // 12).save(dark, "PNG")
    case_id = world.derm_case()
    photograph(world, case_id, dark.getvalue(), "dark", kept_anyway="true")
    assert world.client(GP).post(f"/api/cases/{case_id}/submit", json={}).status_code == 200
    (photo,) = world.client(READER).get(f"/api/cases/{case_id}/photos").get_json()["photos"]
    assert photo["kept_anyway"]
    assert photo["faults"]
    page = world.client(READER).get(f"/cases/{case_id}").text
    assert "Picture quality" in page
    assert "1 picture with a warning" in page
    assert "The referrer was told and kept it." in page


def test_the_lesions_of_one_visit_name_each_other(world, picture):
    first = world.derm_case(clinical={"category": "mole", "site": SITE, "allergies": "penicillin"})
    page = world.client(GP).get(f"/capture?after={first}").text
    assert '"allergies": "penicillin"' in page
    assert "Taken over: patient, consent, what is it about, allergies" in " ".join(page.split())
    second = world.derm_case(clinical={"category": "mole", "lesion": "B", "visit": first})
    lone = world.derm_case(patient={"id": "other", "name": "Ås^Per"}, clinical={"visit": first})
    for case_id in (first, second, lone):
        photograph(world, case_id, picture, "one")
        assert world.client(GP).post(f"/api/cases/{case_id}/submit", json={}).status_code == 200
    page = world.client(READER).get(f"/cases/{second}").text
    assert "2 of 2 of this visit" in page
    assert f'href="/cases/{first}"' in page
    assert "of this visit" not in world.client(READER).get(f"/cases/{lone}").text
    assert "visit" not in dict(world.client(READER).get(f"/cases/{lone}").headers)


def test_a_reader_sees_nothing_of_a_lesion_that_is_still_a_draft(world, picture):
    first = world.derm_case()
    second = world.derm_case(clinical={"lesion": "Secret B", "visit": first})
    photograph(world, first, picture, "one")
    assert world.client(GP).post(f"/api/cases/{first}/submit", json={}).status_code == 200
    assert second not in world.client(READER).get(f"/cases/{first}").text
    assert second in world.client(GP).get(f"/cases/{first}").text


def test_drafts_are_listed_with_what_they_lack_and_only_ones_own(world, picture):
    ready = world.derm_case(clinical={"category": "mole", "site": SITE})
    photograph(world, ready, picture, "one")
    begun = world.derm_case(question="", consent={}, clinical={"visit": ready})
    page = world.client(GP).get("/capture").text
    assert "You have 2 drafts" in page
    assert page.index(f'data-draft="{ready}"') < page.index(f'data-draft="{begun}"')
    assert "where it is, a picture, a question, the patient's consent" in page.replace("&#39;", "'")
    assert "drafts" not in world.client(OTHER).get("/capture").text
    assert world.client(OTHER).get(f"/capture?after={ready}").status_code == 404


def test_a_consent_to_teaching_is_taken_back_after_sending_and_that_is_audited(world, picture):
    consent = {"care": True, "teaching": True, "research": False, "teaching_how": "written"}
    case_id = world.derm_case(consent=consent)
    photograph(world, case_id, picture, "one")
    gp = world.client(GP)
    assert gp.post(f"/api/cases/{case_id}/submit", json={}).status_code == 200
    reader = world.client(READER).get(f"/cases/{case_id}").text
    assert "The patient, in writing" in reader
    address = f"/api/cases/{case_id}/consent/withdraw"
    assert world.client(READER).post(address, json={"purpose": "teaching"}).status_code == 403
    for _again in range(2):
        assert gp.post(address, json={"purpose": "teaching"}).status_code == 200
    assert gp.post(address, json={"purpose": "research"}).status_code == 409
    kept = gp.get(f"/api/cases/{case_id}").get_json()["consent"]
    assert (kept["teaching"], kept["record"]["teaching"]["how"]) == (False, "written")
    assert [e.detail for e in world.audit("consent-withdrawn")] == [{"purpose": "teaching"}]
    assert "Taken back" in world.client(READER).get(f"/cases/{case_id}").text
    assert "Taken back" in gp.get(f"/cases/{case_id}").text


def test_a_consent_is_taken_back_by_a_form_of_the_case_page(world):
    case_id = world.derm_case(consent={"care": True, "research": True})
    gp = world.client(GP)
    assert 'value="research"' in gp.get(f"/cases/{case_id}").text
    answer = gp.post(f"/cases/{case_id}/consent", data={"purpose": "research"})
    assert answer.status_code == 302
    assert 'value="research"' not in gp.get(f"/cases/{case_id}").text


def test_the_last_category_is_offered_again(world):
    assert 'value="mole" checked' in world.client(GP).get("/capture").text
    world.derm_case(**referral_body(clinical={"category": "rash"}))
    assert 'value="rash" checked' in world.client(GP).get("/capture").text
