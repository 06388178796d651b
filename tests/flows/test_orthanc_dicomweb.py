"""Orthanc as a peer over DICOMweb: it asks, fetches and stores, and no byte is changed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread

from storage.part10 import BytesSource, read_file_meta
from tests.flows.conftest import Exchange, can_connect
from tests.flows.waiting import until
from tests.ports import free_port

SAMPLES = sorted((Path(__file__).resolve().parents[2] / "lysbro" / "samples" / "mr").iterdir())
WARD, STRANGER = "ward@hammer.example", "ward@utsira.example"
ORTHANC = shutil.which("Orthanc") or shutil.which("Orthanc", path="/usr/sbin:/usr/local/sbin")
PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")

pytestmark = [
    pytest.mark.peers,
    pytest.mark.slow,
    pytest.mark.skipif(
        ORTHANC is None or not PLUGIN.exists(),
        reason="Orthanc and its DICOMweb plugin are not on this machine",
    ),
]

Call = Callable[..., bytes]


@pytest.fixture(scope="module")
def orthanc(exchange: Exchange, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Call]:
    """Run Orthanc, which knows the exchange as two people do, of two sites."""
    folder = tmp_path_factory.mktemp("orthanc")
    port = free_port()

    def server(email: str) -> dict[str, Any]:
        return {
            "Url": f"{exchange.address}/dicom-web/",
            "HttpHeaders": {"Authorization": f"Bearer {exchange.token(email)}"},
        }

    settings = {
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "index"),
        "DicomServerEnabled": False,
        "HttpPort": port,
        "AuthenticationEnabled": False,
        "Plugins": [str(PLUGIN)],
        "DicomWeb": {
            "Enable": True,
            "Root": "/dicom-web/",
            "Servers": {"hospital": server(WARD), "stranger": server(STRANGER)},
        },
    }
    config = folder / "orthanc.json"
    config.write_text(json.dumps(settings))

    def call(path: str, body: Any = None, method: str | None = None) -> bytes:
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", data, method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return bytes(answer.read())

    with subprocess.Popen(
        [str(ORTHANC), str(config)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=dict(os.environ),
    ) as process:
        try:
            until(lambda: can_connect(port), "Orthanc", alive=lambda: process.poll() is None)
            yield call
        finally:
            process.terminate()


def datasets(contents: list[bytes]) -> dict[str, bytes]:
    """Return the data set of each file as it is written, by SOP Instance UID."""
    found = {}
    for content in contents:
        meta = read_file_meta(BytesSource(content))
        found[meta.sop_instance_uid] = content[meta.dataset_offset :]
    return found


def test_orthanc_stores_finds_and_fetches_a_study_over_dicomweb(
    exchange: Exchange, orthanc: Call
) -> None:
    originals = [file.read_bytes() for file in SAMPLES]
    study = [json.loads(orthanc("/instances", each)) for each in originals][0]["ParentStudy"]
    uid = str(dcmread(SAMPLES[0], specific_tags=["StudyInstanceUID"]).StudyInstanceUID)

    orthanc("/dicom-web/servers/hospital/stow", {"Resources": [study], "Synchronous": True})
    orthanc(f"/studies/{study}", method="DELETE")
    asked = {"Uri": "/studies", "Arguments": {"StudyInstanceUID": uid}}
    found = json.loads(orthanc("/dicom-web/servers/hospital/qido", asked))
    wanted = {"Resources": [{"Study": uid}], "Synchronous": True}
    orthanc("/dicom-web/servers/hospital/retrieve", wanted)

    assert [each["0020000D"]["Value"] for each in found] == [uid]
    again = [orthanc(f"/instances/{i}/file") for i in json.loads(orthanc("/instances"))]
    assert datasets(again) == datasets(originals)


def test_orthanc_is_refused_what_another_site_has(exchange: Exchange, orthanc: Call) -> None:
    uid = str(dcmread(SAMPLES[0], specific_tags=["StudyInstanceUID"]).StudyInstanceUID)
    asked = {"Uri": "/studies", "Arguments": {"StudyInstanceUID": uid}}

    assert json.loads(orthanc("/dicom-web/servers/stranger/qido", asked)) == []
