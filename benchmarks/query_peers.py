"""Starts who answers queries: Lysbro over a filled database, and Orthanc with as many studies."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from benchmarks.finder import Finder, Web
from benchmarks.receivers import ROOT, free_port, orthanc, process
from benchmarks.region import CENTRE, patients_of, studies_of

_PASSWORD = "a long bench passphrase"
_PERSON = "bench@centre.example"
_SENDERS = 4


@dataclass(frozen=True)
class Peer:
    """Who answers, by C-FIND and over the web."""

    finder: Finder
    web: Web


@contextmanager
def lysbro(folder: Path, url: str) -> Iterator[Peer]:
    """Run Lysbro's bridge and web over a database that is filled."""
    port, web_port = free_port(), free_port()
    environment = {k: v for k, v in os.environ.items() if not k.startswith("LYSBRO_")} | {
        "PYTHONPATH": str(ROOT),
        "LYSBRO_DATA": str(folder),
        "LYSBRO_DATABASE_URL": url,
        "LYSBRO_DICOM_PORT": str(port),
        "LYSBRO_WEB_PORT": str(web_port),
        "LYSBRO_LOG_LEVEL": "warning",
    }

    def said(*words: str, given: str = "") -> str:
        command = [sys.executable, "-m", "lysbro", *words]
        done = subprocess.run(
            command, check=True, capture_output=True, text=True, env=environment, input=given
        )
        return done.stdout.strip()

    said("ae", "add", "BENCH", "--site", CENTRE, "--allow", "query")
    role = ("--site", CENTRE, "--role", "coordinator", "--password-stdin")
    said("user", "add", _PERSON, *role, given=_PASSWORD + "\n")
    token = said("token", "add", "--user", _PERSON)
    serve = [sys.executable, "-m", "lysbro", "serve", "--only"]
    with (
        process([*serve, "bridge"], port, environment),
        process([*serve, "web"], web_port, environment),
    ):
        finder = Finder(port, called="LYSBRO", calling="BENCH")
        yield Peer(finder, Web(web_port, token=token))
        finder.close()


@contextmanager
def orthanc_with(
    folder: Path, count: int, *, tell: Callable[[str], None]
) -> Iterator[Callable[[], Peer]]:
    """Run Orthanc with so many studies of the same region, an instance each."""
    port, web_port = free_port(), free_port()
    folder.mkdir(parents=True)
    settings = {
        "Name": "Benchmark",
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "index"),
        "DicomAet": "ORTHANC",
        "DicomPort": port,
        "HttpPort": web_port,
        "RemoteAccessAllowed": False,
        "DicomModalities": {"bench": ["BENCH", "127.0.0.1", 1]},
        "DicomAssociationCloseDelay": 0,
        "DicomScpTimeout": 0,
        "Plugins": ["/usr/share/orthanc/plugins/libOrthancDicomWeb.so"],
    }
    config = folder / "orthanc.json"
    config.write_text(json.dumps(settings))
    environment = {**os.environ, "TCP_NODELAY": "1"}  # else it waits 40 ms for the network
    with process([orthanc(), str(config)], port, environment):
        _fill(web_port, count, tell)

        def connect() -> Peer:
            """Connect anew: it ends an association that is idle."""
            return Peer(Finder(port, called="ORTHANC", calling="BENCH"), Web(web_port))

        yield connect


def _fill(web_port: int, count: int, tell: Callable[[str], None]) -> None:
    objects = _objects(count)
    started, sent = time.monotonic(), 0

    def send(some: Sequence[bytes]) -> None:
        web = Web(web_port)
        for content in some:
            web.post("/instances", content)

    with ThreadPoolExecutor(_SENDERS) as senders:
        while batch := [each for each, _ in zip(objects, range(1000), strict=False)]:
            list(senders.map(send, [batch[n::_SENDERS] for n in range(_SENDERS)]))
            sent += len(batch)
            tell(f"Orthanc: {sent:,} studies, {sent / (time.monotonic() - started):.0f} a second")


def _objects(count: int) -> Iterator[bytes]:
    people = patients_of(count)
    for study in studies_of(people, count):
        attributes, series = json.loads(study.values["attributes"]), study.series[0]
        ds = Dataset()
        ds.SpecificCharacterSet = "ISO_IR 192"
        ds.SOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
        ds.SOPInstanceUID = f"{series['series_uid']}.1"
        ds.SeriesInstanceUID, ds.Modality = series["series_uid"], series["modality"]
        ds.SeriesNumber, ds.InstanceNumber = 1, 1
        ds.SeriesDescription = series["description"]
        for keyword, value in attributes.items():
            setattr(ds, keyword, value)
        ds.PatientName, ds.PatientID = study.patient.name, study.patient.number
        ds.PatientBirthDate, ds.PatientSex = study.patient.birth_date, study.patient.sex
        ds.file_meta = FileMetaDataset()
        ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
        ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
        buffer = io.BytesIO()
        ds.save_as(buffer, enforce_file_format=True)
        yield buffer.getvalue()
