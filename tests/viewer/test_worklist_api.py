"""The worklist over the web: saved filters, what waits, who is handed what, and two readers."""

from __future__ import annotations

import pytest

from casework.model import Role
from casework.second_readings import Need, ReadingRule
from tests.viewer.conftest import World, password_hash

FINDINGS = {"findings": "Normal.", "impression": "No bleeding."}


@pytest.fixture
def desk(world: World) -> World:
    """Return a world with three radiologists at the centre."""
    for name in ("second", "third"):
        email = f"{name}@centre"
        row = world.parts.people.add_user(
            email, "centre", Role.RADIOLOGIST, f"Dr {name}", password_hash()
        )
        world.tokens[email] = world.parts.people.add_token(email, days=1, name="test")
        world.actors[email] = row.actor
    return world


def study(world: World, number: int, **more: str) -> str:
    uid = f"1.2.826.0.{number}"
    uids = {
        "StudyInstanceUID": uid, "SeriesInstanceUID": f"{uid}.1", "SOPInstanceUID": f"{uid}.1.1",
    }  # fmt: skip
    world.store("hammer", **uids, PatientID=f"p-{number}", **more)
    return world.case_of("hammer", uid)


def drafted(world: World, number: int = 1) -> str:
    case_id, first = study(world, number), world.client("radiologist@centre")
    assert first.post(f"/api/cases/{case_id}/claim").status_code == 200
    assert first.put(f"/api/cases/{case_id}/findings", json=FINDINGS).status_code == 200
    return case_id


def do(world: World, who: str, case_id: str, verb: str, **body: object) -> dict:
    answer = world.client(who).post(f"/api/cases/{case_id}/{verb}", json=body)
    assert answer.status_code == 200, answer.text
    found: dict = answer.get_json()
    return found


def test_saved_filters_are_tabs_with_counts(desk: World) -> None:
    study(desk, 1, StudyPriorityID="STAT")
    study(desk, 2)
    client = desk.client("radiologist@centre")
    made = client.post(
        "/api/worklist/filters", json={"name": "Stat", "wanted": {"priority": "stat"}}
    )
    assert (made.status_code, made.get_json()["count"]) == (201, 1)
    words = {"name": "Words", "wanted": {"q": "thorax"}, "is_default": True}
    second = client.post("/api/worklist/filters", json=words).get_json()
    assert second["count"] == 2
    assert client.get("/").location == f"/?f={second['id']}"
    page = client.get(f"/?f={made.get_json()['id']}").text
    assert page.count('<li class="case') == 1
    assert 'aria-current="page">Stat <span class="count figures">1</span>' in page
    moved = client.put(f"/api/worklist/filters/{second['id']}", json={"position": 1}).get_json()
    assert moved["name"] == "Words"
    ids = [each["id"] for each in client.get("/api/worklist/filters").get_json()["filters"]]
    assert ids == [second["id"], made.get_json()["id"]]
    assert client.get("/?state=open").text.count('<li class="case') == 2
    left = client.delete(f"/api/worklist/filters/{second['id']}").get_json()["filters"]
    assert [each["name"] for each in left] == ["Stat"]
    assert client.get("/").status_code == 200


def test_a_filter_that_says_nothing_known_is_refused(desk: World) -> None:
    client = desk.client("radiologist@centre")
    answer = client.post("/api/worklist/filters", json={"name": "x", "wanted": {"mark": "odd"}})
    assert (answer.status_code, answer.get_json()["code"]) == (422, "bad-filter")
    assert desk.client("referrer@hammer").get("/api/worklist/filters").status_code == 403


def test_rows_that_say_the_same_are_not_sent_again(desk: World) -> None:
    case_id = study(desk, 1)
    client = desk.client("radiologist@centre")
    first = client.get("/worklist/rows")
    same = client.get("/worklist/rows", headers={"If-None-Match": first.headers["ETag"]})
    assert (first.status_code, same.status_code, same.data) == (200, 304, b"")
    do(desk, "second@centre", case_id, "claim")
    other = client.get("/worklist/rows", headers={"If-None-Match": first.headers["ETag"]})
    assert other.status_code == 200
    assert "Dr second" in other.text
    answered = client.get("/worklist/rows?state=replied")
    tag = {"If-None-Match": answered.headers["ETag"]}
    assert client.get("/worklist/rows?state=replied", headers=tag).status_code == 304
    now = client.get("/api/worklist/now")
    assert now.get_json()["ours"] == 1
    tag = {"If-None-Match": now.headers["ETag"]}
    assert client.get("/api/worklist/now", headers=tag).status_code == 304


