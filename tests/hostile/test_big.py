"""One very large object, and three at once, take no more memory than any other.

How large is LYSBRO_HOSTILE_BIG_MB, in MiB; the object is made while it is sent.
"""

from __future__ import annotations

import hashlib
import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lysbro.settings import load
from lysbro.wiring import open_parts
from storage.rows import instance_row
from storage.tables import instances
from tests.flows.waiting import until
from tests.hostile.bridge import MIB, Bridge, running, watched
from tests.hostile.sending import Sender, fresh_uid, sender
from tests.pacs_bridge.wire import p_data
from tests.storage.building import dataset, element

BIG_MIB = int(os.environ.get("LYSBRO_HOSTILE_BIG_MB", "300"))
MOST_BYTES = 300 * MIB
MULTI_FRAME = "1.2.840.10008.5.1.4.1.1.7.2"  # multi-frame grayscale byte secondary capture

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300 + BIG_MIB)]


def pieces_of(uid: str, frames: int) -> Iterator[bytes]:
    """Give the data set of so many frames of one MiB, a frame at a time."""
    head = dataset(
        uid, sop_class=MULTI_FRAME, frames=frames, rows=1024, columns=1024, bits=8, pixels=None
    )
    yield head + element(0x7FE00010, "OW", b"", length=frames << 20)
    frame = bytes(range(256)) * 4096
    for number in range(frames):
        yield number.to_bytes(4) + frame[4:]


def store_big(bridge: Bridge, frames: int) -> tuple[int, str, str]:
    """Store an object of so many MiB; return the status, the UID and the hash of what was sent."""
    uid, digest = fresh_uid(), hashlib.sha256()
    with sender(bridge, sop_class=MULTI_FRAME, timeout_s=120) as sending:
        sending.begin(uid)
        for piece in pieces_of(uid, frames):
            digest.update(piece)
            for start in range(0, len(piece), 128_000):
                sending.peer.send(p_data(1, 0, piece[start : start + 128_000]))
        return end_of(sending, uid, digest.hexdigest())


def end_of(sending: Sender, uid: str, sha256: str) -> tuple[int, str, str]:
    sending.peer.send(p_data(1, 2, b""))
    status = int(sending.peer.response().Status)
    return status, uid, sha256


def hash_of(bridge: Bridge, uid: str) -> str:
    """Return the hash of the data set that is kept, read as a stream; empty when there is none."""
    with open_parts(load(environment=bridge.exchange.environment)) as parts:
        with parts.database.read() as conn:
            rows = conn.execute(instances.select().where(instances.c.sop_instance_uid == uid))
            found = [instance_row(row) for row in rows]
        if not found:
            return ""
        digest = hashlib.sha256()
        with parts.archive.open_part10(found[0]) as stream:
            stream.read(found[0].location.dataset_offset)
            while chunk := stream.read(MIB):
                digest.update(chunk)
        return digest.hexdigest()


@pytest.mark.parametrize("at_once", [1, 3])
def test_large_object_takes_no_more_memory_than_any_other(
    tmp_path: Path, at_once: int, capsys: pytest.CaptureFixture[str]
) -> None:
    frames = max(1, BIG_MIB // at_once)
    with running(tmp_path, dicom_max_object_bytes=4 << 30) as bridge:
        began = time.monotonic()
        with watched(bridge), ThreadPoolExecutor(at_once) as pool:
            stored = list(pool.map(lambda _: store_big(bridge, frames), range(at_once)))
        lasted_s, most = time.monotonic() - began, bridge.largest_peak_bytes()
        with capsys.disabled():
            sys.stdout.write(
                f"\n{at_once} x {frames} MiB in {lasted_s:.1f} s: at most {most / MIB:.0f} MiB\n"
            )
        assert [status for status, _, _ in stored] == [0x0000] * at_once
        assert most < MOST_BYTES
        for _, uid, sha256 in stored:
            assert until(lambda uid=uid: hash_of(bridge, uid), "the object") == sha256
