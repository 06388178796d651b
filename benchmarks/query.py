"""How fast queries are answered, from 1,000 to 1,000,000 studies: Lysbro on SQLite and PostgreSQL,
and Orthanc with 30,000 studies beside them.

    python -m benchmarks.query [--sizes 1000,30000,...] [--rounds R] [--orthanc N] [--databases ...]

A region is made for each size and database (`benchmarks.region`), asked, and deleted. Every shape
is asked inside (the index's own call: SQL, and its rows made answers), by C-FIND and by QIDO-RS, in
rounds over all shapes, so that a busy machine is slow for all. Of long answers the time is that to
the first hundred. While the largest of each database is asked, Orthanc is asked in the same rounds.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import region
from benchmarks.finder import Took
from benchmarks.plot import bars
from benchmarks.query_peers import Peer, lysbro, orthanc_with
from benchmarks.query_shapes import KEYED_MS, PAGE, WIRE_MS, Shape, listings, shapes
from benchmarks.receivers import orthanc, versions
from casework.access import Scope
from storage.casebook import Casebook
from storage.database import Database, open_database
from storage.index import Index
from tests.postgres import running_server

RESULTS = Path(__file__).parent / "results" / "query.md"
SIZES = (1000, 30_000, 100_000, 1_000_000)
INSIDE, C_FIND, WEB = "inside", "C-FIND", "HTTP"
ALL = Scope(sites=None, specialties=None, own_site=region.CENTRE)
ORTHANC = "Orthanc"


@dataclass
class Measured:
    """The times of one side: for each shape and door, one for each round, and how many answers."""

    times_ms: dict[tuple[str, str], list[float]] = field(default_factory=lambda: defaultdict(list))
    answers: dict[tuple[str, str], int] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)
    filled_s: float = 0.0
    goals_ms: dict[str, float] = field(default_factory=dict)

    def note(self, shape: str, door: str, took: Took) -> None:
        """Add a time."""
        self.times_ms[shape, door].append(took.ms)
        self.answers[shape, door] = took.answers

    def least(self, shape: str, door: str) -> float | None:
        """Return the least time, which others' work on the machine disturbs least."""
        return min(self.times_ms.get((shape, door), ()), default=None)

    def median(self, shape: str, door: str) -> float | None:
        """Return the median of a shape at a door, if it was asked there."""
        times = self.times_ms.get((shape, door))
        return statistics.median(times) if times else None


JUMP, AFTER = "a jump into the middle", "the pages after it"
Results = dict[str, Measured]  # "SQLite 30,000": ...


@contextmanager
def databases(kinds: Sequence[str], folder: Path) -> Iterator[dict[str, Callable[[int], str]]]:
    """Give, for each kind of database, what makes the address of a new one."""
    makers: dict[str, Callable[[int], str]] = {}
    with ExitStack() as stack:
        if "sqlite" in kinds:
            makers["SQLite"] = lambda count: f"sqlite:///{folder}/{count}/lysbro.db"
        if "postgresql" in kinds:
            server = stack.enter_context(running_server())
            if server is None:
                tell("There is no PostgreSQL on this machine.\n")
            else:
                makers["PostgreSQL"] = lambda _count: server.url("postgres")
        yield makers


def measure(
    name: str, url: str, count: int, folder: Path, *, rounds: int, peer: Callable[[], Peer] | None
) -> tuple[Measured, Measured]:
    """Fill a database, ask it, and return the times, with those of the peer in the same rounds."""
    folder.mkdir(parents=True)
    found, of_peer = Measured(), Measured()
    database = open_database(url)
    started = time.monotonic()
    database.migrate()
    region.fill(database, count, tell=lambda said: tell(f"{name}: {said}"))
    found.filled_s = time.monotonic() - started
    with database.read() as conn:
        for table in ("studies", "series", "instances"):
            counted = conn.exec_driver_sql(f"SELECT count(*) FROM {table}")
            found.rows[table] = int(counted.scalar_one())
    asked = shapes(database, count)
    found.goals_ms = {
        **{shape.name: shape.goal_ms for shape in asked},
        **dict.fromkeys((JUMP, AFTER), KEYED_MS),
        **{listing.name: listing.goal_ms for listing in listings()},
    }
    with lysbro(folder / "data", url) as own:
        for turn in range(-1, rounds):
            tell(f"{name}: round {turn + 1} of {rounds}")
            at = found if turn >= 0 else Measured()  # once unmeasured: code and caches are loaded
            _ask(at, own, asked)
            _ask_inside(at, database, asked)
            _ask_pages(at, own, database, count, turn)
            if peer is not None and 0 <= turn < 3:
                tell(f"{name}: round {turn + 1} of {rounds}, Orthanc")
                _ask(of_peer, peer(), asked)
    if not database.is_embedded:
        with database.begin() as conn:
            conn.exec_driver_sql("DROP SCHEMA public CASCADE")
            conn.exec_driver_sql("CREATE SCHEMA public")
    database.close()
    return found, of_peer


