"""How fast objects are taken in over DICOM: Lysbro beside DCMTK's storescp and Orthanc.

    python -m benchmarks.receive [--slices N] [--small M] [--rounds R] [--waiting W]

DCMTK's dcmsend sends sets of objects that no receiver has seen before: slices of 512 x 512 x 16 bit
and small objects of 10 kB, over one association and over several at a time. All receivers stay up;
in each round every one of them gets the same set, in changing order, so that a busy machine is slow
for all. A time is that of dcmsend from its start to its end, and counts only when every C-STORE
succeeded. Once with Nagle's algorithm off in all programs, which shows the work of the receivers,
and once as DCMTK is installed, where waiting for the network decides: a W-th of the set, since it
takes minutes. Writes Markdown tables and a chart.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.costs import Cost, cost_of
from benchmarks.plot import bars
from benchmarks.receivers import PROCESSES, Receiver, running, versions
from benchmarks.synthetic import write_series

RESULTS = Path(__file__).parent / "results" / "receive.md"


@dataclass(frozen=True)
class Load:
    """What is sent in one go: so many objects over so many associations at a time."""

    name: str
    side: int
    count: int
    associations: int

    def write(self, folder: Path) -> int:
        """Write a fresh set, one series for each association; return its bytes."""
        shares = [self.count // self.associations] * self.associations
        shares[0] += self.count % self.associations
        return sum(write_series(folder / str(i), n, self.side) for i, n in enumerate(shares))


NAGLE_OFF = {"TCP_NODELAY": "1"}  # what DCMTK asks of its environment
AS_INSTALLED: Mapping[str, str] = {}


@dataclass
class Measured:
    """The times of one load: for each receiver, one for each round."""

    load: Load
    size_bytes: int = 0
    times_s: dict[str, list[float]] = field(default_factory=dict)
    costs: dict[str, list[Cost]] = field(default_factory=dict)


def measure(
    loads: Sequence[Load], *, network: Mapping[str, str], rounds: int, folder: Path
) -> list[Measured]:
    """Send every load to every receiver in every round and return the times."""
    measured = [Measured(load) for load in loads]
    sent = 0
    with running(folder / "receivers", network) as receivers:
        for receiver in receivers:  # once unmeasured: code is loaded, the first files are made
            _send(receiver, _fresh(Load("warm", 64, 8, 1), folder), network)
        sent += 8
        for turn in range(rounds):
            for one in measured:
                files = folder / "set"
                one.size_bytes = one.load.write(files)
                shift = turn % len(receivers)
                for receiver in receivers[shift:] + receivers[:shift]:
                    before = cost_of(receiver.pid)
                    took_s = _send(receiver, files, network)
                    one.costs.setdefault(receiver.name, []).append(_since(before, receiver))
                    one.times_s.setdefault(receiver.name, []).append(took_s)
                    _tell(f"round {turn + 1}: {one.load.name}, {receiver.name}: {took_s:.2f} s")
                shutil.rmtree(files)
                sent += one.load.count
        for receiver in receivers:
            if not receiver.has(sent):
                raise SystemExit(f"{receiver.name} has {receiver.kept()} of {sent} objects.")
    return measured


def _since(before: Cost, receiver: Receiver) -> Cost:
    """Return what was used since; an index that follows is waited for, as it is work too."""
    after = cost_of(receiver.pid)
    if receiver.name.startswith("Lysbro"):
        while (later := _after_a_moment(receiver)).cpu_s > after.cpu_s + 0.01:
            after = later
        after = later
    return Cost(after.cpu_s - before.cpu_s, after.peak_bytes)


def _after_a_moment(receiver: Receiver) -> Cost:
    time.sleep(0.2)
    return cost_of(receiver.pid)


def _fresh(load: Load, folder: Path) -> Path:
    files = folder / "warm"
    if not files.exists():
        load.write(files)
    return files


def _send(receiver: Receiver, files: Path, network: Mapping[str, str]) -> float:
    """Send each folder over an association of its own, all at once; return the seconds."""

    def send(share: Path) -> None:
        command = [
            "dcmsend", "-aet", "BENCH", "-aec", receiver.title,
            "--scan-directories", "127.0.0.1", str(receiver.port), str(share),
        ]  # fmt: skip
        environment = {**os.environ, **network}
        done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)
        if done.returncode != 0:
            raise SystemExit(f"{receiver.name} did not take all of {share}: {done.stderr[-500:]}")

    shares = sorted(files.iterdir())
    started = time.perf_counter()
    with ThreadPoolExecutor(len(shares)) as senders:
        list(senders.map(send, shares))
    return time.perf_counter() - started


def table(measured: Sequence[Measured]) -> str:
    """Return medians, costs and, round by round against Lysbro, the ratios as Markdown."""
    lines = [
        "| sent | associations | receiver | median s | objects/s | MB/s | CPU ms an object "
        "| peak MB | Lysbro (disk) is | Lysbro (none) is |",
        "|---|---:|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for one in measured:
        for name, times_s in one.times_s.items():
            median_s = statistics.median(times_s)
            cpu_ms = statistics.median(c.cpu_s for c in one.costs[name]) / one.load.count * 1e3
            peak = max(c.peak_bytes for c in one.costs[name]) / 1e6
            lines.append(
                f"| {one.load.count} {one.load.name} | {one.load.associations} | {name} "
                f"| {median_s:.2f} | {one.load.count / median_s:.0f} "
                f"| {one.size_bytes / median_s / 1e6:.0f} | {cpu_ms:.2f} | {peak:.0f} "
                f"| {_ratio(one, name, 'Lysbro (disk)')} | {_ratio(one, name, 'Lysbro (none)')} |"
            )
    return "\n".join(lines)


def _ratio(one: Measured, name: str, reference: str) -> str:
    """Return how many times as fast the reference is, the median over the rounds."""
    pairs = zip(one.times_s[name], one.times_s[reference], strict=True)
    return f"{statistics.median(theirs / ours for theirs, ours in pairs):.2f} x"


def chart(measured: Sequence[Measured], title: str) -> str:
    """Return the objects a second of each load and receiver as SVG."""
    groups = {
        f"{one.load.count} {one.load.name}, {one.load.associations} assoc.": {
            name: one.load.count / statistics.median(times_s)
            for name, times_s in one.times_s.items()
        }
        for one in measured
    }
    return bars(title, "objects a second", groups)


def document(
    prompt: Sequence[Measured],
    installed: Sequence[Measured],
    *,
    rounds: int,
    folder: Path,
    command: str,
) -> str:
    """Return the whole report: what was measured, on what, and the tables."""
    told = "\n".join(f"- {name}: {said}" for name, said in versions().items())
    return f"""# Receiving over DICOM

