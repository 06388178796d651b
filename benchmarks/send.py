"""How fast a study is sent: by Lysbro's worker, by DCMTK's storescu and by Orthanc.

    python -m benchmarks.send [--slices N] [--rounds R]

Each sends the same CT series of 512 x 512 x 16 bit to the same receiver, DCMTK's storescp, in
changing order. A time is from the order to send until every object has arrived; the senders are
running already, but for storescu, which is a program of its own and is started for it. Writes a
Markdown table.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from pydicom import dcmread

from benchmarks.receive import NAGLE_OFF, machine
from benchmarks.receivers import MAX_PDU, free_port, orthanc, process, versions
from benchmarks.synthetic import write_series
from casework.custody import Door, Origin
from casework.model import Site, SiteKind
from lysbro.sending import Sender
from lysbro.settings import Settings
from lysbro.wiring import open_parts
from lysbro.worker import packing

RESULTS = Path(__file__).parent / "results" / "send.md"


@dataclass
class Row:
    """One sender, and its times."""

    name: str
    send: Callable[[], None]
    times_s: list[float] = field(default_factory=list)


def measure(rows: Sequence[Row], arrived: Path, count: int, rounds: int) -> None:
    """Let each send in every round, in changing order; the first round is not counted."""
    for turn in range(-1, rounds):
        shift = turn % len(rows)
        for row in [*rows[shift:], *rows[:shift]]:
            for file in arrived.iterdir():
                file.unlink()
            began = time.perf_counter()
            row.send()
            took_s = time.perf_counter() - began
            there = len(list(arrived.iterdir()))
            if there != count:
                raise SystemExit(f"{row.name}: {there} of {count} objects arrived.")
            if turn >= 0:
                row.times_s.append(took_s)
                print(f"round {turn + 1}: {row.name}: {took_s:.2f} s", file=sys.stderr)


@contextmanager
def _receiver(folder: Path) -> Iterator[int]:
    port = free_port()
    folder.mkdir(parents=True)
    command = [
        "storescp", "--fork", "+B", "--max-pdu", str(MAX_PDU), "-aet", "STORESCP",
        "-od", str(folder), str(port),
    ]  # fmt: skip
    with process(command, port, {**os.environ, **NAGLE_OFF}):
        yield port


@contextmanager
def _lysbro(folder: Path, files: Sequence[Path], port: int) -> Iterator[Row]:
    settings = Settings(data=folder, quiet_seconds=0, spool_grace=0, log_level="error")
    study = str(dcmread(files[0], stop_before_pixels=True).StudyInstanceUID)
    with open_parts(settings, intake=True) as parts:
        parts.people.add_site(Site("bench", "Benchmark", SiteKind.HOSPITAL))
        parts.people.add_ae("STORESCP", "bench", "127.0.0.1", port)
        for file in files:
            parts.archive.receive_part10(file.read_bytes(), Origin("bench", Door.IMPORT))
        parts.archive.settle()
        packing(parts, turns=None).run_once()

        def send() -> None:
            parts.outbox.enqueue_send(study, "bench", "STORESCP")
            Sender(parts).run_once()
            if parts.outbox.counts()["queued"]:
                raise SystemExit(f"Lysbro: {parts.outbox.retries()[0].last_error}")

        yield Row("Lysbro", send)


def _storescu(folder: Path, port: int) -> Row:
    command = [
        "storescu", "-aet", "BENCH", "-aec", "STORESCP", "--max-pdu", str(MAX_PDU),
        "+sd", "127.0.0.1", str(port), str(folder),
    ]  # fmt: skip

    def send() -> None:
        subprocess.run(command, check=True, env={**os.environ, **NAGLE_OFF})

    return Row("DCMTK storescu", send)


@contextmanager
def _orthanc(folder: Path, files: Sequence[Path], port: int) -> Iterator[Row]:
    web_port, dicom_port = free_port(), free_port()
    folder.mkdir(parents=True)
    config = folder / "orthanc.json"
    config.write_text(
        json.dumps(
            {
                "StorageDirectory": str(folder / "storage"),
                "IndexDirectory": str(folder / "index"),
                "DicomPort": dicom_port, "HttpPort": web_port, "Plugins": [],
                "RemoteAccessAllowed": False, "AuthenticationEnabled": False,
                "MaximumPduLength": MAX_PDU,
                "DicomModalities": {"far": ["STORESCP", "127.0.0.1", port]},
            }
        )
    )  # fmt: skip
    with process([orthanc(), str(config)], web_port, {**os.environ, **NAGLE_OFF}):
        study = ""
        for file in files:
            study = _asked(web_port, "POST", "/instances", file.read_bytes())["ParentStudy"]

        def send() -> None:
            told = _asked(web_port, "POST", "/modalities/far/store", study.encode())
            if told["FailedInstancesCount"]:
                raise SystemExit(f"Orthanc: {told}")

        yield Row("Orthanc", send)


def _asked(port: int, method: str, path: str, body: bytes) -> dict[str, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
    connection.request(method, path, body)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    if answer.status != 200:
        raise SystemExit(f"Orthanc: {path}: {answer.status} {content[:300]!r}")
    found: dict[str, str] = json.loads(content)
    return found


def report(rows: Sequence[Row], count: int, size_bytes: int) -> str:
    """Return the result as Markdown."""
    ours = statistics.median(rows[0].times_s)
    lines = [
        "# Sending a study",
        "",
        f"{count} CT slices, {size_bytes / 1e6:.0f} MB, to DCMTK's storescp on the same machine; "
        f"median of {len(rows[0].times_s)} rounds, {datetime.now(UTC):%Y-%m-%d}.",
        "",
        "| sender | seconds | objects a second | time beside Lysbro's |",
        "|---|---|---|---|",
    ]
    for row in rows:
        took = statistics.median(row.times_s)
        lines.append(f"| {row.name} | {took:.2f} | {count / took:.0f} | {took / ours:.2f} |")
    lines += [
        "",
        "Lysbro notes each arrival in its queue and in the custody ledger of the object; the times "
        "have that in them.",
        "",
        machine(),
        "",
        *(f"- {name}: {version}" for name, version in versions().items()),
        "",
    ]
    return "\n".join(lines)


def main(words: Sequence[str] | None = None) -> None:
    """Measure, print and write the result."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.send", description=__doc__)
    parser.add_argument("--slices", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("-o", "--output", type=Path, default=RESULTS)
    options = parser.parse_args(words)
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        size_bytes = write_series(folder / "files", options.slices, 512)
        files = sorted((folder / "files").iterdir())
        memory = Path("/dev/shm")  # the receiver's disk is another machine's in truth
        far = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=memory)))
        port = stack.enter_context(_receiver(far / "arrived"))
        rows = [stack.enter_context(_lysbro(folder / "lysbro", files, port))]
        rows.append(_storescu(folder / "files", port))
        if orthanc():
            rows.append(stack.enter_context(_orthanc(folder / "orthanc", files, port)))
        measure(rows, far / "arrived", len(files), options.rounds)
        text = report(rows, len(files), size_bytes)
        shutil.rmtree(folder / "files", ignore_errors=True)
    print(text)
    options.output.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
