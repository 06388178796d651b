"""Clients that others have written store, commit and delete over the web of a running exchange.

dicomweb-client, and Orthanc's DICOMweb plugin; and bodies on the wire that are huge or stand still.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pydicom
import pytest
import requests
from dicomweb_client.api import DICOMwebClient
from pydicom.uid import CTImageStorage

from tests.flows.conftest import Exchange, can_connect, make_exchange
from tests.flows.waiting import until
from tests.ports import free_port
from tests.viewer.conftest import ct_slice, part10

pytestmark = [pytest.mark.slow, pytest.mark.peers]

WARD, ADMIN = "ward@hammer.example", "admin@nordlys.example"
STUDY, SERIES = "1.2.826.0.1", "1.2.826.0.1.0"
PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
ORTHANC = shutil.which("Orthanc", path="/usr/sbin:/usr/local/sbin:/usr/bin")
BIG_BYTES = 192 << 20
ROOM_BYTES = 96 << 20


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exchange]:
    exchange = make_exchange(
        tmp_path_factory.mktemp("stow") / "data",
        LYSBRO_DICOMWEB_DELETE="true",
        LYSBRO_MAX_STOW_BYTES=str(BIG_BYTES + (1 << 20)),
        LYSBRO_STOW_PAUSE="1",
        LYSBRO_STOW_FLOOR_RATE="1000000",
        LYSBRO_QUIET_SECONDS="0",
    )
    exchange.start(only="web,worker")
    try:
        yield exchange
    finally:
        exchange.stop()


def client_of(exchange: Exchange, email: str) -> DICOMwebClient:
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {exchange.token(email)}"
    return DICOMwebClient(f"{exchange.address}/dicom-web", session=session)


def slices(count: int, study: str = STUDY) -> list[pydicom.Dataset]:
    made = []
    for number in range(1, count + 1):
        dataset = ct_slice(
            StudyInstanceUID=study, SeriesInstanceUID=f"{study}.0",
            SOPInstanceUID=f"{study}.{number}", InstanceNumber=number,
        )  # fmt: skip
        part10(dataset)  # gives it its file meta information
        dataset.preamble = bytes(128)
        made.append(dataset)
    return made


def test_client_stores_commits_and_deletes(exchange: Exchange) -> None:
    client = client_of(exchange, WARD)
    answer = client.store_instances(slices(3))
    assert [item.ReferencedSOPInstanceUID for item in answer.ReferencedSOPSequence] == [
        f"{STUDY}.{n}" for n in (1, 2, 3)
    ]
    assert len(client.search_for_instances(study_instance_uid=STUDY)) == 3
    whole = client.retrieve_series(STUDY, SERIES)
    assert sorted(d.InstanceNumber for d in whole) == [1, 2, 3]

    _commit(exchange, [f"{STUDY}.{n}" for n in (1, 2, 3)])

    admin = client_of(exchange, ADMIN)
    with pytest.raises(requests.HTTPError):
        client.delete_instance(STUDY, SERIES, f"{STUDY}.1")  # a ward may not
    admin.delete_instance(STUDY, SERIES, f"{STUDY}.1")
    assert len(client.search_for_instances(study_instance_uid=STUDY)) == 2
    admin.delete_series(STUDY, SERIES)
    assert client.search_for_studies(search_filters={"StudyInstanceUID": STUDY}) == []
    with pytest.raises(requests.HTTPError):
        admin.delete_study(STUDY)


def _commit(exchange: Exchange, uids: list[str]) -> None:
    items = [
        {"00081150": {"vr": "UI", "Value": [CTImageStorage]},
         "00081155": {"vr": "UI", "Value": [uid]}}
        for uid in uids
    ]  # fmt: skip
    path = "/dicom-web/commitment-requests/1.2.3.4.5"
    body = {"00081199": {"vr": "SQ", "Value": items}}
    asked, _ = exchange.call(WARD, "POST", path, body, **{"Content-Type": "application/dicom+json"})
    assert asked == 202
    found = until(
        lambda: (answer := exchange.call(WARD, "GET", path))[0] == 200 and answer[1],
        "the commitment",
        timeout_s=60,
    )
    assert [i["00081155"]["Value"][0] for i in found["00081199"]["Value"]] == uids
    assert "00081198" not in found


Call = Callable[..., Any]


@pytest.fixture
def orthanc(exchange: Exchange, tmp_path: Path) -> Iterator[Call]:
    """Run Orthanc with its DICOMweb plugin, which knows us as a server to send to."""
    port, web_port = free_port(), free_port()
    headers = {"Authorization": f"Bearer {exchange.token(WARD)}"}
    settings = {
        "StorageDirectory": str(tmp_path / "orthanc"), "IndexDirectory": str(tmp_path / "orthanc"),
        "DicomPort": port, "HttpPort": web_port, "AuthenticationEnabled": False,
        "Plugins": [str(PLUGIN)],
        "DicomWeb": {"Enable": True, "Servers": {
            "chunked": {"Url": f"{exchange.address}/dicom-web/", "HttpHeaders": headers},
            "whole": {"Url": f"{exchange.address}/dicom-web/", "HttpHeaders": headers,
                      "ChunkedTransfers": False},
        }},
    }  # fmt: skip
    config = tmp_path / "orthanc.json"
    config.write_text(json.dumps(settings))

    def call(path: str, data: bytes) -> Any:
        request = urllib.request.Request(f"http://127.0.0.1:{web_port}{path}", data=data)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read() or b"null")

    assert ORTHANC is not None
    with subprocess.Popen(
        [ORTHANC, str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            until(lambda: can_connect(web_port), "Orthanc", alive=lambda: process.poll() is None)
            yield call
        finally:
            process.terminate()


@pytest.mark.skipif(
    ORTHANC is None or not PLUGIN.exists(), reason="orthanc-dicomweb is not on this machine"
)
@pytest.mark.parametrize("server", ["chunked", "whole"])
def test_orthanc_sends_a_study_by_stow(exchange: Exchange, orthanc: Call, server: str) -> None:
    study = f"1.2.826.0.8.{len(server)}"
    kept = [orthanc("/instances", part10(dataset))["ID"] for dataset in slices(4, study)]
    body = json.dumps({"Resources": kept, "Synchronous": True}).encode()
    orthanc(f"/dicom-web/servers/{server}/stow", body)
    client = client_of(exchange, WARD)
    assert len(client.search_for_instances(study_instance_uid=study)) == 4
    (back,) = client.retrieve_study(study)[:1]
    assert back.PixelData == bytes(range(32))


def peak_kib(exchange: Exchange) -> int:
    """Return the most memory that any process of the exchange has had."""
    assert exchange.process is not None
    most, todo = 0, [exchange.process.pid]
    while todo:
        pid = todo.pop()
        try:
            status = Path(f"/proc/{pid}/status").read_text()
            for task in os.listdir(f"/proc/{pid}/task"):
                children = Path(f"/proc/{pid}/task/{task}/children").read_text()
                todo += [int(child) for child in children.split()]
        except OSError:
            continue
        found = re.search(r"VmHWM:\s+(\d+)", status)
        most = max(most, int(found[1]) if found else 0)
    return most


def test_large_body_goes_to_disk_in_little_memory_and_a_larger_one_is_refused(
    exchange: Exchange,
) -> None:
    before = peak_kib(exchange)
    rows, columns = 8192, BIG_BYTES // (2 * 8192)
    header = ct_slice(
        StudyInstanceUID="1.2.826.0.9", SeriesInstanceUID="1.2.826.0.9.0",
        SOPInstanceUID="1.2.826.0.9.1", Rows=rows, Columns=columns, PixelData=b"",
    )  # fmt: skip
    head = part10(header)[:-4] + BIG_BYTES.to_bytes(4, "little")

    def chunks(pixels: int) -> Iterator[bytes]:
        yield b"--b\r\nContent-Type: application/dicom\r\n\r\n" + head
        for _ in range(pixels >> 20):
            yield bytes(1 << 20)
        yield b"\r\n--b--\r\n"

    headers = {
        "Authorization": f"Bearer {exchange.token(WARD)}",
        "Content-Type": 'multipart/related; type="application/dicom"; boundary=b',
    }
    url = f"{exchange.address}/dicom-web/studies"
    answer = requests.post(url, data=chunks(BIG_BYTES), headers=headers, timeout=120)
    assert answer.status_code == 200, answer.text
    assert (peak_kib(exchange) - before) << 10 < ROOM_BYTES
    with socket.create_connection(("127.0.0.1", exchange.web_port), timeout=20) as wire:
        lines = [f"{name}: {text}" for name, text in headers.items()]
        lines += ["Host: 127.0.0.1", f"Content-Length: {8 << 30}"]
        wire.sendall(("POST /dicom-web/studies HTTP/1.1\r\n" + "\r\n".join(lines)).encode())
        wire.sendall(b"\r\n\r\n--b\r\n")
        assert wire.recv(100).startswith(b"HTTP/1.1 413 ")


def test_silent_bodies_are_given_up_and_others_are_served(exchange: Exchange) -> None:
    """More senders than there are threads announce a body and say nothing more."""
    head = (
        "POST /dicom-web/studies HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100000\r\n"
        f"Authorization: Bearer {exchange.token(WARD)}\r\n"
        'Content-Type: multipart/related; type="application/dicom"; boundary=b\r\n\r\n--b\r\n'
    ).encode()
    begun = time.monotonic()
    wires = [socket.create_connection(("127.0.0.1", exchange.web_port)) for _ in range(12)]
    try:
        for wire in wires:
            wire.settimeout(30)
            wire.sendall(head)
        assert exchange.call(WARD, "GET", "/dicom-web/studies")[0] == 200
        for wire in wires:
            assert wire.recv(100)[:13] in {b"HTTP/1.1 408 ", b"HTTP/1.1 400 "}  # or cut short
    finally:
        for wire in wires:
            wire.close()
    assert time.monotonic() - begun < 20
