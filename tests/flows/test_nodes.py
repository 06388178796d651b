"""Two nodes as one exchange: processes on two data folders, one PostgreSQL, one store."""

from __future__ import annotations

import json
import os
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.uid import UID
from pynetdicom import AE, evt
from pynetdicom.sop_class import CTImageStorage

from storage.testing import empty_url
from tests.flows.conftest import Exchange, make_exchange
from tests.flows.test_study_in import SERIES, dcmtk
from tests.flows.waiting import until
from tests.ports import free_port
from tests.postgres import Server

pytestmark = [pytest.mark.peers, pytest.mark.slow]

WARD = "ward@hammer.example"


@dataclass
class Pair:
    """Two nodes, not started yet."""

    a: Exchange
    b: Exchange

    def stop(self) -> None:
        for node in (self.a, self.b):
            if node.alive():
                node.stop()


@pytest.fixture
def pair(tmp_path: Path, postgres: Server) -> Iterator[Pair]:
    with empty_url(tmp_path, server=postgres.url("postgres")) as url:
        common = {
            "LYSBRO_DATABASE_URL": url,
            "LYSBRO_STORE": str(tmp_path / "store"),
            "LYSBRO_NODE_SECRET": "a secret between the nodes",
            "LYSBRO_LEASE_SECONDS": "5",
            "LYSBRO_QUIET_SECONDS": "3600",
        }
        a = make_exchange(
            tmp_path / "a", **common, LYSBRO_NODE="north", LYSBRO_NODE_PORT=str(free_port())
        )
        environment = {
            **a.environment,
            "LYSBRO_DATA": str(tmp_path / "b"),
            "LYSBRO_NODE": "south",
            "LYSBRO_NODE_PORT": str(free_port()),
        }
        b = Exchange(tmp_path / "b", free_port(), free_port(), environment, tokens=a.tokens)
        environment["LYSBRO_DICOM_PORT"] = str(b.dicom_port)
        environment["LYSBRO_WEB_PORT"] = str(b.web_port)
        b.data.mkdir()
        pair = Pair(a, b)
        try:
            yield pair
        finally:
            pair.stop()


def push(node: Exchange, folder: Path, study: str, count: int = 2) -> dict[str, bytes]:
    """Push some slices as a study; return the pixel data by SOP Instance UID."""
    folder.mkdir(exist_ok=True)
    sent = {}
    for number, path in enumerate(sorted(SERIES.glob("*.dcm"))[:count]):
        ds = dcmread(path)
        ds.StudyInstanceUID, ds.SeriesInstanceUID = UID(study), UID(f"{study}.1")
        ds.SOPInstanceUID = UID(f"{study}.1.{number}")
        ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
        ds.save_as(folder / f"{ds.SOPInstanceUID}.dcm")
        sent[str(ds.SOPInstanceUID)] = bytes(ds.PixelData)
    done = dcmtk("storescu", node, "HAMMER_CT", *map(str, sorted(folder.glob(f"{study}.1.*.dcm"))))
    assert (done.stdout + done.stderr).count("Received Store Response (Success)") == count
    return sent