def test_the_next_case_is_that_of_the_list_that_one_came_from(desk: World) -> None:
    routine, stat = study(desk, 1), study(desk, 2, StudyPriorityID="STAT")
    client = desk.client("radiologist@centre")

    def after(case_id: str, query: str = "") -> str:
        found = client.get(f"/api/worklist/next?after={case_id}{query}").get_json()
        return str(found["case_id"])

    assert after("") == stat
    assert after(stat) == routine
    assert after("", "&priority=routine") == routine
    do(desk, "second@centre", stat, "claim")
    assert after(routine) == ""
    do(desk, "radiologist@centre", routine, "claim")
    assert after("", "&holder=me") == routine


def test_a_case_is_handed_over_with_a_note_that_its_referrer_does_not_see(desk: World) -> None:
    case_id = drafted(desk)
    found = desk.client("radiologist@centre").get(f"/api/cases/{case_id}/colleagues").get_json()
    names = ["Dr second", "Dr third", "radiologist hammer"]  # who see it at the site, too
    assert [each["name"] for each in found["colleagues"]] == names
    do(desk, "radiologist@centre", case_id, "hand-over", to="second@centre", note="Gone home")
    page = desk.client("second@centre").get(f"/cases/{case_id}").text
    assert "Handed to you by radiologist centre" in page
    assert "Gone home" in page
    assert "No bleeding." in page
    row = desk.client("second@centre").get("/?state=open").text
    assert "from radiologist centre: Gone home" in row
    for address in (f"/api/cases/{case_id}", f"/cases/{case_id}", "/"):
        assert "Gone home" not in desk.client("referrer@hammer").get(address).text
    assert "Handed over" in desk.client("referrer@hammer").get(f"/cases/{case_id}").text
    back = do(desk, "second@centre", case_id, "give-back", note="No")
    assert (back["holder_name"], back["handed_note"]) == ("radiologist centre", "No")


def test_a_coordinator_sees_who_has_what_and_assigns(desk: World) -> None:
    case_id = study(desk, 1)
    client = desk.client("coordinator@centre")
    page = client.get("/?state=open").text
    assert '<b>Nobody has</b> <span class="figures">1</span>' in page
    assert f'data-assign="{case_id}"' in page
    done = do(desk, "coordinator@centre", case_id, "hand-over", to="third@centre")
    assert (done["state"], done["holder_name"]) == ("claimed", "Dr third")
    page = client.get("/?state=open").text
    assert '<b>Dr third</b> <span class="figures">1</span>' in page
    assert "since " in page
    assert "data-assign" not in client.get("/?state=others").text
    refused = desk.client("admin@centre").post(
        f"/api/cases/{case_id}/hand-over", json={"to": "x@y"}
    )
    assert refused.status_code == 403


def test_work_lets_a_claim_last_and_the_page_says_when_it_ends(desk: World) -> None:
    case_id = drafted(desk)
    told = do(desk, "radiologist@centre", case_id, "renew")
    assert told["claim_until"] is not None
    assert "data-until=" in desk.client("radiologist@centre").get(f"/cases/{case_id}").text
    answer = desk.client("second@centre").post(f"/api/cases/{case_id}/renew")
    assert (answer.status_code, answer.get_json()["code"]) == (403, "not-holder")
    assert desk.client("referrer@hammer").post(f"/api/cases/{case_id}/renew").status_code == 403