{datetime.now(UTC):%Y-%m-%d}, `{command}`, {rounds} rounds.

Every receiver gets the same sets in changing order. A time is that of dcmsend from its start to its
end, and every C-STORE succeeded. The last two columns say how many times as fast Lysbro was in the
same round. CPU is that of the receiver's processes, its index included; peak is the most memory
that was resident in them since their start. Other work may have run on the machine: trust the
ratios, not the seconds.

![objects a second](receive.svg)

## The work of the receivers

`TCP_NODELAY=1` for dcmsend, storescp and Orthanc, so that nobody waits for the network.

{table(prompt)}

## As they are installed

DCMTK, and Orthanc with it, leaves Nagle's algorithm on unless `TCP_NODELAY=1` is set: a sender then
waits for a delayed acknowledgement twice an object. Lysbro acknowledges at once.

![objects a second, as installed](receive-installed.svg)

{table(installed)}

## What is compared, and on what

Lysbro (disk) answers success when the object is on the disk (fdatasync); Lysbro (none) when it is
written. Only its bridge ran, which receives and indexes; the worker packs later. It offers the same
answers to both: every object is hashed, judged whole, journalled and indexed. It received with
{PROCESSES} processes (`LYSBRO_DICOM_PROCESSES`); storescp forks one for each association, Orthanc
has threads. storescp writes files, without an index and without fsync. Orthanc stores, syncs
(SyncStorageArea, its default) and indexes. Each has a maximum PDU of 131072.

- Machine: {machine()}
- Disk: {disk(folder)}
{told}
"""


def machine() -> str:
    """Return what the processor, the kernel and the load are."""
    model = "unknown processor"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
    load = os.getloadavg()[1]
    return f"{os.cpu_count()} x {model}, {platform.system()} {platform.release()}, load {load:.1f}"


def disk(folder: Path) -> str:
    """Return what the disk is and how long one small write takes to be durable on it."""
    found = subprocess.run(
        ["stat", "-f", "-c", "%T", str(folder)], check=False, capture_output=True, text=True
    )
    times_s = []
    with (folder / "probe").open("wb", buffering=0) as file:
        for _ in range(100):
            started = time.perf_counter()
            file.write(bytes(4096))
            os.fdatasync(file.fileno())
            times_s.append(time.perf_counter() - started)
    median_ms = statistics.median(times_s) * 1e3
    return f"{found.stdout.strip()}, a write of 4 kB is durable after {median_ms:.2f} ms"


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def arguments() -> argparse.ArgumentParser:
    """Return the parser of the sizes; the defaults end in about a quarter of an hour."""
    parser = argparse.ArgumentParser("benchmarks.receive", description=__doc__.partition("\n")[0])
    parser.add_argument("--slices", type=int, default=500, help="slices in a set")
    parser.add_argument("--small", type=int, default=2000, help="small objects in a set")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--waiting", type=int, default=10, help="as installed: a W-th of the set")
    parser.add_argument("--associations", default="1,4", help="numbers of associations at a time")
    parser.add_argument("--folder", type=Path, help="work below it; default: the temporary folder")
    parser.add_argument("-o", "--output", type=Path, default=RESULTS)
    return parser


def main(words: Sequence[str]) -> None:
    """Measure and write the table."""
    given = arguments().parse_args(words)
    if shutil.which("dcmsend") is None or shutil.which("storescp") is None:
        raise SystemExit("DCMTK is not installed: run tools/peers.sh")
    numbers = [int(n) for n in given.associations.split(",")]
    loads = [Load("slices of 0.5 MB", 512, max(n, given.slices), n) for n in numbers]
    loads += [Load("objects of 10 kB", 69, max(n, given.small), n) for n in numbers]
    with tempfile.TemporaryDirectory(prefix="lysbro-bench-", dir=given.folder) as name:
        folder = Path(name)
        prompt = measure(loads, network=NAGLE_OFF, rounds=given.rounds, folder=folder / "1")
        fewer = [
            replace(load, count=max(load.associations, load.count // given.waiting))
            for load in loads
        ]
        installed = measure(fewer, network=AS_INSTALLED, rounds=given.rounds, folder=folder / "2")
        command = " ".join(["python -m benchmarks.receive", *words])
        text = document(prompt, installed, rounds=given.rounds, folder=folder, command=command)
    given.output.parent.mkdir(parents=True, exist_ok=True)
    given.output.write_text(text, "utf-8")
    for name, one, title in (
        ("receive", prompt, "Objects received a second, Nagle off"),
        ("receive-installed", installed, "Objects received a second, as installed"),
    ):
        given.output.with_name(f"{name}.svg").write_text(chart(one, title), "utf-8")
    print(text)


if __name__ == "__main__":
    main(sys.argv[1:])
