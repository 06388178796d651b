"""Connections and data sets that end too early, at every boundary and inside: nothing stays."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from pacs_bridge import dimse
from storage.part10 import IMPLICIT_LE
from storage.walker import LONG_VRS
from tests.flows.waiting import until
from tests.hostile.bridge import Bridge
from tests.hostile.ledger import is_success
from tests.hostile.sending import EXPLICIT, Sender, cut, fresh_uid, sender
from tests.pacs_bridge.collection import Sample, samples
from tests.pacs_bridge.wire import CT, connected, p_data
from tests.storage.building import dataset, deflated, element, encapsulated, item, sequence

pytestmark = pytest.mark.slow

JPEG = "1.2.840.10008.1.2.4.50"
DEFLATED = "1.2.840.10008.1.2.1.99"
BIG_ENDIAN = "1.2.840.10008.1.2.2"
BATCH = 64


def reset(connection: socket.socket) -> None:
    """Close with a reset, as a machine that is switched off does in the end."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def end(connection: socket.socket) -> None:
    """Close in good order."""


@pytest.mark.parametrize("how", [end, reset])
def test_connection_cut_at_any_fragment_or_inside_leaves_nothing(
    attacked: Bridge, how: Callable[[socket.socket], None]
) -> None:
    data = dataset("1.2.3", rows=600, columns=600, pixels=bytes(720_000))
    stream = [p_data(1, 3, dimse.write_store_request(1, CT, "1.2.3"))]
    stream += [p_data(1, 0, piece) for piece in cut(data, 40_000)]
    uids = []
    for whole in range(1, len(stream)):
        for inside in (0, 1, 7, 20_000):
            uid = fresh_uid()
            uids.append(uid)
            with connected(attacked.port) as peer:
                peer.associate([(CT, EXPLICIT)])
                Sender(peer, attacked).begin(uid)
                peer.send(b"".join(stream[1:whole]) + stream[whole][:inside])
                how(peer.socket)

    assert len(uids) == 4 * 19
    until(lambda: attacked.sockets() <= 1, "every place to be free")  # one may be the watcher's
    assert [row for row, _ in attacked.rows() if row.sop_instance_uid in uids] == []


def test_connection_cut_behind_the_last_byte_keeps_the_object_or_nothing_of_it(
    attacked: Bridge,
) -> None:
    for _ in range(10):
        uid = fresh_uid()
        with sender(attacked) as sending:
            sending.send(uid, dataset(uid, rows=200, columns=200, pixels=bytes(80_000)))


def seeds() -> list[tuple[str, str, bytes, str]]:
    """Return a name, transfer syntax and data set of each shape; the UID is `1.2.3.4`."""
    nested = sequence(
        0x00081140, [item(element(0x00081155, "UI", "1.2.9"), undefined=True)], undefined=True
    )
    implicit_nested = sequence(
        0x00081140, [item(element(0x00081155, "UI", "1.2.9", implicit=True))], implicit=True
    )
    return [
        ("explicit", EXPLICIT, dataset(extra=nested), CT),
        ("implicit", IMPLICIT_LE, dataset(extra=implicit_nested, implicit=True), CT),
        ("big", BIG_ENDIAN, dataset(big=True), CT),
        (
            "jpeg",
            JPEG,
            dataset(pixels=None) + encapsulated([bytes(30), bytes(8)], table=[0, 38]),
            CT,
        ),
        ("deflated", DEFLATED, deflated(dataset()), CT),
    ]


@pytest.mark.parametrize(
    ("name", "syntax", "data", "sop_class"), seeds(), ids=[seed[0] for seed in seeds()]
)
def test_data_set_cut_at_any_byte_is_refused_unless_it_ends_with_an_element(
    attacked: Bridge, name: str, syntax: str, data: bytes, sop_class: str
) -> None:
    """A data set that ends with a whole element is one: then all of its bytes are kept."""
    kept = statuses_of_cuts(attacked, "1.2.3.4", data, syntax, sop_class)

    assert kept <= set(ends_of_elements(data, syntax))
    assert len(kept) < 12
    with sender(attacked, sop_class=sop_class, syntax=syntax) as sending:
        assert sending.store("1.2.3.4", data) == 0x0000


def statuses_of_cuts(
    bridge: Bridge, uid: str, data: bytes, syntax: str, sop_class: str
) -> set[int]:
    """Store the data set cut at every byte; return the lengths that were not refused."""
    kept = set()
    with sender(bridge, sop_class=sop_class, syntax=syntax) as sending:
        for first in range(0, len(data), BATCH):
            lengths = range(first, min(first + BATCH, len(data)))
            for length in lengths:
                sending.send(uid, data[:length])
            for length in lengths:
                if is_success(sending.hear(uid, data[:length])):
                    kept.add(length)
    return kept


def ends_of_elements(data: bytes, syntax: str) -> list[int]:
    """Return where top-level elements end."""
    if syntax == DEFLATED:
        return [len(data) - n for n in range(3)]  # the pad byte, and the end of the stream
    order = ">" if syntax == BIG_ENDIAN else "<"
    ends, position = [], 0
    while position + 8 <= len(data):
        vr = data[position + 4 : position + 6]
        if syntax == IMPLICIT_LE:
            (length,) = struct.unpack_from("<L", data, position + 4)
            position += 8
        elif vr in LONG_VRS:
            (length,) = struct.unpack_from(order + "L", data, position + 8)
            position += 12
        else:
            (length,) = struct.unpack_from(order + "H", data, position + 6)
            position += 8
        if length == 0xFFFFFFFF:
            delimiter = b"\xfe\xff\xdd\xe0\0\0\0\0"
            position = data.index(delimiter, position) + len(delimiter)
        else:
            position += length
        ends.append(position)
    return ends


@pytest.mark.fixtures
def test_real_file_cut_at_any_byte_is_refused_unless_it_ends_with_an_element(
    attacked: Bridge, fixtures_dir: Path
) -> None:
    small = smallest_of_each_syntax(fixtures_dir)
    assert len(small) >= 4
    for sample in small:
        kept = statuses_of_cuts(
            attacked,
            sample.sop_instance_uid,
            sample.dataset,
            sample.transfer_syntax_uid,
            sample.sop_class_uid,
        )
        wrong = kept - set(ends_of_elements(sample.dataset, sample.transfer_syntax_uid))
        assert wrong == set(), sample.name


def smallest_of_each_syntax(folder: Path) -> list[Sample]:
    """Return a sound small file of each transfer syntax, up to 4,000 bytes."""
    best: dict[str, Sample] = {}
    for sample in samples(folder):
        if len(sample.dataset) > 4000 or sample.name.startswith(("malformed/", "dicom_dicomdir/")):
            continue
        known = best.get(sample.transfer_syntax_uid)
        if known is None or len(sample.dataset) < len(known.dataset):
            best[sample.transfer_syntax_uid] = sample
    return list(best.values())
