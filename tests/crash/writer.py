"""The process that is killed: receives from several threads and says what it has acknowledged.

Run as `python -m tests.crash.writer DATA SEED VARIANT`. Each line on standard output is one
promise: `uid sha256`. It runs until it is killed.
"""

from __future__ import annotations

import os
import random
import sys
import threading
from pathlib import Path

from casework.custody import Receipt
from storage.archive import Archive, SpoolLimits, utc_now
from storage.database import open_database
from storage.journal import new_digest
from storage.mover import Mover
from storage.objects import FolderStore
from storage.part10 import EXPLICIT_LE
from tests.storage.building import CT, ORIGIN, dataset

WRITERS = 4
SOUND, EARLY, STORE = "sound", "early", "store"
"""EARLY is the broken variant: it acknowledges before the object is in the journal; STORE has each
object in the object store before it is acknowledged."""


def main() -> None:
    data, seed, variant = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    database = open_database("sqlite", data=data)
    archive = Archive(
        data=data,
        database=database,
        store=FolderStore(data / "store"),
        limits=SpoolLimits(
            spool_bytes=8 << 30, reserve_bytes=0, segment_bytes=300_000, segment_age_s=0.2
        ),
        durability="store" if variant == STORE else "disk",
    )
    archive.start()
    tell(b"started")
    threads = [
        threading.Thread(target=write, args=(archive, f"{seed}.{n}", variant), daemon=True)
        for n in range(WRITERS)
    ]
    for thread in threads:
        thread.start()
    mover = Mover(archive, quiet_s=0.05, grace_s=0.1, copies_grace_s=0.1)
    while True:
        mover.run_once(utc_now())


def write(archive: Archive, prefix: str, variant: str) -> None:
    chosen = random.Random(prefix)
    number = 0
    while True:
        number += 1
        uid = f"2.25.{prefix}.{number}"
        side = chosen.choice((8, 40, 500))  # 128 B in memory, 3 kB, and 500 kB that streams
        content = dataset(
            uid,
            series=f"1.2.3.{prefix}.{number // 20}",
            rows=side,
            columns=side,
            pixels=chosen.randbytes(side * side * 2),
        )
        if variant == EARLY:
            digest = new_digest(EXPLICIT_LE)
            digest.update(content)
            tell(f"{uid} {digest.hexdigest()}".encode())
        receipt = receive(archive, content, uid)
        if variant != EARLY:
            tell(f"{uid} {receipt.sha256}".encode())


def receive(archive: Archive, content: bytes, uid: str) -> Receipt:
    with archive.begin(
        ORIGIN, sop_class_uid=CT, sop_instance_uid=uid, transfer_syntax_uid=EXPLICIT_LE
    ) as intake:
        for start in range(0, len(content), 65536):
            intake.write(content[start : start + 65536])
        return intake.commit()


def tell(line: bytes) -> None:
    os.write(sys.stdout.fileno(), line + b"\n")  # one write: a line is told whole or not at all


if __name__ == "__main__":
    import logging

    import structlog

    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL),
    )
    main()
