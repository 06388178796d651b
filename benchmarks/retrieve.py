"""How fast a study is fetched: C-MOVE, C-GET and WADO-RS, from Lysbro beside Orthanc.

    python -m benchmarks.retrieve [--slices N] [--frames F] [--rounds R]

Both archives hold the same CT series of 512 x 512 x 16 bit; Lysbro's lies in packs. In each round
every row is asked of both, in changing order, by the same client: DCMTK's movescu with its storescp
as the destination, DCMTK's getscu, and for HTTP `fetching`, which costs next to nothing itself. A
time is that of the client from its start to its end, and counts only when everything arrived.
Writes a Markdown table and a chart.
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
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from pydicom import dcmread

from benchmarks.costs import cost_of
from benchmarks.fetching import fetch, request, version_of
from benchmarks.plot import bars
from benchmarks.receive import NAGLE_OFF, disk, machine
from benchmarks.receivers import (
    MAX_PDU,
    ROOT,
    free_port,
    orthanc,
    process,
    versions,
)
from benchmarks.synthetic import write_series

RESULTS = Path(__file__).parent / "results" / "retrieve.md"
PLUGIN = Path("/usr/lib/orthanc")
PACKED_WITHIN_S = 120.0
_DICOM = 'multipart/related; type="application/dicom"; transfer-syntax=*'
_JSON = "application/dicom+json"
_FRAME = 'multipart/related; type="application/octet-stream"'


@dataclass(frozen=True)
class Study:
    """What is fetched."""

    study_uid: str
    series_uid: str
    instance_uids: tuple[str, ...]
    size_bytes: int


@dataclass(frozen=True)
class Archive:
    """A running archive that holds the study."""

    name: str
    title: str
    port: int
    web_port: int
    headers: Mapping[str, str]
    pid: int


@dataclass(frozen=True)
class Destination:
    """DCMTK's storescp, and the folder that it writes to."""

    port: int
    folder: Path


@dataclass
class Row:
    """One way of fetching, and its times: for each archive, one for each round."""

    name: str
    count: int
    fetch: Callable[[Archive], int]  # returns how many bytes came
    times_s: dict[str, list[float]] = field(default_factory=dict)
    cpu_s: dict[str, list[float]] = field(default_factory=dict)
    peak_bytes: dict[str, int] = field(default_factory=dict)
    size_bytes: dict[str, int] = field(default_factory=dict)  # as sent by each


def measure(study: Study, archives: Sequence[Archive], rows: Sequence[Row], rounds: int) -> None:
    """Fetch by every row from every archive in every round."""
    for turn in range(-1, rounds):  # once unmeasured: code is loaded, caches are filled alike
        for row in rows:
            shift = turn % len(archives)
            for archive in [*archives[shift:], *archives[:shift]]:
                before = cost_of(archive.pid)
                started = time.perf_counter()
                row.size_bytes[archive.name] = row.fetch(archive)
                took_s = time.perf_counter() - started
                after = cost_of(archive.pid)
                if turn < 0:
                    continue
                row.times_s.setdefault(archive.name, []).append(took_s)
                row.cpu_s.setdefault(archive.name, []).append(after.cpu_s - before.cpu_s)
                row.peak_bytes[archive.name] = after.peak_bytes
                _tell(f"round {turn + 1}: {row.name}, {archive.name}: {took_s:.2f} s")