def _ask(at: Measured, peer: Peer, asked: Sequence[Shape]) -> None:
    for shape in asked:
        if shape.is_for_dicom:
            found = peer.finder.find(shape.level, shape.identifier, limit=PAGE)
            at.note(shape.name, C_FIND, found)
        if shape.is_for_web:
            at.note(shape.name, WEB, peer.web.get(shape.path()))


def _ask_inside(at: Measured, database: Database, asked: Sequence[Shape]) -> None:
    index, casebook = Index(database), Casebook(database, lambda: datetime.now(UTC))
    for shape in asked:
        started = time.perf_counter()
        found = index.find(ALL, shape.level, shape.identifier, limit=PAGE)
        at.note(shape.name, INSIDE, _took(started, len(list(found))))
    for listing in listings():
        started = time.perf_counter()
        rows, _ = casebook.list_cases(ALL, **listing.filters)
        at.note(listing.name, INSIDE, _took(started, len(rows)))


def _ask_pages(at: Measured, own: Peer, database: Database, count: int, turn: int) -> None:
    """Ask for pages deep in the list of all: a first one, and those that follow it."""
    index, whole = Index(database), Shape("", "STUDY", {})
    middle = count // 2 + 1000 * turn  # another jump in each round: none is remembered
    for number, page in enumerate(range(middle, middle + 3 * PAGE, PAGE)):
        name = JUMP if number == 0 else AFTER
        started = time.perf_counter()
        found = index.find(ALL, "STUDY", whole.identifier, limit=PAGE, offset=max(0, page))
        at.note(name, INSIDE, _took(started, len(list(found))))
        at.note(name, WEB, own.web.get(whole.path(offset=max(0, page))))
    for listing in listings():
        at.note(listing.name, WEB, own.web.get(listing.path, of="cases"))


def _took(started: float, answers: int) -> Took:
    return Took(1e3 * (time.perf_counter() - started), answers)


def tell(said: str) -> None:
    """Show progress on one line."""
    if sys.stderr.isatty():
        print(f"\r{said:76}", end="", file=sys.stderr, flush=True)
    else:
        print(said, file=sys.stderr, flush=True)


def table(results: Results, goals: dict[str, float], door: str) -> str:
    """Return one door's medians as a Markdown table."""
    own = [side for side in results if side != ORTHANC]
    peer = results.get(ORTHANC)
    largest = [side for side in own if side.endswith(f"{max(map(_size, own)):,}")]
    head = ["asked for", "answers", *own]
    if peer:
        head += [f"Orthanc {peer.rows['studies']:,}", "Orthanc is so many times as slow"]
    lines = ["| " + " | ".join(head) + " |", "|---|" + "---:|" * (len(head) - 1)]
    for name, goal in goals.items():
        times = [
            (results[side].median(name, door), results[side].least(name, door)) for side in own
        ]
        if all(median is None for median, _ in times):
            continue
        answers = results[largest[0]].answers.get((name, door), 0)
        limit = max(goal, WIRE_MS) if door != INSIDE else goal
        cells = [name, str(answers), *(_cell(*each, limit_ms=limit) for each in times)]
        if peer:
            theirs = peer.median(name, door)
            worst = max(v for side in largest if (v := results[side].median(name, door)))
            cells += [_ms(theirs), f"{theirs / worst:.1f} x" if theirs else ""]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _size(side: str) -> int:
    return int(side.rpartition(" ")[2].replace(",", ""))


def _cell(median: float | None, least: float | None, *, limit_ms: float) -> str:
    if median is None:
        return ""
    told = f"**{_ms(median)}**" if median > limit_ms else _ms(median)
    return f"{told} ({_ms(least)})"


def _ms(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.1f}" if value < 100 else f"{value:.0f}"


