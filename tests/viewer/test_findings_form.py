"""The findings form at the server: templates, phrases, diagnoses, and what a draft is told."""

from __future__ import annotations

import json
import re
from typing import Any

from casework.shipped_templates import shipped_text

OWN = (shipped_text("wound") or "").replace("# Wound | Sår", "# Our wound | Vårt sår")


def claimed(world: Any, **attributes: Any) -> tuple[Any, str]:
    """Let a hospital send a CT of the chest and the radiologist claim it."""
    world.store("hammer", **{"BodyPartExamined": "CHEST", **attributes})
    case_id = world.case_of("hammer", attributes.get("StudyInstanceUID", "1.2.826.0.1"))
    reader = world.client("radiologist@centre")
    assert reader.post(f"/api/cases/{case_id}/claim", json={}).status_code == 200
    return reader, case_id


def block(page: str, name: str) -> Any:
    found = re.search(rf'<script type="application/json" id="{name}">(.*?)</script>', page, re.S)
    assert found is not None
    return json.loads(found[1])


def test_a_case_opens_with_its_template_and_says_what_the_answers_mean(world):
    reader, case_id = claimed(world)
    page = reader.get(f"/cases/{case_id}")
    assert "microphone=()" in page.headers["Permissions-Policy"]
    assert 'id="dictate"' not in page.text
    given = block(page.text, "form")
    assert (given["template"]["name"], given["template"]["language"]) == ("ct-chest", "en")
    body = {
        "template": "ct-chest", "template_version": given["template"]["version"],
        "language": "en", "fields": {"nodules": "solitary", "nodule_mm": 8},
        "follow_up_interval": "P3M", "impression": "A nodule.", "malignancy": "moderate",
        "diagnoses": [{"text": "Pulmonary nodule", "certainty": 4, "system": "sct",
                       "code": "427359005", "codes": [{"system": "icd-10", "code": "R91"}]}],
    }  # fmt: skip
    saved = reader.put(f"/api/cases/{case_id}/findings", json=body).get_json()
    said = "Lungs and airways: A solitary nodule. The largest nodule measures 8 mm."
    assert (saved["described"], saved["follow_up"]) == (said, "Check in 3 months.")
    assert saved["notices"] == []
    signed = reader.post(f"/api/cases/{case_id}/sign", json={}).get_json()["report"]["content"]
    assert signed["described"] == said

    codes = "ICD-10 R91, SNOMED CT 427359005"
    shown = world.client("referrer@hammer").get(f"/cases/{case_id}").text
    for part in (said, codes, "Moderate suspicion of malignancy", "Check in 3 months."):
        assert part in shown
    report = reader.get(f"/fhir/DiagnosticReport/{case_id}").get_json()
    assert {c["code"] for c in report["conclusionCode"][0]["coding"]} == {"R91", "427359005"}
    assert said in report["text"]["div"]
    assert said in reader.get(f"/cases/{case_id}").text


def test_a_draft_is_told_what_it_lacks_and_where_it_contradicts_itself(world):
    reader, case_id = claimed(world, Laterality="L")
    body = {"template": "ct-chest", "findings": "Fracture of the right arm. No emphysema.",
            "fields": {"emphysema": True}}  # fmt: skip
    saved = reader.put(f"/api/cases/{case_id}/findings", json=body).get_json()
    told = {each["code"]: each["text"] for each in saved["notices"]}
    assert told["other-side"] == "The text says right; the images are of the left side."
    assert told["denied"].endswith("Emphysema.")
    assert {"no-impression", "no-diagnoses"} <= told.keys()
    assert block(reader.get(f"/cases/{case_id}").text, "form")["notices"] == saved["notices"]


def test_a_draft_in_norwegian_stays_so_when_the_page_is_in_english(world):
    reader, case_id = claimed(world)
    body = {"template": "ct-chest", "language": "nb", "fields": {"emphysema": True}}
    reader.put(f"/api/cases/{case_id}/findings", json=body)
    assert block(reader.get(f"/cases/{case_id}").text, "form")["template"]["title"] == "CT thorax"