def rows_of(study: Study, destination: Destination, folder: Path, frames: int) -> list[Row]:
    """Return the ways of fetching."""
    whole = len(study.instance_uids)
    series = f"/dicom-web/studies/{study.study_uid}/series/{study.series_uid}"

    def moved(archive: Archive) -> int:
        _empty(destination.folder)
        _dcmtk("movescu", archive, study, "-aem", "STORESCP")
        return _arrived(destination.folder, whole)

    def got(archive: Archive) -> int:
        target = _empty(folder / "got")
        _dcmtk("getscu", archive, study, "-pdu", str(MAX_PDU), "+B", "-od", str(target))
        return _arrived(target, whole)

    def study_over_http(archive: Archive) -> int:
        return _over_http(archive, [f"/dicom-web/studies/{study.study_uid}"], _DICOM)

    def metadata(archive: Archive) -> int:
        return _over_http(archive, [series + "/metadata"], _JSON)

    def packed_metadata(archive: Archive) -> int:
        return _over_http(archive, [series + "/metadata"], _JSON, Accept_Encoding="gzip")

    def metadata_again(archive: Archive) -> int:
        if archive.name not in versions_known:
            one = _request(archive, series + "/metadata", _JSON)
            versions_known[archive.name] = version_of(archive.web_port, one)
        version = versions_known[archive.name]
        return _over_http(archive, [series + "/metadata"], _JSON, If_None_Match=version)

    def single_frames(archive: Archive) -> int:
        return _over_http(archive, paths, _FRAME)

    def four_frames(archive: Archive) -> int:
        return _over_http(archive, paths, _FRAME, connections=4)

    versions_known: dict[str, str] = {}
    some = study.instance_uids[:frames]
    paths = [f"{series}/instances/{uid}/frames/1" for uid in some]
    return [
        Row("C-MOVE to storescp", whole, moved),
        Row("C-GET to getscu", whole, got),
        Row("WADO-RS study", whole, study_over_http),
        Row("WADO-RS series metadata", whole, metadata),
        Row("WADO-RS series metadata, gzip", whole, packed_metadata),
        Row("WADO-RS series metadata, asked again", whole, metadata_again),
        Row("WADO-RS frames, one by one", len(some), single_frames),
        Row("WADO-RS frames, four at a time", len(some), four_frames),
    ]


def _far_away() -> Path | None:
    """Return where a receiver writes: in memory, since it is another machine's disk in truth."""
    memory = Path("/dev/shm")
    return memory if memory.is_dir() else None


def _dcmtk(tool: str, archive: Archive, study: Study, *words: str) -> None:
    command = [
        tool, "-S", "-aet", "BENCH", "-aec", archive.title, *words,
        "-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={study.study_uid}",
        "127.0.0.1", str(archive.port),
    ]  # fmt: skip
    environment = {**os.environ, **NAGLE_OFF}
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)
    if done.returncode != 0:
        raise SystemExit(f"{tool} failed with {archive.name}: {done.stdout}{done.stderr}")


def _over_http(
    archive: Archive, paths: Sequence[str], accept: str, *, connections: int = 1, **more: str
) -> int:
    asked = [_request(archive, path, accept, **more) for path in paths]
    return fetch(archive.web_port, asked, connections=connections).body_bytes


def _request(archive: Archive, path: str, accept: str, **more: str) -> bytes:
    known = archive.headers.get("Authorization", "")
    return request(path, accept=accept, port=archive.web_port, authorization=known, **more)


