"""How much of a study is here and where its images have been, as the API and the pages say it."""

from __future__ import annotations

import re
from typing import Any

import pytest

from casework.completeness import Evidence, EvidenceKind

STUDY, IMAGE = "1.2.826.0.1", "1.2.826.0.1.1"
HTML = {"Accept": "text/html"}
NORWEGIAN = {**HTML, "Accept-Language": "nb"}


@pytest.fixture
def case_id(world: Any) -> str:
    world.store("hammer")
    return str(world.case_of("hammer", STUDY))


def text_of(answer: Any) -> str:
    assert answer.status_code == 200, answer.text
    body = re.sub(r"<script.*?</script>", "", answer.text, flags=re.DOTALL)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body))


def expect(world: Any, count: int, *, who: str = "referrer@hammer", study: str = STUDY) -> Any:
    path = f"/api/studies/{study}/expected"
    return world.client(who).post(path, json={"instances": count})


def sign(world: Any, case_id: str) -> None:
    reader = world.client("radiologist@centre")
    reader.post(f"/api/cases/{case_id}/claim", json={})
    reader.put(f"/api/cases/{case_id}/findings", json={"impression": "Normal."})
    assert reader.post(f"/api/cases/{case_id}/sign", json={}).status_code == 200


def test_a_client_says_how_much_there_is_of_a_study_of_its_site(world, case_id):
    assert expect(world, 3).get_json() == {
        "study_uid": STUDY,
        "site": "hammer",
        "completeness": "arriving",
        "completeness_evidence": "counts",
        "expected_instances": 3,
        "missing_instances": 2,
    }
    client = world.client("referrer@hammer")
    (row,) = client.get("/api/cases").get_json()["cases"]
    assert (row["completeness"], row["missing_instances"]) == ("arriving", 2)
    assert expect(world, 1).get_json()["completeness"] == "complete"
    (study,) = client.get(f"/api/cases/{case_id}").get_json()["studies"]
    assert (study["completeness"], study["completeness_evidence"]) == ("complete", "counts")
    (last, first) = world.audit("study-expected")
    assert {last.detail["instances"], first.detail["instances"]} == {1, 3}


def test_a_client_may_say_so_before_the_study_comes(world):
    told = expect(world, 1, study="1.2.3.4").get_json()
    assert (told["completeness"], told["missing_instances"]) == ("", 1)
    world.store("hammer", StudyInstanceUID="1.2.3.4")
    world.parts.index.presume_complete(world.parts.clock(), 60)
    case_id = world.case_of("hammer", "1.2.3.4")
    case = world.client("referrer@hammer").get(f"/api/cases/{case_id}").get_json()
    assert case["studies"][0]["completeness"] == "complete"


def test_another_site_says_nothing_of_this_one(world, case_id):
    expect(world, 9, who="referrer@berg")
    (study,) = world.client("referrer@hammer").get(f"/api/cases/{case_id}").get_json()["studies"]
    assert (study["completeness"], study["expected_instances"]) == ("arriving", None)


@pytest.mark.parametrize("body", [{}, {"instances": 0}, {"instances": "many"}, {"instances": -1}])
def test_a_number_that_is_none_is_refused(world, body):
    client = world.client("referrer@hammer")
    assert client.post(f"/api/studies/{STUDY}/expected", json=body).status_code == 422
    assert client.post("/api/studies/x/expected", json={"instances": 1}).status_code == 422


def test_the_pages_say_what_is_missing(world, case_id):
    expect(world, 3)
    reader, ward = world.client("radiologist@centre"), world.client("referrer@hammer")
    assert "2 images missing" in text_of(reader.get("/", headers=HTML))
    assert "2 images missing" in text_of(reader.get(f"/cases/{case_id}", headers=HTML))
    page = text_of(ward.get(f"/cases/{case_id}", headers=HTML))
    assert "1 of 3 images are here, 2 missing, by the number that was stated" in page
    norwegian = text_of(ward.get(f"/cases/{case_id}", headers=NORWEGIAN))
    assert "1 av 3 bilder er her, 2 mangler, etter antallet som er oppgitt" in norwegian


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (EvidenceKind.MPPS, "Complete, by what the modality says it has made"),
        (EvidenceKind.COMMITMENT, "Complete, by what the sender asks us to keep"),
        (EvidenceKind.SENDER, "Complete, by the sender&#39;s answer"),
    ],
)
def test_the_case_page_says_by_what_evidence_a_study_is_complete(world, case_id, kind, words):
    evidence = Evidence(kind, world.parts.clock(), expected_uids=frozenset({IMAGE}))
    world.parts.index.note_evidence("hammer", STUDY, evidence)
    answer = world.client("referrer@hammer").get(f"/cases/{case_id}", headers=HTML)
    assert words in answer.text


