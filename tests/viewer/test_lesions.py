"""Lesions over their visits, by API and page: what is seen, by whom, and what is told."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
from sqlalchemy import update

from benchmarks.retakes import error_px
from casework.access import scope_of
from casework.erasure import Target
from derm_capture.context import Kind, Lesion
from storage.casebook_tables import cases
from tests.viewer.conftest import World
from tests.viewer.skin_visits import (
    FOREARM,
    NUMBER,
    again,
    as_jpeg,
    ellipse,
    import_earlier,
    sample,
    upload,
)

OID = "2.16.578.1.12.4.1.4.1"
LOOKUP = {"patient": {"id": NUMBER}}


def lookup(world: World, who: str = "referrer@fjord", body=LOOKUP):
    return world.client(who).post("/api/lesions/lookup", json=body)


def lesions_of(world: World, case_id: str, who: str = "referrer@fjord"):
    answer = world.client(who).get(f"/api/cases/{case_id}/lesions")
    assert answer.status_code == 200, answer.text
    return answer.get_json()["lesions"]


def send(world: World, case_id: str):
    assert world.client("referrer@fjord").post(f"/api/cases/{case_id}/submit").status_code == 200


@pytest.fixture(scope="module")
def pictures():
    first = sample()
    second, matrix = again(first)
    return first, second, matrix


def test_a_lesion_that_is_seen_again_keeps_its_uid_and_counts_its_visits(world, pictures):
    first, second, _ = pictures
    where = {"site": FOREARM, "laterality": "L", "lesion": "A"}
    one = world.derm_case(clinical=where)
    spot = {"view": "front", "x": 0.2, "y": 0.4}
    with world.parts.database.begin() as conn:
        of_case = update(cases).where(cases.c.id == one)
        conn.execute(of_case.values(clinical={**where, "map": spot}))
    upload(world, one, as_jpeg(first))
    send(world, one)
    two = world.derm_case()
    found = lookup(world).get_json()
    assert [each["label"] for each in found["lesions"]] == ["A"]
    assert found["next_label"] == "B"
    known = found["lesions"][0]
    assert (known["site_code"], known["laterality"], known["visits"]) == (FOREARM, "L", 1)
    assert known["map"] == spot
    upload(world, two, as_jpeg(second), kind="dermoscopic")
    (seen,) = lesions_of(world, two)
    assert (seen["uid"], seen["visits"]) == (known["uid"], 2)
    assert [p["case_id"] for p in seen["pictures"]] == [one, two]
    send(world, two)
    (by_reader,) = lesions_of(world, two, "dermatologist@centre")
    assert by_reader["visits"] == 2


def test_lookup_is_for_referrers_of_the_own_site_and_is_in_the_audit(world, pictures):
    upload(world, world.derm_case(), as_jpeg(pictures[0]))
    assert lookup(world, "referrer@vik").get_json() == {"lesions": [], "next_label": "A"}
    for who in ("dermatologist@centre", "admin@fjord", "coordinator@centre", "radiologist@centre"):
        assert lookup(world, who).status_code == 403
    assert world.anonymous().post("/api/lesions/lookup", json=LOOKUP).status_code == 401
    uid = lookup(world).get_json()["lesions"][0]["uid"]
    noted = world.audit("lesions-looked-up")
    assert {"lesions": [uid]} in [e.detail for e in noted]
    assert NUMBER not in "".join(f"{e.subject}{e.detail}" for e in noted)
    assert lookup(world, body={"patient": {}}).status_code == 422


def test_an_object_from_elsewhere_is_the_same_lesion_when_its_name_is_chosen(world, pictures):
    first, second, matrix = pictures
    old = import_earlier(world, as_jpeg(first), lesion=Lesion("A", "1.2.3.4.5"))
    found = lookup(world).get_json()
    assert [(e["label"], e["uid"]) for e in found["lesions"]] == [("A", "1.2.3.4.5")]
    assert found["lesions"][0]["first_seen"] == "2025-01-14"
    case_id = world.derm_case()
    new = upload(world, case_id, as_jpeg(second))["sop_instance_uid"]
    (seen,) = lesions_of(world, case_id)
    assert [p["sop_instance_uid"] for p in seen["pictures"]] == [old, new]
    url = f"/api/cases/{case_id}/lesions/1.2.3.4.5/alignment"
    laid = world.client("referrer@fjord").get(url, query_string={"from": old, "to": new})
    told = laid.get_json()
    assert told["aligned"]
    assert told["points"] > 20
    assert error_px(np.array(told["matrix"]).reshape(3, 3), matrix, first.shape) < 3
    assert told["from_size"] == {"rows": first.shape[0], "columns": first.shape[1]}


def test_pictures_of_different_skin_are_not_laid_on_each_other(world, pictures):
    old = import_earlier(world, as_jpeg(sample("closeup.png")), lesion=Lesion("A", "1.2.3.4.5"))
    case_id = world.derm_case()
    new = upload(world, case_id, as_jpeg(pictures[0]))["sop_instance_uid"]
    url = f"/api/cases/{case_id}/lesions/A/alignment"
    client = world.client("referrer@fjord")
    told = client.get(url, query_string={"from": old, "to": new}).get_json()
    assert (told["aligned"], told["matrix"], told["points"]) == (False, None, 0)
    assert client.get(url, query_string={"from": old}).status_code == 422
    assert client.get(url, query_string={"from": old, "to": "1.9"}).status_code == 404
    assert client.get(url.replace("/A/", "/Q/"), query_string={"from": old}).status_code == 404


def test_a_lesion_that_was_chosen_by_mistake_is_set_right_while_a_draft(world, pictures):
    first, second, _ = pictures
    one = world.derm_case()
    upload(world, one, as_jpeg(first))
    send(world, one)
    two = world.derm_case(clinical={"category": "mole", "lesion": "A"})
    taken = upload(world, two, as_jpeg(second))["sop_instance_uid"]
    client = world.client("referrer@fjord")
    answer = client.put(f"/api/cases/{two}/lesion", json={"label": " B "})
    assert answer.status_code == 200
    uid = answer.get_json()["uid"]
    by_label = {each["label"]: each for each in lesions_of(world, two)}
    assert [p["sop_instance_uid"] for p in by_label["B"]["pictures"]] == [taken]
    assert (by_label["B"]["uid"], by_label["A"]["visits"]) == (uid, 1)
    said = client.get(f"/api/cases/{two}").get_json()["clinical"]
    assert said == {"category": "mole", "lesion": "B"}
    assert [e.subject for e in world.audit("lesion-set")] == [uid]
    send(world, two)
    late = client.put(f"/api/cases/{two}/lesion", json={"label": "A"})
    assert (late.status_code, late.get_json()["code"]) == (409, "wrong-state")
    assert client.put(f"/api/cases/{two}/lesion", json={"label": " "}).status_code == 422


def test_a_lesion_that_is_renamed_keeps_its_uid_and_its_old_name_is_another_one(world, pictures):
    first, _, _ = pictures
    case_id = world.derm_case()
    upload(world, case_id, as_jpeg(first))
    (lesion,) = lesions_of(world, case_id)
    client = world.client("referrer@fjord")
    url = f"/api/cases/{case_id}/lesions/{lesion['uid']}"
    assert client.put(url, json={"label": "left arm"}).status_code == 200
    assert [(e["label"], e["uid"]) for e in lesions_of(world, case_id)] == [
        ("left arm", lesion["uid"])
    ]
    assert lookup(world).get_json()["next_label"] == "A"
    upload(world, case_id, as_jpeg(sample("closeup.png")), lesion="A", kind="closeup")
    uids = {e["label"]: e["uid"] for e in lesions_of(world, case_id)}
    assert len(set(uids.values())) == 2
    taken = client.put(url, json={"label": "A"})
    assert (taken.status_code, taken.get_json()["code"]) == (409, "label-taken")
    send(world, case_id)
    reader = world.client("dermatologist@centre")
    assert reader.put(url, json={"label": "C"}).status_code == 403
    assert client.put(f"/api/cases/{case_id}/lesions/1.9", json={"label": "C"}).status_code == 404


def test_nothing_of_drafts_other_sites_or_without_consent_leaks(world, pictures):
    first, second, _ = pictures
    lesion = Lesion("A", "1.2.3.4.5")
    whose = {"patient": {"id": NUMBER, "issuer": OID, "name": "Nordmann^Kari",
                         "birth_date": "1969-11-13"}}  # fmt: skip
    hidden = import_earlier(world, as_jpeg(first), site="vik", lesion=lesion, issuer=OID)
    case_id = world.derm_case(**whose)
    own = upload(world, case_id, as_jpeg(second), lesion="A")["sop_instance_uid"]
    (seen,) = lesions_of(world, case_id)
    assert [p["sop_instance_uid"] for p in seen["pictures"]] == [own]
    drafted = world.client("dermatologist@centre").get(f"/api/cases/{case_id}/lesions")
    assert drafted.status_code == 404
    send(world, case_id)
    by_reader = lesions_of(world, case_id, "dermatologist@centre")
    assert {p["sop_instance_uid"] for e in by_reader for p in e["pictures"]} == {own, hidden}
    url = f"/api/cases/{case_id}/lesions/1.2.3.4.5"
    asker = world.client("referrer@fjord")
    assert asker.get(f"{url}/alignment?from={hidden}&to={own}").status_code == 404
    assert asker.get(f"{url}/sizes").status_code == 404
    for who in ("referrer@vik", "admin@berg", "radiologist@centre"):
        assert world.client(who).get(f"/cases/{case_id}/lesions/A").status_code == 404
    later = world.derm_case(**whose)
    upload(world, later, as_jpeg(second))
    assert lesions_of(world, later)[0]["visits"] == 2
    client = world.client("referrer@fjord")
    assert client.post(f"/api/cases/{case_id}/withdraw", json={"reason": "x"}).status_code == 200
    (left,) = lesions_of(world, later)
    assert {p["case_id"] for p in left["pictures"]} == {later}


def test_sizes_when_a_scale_lay_there_then_the_page_says_what_they_do(world):
    lesion = Lesion("A", "1.2.3.4.5")
    for day, axes in ((date(2025, 1, 14), (80, 60)), (date(2025, 9, 1), (95, 70))):
        import_earlier(world, as_jpeg(ellipse(axes)), day=day, lesion=lesion, mm_per_pixel=0.025,
                       kind=Kind.CLOSEUP)  # fmt: skip
    last = import_earlier(world, as_jpeg(ellipse((120, 90))), day=date(2026, 3, 14), lesion=lesion,
                          mm_per_pixel=0.025)  # fmt: skip
    case_id = world.derm_case(clinical={"site": FOREARM, "laterality": "L"})
    upload(world, case_id, as_jpeg(sample()))
    client = world.client("referrer@fjord")
    told = client.get(f"/api/cases/{case_id}/lesions/A/sizes").get_json()["sizes"]
    assert [s["date"] for s in told] == ["2025-01-14", "2025-09-01", "2026-03-14"]
    assert [s["longest_mm"] for s in told] == pytest.approx([4.0, 4.75, 6.0], abs=0.3)
    assert told[-1]["sop_instance_uid"] == last
    page = client.get(f"/cases/{case_id}/lesions/A").get_data(as_text=True)
    assert "mm in 14 months" in page
    assert '<title id="plot-title">' in page
    assert "by its outline" in page
    assert len(world.audit("lesion-opened")) == 1


def test_pages_of_the_case_lead_to_the_lesion_over_time(world, pictures):
    first, second, _ = pictures
    import_earlier(world, as_jpeg(first), lesion=Lesion("A", "1.2.3.4.5"))
    case_id = world.derm_case()
    upload(world, case_id, as_jpeg(second))
    asker = world.client("referrer@fjord")
    assert f"/cases/{case_id}/lesions/1.2.3.4.5" in asker.get(f"/cases/{case_id}").text
    send(world, case_id)
    reader = world.client("dermatologist@centre")
    assert f"/cases/{case_id}/lesions/1.2.3.4.5" in reader.get(f"/cases/{case_id}").text
    dark, light = (c.get(f"/cases/{case_id}/lesions/1.2.3.4.5").text for c in (reader, asker))
    assert 'data-theme="room"' in dark
    assert 'data-theme="office"' in light


def test_a_lesion_whose_earlier_study_is_erased_shows_it_no_more(world, pictures):
    first, second, _ = pictures
    old = import_earlier(world, as_jpeg(first), lesion=Lesion("A", "1.2.3.4.5"))
    case_id = world.derm_case()
    upload(world, case_id, as_jpeg(second))
    row = world.parts.index.instance(scope_of(world.actors["referrer@fjord"]), old)
    target = Target(study_uid=row.study_uid)
    world.parts.erasures.erase(target, actor=world.actors["admin@centre"], reason="a request")
    (seen,) = lesions_of(world, case_id)
    assert [p["case_id"] for p in seen["pictures"]] == [case_id]
    url = f"/api/cases/{case_id}/lesions/A/alignment?from={old}&to={old}"
    assert world.client("referrer@fjord").get(url).status_code == 404
