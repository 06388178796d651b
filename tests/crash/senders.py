"""Modalities that send over associations of their own until their peer is gone, and the ledger of
what they were told. It lies in the process that watches, not in the one that dies.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field

from pacs_bridge import dimse
from storage.journal import new_digest
from storage.part10 import EXPLICIT_LE
from tests.pacs_bridge.wire import CT, Peer, associate_request, connected, p_data
from tests.storage.building import dataset

SENDERS = 4
FRAGMENT_BYTES = 60_000
SIDES = (8, 40, 8, 40, 400)  # pixels: 128 B, 3 kB, and 320 kB that streams into the segment
BROKEN_OFF_EVERY = 9
REPEATED_EVERY = 7
SERIES_OBJECTS = 10
KEPT = {0x0000, 0xB007}
_ACCEPT, _RESPONSE = 2, 4


@dataclass
class Ledger:
    """What was sent, and what was answered."""

    acknowledged: dict[str, str] = field(default_factory=dict)  # UID to hash
    sent_whole: dict[str, str] = field(default_factory=dict)  # the last byte was given to the line
    answers: list[tuple[str, int]] = field(default_factory=list)  # sender and status, in order


@dataclass
class Sender:
    """One modality: sends what was not acknowledged in an earlier life, then new objects."""

    name: str
    ledger: Ledger
    waiting: dict[str, bytes] = field(default_factory=dict)
    stopped: threading.Event = field(default_factory=threading.Event)
    limit: int = 1 << 30
    _number: int = 0  # of the last new object
    _sent: int = 0
    _again: list[str] = field(default_factory=list)
    _repeat: tuple[str, bytes] | None = None

    def run(self, port: int) -> None:
        """Send until the peer is gone."""
        self._again = list(self.waiting)
        with suppress(OSError, Gone):
            while not self.stopped.is_set():
                self._associate(port)

    def _associate(self, port: int) -> None:
        with connected(port) as peer:
            peer.send(associate_request([(CT, EXPLICIT_LE)]))
            if peer.read_pdu()[0] != _ACCEPT:
                raise Gone
            for uid, content in self._objects():
                if self.stopped.is_set():
                    return
                self._store(peer, uid, content)
                self._sent += 1
                if self._sent % BROKEN_OFF_EVERY == 0:
                    self._break_off(peer)
                    return

    def _objects(self) -> Iterator[tuple[str, bytes]]:
        while self._again:
            uid = self._again.pop()
            yield uid, self.waiting[uid]
        while self._number < self.limit:
            self._number += 1
            if self._repeat is not None and self._number % REPEATED_EVERY == 0:
                yield self._repeat  # as a sender does that did not hear the answer
            yield self._object(f"2.25.{self.name}.{self._number}")
        self.stopped.set()

    def _object(self, uid: str) -> tuple[str, bytes]:
        chosen = random.Random(uid)
        side = SIDES[self._number % len(SIDES)]
        series = f"1.2.3.{self.name}.{self._number // SERIES_OBJECTS}"
        pixels = chosen.randbytes(side * side * 2)
        return uid, dataset(uid, series=series, rows=side, columns=side, pixels=pixels)

    def _store(self, peer: Peer, uid: str, content: bytes) -> None:
        self.waiting[uid] = content
        fragments = list(_fragments(content))
        peer.send(request(uid) + b"".join(fragments[:-1]))
        self.ledger.sent_whole[uid] = sha256_of(content)
        peer.send(fragments[-1])
        status = status_of(peer)
        self.ledger.answers.append((self.name, status))
        if status in KEPT:
            self.ledger.acknowledged[uid] = sha256_of(content)
            del self.waiting[uid]
            self._repeat = (uid, content)

    def _break_off(self, peer: Peer) -> None:
        """Send a part of an object that streams, and hang up: it may never be seen."""
        uid = f"2.25.{self.name}.{self._sent}.9"
        content = dataset(uid, pixels=bytes(400_000))
        peer.send(request(uid) + b"".join(list(_fragments(content))[:-1]))


class Gone(Exception):
    """The peer has hung up."""


def request(uid: str) -> bytes:
    """Return the command of a C-STORE."""
    return p_data(1, 3, dimse.write_store_request(1, CT, uid))


def status_of(peer: Peer) -> int:
    """Return the status of the next response, or raise Gone."""
    kind, body = peer.read_pdu()
    if kind != _RESPONSE:
        raise Gone
    return int.from_bytes(dimse.read_command(body[6:]).elements[0x0900], "little")


def sha256_of(content: bytes) -> str:
    """Return the hash by which the exchange knows a data set."""
    digest = new_digest(EXPLICIT_LE)
    digest.update(content)
    return str(digest.hexdigest())


def _fragments(content: bytes) -> Iterator[bytes]:
    for start in range(0, len(content), FRAGMENT_BYTES):
        is_last = start + FRAGMENT_BYTES >= len(content)
        yield p_data(1, 2 if is_last else 0, content[start : start + FRAGMENT_BYTES])
