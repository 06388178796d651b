"""How soon a study is on the screen, and how fast it scrolls: the reading room beside OHIF.

    python -m benchmarks.viewer [--slices 20,200,2000] [--rounds R] [--scroll N]

Both viewers look at the same studies of one exchange in the same Chromium, in turn: each time in a
fresh profile with nothing cached, once as fast as the machine goes and once over a network of
2 Mbit/s with 600 ms that the browser believes in. What counts is the screen: see
`benchmarks/looking.py`. Writes Markdown tables.

OHIF is the one of `tools/ohif.sh`; without it the reading room is measured alone.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from playwright.sync_api import Browser, StorageState

from benchmarks.looking import FirstSeen, Network, Scrolled, first_seen, page_of, scrolled
from benchmarks.receive import machine
from benchmarks.slices import write_phantom
from tests.flows.browsing import chromium
from tests.flows.conftest import PASSWORD, Exchange, make_exchange
from tests.flows.ohif import DIST, serve_ohif
from tests.flows.waiting import until

RESULTS = Path(__file__).parent / "results" / "viewer.md"
READER = "radiologist@nordlys.example"
NETWORKS = (Network("localhost"), Network("2 Mbit/s, 600 ms", 250_000, 600))
OURS, OHIF = "Lysbro", "OHIF"


@dataclass(frozen=True)
class Viewer:
    """One of those that are compared: the address of each study, and how it is signed in."""

    name: str
    addresses: Mapping[int, str]
    state: StorageState | None
    wheel: bool  # scrolls by the wheel, not by keys


@dataclass
class Measured:
    """What all rounds gave, by viewer, network and number of slices."""

    seen: dict[tuple[str, str, int], list[FirstSeen]] = field(default_factory=dict)
    scrolling: dict[str, list[Scrolled]] = field(default_factory=dict)


@contextmanager
def viewers(folder: Path, sizes: Sequence[int], browser: Browser) -> Iterator[list[Viewer]]:
    """Give the viewers, over one exchange that keeps a study of each size."""
    exchange = make_exchange(folder / "data", LYSBRO_QUIET_SECONDS="0", LYSBRO_LOG_LEVEL="warning")
    studies = {}
    for count in sizes:
        studies[count] = write_phantom(folder / f"set-{count}", count)
        exchange.must("import", str(folder / f"set-{count}"), "--site", "hammer")
    exchange.start(only="worker")
    until(lambda: not _in_spool(exchange), "the studies to be packed", timeout_s=600)
    exchange.stop()
    exchange.start(only="web")
    try:
        with ExitStack() as stack:
            cases = _cases(exchange)
            ours = {n: f"{exchange.address}/cases/{cases[uid]}" for n, uid in studies.items()}
            found = [Viewer(OURS, ours, _signed_in(browser, exchange), wheel=False)]
            if DIST.is_dir():
                base = stack.enter_context(serve_ohif(exchange.web_port, exchange.token(READER)))
                theirs = {n: f"{base}/viewer?StudyInstanceUIDs={u}" for n, u in studies.items()}
                found.append(Viewer(OHIF, theirs, None, wheel=True))
            yield found
    finally:
        exchange.stop()


def measure(
    browser: Browser, those: Sequence[Viewer], *, rounds: int, scroll: int, sizes: Sequence[int]
) -> Measured:
    """Look at every study with every viewer, in turn, so that a busy machine is slow for all."""
    measured = Measured()
    for viewer in those:  # the servers have then read and packed what they send to everybody
        with page_of(browser, NETWORKS[0], viewer.state) as (page, _tools):
            first_seen(page, viewer.addresses[sizes[0]])
    for turn in range(rounds):
        for network in NETWORKS:
            for count in sizes:
                for viewer in those if turn % 2 == 0 else those[::-1]:
                    with page_of(browser, network, viewer.state) as (page, _tools):
                        found = first_seen(page, viewer.addresses[count])
                    key = (viewer.name, network.name, count)
                    measured.seen.setdefault(key, []).append(found)
                    _tell(f"{turn + 1}: {viewer.name}, {network.name}, {count} slices: {found}")
        for viewer in those:
            with page_of(browser, NETWORKS[0], viewer.state) as (page, tools):
                first_seen(page, viewer.addresses[scroll])
                went = scrolled(page, tools, images=scroll, wheel=viewer.wheel)
            measured.scrolling.setdefault(viewer.name, []).append(went)
            _tell(f"{turn + 1}: {viewer.name} scrolled: {went}")
    return measured


def document(measured: Measured, *, rounds: int, scroll: int, command: str) -> str:
    """Return the whole report: what was measured, on what, and the tables."""
    return f"""# A study on the screen

{datetime.now(UTC):%Y-%m-%d}, `{command}`, {rounds} rounds; figures are medians over the rounds.