def _empty(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def _arrived(folder: Path, count: int) -> int:
    files = list(folder.iterdir())
    if len(files) != count:
        raise SystemExit(f"{len(files)} of {count} objects arrived in {folder}.")
    return sum(file.stat().st_size for file in files)


@contextmanager
def running(folder: Path, far: Path, files: Path) -> Iterator[tuple[list[Archive], Destination]]:
    """Run the archives, filled with the files, and the destination, which writes far away."""
    with ExitStack() as stack:
        destination = stack.enter_context(_storescp(far / "arrived"))
        archives = [stack.enter_context(_lysbro(folder / "lysbro", destination.port))]
        if orthanc():
            archives.append(stack.enter_context(_orthanc(folder / "orthanc", destination.port)))
        for archive in archives:
            command = [
                "dcmsend", "-aet", "BENCH", "-aec", archive.title,
                "--scan-directories", "127.0.0.1", str(archive.port), str(files),
            ]  # fmt: skip
            subprocess.run(command, check=True, env={**os.environ, **NAGLE_OFF})
        _wait_until_packed(folder / "lysbro")
        yield archives, destination


def _wait_until_packed(folder: Path) -> None:
    deadline = time.monotonic() + PACKED_WITHIN_S
    while not any(segment.stat().st_size for segment in (folder / "store").rglob("*.zip")):
        if time.monotonic() > deadline:
            raise SystemExit("Lysbro did not pack the study.")
        time.sleep(0.5)
    time.sleep(3.0)


@contextmanager
def _storescp(folder: Path) -> Iterator[Destination]:
    port = free_port()
    folder.mkdir(parents=True)
    command = [
        "storescp", "--fork", "+B", "--max-pdu", str(MAX_PDU), "-aet", "STORESCP",
        "-od", str(folder), str(port),
    ]  # fmt: skip
    with process(command, port, {**os.environ, **NAGLE_OFF}):
        yield Destination(port, folder)


@contextmanager
def _lysbro(folder: Path, destination: int) -> Iterator[Archive]:
    port, web_port = free_port(), free_port()
    environment = {k: v for k, v in os.environ.items() if not k.startswith("LYSBRO_")} | {
        "PYTHONPATH": str(ROOT),
        "LYSBRO_DATA": str(folder),
        "LYSBRO_DICOM_PORT": str(port),
        "LYSBRO_WEB_PORT": str(web_port),
        "LYSBRO_QUIET_SECONDS": "2",
        "LYSBRO_SPOOL_GRACE": "0",
        "LYSBRO_LOG_LEVEL": "warning",
    }

    def lysbro(*words: str, given: str = "") -> str:
        command = [sys.executable, "-m", "lysbro", *words]
        done = subprocess.run(
            command, check=True, capture_output=True, text=True, env=environment, input=given
        )
        return done.stdout

    lysbro("site", "add", "bench", "--name", "Benchmark", "--kind", "hospital")
    lysbro("ae", "add", "BENCH", "--site", "bench", "--allow", "store,query,retrieve")
    lysbro(
        "ae", "add", "STORESCP", "--site", "bench", "--host", "127.0.0.1",
        "--port", str(destination), "--allow", "retrieve",
    )  # fmt: skip
    who = ("bench@lysbro.example", "--site", "bench", "--role", "coordinator")
    lysbro("user", "add", *who, "--password-stdin", given="a bench by the fjord\n")
    token = lysbro("token", "add", "--user", who[0]).strip()
    command = [sys.executable, "-m", "lysbro", "serve"]
    with (
        process(command, port, environment) as pid,
    ):
        _wait_for_web(web_port)
        headers = {"Authorization": f"Bearer {token}"}
        yield Archive("Lysbro", "LYSBRO", port, web_port, headers, pid)


@contextmanager
def _orthanc(folder: Path, destination: int) -> Iterator[Archive]:
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
        "AuthenticationEnabled": False,
        "DicomAlwaysAllowGet": True,
        "DicomAlwaysAllowMove": True,
        "MaximumPduLength": MAX_PDU,
        "DicomModalities": {"STORESCP": ["STORESCP", "127.0.0.1", destination]},
        "Plugins": [str(path) for path in PLUGIN.glob("libOrthancDicomWeb.so*")],
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
    }
    config = folder / "orthanc.json"
    config.write_text(json.dumps(settings))
    command = [orthanc(), str(config)]
    with process(command, port, {**os.environ, **NAGLE_OFF}) as pid:
        _wait_for_web(web_port)
        yield Archive("Orthanc", "ORTHANC", port, web_port, {}, pid)


def _wait_for_web(port: int) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/")
            connection.getresponse().read()
        except OSError:
            time.sleep(0.2)
        else:
            return
    raise SystemExit(f"Nobody answers on port {port}.")


def made(folder: Path, slices: int) -> Study:
    """Write the series and return what it is."""
    size = write_series(folder, slices, 512)
    headers = [dcmread(file, stop_before_pixels=True) for file in sorted(folder.iterdir())]
    first = headers[0]
    uids = tuple(str(ds.SOPInstanceUID) for ds in headers)
    return Study(str(first.StudyInstanceUID), str(first.SeriesInstanceUID), uids, size)


