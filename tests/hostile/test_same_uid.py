"""One UID from many senders at once: the same bytes are one object, other bytes are all kept."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from storage.tables import CURRENT, QUARANTINED
from tests.hostile.bridge import Bridge
from tests.hostile.sending import fresh_uid, sender
from tests.storage.building import dataset

pytestmark = pytest.mark.slow

MANY = 50


def store_at_once(bridge: Bridge, objects: list[tuple[str, bytes]]) -> list[int]:
    """Store each over an association of its own, all last bytes at one moment."""
    together = threading.Barrier(len(objects))

    def store(one: tuple[str, bytes]) -> int:
        with sender(bridge) as sending:
            together.wait(20)
            return sending.store(*one)

    with ThreadPoolExecutor(len(objects)) as pool:
        return list(pool.map(store, objects))


def states_of(bridge: Bridge, uid: str) -> list[str]:
    return sorted(row.state for row, _ in bridge.rows() if row.sop_instance_uid == uid)


def test_same_bytes_from_fifty_at_once_are_one_object(attacked: Bridge) -> None:
    uid = fresh_uid()
    data = dataset(uid, rows=200, columns=200, pixels=bytes(80_000))

    statuses = store_at_once(attacked, [(uid, data)] * MANY)

    assert statuses == [0x0000] * MANY
    attacked.settled()
    assert states_of(attacked, uid) == [CURRENT]


def test_other_bytes_from_fifty_at_once_are_all_kept_and_one_counts(attacked: Bridge) -> None:
    uid = fresh_uid()
    versions = [
        (uid, dataset(uid, pixels=number.to_bytes(2) * 40_000, rows=200, columns=200))
        for number in range(MANY)
    ]

    statuses = store_at_once(attacked, versions)

    assert statuses == [0x0000] * MANY
    attacked.settled()
    assert states_of(attacked, uid) == [CURRENT, *[QUARANTINED] * (MANY - 1)]


def test_other_bytes_in_turn_leave_the_first_in_its_place(attacked: Bridge) -> None:
    uid = fresh_uid()
    first = dataset(uid, name="FIRST^ONE")
    with sender(attacked) as sending:
        assert sending.store(uid, first) == 0x0000
        for number in range(5):
            assert sending.store(uid, dataset(uid, name=f"OTHER^{number}")) == 0x0000
            assert sending.store(uid, first) == 0x0000

    attacked.settled()
    kept = [(row, data) for row, data in attacked.rows() if row.sop_instance_uid == uid]
    assert [data for row, data in kept if row.state == CURRENT] == [first]
    assert sorted(row.state for row, _ in kept) == [CURRENT, *[QUARANTINED] * 5]


def test_same_uid_from_two_sites_is_two_objects(attacked: Bridge) -> None:
    uid = fresh_uid()
    for calling, name in (("HAMMER_CT", "OF^HAMMER"), ("UTSIRA_CT", "OF^UTSIRA")):
        with sender(attacked, calling=calling) as sending:
            assert sending.store(uid, dataset(uid, name=name)) == 0x0000

    attacked.settled()
    kept = {row.site: row.state for row, _ in attacked.rows() if row.sop_instance_uid == uid}
    assert kept == {"hammer": CURRENT, "utsira": CURRENT}
