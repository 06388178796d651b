"""What has become of an answer stands on its case: versions, hashes, what was shown, where to."""

from __future__ import annotations

from dataclasses import replace

import pytest

from casework.access import Scope
from lysbro.delivering import Deliverer
from tests.viewer.conftest import World
from viewer.reply_trail import signed_versions

EVERYTHING = Scope(sites=None, specialties=None, own_site="")
STUDY = "1.2.840.77"
SHOWN = {"series": [
    {"uid": "1", "title": "CT Thorax", "images": 21, "lossless": 18, "preview_only": 3},
    {"uid": "2", "title": "CT Scout", "images": 2, "lossless": 0, "preview_only": 0},
    {"uid": "3", "title": "CT Other", "images": 9, "lossless": 4, "preview_only": 0},
    {"title": "odd", "images": "many"}, 7,
]}  # fmt: skip


@pytest.fixture(scope="module")
def corrected(shared_world: World) -> tuple[World, str]:
    """Return a world with a case that was answered, corrected and added to."""
    shared_world.store("hammer", StudyInstanceUID=STUDY, SOPInstanceUID=f"{STUDY}.1")
    case_id = shared_world.case_of("hammer", STUDY)
    reader = shared_world.client("radiologist@centre")
    reader.post(f"/api/cases/{case_id}/claim")
    reader.put(f"/api/cases/{case_id}/findings", json={"impression": "Left.", "advice": "Wait."})
    assert reader.post(f"/api/cases/{case_id}/sign", json={"displayed": SHOWN}).status_code == 200
    said = {"impression": "Right.", "advice": "Wait.", "why_corrected": "The <side> was wrong."}
    assert reader.post(f"/api/cases/{case_id}/correct", json=said).status_code == 200
    more = {"findings": "MR advised."}
    assert reader.post(f"/api/cases/{case_id}/addend", json=more).status_code == 200
    return shared_world, case_id


def test_each_version_has_its_signer_hash_and_what_was_shown(corrected: tuple[World, str]) -> None:
    world, case_id = corrected
    reports = world.parts.casebook.dossier(EVERYTHING, case_id).reports
    for who in ("radiologist@centre", "referrer@hammer"):
        page = world.client(who).get(f"/cases/{case_id}").text
        for report in reports:
            assert f"<b>Version {report.version}</b>" in page
            assert f"SHA-256 {report.sha256[:12]}" in page
        assert page.count("As it was signed") == 3
        assert "CT Thorax: all 21 images shown, 3 as preview only" in page
        assert "CT Scout: 2 images not shown" in page
        assert "CT Other: 4 of 9 images shown" in page
        assert "Changed: Impression" in page
        assert "Why: The &lt;side&gt; was wrong." in page


def test_a_version_that_is_not_what_was_signed_is_told(corrected: tuple[World, str]) -> None:
    world, case_id = corrected
    dossier = world.parts.casebook.dossier(EVERYTHING, case_id)
    first = dossier.reports[0]
    bad = replace(first, content={**first.content, "impression": "X"})
    with world.app.test_request_context():
        found = signed_versions(replace(dossier, reports=(bad, *dossier.reports[1:])))
    assert [each.is_as_signed for each in found] == [True, True, False]


def test_where_each_version_has_gone_is_said_in_words(corrected: tuple[World, str]) -> None:
    world, case_id = corrected
    ward = world.client("referrer@hammer")
    assert "</span>: <span>waits to go" in ward.get(f"/cases/{case_id}").text
    while Deliverer(world.parts).run_once():
        pass
    page = ward.get(f"/cases/{case_id}").text
    assert page.count("</span>: <span>there since ") == 6  # inbox and study, three versions
    assert "waits to go" not in page
    norwegian = ward.get(f"/cases/{case_id}", headers={"Accept-Language": "nb"}).text
    assert "framme siden" in norwegian


def test_the_form_of_a_correction_has_the_standing_answer_and_is_for_readers(
    corrected: tuple[World, str],
) -> None:
    world, case_id = corrected
    room = world.client("radiologist@centre").get(f"/cases/{case_id}?correct=1").text
    assert 'id="f-why_corrected"' in room
    assert '<textarea class="input" id="f-impression"' in room
    assert ">Right.</textarea>" in room
    assert "data-corrects=" in room
    page = world.client("coordinator@centre").get(f"/cases/{case_id}?correct=1").text
    assert 'id="f-why_corrected"' not in page
