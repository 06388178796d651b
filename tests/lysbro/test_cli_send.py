"""`lysbro send`: queued, sent by the worker as it was received, retried while nobody listens."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from casework.access import Scope
from casework.delivery import MAX_ATTEMPTS
from lysbro.sending import Sender
from lysbro.wiring import Parts, utc_now
from storage.outbox import Outbox
from tests.flows.waiting import until
from tests.lysbro.calling import Desk
from tests.ports import free_port

ALL = Scope(sites=None, specialties=None, own_site="")


@contextmanager
def storescp(folder: Path, port: int) -> Iterator[None]:
    """Run DCMTK's receiver, which writes data sets bit by bit as they come."""
    folder.mkdir()
    command = ["storescp", "+B", "-aet", "PACS", "-od", str(folder), str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until(lambda: listens(port), "storescp", alive=lambda: process.poll() is None)
        yield
    finally:
        process.kill()
        process.wait()


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def dataset(part10_file: bytes) -> bytes:
    """Return what follows the file meta information (PS3.10 section 7.1)."""
    return part10_file[144 + int.from_bytes(part10_file[140:144], "little") :]


def work_once(desk: Desk, *, later_s: float = 0) -> bool:
    """Let the worker do one job of the send queue, at a later time."""
    with desk.parts() as parts:
        return sender(parts, later_s).run_once()


def sender(parts: Parts, later_s: float) -> Sender:
    outbox = Outbox(parts.database, lambda: utc_now() + timedelta(seconds=later_s))
    return Sender(replace(parts, outbox=outbox))


@pytest.fixture
def port(desk: Desk, slices: Path) -> int:
    """Return the port of the node PACS, where nobody listens yet; the study is in."""
    port = free_port()
    desk.must("import", slices, "--site", "hammer")
    desk.must("ae", "add", "PACS", "--site", "nordlys", "--host", "127.0.0.1", "--port", port)
    return port


@pytest.mark.peers
def test_a_study_arrives_as_it_was_received(
    desk: Desk, slices: Path, tmp_path: Path, port: int
) -> None:
    queued = desk.must("send", "1.2.1", "--to", "PACS", "--json").json
    assert (queued["study_uid"], queued["to"], queued["state"]) == ("1.2.1", "PACS", "queued")
    assert desk.must("status", "--json").json["outbox"] == {"queued": 1, "done": 0, "dead": 0}
    with storescp(tmp_path / "pacs", port):
        assert work_once(desk)
    arrived = {dataset(path.read_bytes()) for path in (tmp_path / "pacs").iterdir()}
    assert arrived == {dataset(path.read_bytes()) for path in slices.iterdir()}
    assert desk.must("status", "--json").json["outbox"] == {"queued": 0, "done": 1, "dead": 0}
    assert not work_once(desk)
    with desk.parts() as parts:
        for line in (parts.index.custody(ALL, uid)[-1] for uid in ("1.2.1.1", "1.2.1.3")):
            assert (line.event, line.detail["to"]) == ("sent", "PACS")
    (entry,) = desk.audit("send-queued")
    assert (entry.subject, entry.site, entry.detail) == ("1.2.1", "hammer", {"to": "PACS"})


@pytest.mark.peers
def test_a_study_waits_for_a_node_that_is_away(desk: Desk, tmp_path: Path, port: int) -> None:
    job = desk.must("send", "1.2.1", "--to", "PACS", "--json").json["job"]
    assert work_once(desk)
    (retry,) = desk.must("status", "--json").json["retries"]
    assert (retry["id"], retry["kind"], retry["to"], retry["attempts"]) == (job, "send", "PACS", 1)
    assert "PACS" in retry["reason"]
    assert f"retried     send {job} to PACS after 1 attempts: " in desk.must("status").out
    assert not work_once(desk), "not before it is due"
    with storescp(tmp_path / "pacs", port):
        assert work_once(desk, later_s=60)
    assert len(list((tmp_path / "pacs").iterdir())) == 3
    told = desk.must("status", "--json").json
    assert (told["outbox"]["done"], told["retries"], told["dead_letters"]) == (1, [], [])


def test_a_job_that_never_succeeds_becomes_a_dead_letter(desk: Desk, port: int) -> None:
    job = desk.must("send", "1.2.1", "--to", "PACS", "--json").json["job"]
    hour = 3700
    with desk.parts() as parts:
        for attempt in range(MAX_ATTEMPTS - 1):
            outbox = sender(parts, later_s=attempt * hour).parts.outbox
            assert outbox.lease_send(lease_s=60) is not None
            outbox.send_failed(job, "away")
        assert sender(parts, later_s=MAX_ATTEMPTS * hour).run_once()
    assert not work_once(desk, later_s=2 * MAX_ATTEMPTS * hour)
    told = desk.must("status", "--json").json
    (letter,) = told["dead_letters"]
    assert (letter["id"], letter["to"], letter["attempts"]) == (job, "PACS", MAX_ATTEMPTS)
    assert (told["outbox"]["dead"], told["retries"]) == (1, [])
    assert f"dead        send {job} to PACS" in desk.must("status").out


def test_what_cannot_be_sent_is_told_at_once(desk: Desk, slices: Path, port: int) -> None:
    desk.must("import", slices, "--site", "fjord")
    desk.must("ae", "add", "ASKER", "--site", "nordlys")
    for words, status, told in (
        (("1.2.9", "--to", "PACS"), 1, "There is no study 1.2.9"),
        (("1.2.1", "--to", "NOBODY"), 1, "There is no application entity NOBODY"),
        (("1.2.1", "--to", "ASKER"), 1, "lysbro ae add ASKER"),
        (("1.2.1", "--to", "PACS"), 1, "choose one with --site"),
        (("1.2.1", "--to", "PACS", "--site", "nordlys"), 1, "There is no study 1.2.1"),
        (("1.2.1",), 2, "Missing option '--to'"),
    ):
        answer = desk("send", *words)
        assert (answer.status, answer.out) == (status, ""), words
        assert told in answer.err
    assert desk.must("send", "1.2.1", "--to", "PACS", "--site", "fjord").status == 0
    assert desk.must("status", "--json").json["outbox"]["queued"] == 1