def chart(results: Results, names: Sequence[str]) -> str:
    """Return the bars of C-FIND: the largest of ours beside Orthanc."""
    own = [side for side in results if side != ORTHANC]
    most = max(map(_size, own))
    sides = [side for side in own if _size(side) == most] + [ORTHANC] * (ORTHANC in results)
    groups = {}
    for name in names:
        values = {side: results[side].median(name, C_FIND) for side in sides}
        known = {side: value for side, value in values.items() if value is not None}
        if known:
            groups[name] = known
    return bars("Milliseconds to the answers of a C-FIND (shorter is better)", "ms", groups)


def document(
    results: Results, goals: dict[str, float], *, words: Sequence[str], rounds: int
) -> str:
    """Return the whole report."""
    told = "\n".join(f"- {name}: {said}" for name, said in versions().items() if name != "DCMTK")
    filled = "\n".join(
        f"| {side} | {one.rows['studies']:,} | {one.rows['series']:,} "
        f"| {one.rows['instances']:,} | {one.filled_s:.0f} |"
        for side, one in results.items()
        if side != ORTHANC
    )
    command = " ".join(["python -m benchmarks.query", *words])
    return f"""# Queries

{datetime.now(UTC):%Y-%m-%d}, `{command}`,
medians of {rounds} rounds in milliseconds, and the least in brackets; {os.cpu_count()} cores,
{platform.machine()}. The mean load of the last quarter of an hour was {os.getloadavg()[2]:.1f}:
where that is more than the benchmark's own one or two, others worked on the machine, and times are
longer for it; the least are disturbed least.

{told}

Of more than {PAGE} answers the time is that to the first {PAGE}. Bold: over the goal, 10 ms inside
for a key and 100 ms for a part of a name, 25 ms (100 ms) over the wire. A node and a coordinator of
the centre ask, who see every site's studies: the widest sight there is.

![milliseconds](query.svg)

## C-FIND

{table(results, goals, C_FIND)}

## QIDO-RS and the API

The audit notes each request, with a sync to the disk, before it is answered.

{table(results, goals, WEB)}

## Inside

{table(results, goals, INSIDE)}

## What was asked

| | studies | series | instances | seconds to fill |
|---|---:|---:|---:|---:|
{filled}
"""


def arguments() -> argparse.ArgumentParser:
    """Return the reader of the command line."""
    parser = argparse.ArgumentParser(prog="benchmarks.query", description=__doc__)
    parser.add_argument("--sizes", default=",".join(map(str, SIZES)), help="numbers of studies")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--databases", default="sqlite,postgresql")
    parser.add_argument("--orthanc", type=int, default=30_000, help="its studies; 0: without it")
    parser.add_argument("--folder", type=Path, help="work below it; default: the temporary folder")
    parser.add_argument("-o", "--output", type=Path, default=RESULTS)
    return parser


def main(words: Sequence[str]) -> None:
    """Measure and write the tables."""
    given = arguments().parse_args(words)
    sizes = [int(size) for size in given.sizes.split(",")]
    results: Results = {}
    with ExitStack() as stack:
        folder = Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="region-", dir=given.folder))
        )
        connect = None
        if given.orthanc and orthanc():
            connect = stack.enter_context(
                orthanc_with(folder / "orthanc", given.orthanc, tell=tell)
            )
            results[ORTHANC] = Measured(rows={"studies": given.orthanc})
        makers = stack.enter_context(databases(given.databases.split(","), folder))
        for count in sizes:
            for kind, make in makers.items():
                name, place = f"{kind} {count:,}", folder / str(count)
                beside = connect if count in (given.orthanc, max(sizes)) else None
                found, theirs = measure(
                    name, make(count), count, place, rounds=given.rounds, peer=beside
                )
                results[name] = found
                for key, times in theirs.times_ms.items():
                    results[ORTHANC].times_ms[key] += times
                shutil.rmtree(place)
                _write(given.output, results, words=words, rounds=given.rounds)  # so far
    print(given.output.read_text("utf-8"))


def _write(path: Path, results: Results, *, words: Sequence[str], rounds: int) -> None:
    goals = next(one.goals_ms for side, one in results.items() if side != ORTHANC)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(document(results, goals, words=words, rounds=rounds), "utf-8")
    path.with_suffix(".svg").write_text(chart(results, list(goals)), "utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
