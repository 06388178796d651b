"""Studies on their way out: resumed at the instance, past killed workers, committed to."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from pydicom import Dataset
from pynetdicom import AE, build_role, evt
from pynetdicom.association import Association

from benchmarks.receivers import orthanc
from casework.access import Scope
from casework.custody import Door, Origin
from casework.model import AePermission, Site, SiteKind
from casework.routing import Conditions, Rule, Trigger
from lysbro.dicom import open_bridge
from lysbro.promising import Promiser
from lysbro.sending import Sender
from lysbro.settings import Settings
from lysbro.wiring import Parts, open_parts
from lysbro.worker import chores
from tests.flows.waiting import until
from tests.lysbro.test_cli_send import listens
from tests.pacs_bridge.making import CT, ct, part10
from tests.ports import free_port

pytestmark = pytest.mark.slow

ALL = Scope(sites=None, specialties=None, own_site="")
COMMITMENT = "1.2.840.10008.1.20.1"
INSTANCE = "1.2.840.10008.1.20.1.1"
UIDS = [f"1.2.1.{n}" for n in range(1, 6)]


@dataclass
class Node:
    """A node of our own making, which treats objects and requests as it is told."""

    port: int = 0
    arrived: list[str] = field(default_factory=list)
    status: dict[str, int] = field(default_factory=dict)
    abort_after: int = 0  # objects of an association, once
    forgets: set[str] = field(default_factory=set)  # it does not commit to these
    asked: list[Dataset] = field(default_factory=list)
    reports_here: bool = False
    answers: list[int] = field(default_factory=list)
    home: int = 0  # our port

    def take(self, event: evt.Event) -> int:
        uid = str(event.request.AffectedSOPInstanceUID)
        if self.abort_after and len(self.arrived) >= self.abort_after:
            self.abort_after = 0
            event.assoc.abort()
            return 0xC000
        status = self.status.get(uid, 0)
        if status == 0 or status & 0xF000 == 0xB000:
            self.arrived.append(uid)
        return status

    def act(self, event: evt.Event) -> tuple[int, None]:
        self.asked.append(event.action_information)
        if self.reports_here:
            threading.Thread(target=self.report_here, args=(event.assoc,)).start()
        return 0x0000, None

    def report_here(self, association: Association) -> None:
        """Report over the association of the request, once that was answered."""
        time.sleep(0.2)
        kind, report = self.report()
        status, _ = association.send_n_event_report(report, kind, COMMITMENT, INSTANCE)
        self.answers.append(int(status.Status))

    def report(self) -> tuple[int, Dataset]:
        request, report = self.asked[-1], Dataset()
        report.TransactionUID = request.TransactionUID
        report.ReferencedSOPSequence, lost = [], []
        for item in request.ReferencedSOPSequence:
            if item.ReferencedSOPInstanceUID in self.forgets:
                item.FailureReason = 0x0112
                lost.append(item)
            else:
                report.ReferencedSOPSequence.append(item)
        if lost:
            report.FailedSOPSequence = lost
        return (2 if lost else 1), report

    def report_anew(self, title: str = "PACS") -> int:
        """Report over an association of its own, as most do; return our answer."""
        entity = AE(ae_title=title)
        entity.add_requested_context(COMMITMENT)
        link = entity.associate(
            "127.0.0.1", self.home, ae_title="LYSBRO",
            ext_neg=[build_role(COMMITMENT, scu_role=False, scp_role=True)],
        )  # fmt: skip
        if not link.is_established:
            return -1
        kind, report = self.report()
        status, _ = link.send_n_event_report(report, kind, COMMITMENT, INSTANCE)
        link.release()
        return int(status.Status)


@contextmanager
def pacs(**how: Any) -> Iterator[Node]:
    node = Node(**how)
    entity = AE(ae_title="PACS")
    entity.add_supported_context(CT)
    entity.add_supported_context(COMMITMENT)
    server = entity.start_server(
        ("127.0.0.1", 0), block=False,
        evt_handlers=[(evt.EVT_C_STORE, node.take), (evt.EVT_N_ACTION, node.act)],
    )  # fmt: skip
    node.port = server.socket.getsockname()[1]
    try:
        yield node
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def exchange(folder: Path, port: int, **settings: Any) -> Iterator[Parts]:
    """Open an exchange with a study of five instances, and the node PACS at a port."""
    given: dict[str, Any] = {"quiet_seconds": 3600, "log_level": "error", "dicom_port": 0}
    wanted = Settings(data=folder, retrieve_answer_timeout=5, **(given | settings))
    with open_parts(wanted, intake=True) as parts:
        if parts.people.site("hammer") is None:
            parts.people.add_site(Site("hammer", "Hammer", SiteKind.HOSPITAL))
            parts.people.add_site(Site("nordlys", "Nordlys", SiteKind.CENTRE))
            for n, uid in enumerate(UIDS, start=1):
                origin = Origin("hammer", Door.DICOM, calling_ae="HAMMER_CT")
                parts.archive.receive_part10(part10(ct(uid, InstanceNumber=n)), origin)
            parts.archive.settle()
        parts.people.add_ae("PACS", "nordlys", "127.0.0.1", port)
        yield parts


def again(parts: Parts) -> None:
    """Make what waits for its next attempt due at once."""
    with parts.database.begin() as conn:
        conn.exec_driver_sql("UPDATE jobs SET next_attempt_at = created_at WHERE state = 'queued'")


def test_a_job_goes_on_at_the_instance_at_which_the_node_broke_off(tmp_path: Path) -> None:
    with pacs(abort_after=2) as node, exchange(tmp_path, node.port) as parts:
        parts.outbox.enqueue_send("1.2.1", "hammer", "PACS")
        assert Sender(parts).run_once()
        (retry,) = parts.outbox.retries()
        assert "PACS broke off" in retry.last_error
        assert "2 of 5 have arrived" in retry.last_error
        assert parts.outbox.missing(retry.id) == tuple(UIDS[2:])
    with exchange(tmp_path, node.port):  # nobody listens any more
        pass
    with pacs() as other, exchange(tmp_path, other.port) as parts:
        again(parts)
        assert Sender(parts).run_once()
        assert other.arrived == UIDS[2:]
        assert parts.outbox.counts()["done"] == 1


def test_only_what_was_refused_goes_again_and_warnings_are_told(tmp_path: Path) -> None:
    refusing = {UIDS[1]: 0xB007, UIDS[3]: 0xA700}
    with pacs(status=refusing) as node, exchange(tmp_path, node.port) as parts:
        number = parts.outbox.enqueue_send("1.2.1", "hammer", "PACS")
        assert Sender(parts).run_once()
        (retry,) = parts.outbox.retries()
        assert "PACS has no room: it answered A700" in retry.last_error
        assert parts.outbox.missing(number) == (UIDS[3],)
        node.status.clear()
        node.arrived.clear()
        again(parts)
        assert Sender(parts).run_once()
        assert node.arrived == [UIDS[3]]
        (done,) = parts.outbox.listed()
        assert (done.state, done.arrived, done.warned) == ("done", 5, 1)
        last = parts.index.custody(ALL, UIDS[1])[-1]
        assert (last.event, last.detail["warning"]) == ("sent", "B007")


def test_what_a_node_never_takes_is_given_up_in_three_and_replayed_in_one(tmp_path: Path) -> None:
    refusing = dict.fromkeys(UIDS, 0x0122)
    with pacs(status=refusing) as node, exchange(tmp_path, node.port) as parts:
        parts.outbox.enqueue_send("1.2.1", "hammer", "PACS")
        for _ in range(3):
            assert Sender(parts).run_once()
            again(parts)
        (letter,) = parts.outbox.dead_letters()
        assert "PACS does not take this kind of object" in letter.last_error
        node.status.clear()
        parts.outbox.replay(letter.id)
        assert Sender(parts).run_once()
        assert node.arrived == UIDS


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"host": "", "port": 0}, "PACS has no address"),
        ({"tls_only": True}, "LYSBRO_DICOM_TLS_CERT"),
        ({"port": None}, "cannot be reached"),
    ],
)
def test_a_node_that_cannot_be_sent_to_is_told_in_plain_words(
    tmp_path: Path, changes: dict[str, Any], told: str
) -> None:
    known = {"host": "127.0.0.1", "port": free_port()} | {
        name: value for name, value in changes.items() if value is not None
    }
    with exchange(tmp_path, 104) as parts:
        parts.people.add_ae("PACS", "nordlys", **known)
        parts.outbox.enqueue_send("1.2.1", "hammer", "PACS")
        assert Sender(parts).run_once()
        assert told in parts.outbox.retries()[0].last_error
        parts.people.remove_ae("PACS")
        again(parts)
        assert Sender(parts).run_once()
        assert "has no address" in parts.outbox.retries()[0].last_error


WORKER = """
import sys
import threading
import time
from pathlib import Path
from lysbro.sending import Sender
from lysbro.settings import Settings
from lysbro.wiring import open_parts
with open_parts(Settings(data=Path(sys.argv[1]), log_level="error")) as parts:
    Sender(parts).run_once()
