"""Data sets whose reading could cost far more than their bytes: deeply nested, and deflated."""

from __future__ import annotations

import functools
import struct
import time
import zlib
from concurrent.futures import ThreadPoolExecutor

import pytest

from pacs_bridge import pdu
from storage.part10 import IMPLICIT_LE
from tests.hostile.bridge import MIB, Bridge
from tests.hostile.sending import EXPLICIT, fresh_uid, sender
from tests.pacs_bridge.wire import CT, connected
from tests.storage.building import ITEM_END, SEQUENCE_END, dataset, deflated, element, item

pytestmark = pytest.mark.slow

DEFLATED = "1.2.840.10008.1.2.1.99"
FIND = "1.2.840.10008.5.1.4.1.2.2.1"
TAG = 0x00081140
DEPTHS = [10, 64, 65, 100, 1_000, 10_000, 100_000]
DEEPEST = 64


def nested(depth: int, *, undefined: bool, implicit: bool) -> bytes:
    """Return sequences in sequences, so deep; made without recursion and in linear time."""
    if undefined:
        start = element(TAG, "SQ", b"", length=0xFFFFFFFF, implicit=implicit)
        start += struct.pack("<HHL", 0xFFFE, 0xE000, 0xFFFFFFFF)
        return start * depth + (ITEM_END + SEQUENCE_END) * depth
    parts, size = [], 0
    for _ in range(depth):
        parts.append(struct.pack("<HHL", 0xFFFE, 0xE000, size))
        size += 8
        parts.append(element(TAG, "SQ", b"", length=size, implicit=implicit))
        size += 8 if implicit else 12
    return b"".join(reversed(parts))


@pytest.mark.parametrize("implicit", [False, True], ids=["explicit", "implicit"])
@pytest.mark.parametrize("undefined", [False, True], ids=["defined", "undefined"])
@pytest.mark.parametrize("depth", DEPTHS)
def test_nesting_is_taken_to_its_limit_and_costs_no_more_than_its_bytes(
    attacked: Bridge, depth: int, undefined: bool, implicit: bool
) -> None:
    uid = fresh_uid()
    extra = nested(depth, undefined=undefined, implicit=implicit)
    head, pixels = dataset(uid, pixels=None, implicit=implicit), bytes(32)
    data = head + element(0x7FE00010, "OW", pixels, implicit=implicit)
    data = data.replace(
        element(0x00080060, "CS", "CT", implicit=implicit),
        element(0x00080060, "CS", "CT", implicit=implicit) + extra,
    )
    before = attacked.rss_bytes()
    with sender(attacked, syntax=IMPLICIT_LE if implicit else EXPLICIT) as sending:
        began = time.monotonic()
        status = sending.store(uid, data)
        lasted_s = time.monotonic() - began

    assert f"{status:04X}" == ("0000" if depth <= DEEPEST else "C001")
    assert lasted_s < 1.0
    assert attacked.peak_bytes() < before + 40 * MIB


@pytest.mark.parametrize("undefined", [False, True])
def test_wide_sequence_of_many_items_is_taken_or_refused_in_time(
    attacked: Bridge, undefined: bool
) -> None:
    uid = fresh_uid()
    items = item(b"", undefined=undefined) * 200_000
    extra = element(TAG, "SQ", items)
    data = dataset(uid).replace(
        element(0x00080060, "CS", "CT"), element(0x00080060, "CS", "CT") + extra
    )
    before = attacked.rss_bytes()
    with sender(attacked) as sending:
        began = time.monotonic()
        assert sending.store(uid, data) == 0x0000
        assert time.monotonic() - began < 5.0
    assert attacked.peak_bytes() < before + 80 * MIB


def test_more_elements_than_the_limit_are_refused(attacked: Bridge) -> None:
    uid = fresh_uid()
    many = struct.pack("<HHL", 0x0009, 0x0010, 0) * 500_000  # 4 MB, the most that is taken here
    with sender(attacked, syntax=IMPLICIT_LE) as sending:
        began = time.monotonic()
        status = sending.store(uid, dataset(uid, implicit=True, pixels=None)[:-8] + many)
        assert status != 0x0000
        assert time.monotonic() - began < 10.0


@functools.cache
def bomb(unfolded_bytes: int) -> bytes:
    """Return a deflated data set whose pixel data unfolds to so many zeros."""
    engine = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    head = dataset("1.2.3.4", pixels=None)
    out = [engine.compress(head + element(0x7FE00010, "OW", b"", length=unfolded_bytes))]
    out += [engine.compress(bytes(1 << 20)) for _ in range(unfolded_bytes >> 20)]
    content = b"".join([*out, engine.flush()])
    return content + b"\0" * (len(content) % 2)


def test_deflated_bomb_is_refused_and_takes_little_memory(attacked: Bridge) -> None:
    data = bomb(1 << 30)
    assert len(data) < 2 * MIB
    before = attacked.rss_bytes()
    with sender(attacked, syntax=DEFLATED) as sending:
        began = time.monotonic()
        assert sending.store("1.2.3.4", data) == 0xA700
        assert time.monotonic() - began < 5.0
    assert attacked.peak_bytes() < before + 150 * MIB


def test_deflated_bombs_at_once_take_the_memory_of_one(attacked: Bridge) -> None:
    data = bomb(1 << 30)
    before = attacked.rss_bytes()

    def store(_: int) -> int:
        with sender(attacked, syntax=DEFLATED, timeout_s=60) as sending:
            return sending.store("1.2.3.4", data)

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(store, range(8))) == [0xA700] * 8
    assert attacked.peak_bytes() < before + 200 * MIB


def test_deflated_object_of_ordinary_size_is_kept(attacked: Bridge) -> None:
    uid = fresh_uid()
    data = deflated(dataset(uid, rows=512, columns=512, pixels=bytes(512 * 512 * 2)))
    with sender(attacked, syntax=DEFLATED) as sending:
        assert sending.store(uid, data) == 0x0000


def test_context_for_deflated_identifiers_is_not_accepted(attacked: Bridge) -> None:
    with connected(attacked.port) as peer:
        accepted = peer.associate([(FIND, DEFLATED), (CT, DEFLATED)])
    answered = pdu.decode(pdu.ASSOCIATE_AC, accepted)
    assert isinstance(answered, pdu.AssociateAccept)
    assert {context.id: context.result for context in answered.contexts} == {1: 4, 3: 0}