The reading room and OHIF ({_version()}, its prebuilt pages) look at the same studies of the same
exchange in the same Chromium without a graphics card, each time in a fresh profile: a CT phantom
with noise (SD 12 HU) of 512 x 512 x 12 bit in 16. Times are from the beginning of the navigation
until something is on the screen; bytes are all that had come over the network by then. Other work
may have run on the machine: trust the ratios, not the seconds.

{_first_images(measured)}

- **preview**: the first picture of the study, for orientation only; where the image itself was
  as quick, it is the image. OHIF has none.
- **image**: the first lossless image, drawn.
- **times as fast**: OHIF's time to the first image over the reading room's.

## Scrolling

{scroll} images, all of them here before, forth and back, an image at each refresh of the screen;
only images that were really drawn count. The heap is that of the page with its pixels, after a
collection of garbage; the pixels alone are {scroll * 0.5:.0f} MiB.

{_scrolling(measured)}

- Machine: {machine()}
"""


def _first_images(measured: Measured) -> str:
    lines = [
        "| network | slices | viewer | preview s | image s | MB | times as fast |",
        "|---|---:|---|---:|---:|---:|---:|",
    ]
    for (name, network, count), found in sorted(
        measured.seen.items(), key=lambda each: (each[0][1] != NETWORKS[0].name, each[0][2])
    ):
        image = statistics.median(each.image_s for each in found)
        preview = statistics.median(
            min(each.image_s, each.preview_s or each.image_s) for each in found
        )
        beside = measured.seen.get((OHIF, network, count), [])
        ratio = statistics.median(each.image_s for each in beside) / image if beside else 0
        size = statistics.median(each.size_bytes for each in found) / 1e6
        shown = f"{preview:.2f}" if name == OURS else ""
        faster = f"{ratio:.1f}" if name == OURS and beside else ""
        lines.append(
            f"| {network} | {count} | {name} | {shown} | {image:.2f} | {size:.2f} | {faster} |"
        )
    return "\n".join(lines)


def _scrolling(measured: Measured) -> str:
    lines = [
        "| viewer | images a second | ms between, p50 | p95 | heap MiB |",
        "|---|---:|---:|---:|---:|",
    ]
    for name, found in measured.scrolling.items():
        rate, p50, p95, heap = (
            statistics.median(getattr(each, figure) for each in found)
            for figure in ("frames_a_second", "p50_ms", "p95_ms", "heap_bytes")
        )
        lines.append(f"| {name} | {rate:.1f} | {p50:.1f} | {p95:.1f} | {heap / 2**20:.0f} |")
    return "\n".join(lines)


def _signed_in(browser: Browser, exchange: Exchange) -> StorageState:
    """Sign the reader in once; every fresh profile gets the cookie."""
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(f"{exchange.address}/login")
        page.fill("[name=email]", READER)
        page.fill("[name=password]", PASSWORD)
        page.press("[name=password]", "Enter")
        page.wait_for_url(lambda address: "/login" not in address)
        return context.storage_state()


def _cases(exchange: Exchange) -> dict[str, str]:
    """Return the case of each study."""
    _, found = exchange.call(READER, "GET", "/api/cases?limit=50")
    cases = {}
    for each in found["cases"]:
        _, case = exchange.call(READER, "GET", f"/api/cases/{each['case_id']}")
        cases[case["studies"][0]["study_uid"]] = str(each["case_id"])
    return cases


def _in_spool(exchange: Exchange) -> int:
    return int(json.loads(exchange.must("status", "--json"))["spool"]["instances"])


def _version() -> str:
    told = DIST.parent / ".installed"
    return told.read_text().strip() if told.is_file() else "not installed"


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def arguments() -> argparse.ArgumentParser:
    """Return the parser of the sizes; the defaults end in about half an hour."""
    parser = argparse.ArgumentParser("benchmarks.viewer", description=__doc__.partition("\n")[0])
    parser.add_argument("--slices", default="20,200,2000", help="slices of each study")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--scroll", type=int, default=200, help="the study that is scrolled")
    parser.add_argument("--folder", type=Path, help="work below it; default: the temporary folder")
    parser.add_argument("-o", "--output", type=Path, default=RESULTS)
    return parser


def main(words: Sequence[str]) -> None:
    """Measure and write the tables."""
    given = arguments().parse_args(words)
    sizes = [int(n) for n in given.slices.split(",")]
    scroll = given.scroll if given.scroll in sizes else sizes[-1]
    with (
        tempfile.TemporaryDirectory(prefix="lysbro-bench-", dir=given.folder) as name,
        chromium() as browser,
        viewers(Path(name), sizes, browser) as those,
    ):
        measured = measure(browser, those, rounds=given.rounds, scroll=scroll, sizes=sizes)
    command = " ".join(["python -m benchmarks.viewer", *words])
    text = document(measured, rounds=given.rounds, scroll=scroll, command=command)
    given.output.parent.mkdir(parents=True, exist_ok=True)
    given.output.write_text(text, "utf-8")
    print(text)


if __name__ == "__main__":
    main(sys.argv[1:])
