"""The office pages over real storage: each for its role, whole without a script."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from casework.custody import Door, Origin
from tests.viewer.conftest import PASSWORD, World, ct_slice, part10

pytestmark = pytest.mark.slow

IMPRESSION = "No bleeding."


def page(client: FlaskClient, path: str, *, language: str = "en", status: int = 200) -> str:
    answer = client.get(path, headers={"Accept": "text/html", "Accept-Language": language})
    assert answer.status_code == status, answer.text
    assert answer.mimetype == "text/html"
    return answer.text


def words_of(text: str) -> str:
    """Return what a page says, without its elements."""
    body = text.partition("<body>")[2]
    body = re.sub(r"<script.*?</script>", " ", body, flags=re.S)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", body)).split())


def signed_in(world: World, email: str) -> FlaskClient:
    """Return a client that has signed in by the form, as a browser does."""
    client = world.app.test_client()
    form = {"email": email, "password": PASSWORD, "csrf_token": token_of(client, "/login")}
    answer = client.post("/login", data=form)
    assert answer.status_code == 302, answer.text
    return client


def token_of(client: FlaskClient, path: str) -> str:
    found = re.search(r'name="csrf-token" content="([^"]+)"', page(client, path))
    assert found is not None
    return found[1]


def submit(client: FlaskClient, path: str, *, on: str = "/", **fields: Any) -> TestResponse:
    """Send a form of a page."""
    return client.post(
        path, data={**fields, "csrf_token": token_of(client, on)}, headers={"Accept": "text/html"}
    )


def reported_case(world: World, **content: Any) -> str:
    """Return a radiology case of hammer with a signed reply."""
    dataset = world.store("hammer")
    case_id = world.case_of("hammer", dataset.StudyInstanceUID)
    reader = world.client("radiologist@centre")
    assert reader.post(f"/api/cases/{case_id}/claim").status_code == 200
    body = {"findings": "Normal.", "impression": IMPRESSION, **content}
    assert reader.put(f"/api/cases/{case_id}/findings", json=body).status_code == 200
    assert reader.post(f"/api/cases/{case_id}/sign", json={}).status_code == 200
    return case_id


def test_sign_in_when_the_password_is_wrong_says_so_and_keeps_the_address(world: World) -> None:
    client = world.app.test_client()
    form = {
        "email": "referrer@fjord",
        "password": "not this",
        "csrf_token": token_of(client, "/login"),
    }
    answer = client.post("/login", data=form, headers={"Accept": "text/html"})
    assert answer.status_code == 401
    assert 'role="alert"' in answer.text
    assert 'value="referrer@fjord"' in answer.text


def test_the_first_page_of_a_stranger_is_sign_in(world: World) -> None:
    answer = world.anonymous().get("/", headers={"Accept": "text/html"})
    assert (answer.status_code, answer.headers["Location"]) == (302, "/login")


@pytest.mark.parametrize(
    ("who", "expected"),
    [
        ("radiologist@centre", "waiting for us"),
        ("dermatologist@centre", "waiting for us"),
        ("coordinator@centre", "Specialty"),
        ("referrer@hammer", "Your cases"),
        ("referrer@fjord", "New referral"),
    ],
)
def test_the_first_page_is_the_roles_own(world: World, who: str, expected: str) -> None:
    assert expected in words_of(page(world.client(who), "/"))


def test_an_administrator_is_led_to_the_exchange(world: World) -> None:
    answer = world.client("admin@centre").get("/", headers={"Accept": "text/html"})
    assert (answer.status_code, answer.headers["Location"]) == (302, "/admin")


def test_a_hospital_is_not_offered_the_camera(world: World) -> None:
    assert "/capture" not in page(world.client("referrer@hammer"), "/")


def test_a_row_says_what_waits_and_escapes_the_name(world: World) -> None:
    world.store("hammer")
    text = page(world.client("radiologist@centre"), "/")
    assert "<script>alert(1)" not in text
    said = words_of(text)
    for expected in ("CT thorax", "<b>Åse</b> <script>alert(1)</script>", "1 image", "Claim"):
        assert expected in said
    assert "1 waiting for us" in said


def test_filters_keep_to_what_was_asked_for(world: World) -> None:
    world.store("hammer")
    reader = world.client("radiologist@centre")
    assert "CT thorax" in page(reader, "/?site=hammer&priority=routine")
    assert "No case fits" in page(reader, "/?priority=stat")
    assert "No case fits" in page(reader, "/?site=berg")
    assert "No case fits" in page(reader, "/?q=nobody")
    assert "CT thorax" in page(reader, "/?state=nonsense&specialty=nonsense&page=1")


def test_the_rows_alone_are_no_page(world: World) -> None:
    world.store("hammer")
    text = page(world.client("radiologist@centre"), "/worklist/rows")
    assert "data-case=" in text
    assert "<html" not in text


def test_an_empty_worklist_says_when_the_last_case_was_signed(world: World) -> None:
    assert "Nothing waits for you." in page(world.client("radiologist@centre"), "/")
    reported_case(world)
    assert re.search(r"Last case signed \d\d:\d\d\.", page(world.client("radiologist@centre"), "/"))


def test_the_reply_gives_the_answer_first_and_counts_as_read(world: World) -> None:
    case_id = reported_case(world, advice="Stop warfarin.", urgency="priority")
    client = world.client("referrer@hammer")
    assert "Replies to read" in page(client, "/")
    said = words_of(page(client, f"/cases/{case_id}"))
    for expected in (IMPRESSION, "Stop warfarin.", "act on this soon", "radiologist centre"):
        assert expected in said
    assert said.index(IMPRESSION) < said.index("Your question")
    state = client.get(f"/api/cases/{case_id}").get_json()["state"]
    assert state == "read"


def test_a_reader_gets_the_reading_room_at_the_same_address(world: World) -> None:
    case_id = reported_case(world)
    text = page(world.client("radiologist@centre"), f"/cases/{case_id}")
    assert 'data-theme="room"' in text


def test_i_have_read_this_closes_the_case_by_form(world: World) -> None:
    case_id = reported_case(world)
    client = signed_in(world, "referrer@hammer")
    here = f"/cases/{case_id}"
    assert "I have read this" in page(client, here)
    assert submit(client, f"{here}/acknowledge", on=here).status_code == 302
    assert "Acknowledged" in page(client, here)
    assert "I have read this" not in page(client, here)


def test_a_question_is_answered_by_form(world: World) -> None:
    dataset = world.store("hammer")
    case_id = world.case_of("hammer", dataset.StudyInstanceUID)
    reader = world.client("radiologist@centre")
    reader.post(f"/api/cases/{case_id}/claim")
    asked = {"reason": "incomplete", "text": "Which side <hurts>?"}
    assert reader.post(f"/api/cases/{case_id}/ask", json=asked).status_code == 200
    client, here = signed_in(world, "referrer@hammer"), f"/cases/{case_id}"
    assert "Questions to you" in page(client, "/")
    assert "Which side <hurts>?" in words_of(page(client, here))
    assert submit(client, f"{here}/answer", on=here, text="  ").status_code == 422
    assert submit(client, f"{here}/answer", on=here, text="The left.").status_code == 302
    said = words_of(page(client, here))
    assert "The left." in said
    assert "Waiting for a specialist" in said


def test_a_correction_replaces_the_answer_and_keeps_the_first(world: World) -> None:
    case_id = reported_case(world)
    body = {"findings": "Seen again.", "impression": "A small bleeding."}
    corrected = world.client("radiologist@centre").post(f"/api/cases/{case_id}/correct", json=body)
    assert corrected.status_code == 200
    said = words_of(page(world.client("referrer@hammer"), f"/cases/{case_id}"))
    assert "Corrected answer" in said
    assert said.index("A small bleeding.") < said.index(IMPRESSION)
    assert "1 earlier version" in said


def test_the_pdf_of_a_reply_is_a_pdf(world: World) -> None:
    case_id = reported_case(world)
    client = world.client("referrer@hammer")
    answer = client.get(f"/cases/{case_id}/report.pdf")
    assert (answer.status_code, answer.mimetype) == (200, "application/pdf")
    assert answer.data.startswith(b"%PDF-")
    assert client.get(f"/cases/{case_id}/report.pdf?version=7").status_code == 404


def test_a_case_of_another_site_does_not_exist(world: World) -> None:
    case_id = reported_case(world)
    for path in (f"/cases/{case_id}", f"/cases/{case_id}/report.pdf"):
        text = page(world.client("referrer@berg"), path, status=404)
        assert "There is no such page or case" in text


def test_a_draft_is_gone_on_with_in_the_capture_page(world: World) -> None:
    case_id = world.derm_case("fjord")
    text = page(world.client("referrer@fjord"), "/")
    assert f'href="/capture?case={case_id}"' in text


def test_every_page_speaks_norwegian(world: World) -> None:
    case_id = reported_case(world)
    for who, path, expected in (
        ("radiologist@centre", "/", "venter på oss"),
        ("referrer@fjord", "/", "Ny henvisning"),
        ("referrer@hammer", f"/cases/{case_id}", "Jeg har lest dette"),
        ("admin@centre", "/admin", "Alt er i orden"),
        ("admin@centre", "/admin/audit", "Revisjonslogg"),
        ("admin@centre", "/admin/people", "Legg til en person"),
        ("admin@centre", "/admin/erasure", "Rettslige sperrer"),
    ):
        text = page(world.client(who), path, language="nb-NO,nb;q=0.9")
        assert '<html lang="nb"' in text
        assert expected in text


def test_the_switch_keeps_the_language_and_leads_nowhere_else(world: World) -> None:
    client = world.app.test_client()
    answer = client.get("/language/nb?next=/login")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/login")
    assert "Logg inn" in page(client, "/login")
    for elsewhere in ("https://evil.example/", "//evil.example", "/\\evil.example"):
        answer = client.get("/language/en", query_string={"next": elsewhere})
        assert answer.headers["Location"] == "/"
    assert client.get("/language/xx").status_code == 404


def test_the_operators_page_is_boring_when_all_is_well(world: World) -> None:
    world.store("hammer")
    said = words_of(page(world.client("admin@centre"), "/admin"))
    for expected in ("All is well", "1 studies", "nothing waits", "Hammer"):
        assert expected in said


def test_a_conflict_is_shown_with_both_hashes_and_settled(world: World) -> None:
    world.store("hammer")
    other = part10(ct_slice(PixelData=bytes(32)))
    world.parts.archive.receive_part10(
        other, Origin(site="hammer", door=Door.DICOM, calling_ae="HAMMER_CT")
    )
    world.parts.archive.settle()
    (conflict,) = world.parts.index.conflicts()
    client = signed_in(world, "admin@centre")
    text = page(client, "/admin")
    assert "1 thing wants you" in text
    for side in (conflict.first, conflict.second):
        assert side.instance.sha256 in text
    assert "HAMMER_CT" in text
    path = f"/admin/conflicts/{conflict.pk}"
    assert submit(client, path, on="/admin", keep="both").status_code == 422
    assert submit(client, path, on="/admin", keep="second").status_code == 302
    assert world.parts.index.conflicts() == []
    assert "All is well" in page(client, "/admin")


def test_people_sites_and_nodes_are_added_by_form(world: World) -> None:
    client, on = signed_in(world, "admin@centre"), "/admin/people"
    site = {"slug": "ny", "name": "Ny <klinikk>", "kind": "gp", "issuer": ""}
    node = {"title": "NY_US", "site": "hammer", "host": "", "port": "", "allow": ["store"]}
    person = {
        "email": "ny@fjord",
        "name": "Dr. Ny",
        "site": "fjord",
        "role": "referrer",
        "password": "lang nok til dette",
    }
    assert submit(client, "/admin/sites", on=on, **site).status_code == 302
    assert submit(client, "/admin/nodes", on=on, **node).status_code == 302
    assert submit(client, "/admin/people", on=on, **person).status_code == 302
    said = words_of(page(client, on))
    for expected in ("Ny <klinikk>", "NY_US", "send images", "Dr. Ny"):
        assert expected in said
    assert world.parts.people.user_by_email("ny@fjord") is not None


def test_a_form_that_is_refused_comes_back_filled_in_with_the_reason(world: World) -> None:
    client, on = signed_in(world, "admin@centre"), "/admin/people"
    weak = {
        "email": "ny@fjord",
        "name": "Dr. Ny",
        "site": "fjord",
        "role": "referrer",
        "password": "short",
    }
    answer = submit(client, "/admin/people", on=on, **weak)
    assert answer.status_code == 422
    assert "too short" in answer.text
    assert 'value="Dr. Ny"' in answer.text
    assert "short" not in re.findall(r'value="([^"]*)"', answer.text)
    assert world.parts.people.user_by_email("ny@fjord") is None


def test_access_is_ended_but_never_ones_own(world: World) -> None:
    client, on = signed_in(world, "admin@centre"), "/admin/people"
    own = submit(client, "/admin/people/disable", on=on, email="admin@centre")
    assert own.status_code == 422
    other = submit(client, "/admin/people/disable", on=on, email="referrer@vik")
    assert other.status_code == 302
    row = world.parts.people.user_by_email("referrer@vik")
    assert row is not None
    assert row.disabled


def test_a_token_is_shown_once_and_works(world: World) -> None:
    client, on = signed_in(world, "admin@centre"), "/admin/people"
    answer = submit(client, "/admin/people/token", on=on, email="referrer@vik")
    found = re.search(r'<p class="mono">([^<]+)</p>', answer.text)
    assert found is not None
    machine = world.app.test_client()
    bearer = {"Authorization": f"Bearer {html.unescape(found[1])}"}
    assert machine.get("/api/cases", headers=bearer).status_code == 200
    assert found[1] not in page(client, on)


def test_the_audit_is_searched_checked_and_its_reading_noted(world: World) -> None:
    client = world.client("admin@centre")
    page(client, "/admin/audit")
    said = words_of(page(client, "/admin/audit?check=1&q=audit-read"))
    assert "Chain verified" in said
    assert "audit-read" in said
    assert len(world.audit("audit-read")) == 2


@pytest.mark.parametrize("path", ["/admin", "/admin/people", "/admin/audit", "/admin/erasure"])
def test_the_operators_pages_are_for_administrators_only(world: World, path: str) -> None:
    for who in ("referrer@hammer", "radiologist@centre", "coordinator@centre"):
        assert "This is not open to you" in page(world.client(who), path, status=403)


def test_no_page_needs_an_inline_script_or_style(world: World) -> None:
    case_id = reported_case(world)
    for who, path in (
        ("radiologist@centre", "/"),
        ("referrer@hammer", "/"),
        ("referrer@hammer", f"/cases/{case_id}"),
        ("admin@centre", "/admin"),
        ("admin@centre", "/admin/people"),
        ("admin@centre", "/admin/audit"),
        ("admin@centre", "/admin/erasure"),
    ):
        text = page(world.client(who), path)
        assert re.search(r"\sstyle=|<style|\son\w+=", text) is None
        scripts = re.findall(r"<script([^>]*)>", text)
        assert all("src=" in each or "application/json" in each for each in scripts)


def test_built_files_are_served_packed_and_kept_for_good(world: World) -> None:
    client = world.anonymous()
    text = page(client, "/login")
    style = next(s for s in re.findall(r'href="([^"]+\.css)"', text) if "/base-" in s)
    plain = client.get(style, buffered=True)
    assert (plain.status_code, plain.mimetype) == (200, "text/css")
    assert "immutable" in plain.headers["Cache-Control"]
    packed = client.get(style, buffered=True, headers={"Accept-Encoding": "br, gzip"})
    assert packed.headers["Content-Encoding"] == "br"
    assert packed.mimetype == "text/css"
    assert len(packed.data) < len(plain.data) / 2
    assert client.get("/static/dist/../../app.py").status_code == 404
