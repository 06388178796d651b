"""A worker is killed in the middle of a job; another, of another node, takes the job over."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE, evt
from pynetdicom.sop_class import EncapsulatedPDFStorage

from casework.access import Scope, scope_of
from casework.commitment import Reference
from casework.custody import Door, Origin
from casework.model import AePermission, Role, Site, SiteKind
from lysbro.settings import Settings
from lysbro.wiring import Parts, open_parts, utc_now
from storage import care
from storage.backup import backups
from storage.commitments import Asked
from storage.mover import Mover
from storage.testing import empty_url
from tests.flows.waiting import until
from tests.pacs_bridge.making import ct, part10
from tests.postgres import Server

pytestmark = [pytest.mark.peers, pytest.mark.slow]

LEASE_S = 5
ORIGIN = Origin(site="hammer", door=Door.DICOM, calling_ae="PEER", association="a1")
ALL = Scope(sites=None, specialties=None, own_site="nordlys")
COMMITMENT = "1.2.840.10008.1.20.1"
STUDY_ROOT = "1.2.840.10008.5.1.4.1.2.2.1"
CT = "1.2.840.10008.5.1.4.1.1.2"
RADIOLOGIST = "radiologist@nordlys.example"


@dataclass
class Place:
    """One database and one store; a node that has received, and workers of other nodes."""

    folder: Path
    url: str
    parts: Parts
    workers: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, name: str, *, dies: tuple[str, str] | None = None, **settings: object) -> None:
        """Start a worker; one that dies does so at its first put under a prefix."""
        what = (
            ["tests.flows.dying_worker", *dies] if dies else ["lysbro", "serve", "--only", "worker"]
        )
        environment = {k: v for k, v in os.environ.items() if not k.startswith("LYSBRO_")}
        with (self.folder / f"{name}.log").open("wb") as log:
            self.workers[name] = subprocess.Popen(
                [sys.executable, "-m", *what],
                env=environment
                | {
                    "LYSBRO_DATA": str(self.folder / name),
                    "LYSBRO_DATABASE_URL": self.url,
                    "LYSBRO_STORE": str(self.folder / "store"),
                    "LYSBRO_NODE": name,
                    "LYSBRO_LEASE_SECONDS": str(LEASE_S),
                    "LYSBRO_BACKUP_EVERY": "0",
                    "LYSBRO_MERGE_PACKS": "0",
                }
                | {f"LYSBRO_{key.upper()}": str(value) for key, value in settings.items()},
                stdout=log,
                stderr=log,
            )

    def kill(self, name: str) -> None:
        os.kill(self.workers[name].pid, signal.SIGKILL)

    def wait_for_death(self, name: str) -> None:
        assert self.workers[name].wait(60) == -signal.SIGKILL, self.log(name)

    def until(self, condition: Any, what: str) -> None:
        """Wait for the worker that was started last to have done its part."""
        last = list(self.workers.values())[-1]
        until(condition, what, timeout_s=60, alive=lambda: last.poll() is None)

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text()

    def audit(self, action: str) -> int:
        return sum(e.action == action for e in self.parts.ledger.entries(limit=1000))

    def receive(self, *numbers: int) -> None:
        for number in numbers:
            self.parts.archive.receive_part10(part10(ct(f"1.2.2.{number}")), ORIGIN)
        self.parts.archive.settle()

    def pack(self) -> None:
        Mover(self.parts.archive, quiet_s=0).run_once(utc_now())


@pytest.fixture
def place(tmp_path: Path, postgres: Server) -> Iterator[Place]:
    with empty_url(tmp_path, server=postgres.url("postgres")) as url:
        settings = Settings(
            data=tmp_path / "front", database_url=url, store=str(tmp_path / "store"), node="front"
        )
        with open_parts(settings, intake=True) as parts:
            parts.people.add_site(Site("nordlys", "Nordlys", SiteKind.CENTRE))
            parts.people.add_site(Site("hammer", "Hammer", SiteKind.HOSPITAL))
            place = Place(tmp_path, url, parts)
            try:
                yield place
            finally:
                for worker in place.workers.values():
                    worker.kill()
                    worker.wait()


@dataclass
class Peer:
    """A node that has a worker killed in the middle of what that tells or asks, and then answers
    the one that comes after.
    """

    place: Place
    heard: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def hear(self, what: str) -> None:
        with self._lock:
            self.heard.append(what)
            if len(self.heard) == 1:
                self.place.kill("north")
                self.place.wait_for_death("north")

    def store(self, event: evt.Event) -> int:
        self.hear(str(event.request.AffectedSOPInstanceUID))
        return 0x0000

    def report(self, event: evt.Event) -> tuple[int, None]:
        self.hear(str(event.event_information.TransactionUID))
        return 0x0000, None

    def find(self, event: evt.Event) -> Iterator[tuple[int, Dataset]]:
        self.hear(str(event.identifier.StudyInstanceUID))
        found = Dataset()
        found.StudyInstanceUID = event.identifier.StudyInstanceUID
        found.NumberOfStudyRelatedInstances = 2
        yield 0xFF00, found


@contextmanager
def peer(place: Place, *allowed: AePermission) -> Iterator[Peer]:
    """Run a node of the site that may be told and asked."""
    peer = Peer(place)
    entity = AE(ae_title="PEER")
    entity.add_supported_context(EncapsulatedPDFStorage)
    entity.add_supported_context(STUDY_ROOT)
    entity.add_supported_context(COMMITMENT, scu_role=False, scp_role=True)
    server = entity.start_server(
        ("127.0.0.1", 0),
        block=False,
        evt_handlers=[
            (evt.EVT_C_STORE, peer.store),
            (evt.EVT_N_EVENT_REPORT, peer.report),
            (evt.EVT_C_FIND, peer.find),
        ],
    )
    place.parts.people.add_ae(
        "PEER",
        site="hammer",
        host="127.0.0.1",
        port=server.socket.getsockname()[1],
        permissions=frozenset({AePermission.STORE, *allowed}),
        tls_only=False,
    )
    try:
        yield peer
    finally:
        server.shutdown()


def sign_a_case(place: Place) -> str:
    """Have the study of a hospital reported on; return the case."""
    parts = place.parts
    parts.people.add_user(
        RADIOLOGIST, site="nordlys", role=Role.RADIOLOGIST, name="Dr Kari", password_hash="$h"
    )
    place.receive(1, 2)
    row = parts.people.user_by_email(RADIOLOGIST)
    assert row is not None
    ((listed,), _) = parts.casebook.list_cases(scope_of(row.actor))
    parts.casebook.claim(row.actor, listed.case.id)
    parts.casebook.save_findings(row.actor, listed.case.id, {"impression": "No bleeding."})
    parts.casebook.sign(row.actor, listed.case.id, displayed={})
    return listed.case.id


def test_a_reply_is_delivered_by_another_worker_and_noted_once(place: Place) -> None:
    with peer(place, AePermission.REPLY) as node:
        sign_a_case(place)
        place.start("north")
        until(lambda: node.heard, "the reply to arrive the first time", timeout_s=60)
        place.wait_for_death("north")
        place.start("south")
        place.until(lambda: place.parts.outbox.counts()["done"] == 3, "all deliveries")
    assert len(node.heard) == 2  # once by each: the first had no time to hear the answer
    assert len(set(node.heard)) == 1  # the same object, which a node keeps once
    assert place.audit("delivered") == 3
    held = [i for i in place.parts.index.instances_of(ALL, "1.2.1") if not i.rows]
    papers = [i.sop_instance_uid for i in held if i.attributes["Modality"] == "DOC"]
    assert papers == node.heard[:1]  # the study has it once
    assert len(held) == 2  # and the same as a structured report


def test_a_commitment_is_reported_by_another_worker_and_noted_once(place: Place) -> None:
    place.receive(1)
    place.pack()
    with peer(place, AePermission.COMMIT) as node:
        asked = Asked("hammer", "PEER", "", "1.2.9", [Reference(CT, "1.2.2.1")])
        place.parts.commitments.request(asked, wait_s=60)
        place.start("north")
        until(lambda: node.heard, "the report to arrive the first time", timeout_s=60)
        place.wait_for_death("north")
        place.start("south")
        place.until(lambda: place.parts.commitments.counts()["reported"], "the report")
    assert node.heard == ["1.2.9", "1.2.9"]  # PS3.4 J.3.3: a repeat says the same again
    place.until(lambda: place.audit("commitment-reported") == 1, "the audit")


def test_a_question_is_put_by_another_worker_and_answered(place: Place) -> None:
    with peer(place, AePermission.ASK) as node:
        place.receive(1, 2)
        place.parts.index.presume_complete(utc_now(), 0)
        place.start("north")
        until(lambda: node.heard, "the question the first time", timeout_s=60)
        place.wait_for_death("north")
        place.start("south")
        (study,) = place.parts.index.studies(ALL)
        place.until(
            lambda: place.parts.index.studies(ALL)[0].completeness == "complete", "the answer"
        )
    assert node.heard == [study.study_uid] * 2
    assert place.parts.index.studies(ALL)[0].completeness_evidence == "sender"


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_merge_is_done_by_another_worker(place: Place, when: str) -> None:
    for number in (1, 2, 3):
        place.receive(number)
        place.pack()
    merging = {"merge_packs": 2, "merge_quiet_seconds": 0, "quiet_seconds": 3600}
    before = packs_of(place)
    assert len(before) == 3
    place.start("north", dies=("v1/", when), **merging)
    place.wait_for_death("north")
    place.start("south", **merging)
    place.until(lambda: len(packs_of(place)) == 1, "one pack")
    assert not packs_of(place) & before
    verified = care.verify(place.parts.archive)
    assert (verified.checked, verified.is_clean) == (3, True)


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_backup_is_made_by_another_worker_and_by_one_only(place: Place, when: str) -> None:
    place.start("north", dies=("backup/", when), backup_every=86400)
    place.wait_for_death("north")
    place.start("south", backup_every=86400)
    place.start("west", backup_every=86400)
    for name in ("south", "west"):
        place.until(lambda n=name: "working" in place.log(n), f"{name} to work")
    place.until(lambda: len(backups(place.parts.store)) == 1, "the backup")
    if when == "after":  # it was put and not noted: it is this casebook's, and the next one follows
        assert "backup_of_another_casebook" not in place.log("south") + place.log("west")
        place.kill("south")
        place.kill("west")
        place.start("east", backup_every=1)
    place.until(lambda: place.audit("backed-up"), "a backup to be noted")
    if when == "before":
        assert (place.audit("backed-up"), len(backups(place.parts.store))) == (1, 1)


def packs_of(place: Place) -> set[str]:
    rows = place.parts.index.instances_of(ALL, "1.2.1")
    return {row.location.container for row in rows}
