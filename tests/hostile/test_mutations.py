"""Very many bad inputs: each refused with nothing left of it, or kept exactly as it was sent.

How many is LYSBRO_HOSTILE_INPUTS. An input is known by its number, and can be sent again alone.
"""

from __future__ import annotations

import os
import queue
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from pacs_bridge import dimse
from tests.hostile.bridge import Bridge, must_be_true_of_the_ledger, watched
from tests.hostile.ledger import is_success
from tests.hostile.mutations import (
    Bad,
    BadStream,
    Seed,
    bad_dataset,
    bad_stream,
    file_seeds,
    messages_in,
    own_seeds,
)
from tests.pacs_bridge.wire import Peer, associate_request, connected, p_data

pytestmark = pytest.mark.slow

INPUTS = int(os.environ.get("LYSBRO_HOSTILE_INPUTS", "12000"))
Job = int | Sequence[Bad]
"""A stream by its number, or data sets that go over one association; no data sets end the work."""

OF_STREAMS = 5  # one in so many is a stream of changed PDUs, the others are changed data sets
SENDERS = 4
BATCH = 40
HANGS_S = 5.0


@dataclass
class Tally:
    """What became of the inputs."""

    outcomes: Counter[str] = field(default_factory=Counter)
    statuses: Counter[str] = field(default_factory=Counter)
    hangs: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, what: str, number: int = 1, *, status: int | None = None) -> None:
        with self.lock:
            self.outcomes[what] += number
            if status is not None:
                self.statuses[f"{status:04X}"] += 1

    def hung(self, what: str) -> None:
        with self.lock:
            self.hangs.append(what)

    def line(self, seconds: float, missing: int) -> str:
        of = self.outcomes
        return (
            f"inputs {sum(of.values())} in {seconds:.0f} s: stored {of['stored']}, "
            f"refused {of['refused']}, context refused {of['context refused']}, "
            f"cut off {of['cut off']}, hung {len(self.hangs)}; acknowledged missing {missing} "
            f"({', '.join(f'{status} {n}' for status, n in sorted(self.statuses.items()))})"
        )


def send_datasets(bridge: Bridge, batch: Sequence[Bad], tally: Tally) -> None:
    """Send data sets of one class and syntax over an association, without waiting between them."""
    seed = batch[0].seed
    with connected(bridge.port, timeout_s=HANGS_S) as peer:
        accepted = peer.associate([(seed.sop_class, seed.syntax)])
        if not is_accepted(accepted):
            tally.count("context refused", len(batch))
            return
        feeder = threading.Thread(target=feed, args=(bridge, peer, batch))
        feeder.start()
        try:
            for one in batch:
                status = int(peer.response().Status)
                bridge.ledger.answered(one.uid, one.data, status)
                tally.count("stored" if is_success(status) else "refused", status=status)
        except TimeoutError:
            tally.hung(f"data sets {batch[0].number} to {batch[-1].number}")
        finally:
            feeder.join()


def feed(bridge: Bridge, peer: Peer, batch: Sequence[Bad]) -> None:
    for turn, one in enumerate(batch, 1):
        bridge.ledger.sent_whole(one.uid, one.data)
        command = dimse.write_store_request(turn, one.seed.sop_class, one.uid)
        peer.send(p_data(1, 3, command) + in_pieces(one.data))


def in_pieces(data: bytes) -> bytes:
    size = 100_000
    starts = range(0, len(data), size) or (0,)
    return b"".join(
        p_data(1, 0 if start + size < len(data) else 2, data[start : start + size])
        for start in starts
    )


def is_accepted(body: bytes) -> bool:
    """Tell whether the one context of an acceptance was accepted."""
    at = body.index(b"\x21\0", 68)
    return body[at + 6] == 0


def send_stream(bridge: Bridge, number: int, seeds: Sequence[Seed], tally: Tally) -> None:
    """Send changed PDUs, and read what is answered until the end."""
    first = bad_stream(number, seeds, b"")
    sound = associate_request(list(first.contexts))
    bad = bad_stream(number, seeds, sound)
    sent = messages_in(bad.content)
    for uid, data in sent:
        bridge.ledger.sent_whole(uid, data)
    with connected(bridge.port, timeout_s=HANGS_S) as peer:
        try:
            kinds = exchange(peer, bridge, sound, bad, sent)
        except TimeoutError:
            tally.hung(f"stream {number}")
            return
    tally.count("stored" if "stored" in kinds else "refused" if "refused" in kinds else "cut off")