def retrieve(node: Exchange, study: str, uid: str) -> tuple[int, bytes]:
    """Ask for one frame by WADO-RS; return the status and the body."""
    request = urllib.request.Request(
        f"{node.address}/dicom-web/studies/{study}/series/{study}.1/instances/{uid}/frames/1",
        headers={
            "Authorization": f"Bearer {node.token(WARD)}",
            "Accept": 'multipart/related; type="application/octet-stream"',
        },
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def has(node: Exchange, study: str, uid: str, pixels: bytes) -> bool:
    status, body = retrieve(node, study, uid)
    return status == 200 and pixels in body


def spooled(node: Exchange) -> int:
    return int(json.loads(node.must("status", "--json"))["spool"]["instances"])


def listed(node: Exchange) -> list[dict[str, Any]]:
    nodes: list[dict[str, Any]] = json.loads(node.must("node", "list", "--json"))
    return nodes


def kill(node: Exchange) -> None:
    """Kill every process of a node at once, as a lost machine would."""
    assert node.process is not None
    os.killpg(node.process.pid, signal.SIGKILL)
    node.process.wait()


def test_what_one_node_received_is_read_through_the_other_before_it_is_packed(
    pair: Pair, tmp_path: Path
) -> None:
    pair.a.start()
    pair.b.start()
    sent = push(pair.a, tmp_path / "one", "1.2.71")
    received_at = time.monotonic()
    for uid, pixels in sent.items():
        until(lambda u=uid, p=pixels: has(pair.b, "1.2.71", u, p), "the frame through south")
    assert time.monotonic() - received_at < 5
    assert (spooled(pair.a), spooled(pair.b)) == (2, 0)
    assert not list((pair.b.data / "spool").glob("*.seg"))

    back = push(pair.b, tmp_path / "two", "1.2.72")
    for uid, pixels in back.items():
        until(lambda u=uid, p=pixels: has(pair.a, "1.2.72", u, p), "the frame through north")
    assert pair.b.lysbro("verify").returncode == 0
    until(
        lambda: [n["spool_instances"] for n in listed(pair.b)] == [2, 2],
        "both to tell what lies in their spools",
    )
    nodes = listed(pair.b)
    assert [(n["name"], n["lives"]) for n in nodes] == [("north", True), ("south", True)]
    assert [n["kinds"] for n in nodes] == [["bridge", "web", "worker"]] * 2


def test_a_node_that_dies_is_named_and_drains_its_spool_when_it_returns(
    pair: Pair, tmp_path: Path
) -> None:
    pair.a.start()
    pair.b.start()
    (read, read_pixels), (uid, pixels) = push(pair.a, tmp_path / "one", "1.2.73").items()
    until(lambda: has(pair.b, "1.2.73", read, read_pixels), "a frame through south")

    kill(pair.a)
    status, body = retrieve(pair.b, "1.2.73", uid)
    assert (status, b"north" in body) == (503, True)
    pair.b.environment["LYSBRO_QUIET_SECONDS"] = "1"
    pair.b.stop()
    pair.b.start()  # a worker that packs at once: it must leave alone what is not its own
    (own, own_pixels), _ = push(pair.b, tmp_path / "two", "1.2.74").items()
    until(lambda: spooled(pair.b) == 0, "south to pack its own", timeout_s=60)
    assert retrieve(pair.b, "1.2.73", uid)[0] == 503
    assert list((pair.a.data / "spool").glob("*.seg"))

    pair.a.environment["LYSBRO_QUIET_SECONDS"] = "1"
    pair.a.start()
    until(lambda: spooled(pair.a) == 0, "north to drain its spool", timeout_s=60)
    kill(pair.a)
    assert has(pair.b, "1.2.73", uid, pixels)  # from the store: north is away again
    assert has(pair.b, "1.2.74", own, own_pixels)
    assert pair.b.lysbro("verify").returncode == 0


def test_the_door_stays_open_when_the_process_that_holds_it_is_killed(
    pair: Pair, tmp_path: Path
) -> None:
    pair.a.start()
    pair.b.start()
    (uid, pixels), (other, other_pixels) = push(pair.a, tmp_path / "one", "1.2.75").items()
    until(lambda: has(pair.b, "1.2.75", uid, pixels), "the frame through south")
    os.kill(_holder_of(pair.a.data / "node.lock"), signal.SIGKILL)
    until(lambda: has(pair.b, "1.2.75", other, other_pixels), "another to hold the door")


def _holder_of(lock: Path) -> int:
    """Return which process holds a lock, as the kernel tells it."""
    inode = lock.stat().st_ino
    for line in Path("/proc/locks").read_text().splitlines():
        words = line.split()
        if "FLOCK" in words and int(words[5].rpartition(":")[2]) == inode and "->" not in words:
            return int(words[4])
    raise AssertionError(f"nobody holds {lock}")


def test_a_name_belongs_to_one_data_folder_while_that_one_lives(pair: Pair) -> None:
    pair.a.start()
    pair.b.environment["LYSBRO_NODE"] = "north"

    def refused() -> bool:
        done = pair.b.lysbro("serve", "--only", "worker")
        return done.returncode == 1 and "LYSBRO_NODE" in done.stdout + done.stderr

    until(lambda: "up" in pair.a.must("status"), "north to be heard of")
    assert refused()
    assert pair.a.stop() == 0
    pair.b.start(only="worker")  # it was stopped in order: its name is free
    until(lambda: "north" in pair.b.must("status"), "the other folder to be north", timeout_s=30)


def test_a_send_is_taken_over_from_a_worker_that_was_killed_in_the_middle(
    pair: Pair, tmp_path: Path
) -> None:
    arrived: list[str] = []

    def take(event: evt.Event) -> int:
        arrived.append(str(event.request.AffectedSOPInstanceUID))
        if len(arrived) == 2:
            kill(pair.a)
        return 0x0000

    archive = AE("HAMMER_VNA")
    archive.add_supported_context(CTImageStorage)
    server = archive.start_server(
        ("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, take)]
    )
    try:
        pair.b.start(only="bridge,web")
        sent = push(pair.b, tmp_path / "one", "1.2.76", count=5)
        pair.b.must(
            "ae", "add", "HAMMER_VNA", "--site", "hammer", "--host", "127.0.0.1",
            "--port", str(server.server_address[1]), "--allow", "query",
        )  # fmt: skip
        until(lambda: spooled(pair.b) == 5, "the study in the index")
        pair.b.must("send", "1.2.76", "--to", "HAMMER_VNA")
        pair.a.start(only="worker")
        until(lambda: len(arrived) >= 2, "the first objects", timeout_s=60)
        pair.b.stop()
        pair.b.start()
        until(lambda: set(arrived) == set(sent), "south to go on with it", timeout_s=60)
        until(
            lambda: json.loads(pair.b.must("status", "--json"))["outbox"]["done"] == 1,
            "the job to be done",
        )
    finally:
        server.shutdown()