def test_two_read_and_one_reply_goes_out(desk: World) -> None:
    desk.parts.casebook.set_reading_rule(ReadingRule("", "radiology", Need.ALWAYS))
    case_id = drafted(desk)
    first, second = desk.client("radiologist@centre"), desk.client("second@centre")
    assert "This case is read by two." in first.get(f"/cases/{case_id}").text
    refused = first.post(f"/api/cases/{case_id}/sign", json={})
    assert (refused.status_code, refused.get_json()["code"]) == (409, "second-reading-needed")
    asked = do(desk, "radiologist@centre", case_id, "second-reading", note="The falx?")
    assert (asked["reading"]["state"], asked["reading"]["blinded"]) == ("asked", True)
    page = second.get("/?mark=second").text
    assert f'data-take-second="{case_id}"' in page
    do(desk, "second@centre", case_id, "second-reading/take")
    blind = second.get(f"/cases/{case_id}").text
    assert "You read second" in blind
    assert "The falx?" in blind
    assert "No bleeding." not in blind
    saved = second.put(
        f"/api/cases/{case_id}/findings",
        json={"impression": "Small bleeding."}, headers={"If-Match": '"0"'},
    )  # fmt: skip
    assert (saved.status_code, saved.headers["ETag"]) == (200, '"1"')
    own = second.get(f"/api/cases/{case_id}").get_json()
    assert (own["draft"]["impression"], own["draft_version"]) == ("Small bleeding.", 1)
    assert {"draft", "sign"} <= set(own["may"])
    assert "Small bleeding." not in first.get(f"/cases/{case_id}").text
    signed = do(desk, "second@centre", case_id, "sign")
    assert (signed["report"], signed["report_version"], signed["state"]) == (None, 0, "reported")
    assert "No bleeding." in second.get(f"/cases/{case_id}").text
    both = first.get(f"/cases/{case_id}").text
    assert "Small bleeding." in both
    assert "How do the two readings compare?" in both
    do(
        desk, "radiologist@centre", case_id, "second-reading/comparison",
        comparison="major", text="Bleeding or not",
    )  # fmt: skip
    stuck = first.post(f"/api/cases/{case_id}/sign", json={})
    assert stuck.get_json()["code"] == "third-reader-needed"
    do(desk, "coordinator@centre", case_id, "hand-over", to="third@centre")
    done = do(desk, "third@centre", case_id, "sign")
    assert done["report"]["signed_by"] == "Dr third"
    case = first.get(f"/api/cases/{case_id}").get_json()
    assert [len(case["reports"]), case["readings"][0]["decided_by"]] == [1, "Dr third"]
    told = desk.client("referrer@hammer").get(f"/api/cases/{case_id}").get_json()
    assert (told["readings"], len(told["reports"])) == ([], 1)
    assert "Small bleeding." not in desk.client("referrer@hammer").get(f"/cases/{case_id}").text
    page = desk.client("coordinator@centre").get("/admin/statistics").text
    assert "Read by two" in page
    assert "Major difference, decided by a third" in page


def test_a_blinded_reading_after_the_reply_hides_it_everywhere(desk: World) -> None:
    case_id = drafted(desk)
    assert do(desk, "radiologist@centre", case_id, "sign")["report_version"] == 1
    do(desk, "radiologist@centre", case_id, "second-reading", blinded=True)
    second = desk.client("second@centre")
    for address in (
        f"/cases/{case_id}", f"/api/cases/{case_id}", f"/api/cases/{case_id}/manifest",
        f"/fhir/DiagnosticReport?based-on={case_id}", "/fhir/DiagnosticReport",
    ):  # fmt: skip
        assert "No bleeding." not in second.get(address).text, address
    assert second.get(f"/cases/{case_id}/report.pdf").status_code == 404
    assert "No bleeding." in desk.client("radiologist@centre").get(f"/cases/{case_id}").text
    assert "No bleeding." in desk.client("referrer@hammer").get(f"/cases/{case_id}").text
    taken = desk.client("radiologist@centre").delete(f"/api/cases/{case_id}/second-reading")
    assert taken.get_json()["reading"] is None
    assert "No bleeding." in second.get(f"/cases/{case_id}").text


def test_what_came_after_the_reply_is_said_with_its_reason(desk: World) -> None:
    case_id = drafted(desk)
    do(desk, "radiologist@centre", case_id, "sign")
    uid = "1.2.826.0.1"
    uids = {
        "StudyInstanceUID": uid, "SeriesInstanceUID": f"{uid}.1", "SOPInstanceUID": f"{uid}.1.2",
    }  # fmt: skip
    desk.store("hammer", **uids, PatientID="p-1", InstanceNumber=2)
    page = desk.client("radiologist@centre").get("/?mark=changed").text
    assert "1 image came after the report" in page
    assert page.count('<li class="case') == 1