def table(rows: Sequence[Row]) -> str:
    """Return medians, costs and, round by round against Lysbro, the ratios as Markdown."""
    lines = [
        "| fetched | from | median s | objects/s | MB/s | CPU ms an object | peak MB | Lysbro is |",
        "|---|---|---:|---:|---:|---:|---:|---:|",
    ]
    for row in rows:
        for name, times_s in row.times_s.items():
            median_s = statistics.median(times_s)
            pairs = zip(times_s, row.times_s["Lysbro"], strict=True)
            ratio = statistics.median(theirs / ours for theirs, ours in pairs)
            cpu_ms = statistics.median(row.cpu_s[name]) / row.count * 1e3
            lines.append(
                f"| {row.count} by {row.name} | {name} | {median_s:.3f} "
                f"| {row.count / median_s:.0f} | {row.size_bytes[name] / median_s / 1e6:.0f} "
                f"| {cpu_ms:.2f} | {row.peak_bytes[name] / 1e6:.0f} | {ratio:.2f} x |"
            )
    return "\n".join(lines)


def chart(rows: Sequence[Row]) -> str:
    """Return the objects a second of each row and archive as SVG."""
    groups = {
        row.name: {
            name: row.count / statistics.median(times_s) for name, times_s in row.times_s.items()
        }
        for row in rows
    }
    return bars("Objects fetched a second", "objects a second", groups)


def document(rows: Sequence[Row], *, rounds: int, folder: Path, command: str, size: int) -> str:
    """Return the whole report: what was measured, on what, and the table."""
    told = "\n".join(f"- {name}: {said}" for name, said in versions().items())
    return f"""# Fetching a study

{datetime.now(UTC):%Y-%m-%d}, `{command}`, {rounds} rounds, one series of {size / 1e6:.0f} MB.

Both archives are asked in turn in each round, by the same clients. A time is that of the client
from its start to its end, and counts only when every object arrived. The last column says how many
times as fast Lysbro was in the same round. CPU is that of all processes of the archive; peak is the
most memory that was resident in them since their start. Other work may have run on the machine:
trust the ratios, not the seconds.

![objects a second](retrieve.svg)

{table(rows)}

## What is compared, and on what

Lysbro ran whole: a bridge, the web application, the worker; the series lay in a pack in a folder.
Each retrieve is audited, and in the custody ledger of every instance. Orthanc kept one file for
each object, its DICOMweb by its plugin. `TCP_NODELAY=1` for all that is built on DCMTK; each has a
maximum PDU of {MAX_PDU}. storescp and getscu write what arrives as it comes (`+B`), into memory: in
truth they are other machines, and their writing must not delay an archive that syncs its audit. The
HTTP client throws away what it is sent in the kernel. Lysbro keeps metadata once they were asked
for; the first time is not measured. Asked again: with the version (ETag) of the answer before, if
the archive gave one; Orthanc gives none.

- Machine: {machine()}
- Disk: {disk(folder)}
{told}
"""


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def arguments() -> argparse.ArgumentParser:
    """Return the parser of the sizes; the defaults end in a few minutes."""
    parser = argparse.ArgumentParser("benchmarks.retrieve", description=__doc__.partition("\n")[0])
    parser.add_argument("--slices", type=int, default=500)
    parser.add_argument("--frames", type=int, default=100, help="slices fetched one by one")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", type=Path, help="work below it; default: the temporary folder")
    parser.add_argument("-o", "--output", type=Path, default=RESULTS)
    return parser


def main(words: Sequence[str]) -> None:
    """Measure and write the table."""
    given = arguments().parse_args(words)
    if any(shutil.which(tool) is None for tool in ("movescu", "getscu", "storescp", "dcmsend")):
        raise SystemExit("DCMTK is not installed: run tools/peers.sh")
    with ExitStack() as stack:
        name = stack.enter_context(
            tempfile.TemporaryDirectory(prefix="lysbro-bench-", dir=given.folder)
        )
        folder = Path(name)
        far = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=_far_away())))
        study = made(folder / "files", given.slices)
        with running(folder, far, folder / "files") as (archives, destination):
            rows = rows_of(study, destination, far, given.frames)
            measure(study, archives, rows, given.rounds)
        command = " ".join(["python -m benchmarks.retrieve", *words])
        text = document(
            rows, rounds=given.rounds, folder=folder, command=command, size=study.size_bytes
        )
    given.output.parent.mkdir(parents=True, exist_ok=True)
    given.output.write_text(text, "utf-8")
    given.output.with_suffix(".svg").write_text(chart(rows), "utf-8")
    print(text)


if __name__ == "__main__":
    main(sys.argv[1:])
