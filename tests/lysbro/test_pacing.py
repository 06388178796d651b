"""A node that is slow or away holds up its own jobs, and nobody else's."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE, evt
from pynetdicom.sop_class import CTImageStorage, StudyRootQueryRetrieveInformationModelFind

from casework.access import Scope
from casework.custody import Door, Origin
from casework.errors import Unavailable
from casework.model import AePermission, Site, SiteKind
from lysbro.pacing import Chore, Errands
from lysbro.settings import Settings
from lysbro.wiring import Parts, open_parts, utc_now
from lysbro.worker import work
from storage.asking import open_question
from tests.flows.waiting import until
from tests.pacs_bridge.making import ct, part10

ALL = Scope(sites=None, specialties=None, own_site="")


@dataclass
class Silent:
    """A node that takes connections and says nothing, until it lets all of them go."""

    port: int
    taken: list[socket.socket] = field(default_factory=list)


@contextmanager
def silent() -> Iterator[Silent]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        node = Silent(listening.getsockname()[1])

        def take() -> None:
            while True:
                try:
                    node.taken.append(listening.accept()[0])
                except OSError:
                    return

        thread = threading.Thread(target=take)
        thread.start()
        try:
            yield node
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join()
            for each in node.taken:
                each.close()


@contextmanager
def quick() -> Iterator[tuple[int, list[str]]]:
    """Run a node that takes and answers; give its port and what it was sent."""
    arrived: list[str] = []

    def take(event: evt.Event) -> int:
        arrived.append(str(event.request.AffectedSOPInstanceUID))
        return 0x0000

    def find(event: evt.Event) -> Iterator[tuple[int, Dataset]]:
        found = Dataset()
        found.StudyInstanceUID = event.identifier.StudyInstanceUID
        found.NumberOfStudyRelatedInstances = 1
        yield 0xFF00, found

    entity = AE(ae_title="QUICK")
    entity.add_supported_context(CTImageStorage)
    entity.add_supported_context(StudyRootQueryRetrieveInformationModelFind)
    server = entity.start_server(
        ("127.0.0.1", 0),
        block=False,
        evt_handlers=[(evt.EVT_C_STORE, take), (evt.EVT_C_FIND, find)],
    )
    try:
        yield server.socket.getsockname()[1], arrived
    finally:
        server.shutdown()


@contextmanager
def exchange(folder: Path, **nodes: int) -> Iterator[Parts]:
    """Open an exchange with two studies, and nodes at these ports."""
    settings = Settings(data=folder, quiet_seconds=3600, backup_every=0, log_level="error")
    with open_parts(settings, intake=True) as parts:
        parts.people.add_site(Site("hammer", "Hammer", SiteKind.HOSPITAL))
        for number in (1, 2):
            uid = f"1.2.{number}"
            parts.archive.receive_part10(
                part10(ct(f"{uid}.1", study=uid, series=f"{uid}.0")), Origin("hammer", Door.DICOM)
            )
        parts.archive.settle()
        for title, port in nodes.items():
            parts.people.add_ae(title, "hammer", "127.0.0.1", port, frozenset({AePermission.ASK}))
        yield parts


@contextmanager
def working(parts: Parts) -> Iterator[threading.Thread]:
    stop = threading.Event()
    thread = threading.Thread(target=work, args=(parts, stop))
    thread.start()
    try:
        yield thread
    finally:
        stop.set()


@pytest.mark.slow
def test_a_node_that_says_nothing_delays_neither_other_nodes_nor_other_work(
    tmp_path: Path,
) -> None:
    with (
        quick() as (port, arrived),
        silent() as node,
        exchange(tmp_path, SILENT=node.port, QUICK=port) as parts,
    ):
        for study, to in (("1.2.1", "SILENT"), ("1.2.2", "SILENT"), ("1.2.1", "QUICK")):
            parts.outbox.enqueue_send(study, "hammer", to)
        with parts.database.begin() as conn:
            for study, ae in (("1.2.1", "SILENT"), ("1.2.2", "QUICK")):
                open_question(conn, site="hammer", study_uid=study, ae=ae, now=utc_now())
        with working(parts) as worker:
            until(lambda: parts.outbox.counts()["done"] == 1, "the quick node to have its study")
            until(
                lambda: "complete" in {s.completeness for s in parts.index.studies(ALL)},
                "the quick node's answer",
            )
            assert arrived == ["1.2.1.1"]
            until(lambda: len(node.taken) >= 2, "the silent node to be called")
            assert len(node.taken) == 2  # once to send, once to ask: its second study waits
            assert worker.is_alive()
            for each in node.taken:
                each.shutdown(socket.SHUT_RDWR)
        worker.join(30)  # what was begun has ended
        assert not worker.is_alive()


class Job:
    """Jobs by number that each go to a node of the same number; the first of all goes wrong."""

    def __init__(self) -> None:
        self.left = ["one", "two", "one"]
        self.done: list[str] = []

    def take(self, avoiding: object = ()) -> str | None:
        return next(
            (self.left.pop(i) for i, to in enumerate(self.left) if to not in avoiding), None
        )  # type: ignore[operator]

    def peer_of(self, job: str) -> str:
        return job

    def at_once(self, peer: str) -> int:
        return 1

    def do(self, job: str) -> None:
        self.done.append(job)
        if len(self.done) == 1:
            raise Unavailable("It is away.")


def test_work_goes_on_after_a_piece_that_failed() -> None:
    stop, jobs, pieces = threading.Event(), Job(), 0

    def piece() -> bool:
        nonlocal pieces
        pieces += 1
        if pieces == 1:
            raise ValueError("broken")
        stop.set()
        return False

    errands = threading.Thread(target=Errands("send", jobs, pace_s=0.01).run, args=(stop,))
    errands.start()
    until(lambda: len(jobs.done) == 3, "all jobs")
    Chore("pack", piece, pace_s=0.01).run(stop)
    errands.join(10)
    assert (sorted(jobs.done), pieces) == (["one", "one", "two"], 2)