def exchange(
    peer: Peer, bridge: Bridge, sound: bytes, bad: BadStream, sent: list[tuple[str, bytes]]
) -> set[str]:
    """Send and hear all; write down what each response acknowledges."""
    found: set[str] = set()
    try:
        if bad.request is None:
            peer.send(sound)
            if peer.read_pdu()[0] != 2:
                return found
            peer.send(bad.content)
        else:
            peer.send(bad.request + bad.content)
        peer.socket.shutdown(1)  # nothing more comes: what is half sent stays so
        while True:
            kind, body = peer.read_pdu()
            if kind == 2:
                continue
            if kind != 4:
                return found
            response = dimse.read_command(body[6:])
            status = int.from_bytes(response.elements[0x0900], "little")
            found.add("stored" if is_success(status) else "refused")
            if is_success(status):
                acknowledge(bridge, response.affected_instance, sent)
    except (ConnectionError, OSError) as error:
        if isinstance(error, TimeoutError):
            raise
        return found


def acknowledge(bridge: Bridge, uid: str, sent: list[tuple[str, bytes]]) -> None:
    """Write down that an object was acknowledged; which of two under one UID cannot be told."""
    of_it = {data for sent_uid, data in sent if sent_uid == uid}
    assert of_it, f"{uid} was acknowledged and never sent"
    if len(of_it) == 1:
        bridge.ledger.answered(uid, of_it.pop(), 0)


def work(bridge: Bridge, jobs: queue.SimpleQueue[Job], seeds: list[Seed], tally: Tally) -> None:
    while (job := jobs.get()) != ():
        if isinstance(job, int):
            send_stream(bridge, job, seeds, tally)
        else:
            send_datasets(bridge, job, tally)


def all_jobs(seeds: list[Seed]) -> list[Job]:
    """Return the inputs: data sets in batches of one class and syntax, streams by their number."""
    streams = INPUTS // OF_STREAMS
    batches: list[Job] = []
    waiting: dict[tuple[str, str], list[Bad]] = {}
    for number in range(INPUTS - streams):
        bad = bad_dataset(number, seeds)
        batch = waiting.setdefault((bad.seed.sop_class, bad.seed.syntax), [])
        batch.append(bad)
        if len(batch) == BATCH:
            batches.append(waiting.pop((bad.seed.sop_class, bad.seed.syntax)))
    return [*batches, *waiting.values(), *range(streams)]


@pytest.mark.timeout(300 + INPUTS // 20)
def test_bad_inputs_are_refused_or_kept_exactly_as_they_were_sent(
    bridge: Bridge, capsys: pytest.CaptureFixture[str]
) -> None:
    seeds = own_seeds()
    collection = Path(__file__).resolve().parents[3] / "shared" / "fixtures"
    folder = Path(os.environ.get("LYSBRO_FIXTURES", collection)) / "malformed"
    seeds += file_seeds(folder) if folder.is_dir() else []
    tally, began = Tally(), time.monotonic()
    with watched(bridge):
        jobs: queue.SimpleQueue[Job] = queue.SimpleQueue()
        for job in all_jobs(seeds):
            jobs.put(job)
        for _ in range(SENDERS):
            jobs.put(())
        with ThreadPoolExecutor(SENDERS) as pool:
            for sender in [pool.submit(work, bridge, jobs, seeds, tally) for _ in range(SENDERS)]:
                sender.result()
    missing = bridge.ledger.missing(bridge.settled())
    with capsys.disabled():
        sys.stdout.write(f"\n{tally.line(time.monotonic() - began, len(missing))}\n")
    assert tally.hangs == []
    assert sum(tally.outcomes.values()) == INPUTS
    must_be_true_of_the_ledger(bridge)


def test_every_input_is_the_same_each_time_it_is_made() -> None:
    seeds = own_seeds()
    assert [bad_dataset(n, seeds) for n in range(50)] == [bad_dataset(n, seeds) for n in range(50)]
    assert [bad_stream(n, seeds, b"request") for n in range(50)] == [
        bad_stream(n, seeds, b"request") for n in range(50)
    ]


def test_seeds_are_taken_as_they_are(attacked: Bridge) -> None:
    tally = Tally()
    for number, seed in enumerate(own_seeds()):
        uid = seed.uid or "1.2.826.0.1.3680043.9.7433.2.1000000000"
        send_datasets(attacked, [Bad(number, seed, uid, seed.data)], tally)
    assert tally.outcomes["stored"] == len(own_seeds())
