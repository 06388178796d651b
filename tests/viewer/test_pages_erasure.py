"""The page for erasure: shows first, then erases for a reason; holds are placed and lifted."""

from __future__ import annotations

import re

from casework.erasure import Target
from tests.viewer.conftest import World
from tests.viewer.test_pages import page, reported_case, signed_in, submit, words_of

ON = "/admin/erasure"


def digest_on(text: str) -> str:
    found = re.search(r'name="digest" value="([0-9a-f]{64})"', text)
    assert found is not None
    return found[1]


def test_an_administrator_sees_what_goes_gives_a_reason_and_erases_a_read_case(
    world: World,
) -> None:
    case_id = reported_case(world)
    case = world.client("radiologist@centre").get(f"/api/cases/{case_id}").get_json()
    study_uid = case["studies"][0]["study_uid"]
    client = signed_in(world, "admin@centre")
    what = {"study_uid": study_uid}
    shown = submit(client, f"{ON}/plan", on=ON, **what)
    said = words_of(shown.text)
    assert "This would go" in said
    assert f"Case {case_id}: goes, with 1 report" in said
    digest = digest_on(shown.text)

    without = submit(client, ON, on=ON, **what, digest=digest, reason="")
    assert (without.status_code, "Give a reason" in words_of(without.text)) == (422, True)
    unseen = submit(client, ON, on=ON, **what, reason="a request")
    assert (unseen.status_code, "Look first" in words_of(unseen.text)) == (422, True)
    world.store("hammer", SOPInstanceUID="1.2.3.99")  # one more since it was shown
    changed = submit(client, ON, on=ON, **what, digest=digest, reason="a request")
    assert (changed.status_code, "has changed" in words_of(changed.text)) == (422, True)

    digest = digest_on(changed.text)
    done = submit(client, ON, on=ON, **what, digest=digest, reason="a request")
    assert (done.status_code, done.headers["Location"]) == (302, f"{ON}#erased")
    said = words_of(page(client, ON))
    assert "a request" in said
    assert "its bytes are going" in said
    assert world.client("radiologist@centre").get(f"/api/cases/{case_id}").status_code == 404
    entries = world.parts.ledger.of_case(case_id)
    assert entries[-1].action == "erased"
    assert world.parts.ledger.verify() is None


def test_a_hold_is_placed_shown_and_lifted_and_stands_in_the_way(world: World) -> None:
    study_uid = str(world.store("hammer").StudyInstanceUID)
    client = signed_in(world, "admin@centre")
    hold = {"study_uid": study_uid, "reason": "a matter at the court"}
    assert submit(client, f"{ON}/holds", on=ON, **hold).status_code == 302
    assert submit(client, f"{ON}/holds", on=ON, **hold).status_code == 422
    assert "a matter at the court" in words_of(page(client, ON))
    shown = submit(client, f"{ON}/plan", on=ON, study_uid=study_uid)
    assert "a legal hold stands" in words_of(shown.text)
    assert 'name="digest"' not in shown.text
    digest = world.parts.erasures.plan(Target(study_uid=study_uid)).digest
    forced = submit(client, ON, on=ON, study_uid=study_uid, digest=digest, reason="all the same")
    assert forced.status_code == 422
    (placed,) = world.parts.holds.listed()
    lift = f"{ON}/holds/{placed.id}/lift"
    assert submit(client, lift, on=ON, reason="").status_code == 422
    assert submit(client, lift, on=ON, reason="it is over").status_code == 302
    assert world.parts.holds.listed() == ()


def test_nothing_and_nonsense_are_told_on_the_page(world: World) -> None:
    client = signed_in(world, "admin@centre")
    nothing = submit(client, f"{ON}/plan", on=ON, study_uid="1.2.3.404")
    assert "no such study" in words_of(nothing.text)
    for wrong in ({}, {"study_uid": "1.2", "patient_id": "3"}):
        answer = submit(client, f"{ON}/plan", on=ON, **wrong)
        assert answer.status_code == 422
        assert "one study or one patient" in words_of(answer.text)
