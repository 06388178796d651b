"""A bridge told to stop while it receives: it ends in time, and has what it acknowledged."""

from __future__ import annotations

import random
import signal
import threading
import time
from pathlib import Path

import pytest

from tests.flows.waiting import until
from tests.hostile.bridge import Bridge, must_be_true_of_the_ledger, running
from tests.hostile.sending import fresh_uid, sender
from tests.storage.building import dataset

pytestmark = pytest.mark.slow

SENDERS = 6
DRAINS_WITHIN_S = 30.0


def store_until_ended(bridge: Bridge, chosen: random.Random) -> None:
    """Store objects of all sizes, over one association after the other, until nobody listens."""
    while True:
        try:
            with sender(bridge, timeout_s=40) as sending:
                for _ in range(20):
                    uid, side = fresh_uid(), chosen.choice((8, 60, 400))
                    pixels = chosen.randbytes(side * side * 2)
                    data = dataset(uid, rows=side, columns=side, pixels=pixels)
                    sending.store(uid, data, piece_bytes=20_000)
        except ConnectionRefusedError:
            return
        except (OSError, AssertionError):
            continue  # cut, or told to go: whoever listens again is asked again


@pytest.mark.parametrize("seed", range(3))
def test_bridge_told_to_stop_under_load_ends_in_time_and_keeps_what_it_acknowledged(
    tmp_path: Path, seed: int
) -> None:
    chosen = random.Random(seed)
    with running(tmp_path) as bridge:
        senders = [
            threading.Thread(target=store_until_ended, args=(bridge, random.Random(f"{seed} {n}")))
            for n in range(SENDERS)
        ]
        for each in senders:
            each.start()
        until(lambda: bridge.ledger.acknowledged_count > 10, "some objects to be acknowledged")
        threading.Event().wait(chosen.uniform(0, 1.0))  # the moment is the matter of the test
        began = time.monotonic()
        status = bridge.exchange.stop(signal.SIGTERM)
        lasted_s = time.monotonic() - began
        for each in senders:
            each.join()

        assert status == 0
        assert lasted_s < DRAINS_WITHIN_S
        assert "Traceback" not in bridge.exchange.log()
        must_be_true_of_the_ledger(bridge)
        assert "Every object has the hash" in bridge.exchange.must("verify")


def test_bridge_told_to_stop_does_not_wait_for_those_who_stall(tmp_path: Path) -> None:
    with running(tmp_path, dicom_pdu_timeout=120) as bridge, sender(bridge) as stalling:
        stalling.begin(fresh_uid())  # and nothing more
        began = time.monotonic()
        assert bridge.exchange.stop(signal.SIGTERM) == 0
        assert time.monotonic() - began < DRAINS_WITHIN_S
