"""Every reply arrives once: whatever its receiver or the worker does, it is there by its identifier
exactly once in the end, and the case says so.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_dataset
from pydicom.uid import BasicTextSRStorage, EncapsulatedPDFStorage
from pypdf import PdfReader
from sqlalchemy import update

from casework.access import Scope
from casework.model import (
    Actor,
    AePermission,
    Case,
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
from lysbro.settings import load
from lysbro.wiring import Parts, open_parts
from storage.casebook_tables import jobs
from tests.lysbro.reply_peers import PEERS, TROUBLES, Peer, running
from tests.ports import free_port

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
EVERYTHING = Scope(sites=None, specialties=None, own_site="")
NAMES = {"ae": "EPJ_PACS", "hl7": "epj", "fhir": "journal", "webhook": "hook", "mail": "post"}


@pytest.fixture(scope="module")
def ports() -> dict[str, int]:
    return {channel: free_port() for channel in PEERS}


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory, ports: dict[str, int]) -> dict[str, str]:
    return {
        "LYSBRO_DATA": str(tmp_path_factory.mktemp("once") / "data"),
        "LYSBRO_REPLY_TIMEOUT": "0.4", "LYSBRO_RETRIEVE_ANSWER_TIMEOUT": "0.4",
        "LYSBRO_RETRIEVE_CONNECT_TIMEOUT": "1", "LYSBRO_RETRIEVE_ASSOCIATION_TIMEOUT": "1",
        "LYSBRO_SMTP_HOST": "127.0.0.1", "LYSBRO_SMTP_PORT": str(ports["mail"]),
        "LYSBRO_SMTP_TLS": "no", "LYSBRO_SMTP_FROM": "lysbro@example.no",
    }  # fmt: skip


@pytest.fixture(scope="module")
def parts(environment: dict[str, str], ports: dict[str, int]) -> Iterator[Parts]:
    """Return an exchange with a GP whose replies go by every way."""
    with open_parts(load(environment=environment), intake=True) as opened:
        for slug, kind in (("fjord", SiteKind.GP), ("centre", SiteKind.CENTRE)):
            opened.people.add_site(Site(slug, slug.title(), kind))
        for email, site, role in (
            ("gp@fjord", "fjord", Role.REFERRER), ("skin@centre", "centre", Role.DERMATOLOGIST),
        ):  # fmt: skip
            opened.people.add_user(email, site, role, email, "$hash")
        opened.people.add_ae(
            NAMES["ae"], "fjord", host="127.0.0.1", port=ports["ae"],
            permissions=frozenset({AePermission.REPLY}),
        )  # fmt: skip
        for way, address in (
            (Way.HL7, f"127.0.0.1:{ports['hl7']}"),
            (Way.FHIR, f"http://127.0.0.1:{ports['fhir']}/fhir"),
            (Way.WEBHOOK, f"http://127.0.0.1:{ports['webhook']}/in"),
            (Way.MAIL, "gp@fjord.example"),
        ):
            opened.reply_channels.add(ReplyChannel(NAMES[way.value], "fjord", way, address))
        yield opened


@pytest.fixture
def peers(ports: dict[str, int]) -> Iterator[dict[str, Peer]]:
    """Run a receiver of every way."""
    with (
        running("ae", ports["ae"]) as ae,
        running("hl7", ports["hl7"]) as hl7,
        running("fhir", ports["fhir"]) as fhir,
        running("webhook", ports["webhook"]) as webhook,
        running("mail", ports["mail"]) as mail,
    ):
        yield {"ae": ae, "hl7": hl7, "fhir": fhir, "webhook": webhook, "mail": mail}


def person(parts: Parts, email: str) -> Actor:
    found = parts.people.user_by_email(email)
    assert found is not None
    return found.actor


def signed(parts: Parts) -> Case:
    gp, reader = person(parts, "gp@fjord"), person(parts, "skin@centre")
    case = parts.casebook.create_referral(
        gp, specialty=Specialty.DERMATOLOGY, priority=Priority.ROUTINE,
        patient=Patient("13116900216", name="NESS^KARI"),
        referral=Referral("Is it?", {"category": "mole"}, {"care": True}),
    )  # fmt: skip
    parts.casebook.note_capture(case.id, "p", "1.2.3")
    parts.casebook.submit(gp, case.id)
    parts.casebook.claim(reader, case.id)
    parts.casebook.save_findings(reader, case.id, {"impression": "Benign."})
    parts.casebook.sign(reader, case.id)
    return case


def deliver(parts: Parts) -> None:
    """Deliver all that is due, as if the time of each next attempt had come."""
    with parts.database.begin() as conn:
        conn.execute(
            update(jobs)
            .where(jobs.c.state == "queued")
            .values(next_attempt_at=parts.clock(), leased_until=None)
        )
    while Deliverer(parts).run_once():
        pass


def deliveries(parts: Parts, case: Case, version: int = 1) -> dict[str, Delivery]:
    found = parts.casebook.dossier(EVERYTHING, case.id).deliveries
    return {each.channel: each for each in found if each.report_version == version}


def is_once(peer: Peer, channel: str) -> bool:
    """Tell whether a receiver has one reply: each of its parts under one name, the same bytes."""
    wanted = 2 if channel == "ae" else 1  # the PDF and the text
    return len(peer.kept) == wanted and all(len(set(each)) == 1 for each in peer.kept.values())


@pytest.mark.parametrize("trouble", TROUBLES)
def test_each_way_has_the_reply_once_after_its_receivers_trouble(
    parts: Parts, peers: dict[str, Peer], trouble: str
) -> None:
    case = signed(parts)
    for peer in peers.values():
        peer.trouble = trouble
    deliver(parts)
    waiting = deliveries(parts, case)
    for channel in PEERS:
        assert (waiting[channel].state, waiting[channel].attempts) == ("queued", 1), channel
        assert waiting[channel].last_error, channel
    assert waiting["inbox"].state == "done"  # nobody else's trouble holds it up
    if trouble == "killed":
        for peer in peers.values():
            peer.stop()
        deliver(parts)
        assert {deliveries(parts, case)[channel].attempts for channel in PEERS} == {2}
        for peer in peers.values():
            peer.start()
    for peer in peers.values():
        peer.trouble = ""
    deliver(parts)
    done = deliveries(parts, case)
    for channel, peer in peers.items():
        assert done[channel].state == "done", (channel, done[channel].last_error)
        assert done[channel].attempts == (3 if trouble == "killed" else 2)
        assert done[channel].acknowledgement[:3] in {"000", "AA ", "HTT", "250"}
        assert is_once(peer, channel), (channel, {k: len(v) for k, v in peer.kept.items()})


def test_a_worker_killed_between_sending_and_noting_leaves_each_reply_once(
    parts: Parts, peers: dict[str, Peer], environment: dict[str, str]
) -> None:
    case = signed(parts)
    all_of_them = len(parts.casebook.dossier(EVERYTHING, case.id).deliveries)
    worker = subprocess.run(
        [sys.executable, "-m", "tests.lysbro.dying_deliverer", json.dumps(environment),
         str(all_of_them)],
        cwd=ROOT, timeout=60, check=False,
    )  # fmt: skip
    assert worker.returncode == -signal.SIGKILL
    assert all(peer.kept for peer in peers.values())
    assert {each.state for each in deliveries(parts, case).values()} == {"queued"}
    deliver(parts)
    done = deliveries(parts, case)
    assert {(each.state, each.attempts) for each in done.values()} == {("done", 2)}
    for channel, peer in peers.items():
        assert is_once(peer, channel), (channel, {k: len(v) for k, v in peer.kept.items()})


def test_a_late_first_version_never_takes_the_place_of_its_correction(
    parts: Parts, peers: dict[str, Peer]
) -> None:
    case = signed(parts)
    for peer in peers.values():
        peer.trouble = "refusing"
    deliver(parts)
    for peer in peers.values():
        peer.trouble = ""
    corrected = {"impression": "Melanoma.", "why_corrected": "Seen again."}
    parts.casebook.correct(person(parts, "skin@centre"), case.id, corrected)
    while Deliverer(parts).run_once():  # the correction is due, the first one is not yet
        pass
    deliver(parts)
    first, second = deliveries(parts, case, 1), deliveries(parts, case, 2)
    assert {each.state for each in (*first.values(), *second.values())} == {"done"}
    for channel in ("hl7", "fhir"):
        (whole,) = peers[channel].kept.values()
        assert b"Melanoma." in whole[0]
        assert first[channel].acknowledgement == "superseded by version 2"
    assert len(peers["webhook"].kept) == len(peers["mail"].kept) == 2
    assert len(peers["ae"].kept) == 4  # each version is an object of its own


def test_a_correction_goes_out_whole_under_the_same_identifiers_by_every_way(
    parts: Parts, peers: dict[str, Peer]
) -> None:
    case = signed(parts)
    deliver(parts)
    said: dict[str, Any] = {
        "impression": "Melanoma.", "findings": "All of it.", "advice": "Excise.",
    }  # fmt: skip
    coded = {"diagnoses": [{"text": "Melanoma", "code": "C43.9", "system": "icd-10"}]}
    parts.casebook.correct(person(parts, "skin@centre"), case.id, said | coded)
    deliver(parts)
    parts.casebook.addend(person(parts, "skin@centre"), case.id, {"findings": "Histology agrees."})
    deliver(parts)
    messages = [parse_oru(each[0]) for each in peers["hl7"].kept.values()]
    assert [m["final"] for m in messages] == ["F", "C", "C"]
    assert len({m["filler"] for m in messages}) == 1
    assert all(text in messages[1]["texts"] for text in said.values())
    assert "Benign." not in messages[1]["texts"]
    assert "Histology agrees." in messages[2]["texts"]
    assert "Melanoma." in messages[2]["texts"]
    bundles = [json.loads(each[0]) for each in peers["fhir"].kept.values()]
    entries = [
        next(e for e in bundle["entry"] if e["resource"]["resourceType"] == "DiagnosticReport")
        for bundle in bundles
    ]
    reports = [entry["resource"] for entry in entries]
    assert [r["status"] for r in reports] == ["final", "corrected", "appended"]
    assert reports[1]["conclusion"] == "Melanoma."
    assert reports[2]["conclusion"] == "Melanoma.\n\nHistology agrees."
    assert reports[2]["conclusionCode"] == reports[1]["conclusionCode"]
    assert len({entry["request"]["url"] for entry in entries}) == 1
    first, second, third = documents(peers["ae"])
    assert "Benign." in first
    assert all(text in second for text in ("Corrected answer", "Excise.", "Replaced Benign."))
    assert all(text in third for text in ("Melanoma.", "Histology agrees."))
    chain = text_reports(peers["ae"])
    assert [uids for _, uids in chain] == [[], [chain[0][0]], [chain[1][0]]]


def parse_oru(message: bytes) -> dict[str, Any]:
    lines = [line.split("|") for line in message.decode().strip("\r").split("\r")]
    (request,) = (line for line in lines if line[0] == "OBR")
    texts = "\n".join(line[5] for line in lines if line[0] == "OBX" and line[2] == "TX")
    return {"final": request[25], "filler": request[3], "texts": texts}


def objects(peer: Peer, sop_class: str) -> list[Dataset]:
    """Return the objects of a class that a node has, in the order in which they came."""
    found = [
        read_dataset(DicomBytesIO(raw), is_implicit_VR=False, is_little_endian=True)
        for raw, *_ in peer.kept.values()
    ]
    return [ds for ds in found if ds.SOPClassUID == sop_class]


def documents(peer: Peer) -> list[str]:
    """Return what the PDFs of a node say."""
    pdfs = [ds.EncapsulatedDocument for ds in objects(peer, EncapsulatedPDFStorage)]
    return [
        " ".join(" ".join(page.extract_text() for page in PdfReader(BytesIO(pdf)).pages).split())
        for pdf in pdfs
    ]


def text_reports(peer: Peer) -> list[tuple[str, list[str]]]:
    """Return the text reports of a node, in their order, each with its predecessors."""
    found = []
    for ds in objects(peer, BasicTextSRStorage):
        before = [
            item.ReferencedSOPInstanceUID
            for study in ds.get("PredecessorDocumentsSequence", [])
            for series in study.ReferencedSeriesSequence
            for item in series.ReferencedSOPSequence
        ]
        found.append((str(ds.SOPInstanceUID), [str(uid) for uid in before]))
    return found
