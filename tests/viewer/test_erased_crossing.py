"""An erasure takes what every other feature has kept of a patient or a study, to the last byte."""

from __future__ import annotations

import contextlib
import zlib
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import select, update

from casework.custody import Door, Origin
from casework.erasure import Target
from casework.model import AePermission, Patient
from casework.orders import Request, ScheduledStep
from casework.priors import Earlier, PriorRule, Verdict
from casework.routing import Rule
from casework.workitems import work_item_uid
from lysbro.services import web_services
from storage.backup import back_up, backups
from storage.casebook_tables import jobs, promises
from storage.erasure_steps import Eraser
from storage.hl7_inbox import Envelope
from storage.mover import Mover, packing_folder
from storage.outbox import Arrived
from storage.prior_queue import Hours
from storage.prior_tables import prior_answers, prior_fetches, prior_questions
from storage.tables import metadata
from tests.storage.erasing import files_with
from tests.viewer.conftest import ct_slice, part10
from tests.viewer.images import attributes_of
from tests.viewer.workitems import TRANSACTION, URL, put_state
from viewer.app import create_app
from viewer.dicomweb.dicom_json import to_json

NUMBER, NAME, WORDS = "9988776655", "ZEBEDEUS^MARKER", "QUAGGA"
STUDY, PRIOR = "1.2.826.0.1.70", "1.2.826.0.1.71"
READER = "radiologist@centre"
MADE = (
    ("/frames/1", "image/jphc"),
    ("/frames/1", "image/jls"),
    ("/frames/1/rendered?viewport=100,100&annotation=patient", "image/png"),
    ("/thumbnail", "image/jpeg"),
)


def store(world: Any, study: str, pixels: bytes, door: Door = Door.IMPORT, **more: Any) -> None:
    given = attributes_of(np.frombuffer(pixels, "uint16").reshape(64, 64)) | {
        "SOPInstanceUID": f"{study}.1.1",
        "StudyInstanceUID": study,
        "SeriesInstanceUID": f"{study}.1",
        "StudyDescription": f"{WORDS} {study}",
        "PatientID": NUMBER,
        "PatientName": NAME,
        "PixelData": pixels,
        **more,
    }
    origin = Origin(site="hammer", door=door, calling_ae="PACS", association="a")
    world.parts.archive.receive_part10(part10(ct_slice(**given)), origin)
    world.parts.archive.settle()


