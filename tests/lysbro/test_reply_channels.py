"""Replies by HL7, FHIR, webhook and mail: each arrives once, however difficult its receiver is."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator
from datetime import timedelta
from email import message_from_bytes
from pathlib import Path
from typing import Any

import pytest
from fhir.resources.R4B.bundle import Bundle
from sqlalchemy import update

from casework.access import Scope
from casework.errors import Conflict, NotFound
from casework.model import (
    Case,
    CaseDossier,
    Delivery,
    Patient,
    Priority,
    Referral,
    Role,
    Site,
    SiteKind,
    Specialty,
)
from casework.reply_channels import ReplyChannel, Way
from lysbro.delivering import Deliverer
from lysbro.settings import Settings
from lysbro.wiring import Parts, open_parts
from storage.casebook_tables import jobs
from tests.lysbro.receivers import endpoint, epr, mail_server
from tests.ports import free_port

pytestmark = pytest.mark.slow

EVERYTHING = Scope(sites=None, specialties=None, own_site="")
SECRET = "Hemmelig"
SAID: dict[str, Any] = {
    "impression": "Suspected melanoma.", "findings": "Irregular.", "urgency": "cancer-pathway",
    "diagnoses": [{"text": "Melanoma", "code": "C43.9", "system": "icd-10"}],
    "measurements": [{"instance_uid": "1.2.3", "frame": 1, "kind": "length",
                      "points": [[0, 0], [9, 9]], "value": 6.5, "unit": "mm"}],
}  # fmt: skip


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[Parts]:
    mail = {"smtp_host": "127.0.0.1", "smtp_port": 1, "smtp_tls": "no", "smtp_from": "a@b.example"}
    settings = Settings(
        data=tmp_path / "data", web_url="https://lysbro.example/", reply_timeout=1.0,
        **mail,  # type: ignore[arg-type]
    )  # fmt: skip
    with open_parts(settings, intake=True) as opened:
        for slug, kind in (("fjord", SiteKind.GP), ("centre", SiteKind.CENTRE)):
            opened.people.add_site(Site(slug, slug.title(), kind))
        for email, site, role in (
            ("gp@fjord", "fjord", Role.REFERRER), ("skin@centre", "centre", Role.DERMATOLOGIST),
        ):  # fmt: skip
            opened.people.add_user(email, site, role, email, "$hash")
        yield opened


def actor(parts: Parts, email: str) -> Any:
    found = parts.people.user_by_email(email)
    assert found is not None
    return found.actor


def signed(parts: Parts, **said: Any) -> Case:
    gp, reader = actor(parts, "gp@fjord"), actor(parts, "skin@centre")
    case = parts.casebook.create_referral(
        gp, specialty=Specialty.DERMATOLOGY, priority=Priority.ROUTINE,
        patient=Patient("13116900216", name=f"{SECRET}^KARI"),
        referral=Referral("Is it?", {"category": "mole"}, {"care": True}),
    )  # fmt: skip
    parts.casebook.note_capture(case.id, "p", "1.2.3")
    parts.casebook.submit(gp, case.id)
    parts.casebook.claim(reader, case.id)
    parts.casebook.save_findings(reader, case.id, {**SAID, **said})
    parts.casebook.sign(reader, case.id)
    return case


def correct(parts: Parts, case: Case, **said: Any) -> None:
    parts.casebook.correct(actor(parts, "skin@centre"), case.id, {**SAID, **said})


def deliver(parts: Parts) -> None:
    while Deliverer(parts).run_once():
        pass


def dossier(parts: Parts, case: Case) -> CaseDossier:
    return parts.casebook.dossier(EVERYTHING, case.id)


def of_channel(parts: Parts, case: Case, name: str) -> list[Delivery]:
    return [d for d in dossier(parts, case).deliveries if d.destination == name]


def retry(parts: Parts, case: Case, name: str) -> None:
    """Let the time of the next attempt come."""
    of_it = (jobs.c.case_id == case.id, jobs.c.destination == name, jobs.c.state == "queued")
    with parts.database.begin() as conn:
        conn.execute(update(jobs).where(*of_it).values(next_attempt_at=parts.clock()))
    deliver(parts)


def test_a_patient_record_gets_each_version_once_and_its_word_is_kept(parts: Parts) -> None:
    with epr() as there:
        add(parts, "epj", Way.HL7, f"127.0.0.1:{there.port}", application="EPJ")
        case = signed(parts)
        deliver(parts)
        correct(parts, case, impression="Benign after all.")
        deliver(parts)
    first, second = there.kept
    assert [m.first("OBR").text(25) for m in (first, second)] == ["F", "C"]  # type: ignore[union-attr]
    assert first.header.text(5) == "EPJ"
    assert first.header.text(10) != second.header.text(10)
    states = [(d.state, d.acknowledgement) for d in of_channel(parts, case, "epj")]
    assert states == [("done", "AA 9"), ("done", "AA 9")]


def test_a_record_that_refuses_breaks_off_and_comes_back_has_it_in_the_end(parts: Parts) -> None:
    with epr() as there:
        add(parts, "epj", Way.HL7, f"127.0.0.1:{there.port}")
        there.answers, there.breaks = ["AE"], 0
        case = signed(parts)
        deliver(parts)
        (waiting,) = of_channel(parts, case, "epj")
        assert (waiting.state, waiting.attempts) == ("queued", 1)
        assert "answered AE: as told" in waiting.last_error
        there.breaks = 1  # it keeps the message, and its answer is lost
        retry(parts, case, "epj")
        assert "without an answer" in of_channel(parts, case, "epj")[0].last_error
        retry(parts, case, "epj")
    assert of_channel(parts, case, "epj")[0].state == "done"
    numbers = {m.header.text(10) for m in there.kept}
    assert (len(there.kept), len(numbers)) == (2, 1)  # one number: a receiver knows it for the same


def test_a_receiver_that_is_away_holds_up_no_other_way(parts: Parts) -> None:
    with endpoint() as hook:
        add(parts, "epj", Way.HL7, f"127.0.0.1:{free_port()}")
        add(parts, "hook", Way.WEBHOOK, hook.address)
        case = signed(parts)
        deliver(parts)
    states = {d.destination: d.state for d in dossier(parts, case).deliveries}
    assert (states["epj"], states["hook"], states["fjord"]) == ("queued", "done", "done")


def test_a_fhir_server_gets_a_transaction_that_strict_readers_take(parts: Parts) -> None:
    with endpoint() as there:
        add(parts, "journal", Way.FHIR, there.address)
        case = signed(parts)
        deliver(parts)
        correct(parts, case, impression="Benign.")
        deliver(parts)
    bundles = [body for _, body, _ in there.kept]
    for bundle in bundles:
        Bundle.model_validate(bundle)
    first, second = ({e["resource"]["resourceType"]: e for e in b["entry"]} for b in bundles)
    assert set(first) == {
        "Patient", "ServiceRequest", "ImagingStudy", "Observation", "DocumentReference",
        "DiagnosticReport",
    }  # fmt: skip
    report = second["DiagnosticReport"]
    assert report["resource"]["status"] == "corrected"
    assert report["resource"]["conclusion"] == "Benign."
    assert report["request"] == first["DiagnosticReport"]["request"]  # it takes the first's place
    assert report["request"]["url"] == f"DiagnosticReport?identifier=urn%3Alysbro%3Acase|{case.id}"
    names = {e["fullUrl"] for e in bundles[1]["entry"]}
    assert {r["reference"] for r in report["resource"]["result"]} <= names
    assert report["resource"]["presentedForm"][0]["contentType"] == "application/pdf"
    assert first["Observation"]["resource"]["valueQuantity"]["value"] == 6.5


def test_a_webhook_is_told_without_content_signed_and_again_when_it_failed(
    parts: Parts, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("a long secret\n")
    with endpoint() as there:
        add(parts, "hook", Way.WEBHOOK, there.address, secret_file=str(secret))
        there.statuses = [503, 302, 400]
        case = signed(parts)
        deliver(parts)
        reasons = []
        for _ in range(3):
            reasons.append(of_channel(parts, case, "hook")[0].last_error)
            retry(parts, case, "hook")
    for status, reason in zip((503, 302, 400), reasons, strict=True):
        assert f"answered {status}: because" in reason
    ((headers, told, body),) = there.kept
    mac = hmac.new(b"a long secret", body, hashlib.sha256).hexdigest()
    assert headers["Lysbro-Signature"] == f"sha256={mac}"
    assert (told["case_id"], told["version"], told["urgent"]) == (case.id, 1, True)
    assert told["address"] == f"https://lysbro.example/cases/{case.id}"
    assert not [word for word in (SECRET, "13116900216", "melanoma") if word in body.decode()]
    assert of_channel(parts, case, "hook")[0].acknowledgement == "HTTP 201"


def test_a_webhook_may_be_told_the_whole(parts: Parts) -> None:
    with endpoint() as there:
        add(parts, "hook", Way.WEBHOOK, there.address, content="whole")
        signed(parts)
        deliver(parts)
    ((_, told, _),) = there.kept
    assert told["content"]["impression"] == "Suspected melanoma."


def test_a_notice_by_mail_names_the_case_and_nothing_clinical(parts: Parts) -> None:
    with mail_server(free_port) as box:
        object.__setattr__(parts.settings, "smtp_port", box.port)
        add(parts, "post", Way.MAIL, "gp@fjord.example", language="nb")
        add(parts, "urgent", Way.MAIL, "boss@fjord.example", urgent_only="yes")
        case = signed(parts)
        deliver(parts)
        calm = signed(parts, urgency="none")
        deliver(parts)
        box.refusal = "550 no such mailbox"
        refused = signed(parts)
        deliver(parts)
    notices = [message_from_bytes(raw) for raw in box.kept]
    assert sorted(n["To"] for n in notices) == [
        "boss@fjord.example", "gp@fjord.example", "gp@fjord.example",
    ]  # fmt: skip
    assert f"Svar som haster i sak {case.id}" in {n["Subject"] for n in notices}
    assert f"Svar i sak {calm.id}" in {n["Subject"] for n in notices}
    whole = b"".join(box.kept).decode()
    assert f"https://lysbro.example/cases/{case.id}" in whole
    assert not [word for word in (SECRET, "13116900216", "elanom") if word in whole]
    assert "550" in of_channel(parts, refused, "post")[0].last_error


def test_a_way_that_was_removed_or_turned_off_is_told_as_that(parts: Parts) -> None:
    with endpoint() as there:
        add(parts, "hook", Way.WEBHOOK, there.address)
        case = signed(parts)
        parts.reply_channels.remove("hook")
        deliver(parts)
        assert "There is no channel hook" in of_channel(parts, case, "hook")[0].last_error
        add(parts, "other", Way.WEBHOOK, there.address)
        parts.reply_channels.turn("other", on=False)
        assert of_channel(parts, signed(parts), "other") == []
    assert there.kept == []


def test_names_are_of_one_way_and_sites_must_be_there(parts: Parts) -> None:
    add(parts, "hook", Way.WEBHOOK, "https://host/")
    with pytest.raises(Conflict):
        add(parts, "hook", Way.WEBHOOK, "https://host/")
    with pytest.raises(NotFound):
        parts.reply_channels.add(ReplyChannel("y", "nowhere", Way.WEBHOOK, "https://host/"))


def add(parts: Parts, name: str, way: Way, address: str, **options: str) -> None:
    parts.reply_channels.add(ReplyChannel(name, "fjord", way, address, options))


def test_an_urgent_reply_that_nobody_reads_is_escalated_once_and_reading_ends_it(
    parts: Parts,
) -> None:
    with mail_server(free_port) as box:
        object.__setattr__(parts.settings, "smtp_port", box.port)
        add(parts, "post", Way.MAIL, "gp@fjord.example")
        all_of_it = ReplyChannel(
            "watch", "centre", Way.MAIL, "boss@centre.example", {"escalations": "yes"}
        )
        parts.reply_channels.add(all_of_it)
        urgent, calm = signed(parts), signed(parts, urgency="routine")
        deliver(parts)
        assert parts.escalation.look(timedelta(hours=1)) == 0  # not yet
        assert parts.escalation.look(timedelta(0)) == 1
        assert parts.escalation.look(timedelta(0)) == 0
        deliver(parts)
        reminders = [m for m in map(message_from_bytes, box.kept) if "Unread" in str(m["Subject"])]
        assert {m["To"] for m in reminders} == {"gp@fjord.example", "boss@centre.example"}
        assert all(urgent.id in str(m["Subject"]) for m in reminders)
        assert dossier(parts, urgent).case.escalated_at is not None
        assert dossier(parts, calm).case.escalated_at is None
        assert parts.escalation.count() == 1
        parts.casebook.open_reply(actor(parts, "gp@fjord"), urgent.id)
        assert (parts.escalation.count(), dossier(parts, urgent).case.escalated_at) == (0, None)
        correct(parts, urgent)
        assert parts.escalation.look(timedelta(0)) == 1  # a new version is unread again
