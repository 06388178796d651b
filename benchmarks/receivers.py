"""Starts the receivers of a benchmark on free ports: Lysbro, DCMTK's storescp, Orthanc."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MAX_PDU = 131072  # the same for all, or the smallest would be measured
PROCESSES = min(4, os.cpu_count() or 1)  # that receive, of Lysbro; the others do as they do
START_WITHIN_S = 60.0


@dataclass(frozen=True)
class Receiver:
    """A running receiver."""

    name: str
    title: str  # its AE title
    port: int
    kept: Callable[[], int]  # how many objects it says it has
    pid: int

    def has(self, count: int, *, within_s: float = 20.0) -> bool:
        """Tell whether it comes to have so many objects; an index may follow what was promised."""
        deadline = time.monotonic() + within_s
        while self.kept() != count:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.5)
        return True


def versions() -> Mapping[str, str]:
    """Return the versions of what takes part on this machine."""
    commit = _said("git", "-C", str(ROOT), "describe", "--always", "--dirty")
    return {
        "Lysbro": _said(sys.executable, "-m", "lysbro", "--version")
        + (f", {commit}" * bool(commit)),
        "Python": sys.version.split()[0],
        "DCMTK": _said("storescp", "--version").removeprefix("$dcmtk: ").removesuffix(" $"),
        "Orthanc": _said(orthanc_program(), "--version") if orthanc_program() else "not installed",
    }


@contextmanager
def running(folder: Path, network: Mapping[str, str]) -> Iterator[list[Receiver]]:
    """Run every receiver that this machine has, each with an empty folder of its own.

    `network` is what the environment says about the network to those built on DCMTK.
    """
    with ExitStack() as stack:
        receivers = [
            stack.enter_context(_lysbro(folder / "lysbro-disk", "disk")),
            stack.enter_context(_lysbro(folder / "lysbro-none", "none")),
            stack.enter_context(_storescp(folder / "storescp", network)),
        ]
        if orthanc_program():
            receivers.append(stack.enter_context(_run_orthanc(folder / "orthanc", network)))
        yield receivers


@contextmanager
def _lysbro(folder: Path, durability: str) -> Iterator[Receiver]:
    port = free_port()
    environment = {k: v for k, v in os.environ.items() if not k.startswith("LYSBRO_")} | {
        "PYTHONPATH": str(ROOT),
        "LYSBRO_DATA": str(folder),
        "LYSBRO_DURABILITY": durability,
        "LYSBRO_DICOM_PORT": str(port),
        "LYSBRO_DICOM_PROCESSES": str(PROCESSES),
        "LYSBRO_LOG_LEVEL": "warning",
    }

    def lysbro(*words: str) -> str:
        command = [sys.executable, "-m", "lysbro", *words]
        done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
        return done.stdout

    def kept() -> int:
        return int(json.loads(lysbro("status", "--json"))["index"]["instances"])

    lysbro("site", "add", "bench", "--name", "Benchmark", "--kind", "hospital")
    lysbro("ae", "add", "BENCH", "--site", "bench")
    command = [sys.executable, "-m", "lysbro", "serve", "--only", "bridge"]
    with run_process(command, port, environment) as pid:
        yield Receiver(f"Lysbro ({durability})", "LYSBRO", port, kept, pid)


@contextmanager
def _storescp(folder: Path, network: Mapping[str, str]) -> Iterator[Receiver]:
    port = free_port()
    folder.mkdir(parents=True)
    command = [
        "storescp", "--fork", "--max-pdu", str(MAX_PDU), "-aet", "STORESCP",
        "-od", str(folder), str(port),
    ]  # fmt: skip
    with run_process(command, port, {**os.environ, **network}) as pid:
        kept = partial(_files_in, folder)
        yield Receiver("DCMTK storescp", "STORESCP", port, kept, pid)


@contextmanager
def _run_orthanc(folder: Path, network: Mapping[str, str]) -> Iterator[Receiver]:
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
        "MaximumPduLength": MAX_PDU,
        "Plugins": [],
    }
    config = folder / "orthanc.json"
    config.write_text(json.dumps(settings))
    command = [orthanc_program(), str(config)]
    with run_process(command, port, {**os.environ, **network}) as pid:
        yield Receiver("Orthanc", "ORTHANC", port, partial(_orthanc_count, web_port), pid)


def _files_in(folder: Path) -> int:
    return len(list(folder.iterdir()))


def _orthanc_count(web_port: int) -> int:
    with socket.create_connection(("127.0.0.1", web_port), timeout=10) as connection:
        connection.sendall(b"GET /statistics HTTP/1.0\r\nHost: localhost\r\n\r\n")
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    return int(json.loads(answer.partition(b"\r\n\r\n")[2])["CountInstances"])


def orthanc_program() -> str:
    """Return the path of Orthanc, empty where it is not installed."""
    return (
        shutil.which("Orthanc") or shutil.which("Orthanc", path="/usr/sbin:/usr/local/sbin") or ""
    )


@contextmanager
def run_process(command: list[str], port: int, environment: Mapping[str, str]) -> Iterator[int]:
    """Run a server until the block is left; give its process once it listens on the port."""
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + START_WITHIN_S
        while not _listens(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"{command[0]} did not start.")
            time.sleep(0.1)
        yield process.pid
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _said(*command: str) -> str:
    try:
        done = subprocess.run(
            command,
            check=False,
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
    except OSError:
        return ""
    return (done.stdout or done.stderr).strip().partition("\n")[0]
