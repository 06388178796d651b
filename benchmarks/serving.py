"""Starts the servers of the benchmark of reading, with the same series in each: Lysbro, Orthanc."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.receivers import ROOT, free_port, orthanc, process
from tests.storage.s3.servers import rclone, serve_rclone

PLUGINS = Path("/usr/share/orthanc/plugins")
DICOMWEB = PLUGINS / "libOrthancDicomWeb.so"
FRAME_CACHE_BYTES = 32 << 20
_PACKED_WITHIN_S = 300.0
_PASSWORD = "a long password\n"


@dataclass(frozen=True)
class Server:
    """A running server with the series in it."""

    name: str
    port: int
    pid: int
    authorization: str = ""
    forget: Callable[[], None] = lambda: None  # what it has rendered and kept


def dicomweb_version() -> str:
    """Return which DICOMweb plugin of Orthanc's there is."""
    return DICOMWEB.resolve().name if DICOMWEB.exists() else "not installed"


@contextmanager
def serving(folder: Path, files: Sequence[Path]) -> Iterator[list[Server]]:
    """Run every server that this machine has, each with a folder of its own."""
    with ExitStack() as stack:
        servers = [stack.enter_context(_lysbro(folder / "folder", "Lysbro, folder", files, {}))]
        if rclone() is not None:
            server = stack.enter_context(serve_rclone(folder / "rclone"))
            place = server.place()
            bucket = {
                "LYSBRO_STORE": f"s3://{place.bucket}",
                "LYSBRO_S3_ENDPOINT": place.endpoint,
                "LYSBRO_S3_ACCESS_KEY": server.access_key,
                "LYSBRO_S3_SECRET_KEY": server.secret_key,
                # less than the series: each round reads from the bucket again
                "LYSBRO_FRAME_CACHE_BYTES": str(FRAME_CACHE_BYTES),
            }
            servers.append(stack.enter_context(_lysbro(folder / "s3", "Lysbro, S3", files, bucket)))
        if orthanc() and DICOMWEB.exists():
            servers.append(stack.enter_context(_orthanc(folder / "orthanc", files)))
        yield servers


@contextmanager
def _lysbro(
    folder: Path, name: str, files: Sequence[Path], settings: Mapping[str, str]
) -> Iterator[Server]:
    port = free_port()
    environment = {k: v for k, v in os.environ.items() if not k.startswith("LYSBRO_")} | {
        "PYTHONPATH": str(ROOT),
        "LYSBRO_DATA": str(folder),
        "LYSBRO_WEB_PORT": str(port),
        "LYSBRO_QUIET_SECONDS": "0",
        "LYSBRO_LOG_LEVEL": "warning",
        **settings,
    }

    def lysbro(*words: str, given: str = "") -> str:
        command = [sys.executable, "-m", "lysbro", *words]
        done = subprocess.run(
            command, check=True, capture_output=True, text=True, env=environment, input=given
        )
        return done.stdout

    def forget() -> None:
        shutil.rmtree(folder / "cache", ignore_errors=True)

    lysbro("site", "add", "bench", "--name", "Benchmark", "--kind", "hospital")
    lysbro("site", "add", "centre", "--name", "Centre", "--kind", "centre")
    reader = ("reader@bench.example", "--site", "centre", "--role", "radiologist")
    lysbro(
        "user", "add", *reader, "--name", "Reader", "--password-stdin", given="a long password\n"
    )
    token = lysbro("token", "add", "--user", "reader@bench.example").strip()
    lysbro("import", str(files[0].parent), "--site", "bench")
    _pack(environment, lysbro, len(files))
    command = [sys.executable, "-m", "lysbro", "serve", "--only", "web"]
    with process(command, port, environment) as pid:
        yield Server(name, port, pid, f"Bearer {token}", forget)


def _pack(environment: Mapping[str, str], lysbro: Callable[..., str], count: int) -> None:
    """Let the worker bring all of it into the store."""
    command = [sys.executable, "-m", "lysbro", "serve", "--only", "worker"]
    worker = subprocess.Popen(command, env=environment)
    deadline = time.monotonic() + _PACKED_WITHIN_S
    try:
        while True:
            told = json.loads(lysbro("status", "--json"))
            if told["index"]["instances"] == count and not told["spool"]["instances"]:
                return
            if time.monotonic() > deadline:
                raise SystemExit("The series was not packed in time.")
            time.sleep(0.5)
    finally:
        worker.terminate()
        worker.wait(60)


@contextmanager
def _orthanc(folder: Path, files: Sequence[Path]) -> Iterator[Server]:
    port = free_port()
    folder.mkdir(parents=True)
    settings = {
        "Name": "Benchmark",
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "index"),
        "DicomServerEnabled": False,
        "HttpPort": port,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "KeepAlive": True,
        "TcpNoDelay": True,
        "Plugins": [str(DICOMWEB)],
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
    }
    config = folder / "orthanc.json"
    config.write_text(json.dumps(settings))
    with process([orthanc(), str(config)], port, dict(os.environ)) as pid:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        for file in files:
            connection.request("POST", "/instances", file.read_bytes())
            answer = connection.getresponse()
            if answer.status != 200:
                raise SystemExit(f"Orthanc did not take {file}: {answer.read()[:300]!r}")
            answer.read()
        connection.close()
        yield Server("Orthanc", port, pid)
