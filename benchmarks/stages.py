"""Where the time of receiving goes: each step on its own, in this process, for one small object and
one slice.

    python -m benchmarks.stages [-o FILE]

The steps are those that an object passes in the receive loop, by the code that the loop runs, fed
with what dcmsend sends: the wire (stream, states, messages), the judgement (walk and values), the
record (meta, header, hash, write), the sync; and beside the loop the index (derive, register).
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.synthetic import write_series
from casework.custody import Door, Origin
from pacs_bridge import dimse
from pacs_bridge.association import Association
from pacs_bridge.pdu import encode_fragment_head
from pacs_bridge.states import Event
from pacs_bridge.stream import Fragment, PduStream
from storage.archive import Archive, SpoolLimits
from storage.derived import header_of, record_of
from storage.intake import Intake
from storage.journal import Entry, new_digest, scan
from storage.objects import MemoryStore
from storage.part10 import BytesSource, read_file_meta, walk
from storage.records import SpoolRecord
from storage.register import register
from storage.segments import read_segment_header
from storage.testing import fresh_database

RESULTS = Path(__file__).parent / "results" / "stages.md"
MAX_PDU = 131072
CT = "1.2.840.10008.5.1.4.1.1.2"
ORIGIN = Origin(site="bench", door=Door.DICOM, calling_ae="BENCH", called_ae="LYSBRO")
SIZES = (("object of 10 kB", 69, 300), ("slice of 0.5 MB", 512, 60))


def measured(act: Callable[[int], object], count: int, *, rounds: int = 5) -> float:
    """Return the least microseconds a call over several rounds: other work only adds."""
    best = float("inf")
    for _ in range(rounds):
        started = time.perf_counter()
        for number in range(count):
            act(number)
        best = min(best, (time.perf_counter() - started) / count)
    return best * 1e6


def wire_of(uid: str, data: bytes) -> bytes:
    """Return what a sender puts on the wire for one C-STORE."""
    command = dimse.write_store_request(1, CT, uid)
    pieces = [encode_fragment_head(1, 3, len(command)) + command]
    size = MAX_PDU - 6
    for start in range(0, len(data), size):
        piece = data[start : start + size]
        last = 2 if start + size >= len(data) else 0
        pieces.append(encode_fragment_head(1, last, len(piece)) + piece)
    return b"".join(pieces)


def read_wire(content: bytes) -> None:
    """Take a C-STORE off the wire as the loop does, and throw it away."""
    stream, association = PduStream(), Association()
    for event in (Event.EVT5, Event.EVT6, Event.EVT7):
        association.happens(event)
    view = memoryview(content)
    while view:
        space = stream.space()
        count = min(len(space), len(view))
        space[:count] = view[:count]
        for found in stream.received(count):
            association.happens(Event.EVT10)
            if isinstance(found, Fragment) and found.is_command and found.is_last:
                dimse.read_command(bytes(found.data))
        view = view[count:]


def stages(side: int, count: int, folder: Path) -> dict[str, float]:
    """Return microseconds of each step for objects of one size."""
    write_series(folder / "set", count, side)
    files = [path.read_bytes() for path in sorted((folder / "set").iterdir())]
    meta = read_file_meta(BytesSource(files[0]))
    syntax = meta.transfer_syntax_uid
    sets = [content[meta.dataset_offset :] for content in files]
    uids = [walk(data, transfer_syntax_uid=syntax).sop_instance_uid for data in sets]
    wires = [wire_of(uid, data) for uid, data in zip(uids, sets, strict=True)]
    found = {
        "wire: PDUs, states, command": measured(lambda n: read_wire(wires[n]), count),
        "judgement: structure and values": measured(
            lambda n: walk(sets[n], transfer_syntax_uid=syntax), count
        ),
        "SHA-256": measured(lambda n: _hash(syntax, sets[n]), count),
    }
    whole = {durability: _received(folder, durability, syntax, uids, sets) for durability in
             ("none", "disk")}  # fmt: skip
    known = found["judgement: structure and values"] + found["SHA-256"]
    found["record: meta, header, write, bookkeeping"] = max(0.0, whole["none"] - known)
    found["sync (fdatasync), one association"] = max(0.0, whole["disk"] - whole["none"])
    found["index, beside the loop: derive and register"] = _indexed(folder, syntax, uids, sets)
    return found


def _hash(syntax: str, data: bytes) -> bytes:
    digest = new_digest(syntax)
    digest.update(data)
    return bytes(digest.digest())


def _archive(folder: Path, durability: str) -> Archive:
    database = fresh_database(folder)
    opened = database.__enter__()
    archive = Archive(
        data=folder,
        database=opened,
        store=MemoryStore(),
        limits=SpoolLimits(spool_bytes=1 << 40),
        durability=durability,  # type: ignore[arg-type]
    )
    archive._is_started = True  # nothing indexes: that is a step of its own
    return archive


def _received(
    folder: Path, durability: str, syntax: str, uids: Sequence[str], sets: Sequence[bytes]
) -> float:
    place = folder / durability
    place.mkdir()
    archive = _archive(place, durability)

    def receive(number: int) -> None:
        with archive.begin(
            ORIGIN,
            sop_class_uid=CT,
            sop_instance_uid=uids[number],
            transfer_syntax_uid=syntax,
        ) as intake:
            _pour(intake, memoryview(sets[number]))
            intake.commit()

    return measured(receive, len(sets), rounds=3)


def _pour(intake: Intake, view: memoryview) -> None:
    for start in range(0, len(view), MAX_PDU - 6):
        intake.write(view[start : start + MAX_PDU - 6])


def _indexed(folder: Path, syntax: str, uids: Sequence[str], sets: Sequence[bytes]) -> float:
    """Return microseconds an object to derive a batch of records from the journal and index it."""
    place = folder / "indexed"
    place.mkdir()
    archive = _archive(place, "none")
    for uid, data in zip(uids, sets, strict=True):
        archive.receive(
            data, ORIGIN, sop_class_uid=CT, sop_instance_uid=uid, transfer_syntax_uid=syntax
        )
    (segment,) = sorted((place / "spool").glob("*.seg"))
    with segment.open("rb") as file:
        header = read_segment_header(file.fileno())
        assert header is not None
        started = time.perf_counter()
        records: list[SpoolRecord] = []
        for part in scan(file.fileno(), nonce=header.nonce, size=segment.stat().st_size):
            if isinstance(part, Entry):
                known = header_of(file.fileno(), part, archive.walk_limits)
                if known is not None:
                    records.append(record_of(part, known, segment.name, synced_at=None))
        with archive.database.begin() as conn:
            register(conn, records)
        return (time.perf_counter() - started) / len(records) * 1e6


def document(columns: dict[str, dict[str, float]]) -> str:
    """Return the table as Markdown."""
    names = list(next(iter(columns.values())))
    lines = [
        "# Where the time of receiving goes",
        "",
        "Microseconds an object, each step by itself and one association, `python -m "
        "benchmarks.stages`.",
        "",
        "| step | " + " | ".join(columns) + " |",
        "|---|" + "---:|" * len(columns),
    ]
    for name in names:
        lines.append(f"| {name} | " + " | ".join(f"{c[name]:.0f}" for c in columns.values()) + " |")
    totals = [
        statistics.fsum(v for k, v in c.items() if "index" not in k) for c in columns.values()
    ]
    lines.append(
        "| **in the loop, with `disk`** | " + " | ".join(f"{t:.0f}" for t in totals) + " |"
    )
    return "\n".join(lines) + "\n"


def main(words: Sequence[str]) -> None:
    """Measure and write the table."""
    parser = argparse.ArgumentParser("benchmarks.stages", description=__doc__.partition("\n")[0])
    parser.add_argument("-o", "--output", type=Path, default=RESULTS)
    parser.add_argument("--folder", type=Path, help="work below it; default: the temporary folder")
    given = parser.parse_args(words)
    columns = {}
    for name, side, count in SIZES:
        with tempfile.TemporaryDirectory(prefix="lysbro-stages-", dir=given.folder) as folder:
            columns[name] = stages(side, count, Path(folder))
    given.output.write_text(document(columns), "utf-8")
    print(document(columns))


if __name__ == "__main__":
    main(sys.argv[1:])