def test_the_case_page_says_where_the_images_have_been(world, case_id):
    ward, reader = world.client("referrer@hammer"), world.client("radiologist@centre")
    for page in (ward.get(f"/cases/{case_id}", headers=HTML),):
        said = text_of(page)
        assert re.search(r"Received 1 image, \d\d:\d\d, from an import from disk", said)
        assert re.search(r"Safe on disk \d\d:\d\d", said)
        assert "First opened" not in said
    assert re.search(r"Received 1 image", text_of(reader.get(f"/cases/{case_id}", headers=HTML)))
    opened = text_of(ward.get(f"/cases/{case_id}", headers=HTML))
    assert re.search(r"First opened \d\d:\d\d by radiologist centre", opened)
    said = text_of(ward.get(f"/cases/{case_id}", headers=NORWEGIAN))
    assert re.search(r"Mottatt 1 bilde, \d\d:\d\d, fra en import fra disk", said)
    assert re.search(r"Åpnet første gang \d\d:\d\d av radiologist centre", said)


def test_each_image_of_a_case_has_its_hash_and_association_on_a_page(world, case_id):
    ward = world.client("referrer@hammer")
    custody = ward.get(f"/api/instances/{IMAGE}/custody").get_json()
    page = ward.get(f"/cases/{case_id}/custody", headers=HTML)
    assert custody["sha256"] in page.text
    assert custody["trail"]["association"] in page.text
    assert ward.get(f"/cases/{case_id}/custody?study=2", headers=HTML).status_code == 404
    assert "More images" not in page.text
    other = world.client("referrer@berg").get(f"/cases/{case_id}/custody", headers=HTML)
    assert other.status_code == 404


def test_a_draft_without_images_has_an_empty_page_of_them(world):
    case_id = world.derm_case()
    page = world.client("referrer@fjord").get(f"/cases/{case_id}/custody", headers=HTML)
    assert "no images yet" in text_of(page)


def test_fetching_images_over_dicomweb_is_an_export_once_for_each_reader(world, case_id):
    for who in ("referrer@hammer", "radiologist@centre", "referrer@hammer"):
        answer = world.client(who).get(f"/dicom-web/studies/{STUDY}")
        assert answer.status_code == 200
        answer.close()
    custody = world.client("referrer@hammer").get(f"/api/instances/{IMAGE}/custody").get_json()
    exported = [
        line["detail"]["name"] for line in custody["custody"] if line["event"] == "exported"
    ]
    assert exported == ["referrer hammer", "radiologist centre"]


def test_images_after_the_signature_are_told_on_every_page(world, case_id):
    sign(world, case_id)
    reader, ward = world.client("radiologist@centre"), world.client("referrer@hammer")
    assert "changed since" not in text_of(reader.get(f"/cases/{case_id}", headers=HTML))
    world.store("hammer", SOPInstanceUID=f"{IMAGE}.2")
    assert ward.get(f"/api/cases/{case_id}").get_json()["changed_since_report"] is True
    (row,) = reader.get("/api/cases?state=signed,delivered,read").get_json()["cases"]
    assert row["changed_since_report"] is True
    assert "changed since the report" in text_of(reader.get("/?state=replied", headers=HTML))
    assert "changed since the report" in text_of(reader.get(f"/cases/{case_id}", headers=HTML))
    assert "changed since the answer" in text_of(ward.get("/", headers=HTML))
    assert "Images have come since this was answered" in text_of(
        ward.get(f"/cases/{case_id}", headers=HTML)
    )