"""


def test_a_worker_that_is_killed_in_the_middle_loses_no_instance(tmp_path: Path) -> None:
    with pacs() as node, exchange(tmp_path, node.port, lease_seconds=5) as parts:
        parts.destinations.set("PACS", rate_bytes=1500)  # an instance a third of a second
        number = parts.outbox.enqueue_send("1.2.1", "hammer", "PACS")
        worker = subprocess.Popen([sys.executable, "-c", WORKER, str(tmp_path)])
        until(
            lambda: len(node.arrived) >= 3, "some of the study", alive=lambda: worker.poll() is None
        )
        worker.send_signal(signal.SIGKILL)
        worker.wait()
        (job,) = parts.outbox.listed()
        assert job.state == "queued"
        assert 2 <= job.arrived < 5
        noted = set(UIDS) - set(parts.outbox.missing(number))
        assert noted <= set(node.arrived)
        before = len(node.arrived)
        parts.destinations.set("PACS", rate_bytes=None)
        with parts.database.begin() as conn:
            conn.exec_driver_sql("UPDATE jobs SET leased_until = NULL")
        assert Sender(parts).run_once()
        assert set(node.arrived) == set(UIDS)
        assert len(node.arrived) - before == 5 - len(noted)
        assert parts.outbox.counts()["done"] == 1


def test_a_rule_sends_a_study_from_its_door_to_its_node(tmp_path: Path) -> None:
    with pacs() as node, exchange(tmp_path, node.port) as parts:
        rule = Rule("ct", "PACS", Conditions(modalities=frozenset({"CT"})), Trigger.STUDY)
        parts.routing.add(rule, by="user:1")
        origin = Origin("hammer", Door.DICOM, calling_ae="HAMMER_CT")
        parts.archive.receive_part10(part10(ct("1.2.7.1", study="1.2.7", series="1.2.7.0")), origin)
        parts.archive.settle()
        with parts.database.begin() as conn:
            conn.exec_driver_sql("UPDATE studies SET completeness = 'complete'")
        for chore in chores(parts):
            if chore.name in ("route", "send"):
                chore.run_once()
        assert node.arrived == ["1.2.7.1"]


def committing(parts: Parts, **how: Any) -> Promiser:
    parts.destinations.set("PACS", asks_commitment=True, **how)
    parts.outbox.enqueue_send("1.2.1", "hammer", "PACS")
    assert Sender(parts).run_once()
    return Promiser(parts)


def committed(parts: Parts) -> int:
    return sum(
        "committed-by" in [line.event for line in parts.index.custody(ALL, uid)] for uid in UIDS
    )


def test_a_report_on_a_new_association_is_taken_over_a_restart(tmp_path: Path) -> None:
    with pacs() as node:
        with exchange(tmp_path, node.port) as parts:
            assert committing(parts).run_once()
            assert [len(each.ReferencedSOPSequence) for each in node.asked] == [5]
            assert (parts.promises.counts()["awaited"], committed(parts)) == (5, 0)
        with exchange(tmp_path, node.port) as parts:
            parts.people.add_ae("OTHER", "nordlys", "127.0.0.1", 104)
            with open_bridge(parts) as bridge:
                node.home = bridge
                assert node.report_anew("OTHER") == 0x0115  # it was not asked
                assert node.report_anew() == 0x0000
                assert node.report_anew() == 0x0000  # twice is harmless
            assert (parts.promises.counts()["awaited"], committed(parts)) == (0, 5)
            assert [e.action for e in parts.ledger.entries(limit=3)] == ["commitment-told"] * 3


def test_a_report_on_the_association_of_the_request_is_taken(tmp_path: Path) -> None:
    with pacs(reports_here=True) as node, exchange(tmp_path, node.port) as parts:
        assert committing(parts).run_once()
        until(lambda: node.answers == [0x0000], "our answer to the report")
        assert (parts.promises.counts()["awaited"], committed(parts)) == (0, 5)


def test_a_forgetful_node_gets_it_once_more_and_then_a_person_looks(tmp_path: Path) -> None:
    with pacs(forgets={UIDS[0]}) as node, exchange(tmp_path, node.port) as parts:
        with open_bridge(parts) as bridge:
            node.home = bridge
            promiser = committing(parts)
            assert promiser.run_once()
            assert node.report_anew() == 0x0000
            node.arrived.clear()
            assert Sender(parts).run_once()
            assert node.arrived == [UIDS[0]]
            assert promiser.run_once()
            assert node.report_anew() == 0x0000
        (letter,) = parts.outbox.dead_letters()
        assert "does not commit to 1 of 1 instances" in letter.last_error
        assert committed(parts) == 4


def test_a_node_that_takes_no_requests_is_told_of(tmp_path: Path) -> None:
    with exchange(tmp_path, 104) as parts:
        entity = AE(ae_title="PACS")
        entity.add_supported_context(CT)
        server = entity.start_server(
            ("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, lambda _e: 0)]
        )
        try:
            parts.people.add_ae("PACS", "nordlys", "127.0.0.1", server.socket.getsockname()[1])
            assert committing(parts, most_attempts=1).run_once()
        finally:
            server.shutdown()
            server.server_close()
        (letter,) = parts.outbox.dead_letters()
        assert "takes no requests for storage commitment" in letter.last_error


@pytest.mark.parametrize("permissions", [(), (AePermission.COMMIT,)])
def test_who_proposes_no_role_needs_the_permission(
    tmp_path: Path, permissions: tuple[AePermission, ...]
) -> None:
    with pacs() as node, exchange(tmp_path, node.port) as parts:
        parts.people.add_ae("PACS", "nordlys", "127.0.0.1", node.port, frozenset(permissions))
        with open_bridge(parts) as bridge:
            node.home = bridge
            assert committing(parts).run_once()
            entity = AE(ae_title="PACS")
            entity.add_requested_context(COMMITMENT)
            link = entity.associate("127.0.0.1", bridge, ae_title="LYSBRO")
            accepted = bool(link.accepted_contexts)
            if link.is_established:
                link.release()
            assert accepted is bool(permissions)


@pytest.mark.peers
@pytest.mark.skipif(not orthanc(), reason="Orthanc is not installed")
def test_orthanc_takes_a_study_and_commits_to_it(tmp_path: Path) -> None:
    port, web, home = free_port(), free_port(), free_port()
    config = tmp_path / "orthanc.json"
    config.write_text(
        json.dumps(
            {
                "StorageDirectory": str(tmp_path / "o"), "IndexDirectory": str(tmp_path / "o"),
                "DicomAet": "PACS", "DicomPort": port, "HttpPort": web, "Plugins": [],
                "RemoteAccessAllowed": False, "AuthenticationEnabled": False,
                "DicomModalities": {"lysbro": ["LYSBRO", "127.0.0.1", home]},
            }
        )
    )  # fmt: skip
    peer = subprocess.Popen(
        [orthanc(), str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        until(lambda: listens(port), "Orthanc", alive=lambda: peer.poll() is None)
        with exchange(tmp_path / "data", port, dicom_port=home) as parts:
            with open_bridge(parts):
                assert committing(parts).run_once()
                until(lambda: committed(parts) == 5, "Orthanc's commitment")
            (job,) = parts.outbox.listed()
            assert (job.state, job.arrived, job.committed) == ("done", 5, 5)
    finally:
        peer.terminate()
        peer.wait()