def test_templates_are_listed_read_and_kept_by_an_administrator_only(world):
    reader, admin = world.client("radiologist@centre"), world.client("admin@centre")
    assert reader.put("/api/templates/wound", json={"text": OWN}).status_code == 403
    kept = admin.put("/api/templates/wound", json={"text": OWN}).get_json()
    assert (kept["version"], kept["title_nb"], kept["enabled"]) == (2, "Vårt sår", True)
    assert reader.get("/api/templates/wound").get_json()["title"] == "Our wound"
    assert reader.get("/api/templates/wound?version=1&language=nb").get_json()["title"] == "Sår"
    assert reader.get("/api/templates/wound/text").text == OWN
    admin.put("/api/templates/wound/offered", json={"enabled": False})
    listed = {t["name"]: t for t in reader.get("/api/templates").get_json()["templates"]}
    assert listed["wound"]["enabled"] is False
    assert admin.post("/api/templates/wound/restore", json={}).get_json()["version"] == 4
    wrong = admin.put("/api/templates/wound", json={"text": "# T | T\nhm"})
    assert (wrong.status_code, wrong.get_json()["code"]) == (422, "invalid-template")
    assert reader.get("/api/templates/nothing").status_code == 404
    hers = world.client("radiologist@berg").get("/api/templates/wound").get_json()
    assert hers["title"] == "Wound"
    deeds = ("saved", "withdrawn", "restored")
    assert [len(world.audit(f"template-{deed}")) for deed in deeds] == [1, 1, 1]


def test_the_administrators_pages_keep_preview_withdraw_and_restore(world):
    admin = world.client("admin@centre")
    assert "Pigmented lesion" in admin.get("/admin/templates?centre=centre").text
    assert "# Wound | Sår" in admin.get("/admin/templates/wound").text
    form = {"centre": "centre", "name": "wound", "text": OWN}
    assert admin.post("/admin/templates", data=form).status_code == 302
    assert "Our wound" in admin.get("/admin/templates").text
    assert "Version 1" in admin.get("/admin/templates/wound").text
    refused = admin.post("/admin/templates", data={**form, "text": "# T | T\nhm"},
                         headers={"Accept-Language": "nb"})  # fmt: skip
    assert refused.status_code == 422
    assert "Linje 2: skriv" in refused.text
    seen = admin.post("/admin/templates/preview", data={"text": OWN}).get_json()
    assert (seen["error"], seen["template"]["title"]) == ("", "Our wound")
    assert "Clean, red wound bed." in seen["normal"]
    seen = admin.post("/admin/templates/preview", data={"text": "hm"}).get_json()
    assert seen["error"].startswith("Line 1")
    for verb in ("withdraw", "offer", "restore"):
        done = admin.post(f"/admin/templates/wound/{verb}", data={"centre": "centre"})
        assert done.status_code == 302
    assert "as shipped" not in admin.get("/admin/templates/new").text
    assert world.client("radiologist@centre").get("/admin/templates").status_code == 403


def test_phrases_are_kept_changed_and_removed_by_their_owner(world):
    reader, other = world.client("radiologist@centre"), world.client("dermatologist@centre")
    made = reader.post("/api/phrases", json={"short": "lung", "text": "Clear lungs."})
    assert made.status_code == 201
    number = made.get_json()["id"]
    again = reader.post("/api/phrases", json={"short": "Lung", "text": "x"})
    assert (again.status_code, again.get_json()["code"]) == (409, "phrase-exists")
    assert other.get("/api/phrases").get_json() == {"phrases": []}
    assert other.delete(f"/api/phrases/{number}").status_code == 404
    reader.put(f"/api/phrases/{number}", json={"short": "lunger", "text": "Klare lunger."})
    assert reader.get("/api/phrases").get_json()["phrases"] == [
        {"id": number, "short": "lunger", "text": "Klare lunger."}
    ]
    assert reader.delete(f"/api/phrases/{number}").get_json() == {"phrases": []}


def test_diagnoses_come_with_their_codes(shared_world):
    found = shared_world.client("dermatologist@centre").get("/api/diagnoses").get_json()
    melanoma = next(each for each in found["diagnoses"] if each["key"] == "melanoma")
    assert {each["system"]: each["code"] for each in melanoma["codes"]} == {
        "sct": "93655004",
        "icd-10": "C43.9",
        "icpc-2": "S77",
    }
