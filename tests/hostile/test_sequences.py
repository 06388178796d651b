"""PDUs in any order and every state: none of it leaves an association behind.

How many sequences is LYSBRO_HOSTILE_SEQUENCES.
"""

from __future__ import annotations

import os
import random
import struct
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from pacs_bridge import dimse, pdu
from tests.hostile.bridge import Bridge
from tests.hostile.conftest import IDLE_S
from tests.hostile.ledger import is_success
from tests.hostile.mutations import messages_in
from tests.hostile.sending import EXPLICIT, fresh_uid
from tests.hostile.test_cut_off import reset
from tests.pacs_bridge.pdus import SAMPLES
from tests.pacs_bridge.wire import CT, ECHO, IMPLICIT, Peer, associate_request, connected, p_data
from tests.storage.building import dataset

pytestmark = pytest.mark.slow

SEQUENCES = int(os.environ.get("LYSBRO_HOSTILE_SEQUENCES", "1200"))
SENDERS = 8
FIND = "1.2.840.10008.5.1.4.1.2.2.1"
OWN, HANDED = [(CT, EXPLICIT), (ECHO, IMPLICIT)], [(CT, EXPLICIT), (FIND, EXPLICIT)]


def command(field: int, sop_class: str, *, dataset_type: int, **numbers: int) -> bytes:
    elements = {
        0x0002: sop_class.encode() + b"\0" * (len(sop_class) % 2),
        0x0100: struct.pack("<H", field),
        0x0800: struct.pack("<H", dataset_type),
    }
    names = {"id": 0x0110, "responds_to": 0x0120, "status": 0x0900, "priority": 0x0700}
    elements |= {names[name]: struct.pack("<H", value) for name, value in numbers.items()}
    return dimse.write_elements(elements)


def alphabet(uid: str, chosen: random.Random) -> list[bytes]:
    """Return the PDUs that a sequence is made of."""
    data = dataset(uid)
    none = dimse.NO_DATASET
    store = dimse.write_store_request(chosen.randrange(1 << 16), CT, uid)
    half = chosen.randrange(len(data))
    return [
        *map(pdu.encode, SAMPLES),
        associate_request(OWN),
        associate_request(HANDED),
        p_data(1, 3, store),
        p_data(1, 1, store[:20]),
        p_data(1, 3, store[20:]),
        p_data(1, 2, data),
        p_data(1, 0, data[:half]),
        p_data(1, 2, data[half:]),
        p_data(1, 3, store) + p_data(1, 2, data),
        p_data(3, 3, command(dimse.C_ECHO_RQ, ECHO, dataset_type=none, id=1)),
        p_data(3, 3, command(dimse.C_FIND_RQ, FIND, dataset_type=1, id=2, priority=0)),
        p_data(3, 2, b"no identifier"),
        p_data(3, 3, command(dimse.C_CANCEL_RQ, FIND, dataset_type=none, responds_to=2)),
        p_data(3, 3, command(0x8100, "1.2.840.10008.1.20.1", dataset_type=none, responds_to=1,
                             status=0)),
        p_data(chosen.randrange(256), chosen.randrange(256), chosen.randbytes(20)),
        pdu.encode(pdu.Abort(chosen.randrange(256), chosen.randrange(256))),
        pdu.encode(pdu.AssociateReject(1, 1, 1)),
        struct.pack(">BxL", chosen.choice((0, 8, 9, 255)), 4) + bytes(4),
        struct.pack(">BxL", chosen.randrange(1, 8), chosen.randrange(1 << 10)),
        chosen.randbytes(chosen.randint(1, 30)),
    ]  # fmt: skip


def sequence(number: int) -> tuple[str, list[bytes]]:
    """Return the sequence of this number, sound in its first steps half of the time."""
    chosen = random.Random(f"sequence {number}")
    uid = fresh_uid()
    letters = alphabet(uid, chosen)
    steps = [associate_request(chosen.choice((OWN, OWN, OWN, HANDED)))]
    if chosen.random() < 0.15:
        steps = []
    steps += [chosen.choice(letters) for _ in range(chosen.randint(1, 8))]
    return uid, steps


def play(bridge: Bridge, number: int) -> str:
    """Play a sequence and leave in one of the ways there are; return what was answered last."""
    uid, steps = sequence(number)
    sent = messages_in(b"".join(steps))
    for name, data in sent:
        bridge.ledger.sent_whole(name, data)
    leaves = random.Random(f"leaving {number}").choices(
        ("waits", "closes", "shuts", "resets"), (1, 40, 40, 20)
    )[0]
    with connected(bridge.port, timeout_s=IDLE_S + 10) as peer:
        try:
            for step in steps:
                peer.send(step)
        except OSError:
            pass  # it has ended the connection, as it may
        if leaves in ("closes", "resets"):
            if leaves == "resets":
                reset(peer.socket)
            return leaves
        if leaves == "shuts":
            try:
                peer.socket.shutdown(1)
            except OSError:
                return "gone"
        return last_answer(bridge, peer, uid, sent)


def last_answer(bridge: Bridge, peer: Peer, uid: str, sent: list[tuple[str, bytes]]) -> str:
    last = 0
    while True:
        kind, body = peer.read_pdu()
        if kind == 0:
            return f"ended after {last}"
        last = kind
        if kind != 4 or len(body) < 6:
            continue
        answer = dimse.read_command(body[6:])
        status = int.from_bytes(answer.elements.get(0x0900, b"\xff\xff"), "little")
        if answer.field == dimse.C_STORE_RSP and is_success(status):
            whole = {data for name, data in sent if name == uid}
            assert whole, f"{uid} was acknowledged and never sent"
            if len(whole) == 1:
                bridge.ledger.answered(uid, whole.pop(), status)


@pytest.mark.timeout(300 + SEQUENCES // 20)
def test_any_sequence_of_pdus_leaves_no_association_behind(attacked: Bridge) -> None:
    outcomes: Counter[str] = Counter()
    with ThreadPoolExecutor(SENDERS) as pool:
        for outcome in pool.map(lambda number: play(attacked, number), range(SEQUENCES)):
            outcomes[outcome] += 1

    assert sum(outcomes.values()) == SEQUENCES
    assert any(name.startswith("ended after 7") for name in outcomes)  # some were aborted,
    assert any(name.startswith("ended after 4") for name in outcomes)  # some answered,
    assert any(name.startswith("ended after 6") for name in outcomes)  # some released in order
    attacked.all_are_gone(timeout_s=30)


def test_sequence_of_each_state_ends_at_once_when_the_peer_aborts(attacked: Bridge) -> None:
    """From each state that an acceptor can be in, an A-ABORT ends the connection."""
    store = p_data(1, 3, dimse.write_store_request(1, CT, "1.2.3"))
    states = {
        "Sta2": b"",
        "Sta6": associate_request(OWN),
        "Sta6, in a command": associate_request(OWN) + store[:-4],
        "Sta6, in a data set": associate_request(OWN) + store + p_data(1, 0, b"half"),
        "Sta13, aborted": associate_request(OWN) * 2,
        "Sta13, rejected": associate_request(OWN, called="NOBODY"),
        "Sta13, released": associate_request(OWN) + pdu.encode(pdu.ReleaseRequest()),
        "handed on": associate_request(HANDED),
    }
    for name, begun in states.items():
        with connected(attacked.port, timeout_s=3) as peer:
            peer.send(begun)
            settled = threading.Event()
            settled.wait(0.05)
            try:
                peer.send(pdu.encode(pdu.Abort(0, 0)))
            except OSError:
                continue
            while peer.read_pdu()[0]:
                pass
        assert name
