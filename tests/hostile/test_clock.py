"""The wall clock jumps while the bridge receives: deadlines do not, and nothing is lost.

The clock of the bridge's process alone is moved.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from pacs_bridge import dimse
from tests.hostile.bridge import Bridge, must_be_true_of_the_ledger, running, watched
from tests.hostile.clocks import Move, movable
from tests.hostile.conftest import IDLE_S, PDU_S, REQUEST_S
from tests.hostile.sending import fresh_uid, sender
from tests.hostile.test_slow_and_endless import ends_within
from tests.pacs_bridge.test_wire import echo_request
from tests.pacs_bridge.wire import CT, ECHO, IMPLICIT, connected, p_data
from tests.storage.building import dataset

pytestmark = pytest.mark.slow

HOUR_S = 3600
STEPS = {"an hour on": HOUR_S, "an hour back": -HOUR_S, "a leap second": 1, "a leap back": -1}


@pytest.fixture(scope="module")
def moved(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Bridge, Move]]:
    """Return a bridge, and what moves its clock by seconds from the true time."""
    folder = tmp_path_factory.mktemp("clock")
    clock = movable(folder)
    with running(
        folder / "bridge",
        preload=clock.library,
        clock=clock.offset,
        dicom_request_timeout=REQUEST_S,
        dicom_pdu_timeout=PDU_S,
        dicom_idle_timeout=IDLE_S,
    ) as bridge:
        yield bridge, clock.move


def steps() -> list[tuple[str, int]]:
    to_1970 = int((datetime(1970, 1, 2, tzinfo=UTC) - datetime.now(UTC)).total_seconds())
    return [*STEPS.items(), ("1970", to_1970)]


@pytest.mark.parametrize("name", [*STEPS, "1970"])
def test_clock_that_jumps_ends_no_association_and_loses_nothing(
    moved: tuple[Bridge, Move], name: str
) -> None:
    bridge, move = moved
    move(0)
    with watched(bridge), connected(bridge.port) as idle, sender(bridge) as sending:
        idle.associate([(ECHO, IMPLICIT)])
        uid = fresh_uid()
        data = dataset(uid)
        assert sending.store(uid, data) == 0x0000
        inside = fresh_uid()
        sending.begin(inside)
        whole = dataset(inside, rows=100, columns=100, pixels=bytes(20_000))
        sending.peer.send(p_data(1, 0, whole[:10_000]))

        move(dict(steps())[name])
        threading.Event().wait(0.8)  # longer than the pause between two looks at the clock

        bridge.ledger.sent_whole(inside, whole)
        sending.peer.send(p_data(1, 2, whole[10_000:]))
        assert sending.hear(inside, whole) == 0x0000
        assert sending.store(uid, data) == 0x0000
        idle.send(p_data(1, 3, echo_request()))
        assert idle.response().Status == 0x0000
        years = {row.received_at.year for row, _ in until_indexed(bridge, inside)}
        assert years == {datetime.now(UTC).year}  # by our count, which does not jump
    must_be_true_of_the_ledger(bridge)
    move(0)


def until_indexed(bridge: Bridge, uid: str) -> list[tuple[object, bytes]]:
    bridge.settled()
    return [(row, data) for row, data in bridge.rows() if row.sop_instance_uid == uid]


@pytest.mark.parametrize("seconds", [HOUR_S, -HOUR_S])
def test_deadline_stands_while_the_clock_jumps(moved: tuple[Bridge, Move], seconds: int) -> None:
    bridge, move = moved
    move(0)
    with watched(bridge), connected(bridge.port) as peer:
        peer.associate([(CT, IMPLICIT)])
        peer.send(p_data(1, 3, dimse.write_store_request(1, CT, "1.2.3"))[:-10])
        began = time.monotonic()
        move(seconds)
        ends_within(peer, PDU_S)
        assert time.monotonic() - began > PDU_S / 2
    move(0)