class Marked:
    """A patient of whom every feature keeps something."""

    def __init__(self, world: Any) -> None:
        self.world, self.parts = world, world.parts
        self.pixels = np.random.default_rng(7).integers(0, 4096, 4096).astype("uint16").tobytes()
        self.made = [self.pixels[100:160]]

    def fill(self) -> None:
        """Let a study of the patient come, and have all features work on it."""
        parts = self.parts
        parts.people.add_ae(
            "PACS", "hammer", "127.0.0.1", 104, permissions=frozenset({AePermission.FETCH})
        )
        parts.people.add_ae("VNA", "centre", "127.0.0.1", 105)
        parts.destinations.set("VNA", asks_commitment=True)
        parts.prior_rules.add(PriorRule(0, ("PACS",)))
        parts.routing.add(Rule("to the archive", "VNA"), by="user:1")
        self.order(study_uid=STUDY, accession_number="ACC-QUAGGA")
        store(self.world, STUDY, self.pixels, AccessionNumber="ACC-QUAGGA")
        self.case_id = self.world.case_of("hammer", STUDY)
        self.refuse_a_message()
        self.fetch()
        self.subscribe_and_work()
        self.look()
        self.send()
        Mover(parts.archive, quiet_s=0, grace_s=0).run_once(parts.clock())
        self.look()
        back_up(parts.database, parts.store, packing_folder(parts.archive.data), now=parts.clock())

    def order(self, **more: Any) -> None:
        steps = (ScheduledStep("S1", "CT", datetime(2026, 1, 2, 10)),)
        patient = Patient(NUMBER, name=NAME)
        request = Request(patient=patient, steps=steps, question=f"{WORDS}?", **more)
        self.parts.orders.place(self.world.actors["coordinator@hammer"], request)

    def refuse_a_message(self) -> None:
        envelope = Envelope("RIS", "HAMMER", "M1", "0" * 64, 4)
        text = f"PID|||{NUMBER}^^^X||{NAME}|{WORDS}".encode()
        self.parts.hl7_inbox.refuse(envelope, text, site="hammer", code="AE", reason="x")

    def fetch(self) -> None:
        """Fetch an earlier study for the case, and hear of the study itself as another's."""
        queue = self.parts.prior_queue
        question = queue.take(lease_s=60)
        told = [Verdict(Earlier(uid, None, frozenset({"CT"}), f"{WORDS} then", images=1))
                for uid in (PRIOR, STUDY)]  # fmt: skip
        queue.answered(question, site="hammer", verdicts=told, hours=Hours())
        store(self.world, PRIOR, self.pixels[::-1], Door.PRIOR)
        self.made.append(self.pixels[::-1][100:160])

    def subscribe_and_work(self) -> None:
        uid, client = work_item_uid(self.case_id), self.world.client(READER)
        answer = client.post(f"{URL}/{uid}/subscribers/WATCH")
        assert answer.status_code == 201, answer.text
        assert put_state(self.world, self.case_id, "IN PROGRESS").status_code == 200
        progress = {"ProcedureStepProgress": 5, "ProcedureStepProgressDescription": f"{WORDS} seen"}
        body = to_json({"ProcedureStepProgressInformationSequence": [progress]})
        answer = client.post(f"{URL}/{uid}?transaction-uid={TRANSACTION}", json=body)
        assert answer.status_code == 200, answer.text
        asked = to_json({"ReasonForCancellation": f"{WORDS} went home"})
        answer = self.world.client("referrer@hammer").post(f"{URL}/{uid}/cancelrequest", json=asked)
        assert answer.status_code == 202

    def give_back(self) -> None:
        answer = self.world.client(READER).post(f"/api/cases/{self.case_id}/release", json={})
        assert answer.status_code == 200, answer.text

    def look(self) -> None:
        """Ask for metadata, which are kept, and for pictures, which are."""
        client = self.world.client(READER)
        for study in (STUDY, PRIOR):
            series = f"/dicom-web/studies/{study}/series/{study}.1"
            for url in (f"{series}/metadata", f"/dicom-web/studies/{study}/metadata"):
                assert NAME in client.get(url).text
            for path, how in MADE:
                url = f"{series}/instances/{study}.1.1{path}"
                answer = client.get(url, headers={"Accept": how})
                assert answer.status_code == 200, (url, answer.text)
                self.made.append(answer.data[200:400])

    def send(self) -> None:
        """Route the study, send it, ask for a commitment; a second job was refused in words."""
        parts = self.parts
        parts.index.presume_complete(parts.clock(), 0)
        assert parts.routing.run_once()
        job = parts.outbox.lease_send(lease_s=60)
        parts.outbox.note_arrived(job.id, [Arrived(f"{STUDY}.1.1")])
        parts.outbox.send_done(job.id, asked=job.asked)
        with parts.database.begin() as conn:
            conn.execute(update(jobs).values(last_error=f"{WORDS} was refused"))

    def erase(self, target: Target) -> None:
        parts, actor = self.parts, self.world.actors["admin@centre"]
        stone = parts.erasures.erase(target, actor=actor, reason="a request of the patient")
        done = Eraser(parts.archive, actor=actor).finish(stone.id, parts.clock())
        assert (done.state, done.waits_for) == ("done", "")

    def left(self, *words: str) -> list[str]:
        """Return the files, and the tables, in which something stands."""
        needles = [*self.made, *(word.encode() for word in words)]
        found = files_with(self.parts.settings.data, *needles)
        for path in self.parts.settings.data.rglob("*"):
            if path.is_file() and any(n in _inflated(path) for n in needles):
                found.append(path.relative_to(self.parts.settings.data).as_posix())
        with self.parts.database.read() as conn:
            for table in metadata.sorted_tables:
                rows = conn.execute(select(table)).all()
                if any(word in repr(row) for row in rows for word in words):
                    found.append(table.name)
        return found


def _inflated(path: Path) -> bytes:
    """Return what is packed by gzip anywhere in a file."""
    data, found, at = path.read_bytes(), b"", 0
    while (at := data.find(b"\x1f\x8b\x08", at)) >= 0:
        with contextlib.suppress(zlib.error):
            found += zlib.decompressobj(31).decompress(data[at:])
        at += 3
    return found


@pytest.fixture
def marked(world: Any) -> Marked:
    services = web_services(world.parts)
    settings = replace(services.settings, events_port=1)  # nobody listens for an event here
    world.app = create_app(replace(services, settings=settings))
    found = Marked(world)
    found.fill()
    return found


def rows(marked: Marked, *tables: Any) -> list[int]:
    with marked.parts.database.read() as conn:
        return [len(conn.execute(select(table)).all()) for table in tables]


@pytest.mark.slow
def test_nothing_of_an_erased_patient_is_left_by_any_feature(marked: Marked) -> None:
    kept = (prior_questions, prior_answers, prior_fetches, jobs, promises)
    assert all(rows(marked, *kept))
    there = set(marked.left(NAME, NUMBER, WORDS))
    for place in ("cache/", "cache/metadata/", "store/", "backup/casebook/"):
        assert any(place in name for name in there), place
    assert {"orders", "hl7_messages", "workitems", "prior_answers", "prior_fetches"} <= there
    assert len(backups(marked.parts.store)) == 1
    marked.give_back()
    marked.erase(Target(patient_id=NUMBER))
    assert marked.left(NAME, NUMBER, WORDS) == []
    assert rows(marked, *kept) == [0, 0, 0, 0, 0]
    assert len(backups(marked.parts.store)) == 1


@pytest.mark.slow
def test_nothing_of_an_erased_study_is_left_by_any_feature(marked: Marked) -> None:
    marked.give_back()
    marked.erase(Target(study_uid=PRIOR))
    marked.erase(Target(study_uid=STUDY))
    assert marked.left(f"{WORDS} ", "ACC-QUAGGA", f"{WORDS}?") == []
