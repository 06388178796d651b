"""The commands that register who takes part: what they take, list, refuse and note."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.lysbro.calling import PASSWORD, Desk
from tests.pacs_bridge.certificates import wallet

pytestmark = pytest.mark.slow


def test_a_site_is_added_once_and_listed(empty_desk: Desk) -> None:
    words = ("site", "add", "hammer", "--name", "Hammer sykehus", "--kind", "hospital")
    added = empty_desk.must(*words, "--issuer", "2.16.578.1.1", "--json")
    assert added.json == {"slug": "hammer", "name": "Hammer sykehus", "kind": "hospital"}
    again = empty_desk(*words)
    assert (again.status, again.out) == (1, "")
    assert again.err == "lysbro: The site hammer is registered already.\n"
    (row,) = empty_desk.must("site", "list", "--json").json
    assert row == {
        "slug": "hammer", "name": "Hammer sykehus", "kind": "hospital", "issuer": "2.16.578.1.1",
        "certificates": 0,
    }  # fmt: skip
    heading, line = empty_desk.must("site", "list").out.splitlines()
    assert heading.split() == ["slug", "name", "kind", "issuer", "certificates"]
    assert line.split() == ["hammer", "Hammer", "sykehus", "hospital", "2.16.578.1.1", "0"]
    (entry,) = empty_desk.audit("site-added")
    assert (entry.actor_id, entry.subject, entry.site) == ("system:operator", "hammer", "hammer")


def test_the_way_to_the_centre_is_set_and_cases_are_counted(empty_desk: Desk) -> None:
    empty_desk.must("site", "add", "vik", "--name", "Vik", "--kind", "gp")
    assert empty_desk.must("site", "distance", "vik", "142").out == (
        "The way from vik to the centre is 142 km.\n"
    )
    unknown = empty_desk.must("site", "distance", "vik", "none", "--json").json
    assert unknown == {"slug": "vik", "travel_km": None}
    assert empty_desk("site", "distance", "vik", "far").status == 2
    assert "no way to the centre" in empty_desk("site", "distance", "vik", "99999").err
    head, first, *_ = empty_desk.must("statistics").out.splitlines()
    assert (head, first) == ("specialty,site,measure,value,unit,of", "all,all,submitted,0,cases,")
    (group,) = empty_desk.must("statistics", "--since", "2026-01-01", "--json").json["groups"]
    assert (group["specialty"], group["figures"][0]["value"]) == ("all", 0)
    wrong = empty_desk("statistics", "--since", "2026-02-01", "--until", "2026-01-01")
    assert (wrong.status, wrong.err) == (
        1, "lysbro: The span ends before it begins. Change one of its days.\n",
    )  # fmt: skip


@pytest.mark.peers
def test_a_certificate_is_bound_listed_and_revoked(desk: Desk) -> None:
    paper = wallet().hammer
    added = desk.must("site", "certificate", "hammer", paper.cert, "--json").json
    assert added == {
        "fingerprint": paper.fingerprint, "site": "hammer", "revoked": False,
        "subject": "CN=hammer-ct, O=Lysbro tests",
    }  # fmt: skip
    desk.must("site", "certificate", "fjord", wallet().utsira.cert)
    with desk.parts() as parts:
        assert parts.people.site_of_certificate(paper.fingerprint) == "hammer"
    (row,) = desk.must("site", "certificates", "hammer", "--json").json
    assert (row["state"], row["fingerprint"]) == ("active", paper.fingerprint)
    assert desk.must("site", "certificates").out.count("active") == 2
    assert {r["slug"]: r["certificates"] for r in desk.must("site", "list", "--json").json} == {
        "hammer": 1, "fjord": 1, "nordlys": 0,
    }  # fmt: skip

    desk.must("site", "certificate", "hammer", paper.cert, "--revoke")
    desk.must("site", "certificate", "fjord", wallet().utsira.fingerprint, "--revoke")
    assert desk.must("site", "certificates").out.count("revoked") == 2
    with desk.parts() as parts:
        assert parts.people.site_of_certificate(paper.fingerprint) is None
    again = desk("site", "certificate", "hammer", paper.cert)
    assert (again.status, again.out) == (1, "")
    assert "was revoked" in again.err
    assert [e.subject for e in desk.audit("certificate-added")][-1] == paper.fingerprint
    assert len(desk.audit("certificate-revoked")) == 2


@pytest.mark.peers
@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("nowhere", "hammer"), "There is no site nowhere"),
        (("hammer", "expired"), "ended on 2020-02-01"),
        (("hammer", "hammer", "--revoke"), "has no certificate"),
    ],
)
def test_a_certificate_that_cannot_be_bound_is_refused(
    desk: Desk, words: tuple[str, ...], told: str
) -> None:
    slug, name, *rest = words
    answer = desk("site", "certificate", slug, getattr(wallet(), name).cert, *rest)
    assert (answer.status, answer.out) == (1, "")
    assert told in answer.err
    assert desk.must("site", "certificates").out == "none\n"


def test_a_file_without_a_certificate_is_refused(desk: Desk) -> None:
    for file, told in ((__file__, "holds no certificate"), ("/no/such.pem", "cannot be read")):
        answer = desk("site", "certificate", "hammer", file)
        assert (answer.status, answer.out) == (1, "")
        assert told in answer.err
    assert desk("site", "certificates", "nowhere").status == 1


@pytest.mark.parametrize(
    ("words", "status", "told"),
    [
        (("x!", "--name", "X", "--kind", "gp"), 1, "cannot name a site"),
        (("x", "--name", " ", "--kind", "gp"), 1, "Give the site a name"),
        (("x", "--name", "X", "--kind", "gp", "--issuer", "no.oid"), 1, "is not an OID"),
        (("x", "--name", "X", "--kind", "clinic"), 2, "'hospital', 'gp', 'centre'"),
        (("x", "--kind", "gp"), 2, "Missing option '--name'"),
        ((), 2, "Missing argument 'SLUG'"),
    ],
)
def test_a_site_that_cannot_be_is_refused(
    empty_desk: Desk, words: tuple[str, ...], status: int, told: str
) -> None:
    answer = empty_desk("site", "add", *words)
    assert (answer.status, answer.out) == (status, "")
    assert told in answer.err
    assert empty_desk.must("site", "list").out == "none\n"


def test_a_node_is_added_changed_and_listed(desk: Desk) -> None:
    assert desk.must("ae", "add", "HAMMER_CT", "--site", "hammer").out == (
        "HAMMER_CT of hammer may commit, query, retrieve, store, worklist.\n"
    )
    desk.must(
        "ae", "add", "HAMMER_RIS", "--site", "hammer", "--host", "10.0.0.5", "--port", "104",
        "--allow", "store, reply", "--tls-only",
    )  # fmt: skip
    desk.must("ae", "add", "HAMMER_CT", "--site", "hammer", "--allow", "store")
    assert desk.must("ae", "list", "--json").json == [
        {"title": "HAMMER_CT", "site": "hammer", "address": "", "allow": "store"},
        {
            "title": "HAMMER_RIS", "site": "hammer", "address": "10.0.0.5:104",
            "allow": "reply,store",
        },
    ]  # fmt: skip
    with desk.parts() as parts:
        ris = parts.people.ae("HAMMER_RIS")
        assert ris is not None
        assert ris.tls_only
        assert [ae.title for ae in parts.people.reply_aes("hammer")] == ["HAMMER_RIS"]
    assert [e.subject for e in desk.audit("ae-added")] == ["HAMMER_CT", "HAMMER_RIS", "HAMMER_CT"]


@pytest.mark.parametrize(
    ("words", "status", "told"),
    [
        (("CT", "--site", "nowhere"), 1, "There is no site nowhere"),
        (("CT", "--site", "fjord", "--allow", "store,fly"), 2, "fly: use ask, commit"),
        (("CT", "--site", "fjord", "--allow", "reply"), 2, "--host and --port"),
        (("CT", "--site", "fjord", "--port", "70000"), 2, "70000 is not in the range"),
        (("SEVENTEEN_LETTERS", "--site", "fjord"), 1, "cannot be an AE title"),
        (("TAKEN", "--site", "fjord"), 1, "TAKEN is a node of hammer"),
    ],
)
def test_a_node_that_cannot_be_is_refused(
    desk: Desk, words: tuple[str, ...], status: int, told: str
) -> None:
    desk.must("ae", "add", "TAKEN", "--site", "hammer")
    answer = desk("ae", "add", *words)
    assert (answer.status, answer.out) == (status, "")
    assert told in answer.err
    assert [row["title"] for row in desk.must("ae", "list", "--json").json] == ["TAKEN"]


def test_a_person_is_added_listed_and_shut_out(desk: Desk) -> None:
    added = desk.must(
        "user", "add", "Kari@nordlys.example", "--site", "nordlys", "--role", "radiologist",
        "--name", "Dr. Kari Nordmann", "--password-stdin", given=PASSWORD + "\n",
    )  # fmt: skip
    assert added.out == "Kari@nordlys.example is a radiologist of nordlys.\n"
    (row,) = desk.must("user", "list", "--json").json
    assert row == {
        "email": "kari@nordlys.example", "name": "Dr. Kari Nordmann", "site": "nordlys",
        "role": "radiologist", "state": "active",
    }  # fmt: skip
    with desk.parts() as parts:
        kept = parts.people.user_by_email("kari@nordlys.example")
        assert kept is not None
        assert kept.password_hash.startswith("$argon2id$")
    desk.must("user", "disable", "kari@nordlys.example")
    assert desk.must("user", "list", "--json").json[0]["state"] == "disabled"
    assert [e.action for e in desk.audit("user-added") + desk.audit("user-disabled")] == [
        "user-added", "user-disabled",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "given", "status", "told"),
    [
        ({"--role": "surgeon"}, PASSWORD, 2, "'surgeon' is not one of 'referrer'"),
        ({"--site": "nowhere"}, PASSWORD, 1, "There is no site nowhere"),
        ({}, "short", 1, "too short"),
        ({}, "", 1, "password"),
        ({"EMAIL": "nobody"}, PASSWORD, 1, "not an e-mail address"),
    ],
)
def test_a_person_who_cannot_be_is_refused(
    desk: Desk, changes: dict[str, str], given: str, status: int, told: str
) -> None:
    values = {"EMAIL": "a@b.example", "--site": "hammer", "--role": "referrer", **changes}
    email, *options = values.pop("EMAIL"), *(w for pair in values.items() for w in pair)
    answer = desk("user", "add", email, *options, "--password-stdin", given=given + "\n")
    assert (answer.status, answer.out) == (status, "")
    assert told in answer.err
    assert desk.must("user", "list", "--json").json == []


def test_a_password_is_asked_for_on_a_terminal_only(desk: Desk) -> None:
    answer = desk("user", "add", "a@b.example", "--site", "hammer", "--role", "referrer")
    assert answer.status == 2
    assert "--password-stdin" in answer.err


def test_a_token_works_until_it_is_revoked(desk: Desk) -> None:
    words = ("user", "add", "a@b.example", "--site", "hammer", "--role", "referrer")
    desk.must(*words, "--password-stdin", given=PASSWORD + "\n")
    secret = desk.must("token", "add", "--user", "a@b.example", "--name", "RIS").out.strip()
    now = datetime.now(UTC)
    with desk.parts() as parts:
        holder = parts.people.bearer(secret, now)
        assert holder is not None
        assert holder.actor.email == "a@b.example"
        assert parts.people.bearer(secret, now + timedelta(days=366)) is None
    listed = desk.must("token", "list")
    assert secret not in listed.out
    assert "RIS" in listed.out
    (row,) = desk.must("token", "list", "--json").json
    assert (row["user"], row["name"], row["state"]) == ("a@b.example", "RIS", "active")
    desk.must("token", "revoke", row["id"])
    with desk.parts() as parts:
        assert parts.people.bearer(secret, now) is None
    assert desk.must("token", "list", "--json").json[0]["state"] == "revoked"
    assert desk("token", "revoke", row["id"]).status == 1


@pytest.mark.parametrize(
    ("words", "status", "told"),
    [
        (("add", "--user", "nobody@b.example"), 1, "There is no person"),
        (("add", "--user", "a@b.example", "--days", "0"), 2, "0 is not in the range"),
        (("revoke", "7"), 1, "There is no token 7"),
    ],
)
def test_a_token_that_cannot_be_is_refused(
    desk: Desk, words: tuple[str, ...], status: int, told: str
) -> None:
    answer = desk("token", *words)
    assert (answer.status, answer.out) == (status, "")
    assert told in answer.err


def test_nobody_is_shut_out_by_a_wrong_address(desk: Desk) -> None:
    answer = desk("user", "disable", "nobody@b.example")
    assert (answer.status, answer.err) == (
        1, "lysbro: There is no person with the address nobody@b.example.\n",
    )  # fmt: skip


def test_a_site_has_its_images_kept_in_less_room_and_it_is_audited(desk: Desk) -> None:
    assert desk.must("site", "recompress", "hammer").out == "What hammer sends is packed as sent.\n"
    told = desk.must("site", "recompress", "hammer", "jpeg-ls", "--json").json
    assert told == {"site": "hammer", "recompress": "jpeg-ls", "outcomes": []}
    assert "jpeg-ls, without loss" in desk.must("site", "recompress", "hammer").out
    assert desk.must("site", "recompress", "hammer", "off", "--json").json["recompress"] == "off"
    off, on = desk.audit("site-recompression-set")
    assert (on.detail, off.detail) == ({"codec": "jpeg-ls"}, {"codec": "off"})
    assert (on.subject, on.site) == ("hammer", "hammer")


def test_an_unknown_site_or_form_is_refused(desk: Desk) -> None:
    assert desk("site", "recompress", "nowhere", "htj2k").status == 1
    assert desk("site", "recompress", "hammer", "jpeg").status == 2


def test_a_token_may_be_limited_to_scopes(desk: Desk) -> None:
    words = ("user", "add", "s@b.example", "--site", "hammer", "--role", "referrer")
    desk.must(*words, "--password-stdin", given=PASSWORD + "\n")
    made = desk.must(
        "token", "add", "--user", "s@b.example", "--scope", "fhir.read,orders.read",
        "--scope", "dicomweb.read",
    )  # fmt: skip
    with desk.parts() as parts:
        bearer = parts.people.bearer(made.out.strip(), datetime.now(UTC))
        assert bearer is not None
        assert bearer.scopes == {"fhir.read", "orders.read", "dicomweb.read"}
    assert "dicomweb.read fhir.read orders.read" in desk.must("token", "list").out
    wrong = desk("token", "add", "--user", "s@b.example", "--scope", "everything")
    assert (wrong.status, wrong.out) == (1, "")
    assert "There is no scope 'everything'" in wrong.err
