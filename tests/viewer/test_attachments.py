"""Documents and other pictures of a case over the API and on its page."""

from __future__ import annotations

import io
from typing import Any

import pytest

from tests.derm_capture.pictures import jpeg, skin
from tests.derm_capture.test_documents import changed, pages

PICTURE = jpeg(skin(640, 480))


def attached(world: Any, case_id: str, data: bytes, who: str = "referrer@fjord", **fields: str):
    form = {**fields, "file": (io.BytesIO(data), "Kari Nordmann.pdf")}
    return world.client(who).post(f"/api/cases/{case_id}/attachments", data=form)


def test_document_and_picture_become_objects_of_their_case(world: Any) -> None:
    case_id, asker = world.derm_case(), world.client("referrer@fjord")
    document = attached(world, case_id, pages(), title="Wound chart", attachment_id="a1")
    assert document.status_code == 201, document.text
    picture = attached(world, case_id, PICTURE, title="Pill box", attachment_id="a2")
    assert picture.status_code == 201, picture.text
    told = asker.get(f"/api/cases/{case_id}/attachments").get_json()["attachments"]
    assert [(each["title"], each["kind"]) for each in told] == [
        ("Wound chart", "document"),
        ("Pill box", "picture"),
    ]
    uid = document.get_json()["sop_instance_uid"]
    assert told[0]["sop_instance_uid"] == uid
    opened = asker.get(f"/api/instances/{uid}/document")
    assert opened.mimetype == "application/pdf"
    assert opened.data.startswith(b"%PDF")
    photos = asker.get(f"/api/cases/{case_id}/photos").get_json()["photos"]
    assert {each["kind"] for each in photos} == {"document", "other"}
    page = asker.get(f"/cases/{case_id}").text
    assert "Wound chart" in page
    assert "Pill box" in page
    assert "Kari Nordmann.pdf" not in page


def test_same_attachment_again_is_the_same_object(world: Any) -> None:
    case_id = world.derm_case()
    for name in ("a1", ""):
        first = attached(world, case_id, pages(), title="Chart", attachment_id=name)
        again = attached(world, case_id, pages(), title="Chart", attachment_id=name)
        assert first.status_code == again.status_code == 201
        assert first.get_json() == again.get_json()
    listed = world.client("referrer@fjord").get(f"/api/cases/{case_id}/attachments").get_json()
    assert len(listed["attachments"]) == 2


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (changed("javascript"), "document-active"),
        (changed("encrypted"), "document-encrypted"),
        (pages()[:-200], "truncated-document"),
        (b"GIF89a", "unsupported-format"),
        (b"<html>", "not-an-image"),
    ],
)
def test_attachment_that_acts_or_is_none_is_refused(
    shared_world: Any, data: bytes, code: str
) -> None:
    case_id = shared_world.derm_case()
    answer = attached(shared_world, case_id, data)
    assert (answer.status_code, answer.get_json()["code"]) == (422, code)


def add_photo(world: Any, case_id: str) -> None:
    photo = {"kind": "closeup", "site_code": "36141000", "photo": (io.BytesIO(PICTURE), "x.jpg")}
    added = world.client("referrer@fjord").post(f"/api/cases/{case_id}/photos", data=photo)
    assert added.status_code == 201


def test_attachments_are_taken_in_a_draft_and_in_waiting_and_of_the_asker_only(world: Any) -> None:
    case_id, asker = world.derm_case(), world.client("referrer@fjord")
    assert attached(world, case_id, pages(), "referrer@vik").status_code == 404
    add_photo(world, case_id)
    asker.post(f"/api/cases/{case_id}/submit", json={})
    late = attached(world, case_id, pages())
    assert (late.status_code, late.get_json()["code"]) == (409, "wrong-state")
    reader = world.client("dermatologist@centre")
    assert reader.post(f"/api/cases/{case_id}/claim", json={}).status_code == 200
    asked = reader.post(f"/api/cases/{case_id}/ask", json={"text": "Any wound chart?"})
    assert asked.status_code == 200
    assert attached(world, case_id, pages(), "dermatologist@centre").status_code == 403
    assert 'name="file"' in asker.get(f"/cases/{case_id}").text
    answered = asker.post(
        f"/cases/{case_id}/answer",
        data={"text": "Here it is.", "title": "Chart", "file": (io.BytesIO(pages()), "x.pdf")},
    )
    assert answered.status_code == 302, answered.text[:300]
    told = reader.get(f"/api/cases/{case_id}").get_json()
    assert told["conversation"][-1]["text"] == "Here it is."
    (kept,) = reader.get(f"/api/cases/{case_id}/attachments").get_json()["attachments"]
    assert kept["title"] == "Chart"
    series = reader.get(f"/api/cases/{case_id}/manifest").get_json()["series"]
    assert [each["description"] for each in series if each["kind"] == "document"] == ["Chart"]


def test_answer_with_a_file_that_is_refused_stays_unsent(world: Any) -> None:
    case_id, asker = world.derm_case(), world.client("referrer@fjord")
    add_photo(world, case_id)
    asker.post(f"/api/cases/{case_id}/submit", json={})
    reader = world.client("dermatologist@centre")
    reader.post(f"/api/cases/{case_id}/claim", json={})
    reader.post(f"/api/cases/{case_id}/ask", json={"text": "More?"})
    answered = asker.post(
        f"/cases/{case_id}/answer",
        data={"text": "Here.", "file": (io.BytesIO(changed("launch")), "x.pdf")},
    )
    assert answered.status_code == 422
    assert asker.get(f"/api/cases/{case_id}").get_json()["state"] == "waiting"


def test_case_with_papers_alone_is_not_sent(world: Any) -> None:
    case_id, asker = world.derm_case(), world.client("referrer@fjord")
    for name, data in (("a1", pages()), ("a2", PICTURE)):
        assert attached(world, case_id, data, attachment_id=name).status_code == 201
    assert asker.post(f"/api/cases/{case_id}/submit", json={}).status_code >= 400
    add_photo(world, case_id)
    assert asker.post(f"/api/cases/{case_id}/submit", json={}).status_code == 200


def test_number_of_attachments_is_limited(world: Any) -> None:
    case_id = world.derm_case()
    most = world.parts.settings.max_attachments
    for number in range(most):
        world.parts.casebook.note_capture(case_id, f"attachment/x{number}", f"2.25.{number + 1}")
    answer = attached(world, case_id, pages())
    assert (answer.status_code, answer.get_json()["code"]) == (413, "too-many-attachments")
