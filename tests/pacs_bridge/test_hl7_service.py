"""HL7 over a real socket: halves, crowds, noise, the slow and the huge, TLS, and stopping."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from casework.access import Scope
from casework.errors import Unavailable
from casework.model import Site, SiteKind
from pacs_bridge.hl7_desk import Hl7Desk
from pacs_bridge.hl7_service import Hl7Service, Hl7Settings
from pacs_bridge.mllp import framed
from storage.database import Database
from storage.hl7_inbox import Hl7Inbox
from storage.hl7_inbox import Sender as Registered
from storage.orders import Orders, Wanted
from storage.people import People
from storage.testing import fresh_database
from tests.flows.waiting import until
from tests.pacs_bridge.certificates import caller_context, tls_files, wallet
from tests.pacs_bridge.messages7 import Sender, orm

ALL = Scope(sites=None, specialties=None, own_site="nordlys")


def now() -> datetime:
    return datetime.now(UTC)


class Room:
    """A service that listens, and what is behind it."""

    def __init__(self, database: Database, **settings: Any) -> None:
        self.people = People(database, now)
        for slug in ("hammer", "utsira"):
            self.people.add_site(Site(slug, slug.title(), SiteKind.HOSPITAL))
        self.inbox = Hl7Inbox(database, now)
        self.inbox.add_sender(Registered("RIS", "HAMMER", "hammer"))
        self.orders = Orders(database, now)
        desk = Hl7Desk(self.inbox, clock=now, application="LYSBRO", timezone="Europe/Oslo")
        self.service = Hl7Service(
            Hl7Settings(**{"port": 0, "drain_s": 5, **settings}),
            desk,
            site_of_certificate=self.people.site_of_certificate,
        )
        self.service.start()

    def count(self) -> int:
        return len(self.orders.listed(ALL, Wanted(), limit=1000)[0])

    def sender(self) -> Sender:
        return Sender(self.service.port)


@contextmanager
def room_in(folder: Path, **settings: Any) -> Iterator[Room]:
    with fresh_database(folder) as database:
        room = Room(database, **settings)
        try:
            yield room
        finally:
            room.service.stop()


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    with room_in(tmp_path) as opened:
        yield opened


def numbered(number: int, **changes: Any) -> bytes:
    return orm(
        control_id=f"M{number}", placer=f"P{number}", accession=f"A{number}", study="", **changes
    )


def test_several_messages_over_one_connection_are_answered_in_turn(room: Room) -> None:
    with room.sender() as sender:
        sender.send(b"".join(framed(numbered(n)) for n in range(5)))
        for n in range(5):
            answer = sender.answer()
            assert answer is not None
            assert f"MSA|AA|M{n}".encode() in answer
    assert room.count() == 5


def test_a_message_that_comes_byte_by_byte_is_whole(room: Room) -> None:
    with room.sender() as sender:
        for byte in framed(orm()):
            sender.send(bytes([byte]))
        assert b"MSA|AA" in (sender.answer() or b"")


def test_half_a_message_is_nothing(room: Room) -> None:
    with room.sender() as sender:
        sender.send(framed(orm())[:-20])
    with room.sender() as sender:
        assert "MSA|AA" in sender.ask(numbered(2))
    assert room.count() == 1


def test_a_message_that_was_answered_is_kept_when_the_sender_is_gone_before(room: Room) -> None:
    with room.sender() as sender:
        sender.send(framed(orm()))
    until(lambda: room.count() == 1, "the order to be kept")


@pytest.mark.parametrize(
    "garbage",
    [b"GET / HTTP/1.1\r\n\r\n" + b"x" * 70_000, framed(b"no hl7 at all"), framed(b"\xff" * 50)],
)
def test_garbage_ends_its_own_connection_only(room: Room, garbage: bytes) -> None:
    with room.sender() as good, room.sender() as bad:
        bad.send(garbage)
        assert bad.answer() is None
        assert "MSA|AA" in good.ask(orm())


def test_a_message_over_the_limit_ends_its_connection(tmp_path: Path) -> None:
    with room_in(tmp_path, max_bytes=4096) as room, room.sender() as sender:
        sender.send(b"\x0b" + b"x" * 5000)
        assert sender.answer() is None
        assert room.count() == 0


def test_slow_and_silent_senders_are_let_go(tmp_path: Path) -> None:
    with room_in(tmp_path, message_timeout_s=0.5, idle_timeout_s=0.9) as room:
        with room.sender() as slow, room.sender() as silent:
            slow.send(b"\x0bMSH|")
            began = time.monotonic()
            assert slow.answer() is None
            assert silent.answer() is None
            assert time.monotonic() - began < 5
        with room.sender() as sender:
            assert "MSA|AA" in sender.ask(orm())


def test_connections_beyond_the_limit_are_turned_away(tmp_path: Path) -> None:
    with room_in(tmp_path, max_connections=2) as room:
        with room.sender() as one, room.sender() as two:
            assert "MSA|AA" in one.ask(numbered(1))
            assert "MSA|AA" in two.ask(numbered(2))
            with room.sender() as three:
                assert three.answer() is None
        until(lambda: _answers(room), "a place to be free")


def _answers(room: Room) -> bool:
    with room.sender() as sender:
        sender.send(framed(orm()))
        return b"MSA|AA" in (sender.answer() or b"")


def test_the_same_order_from_many_connections_at_once_is_one(room: Room) -> None:
    answers: list[str] = []

    def ask() -> None:
        with room.sender() as sender:
            answers.append(sender.ask(orm()))

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all("MSA|AA" in answer for answer in answers)
    assert room.count() == 1


def test_what_cannot_be_kept_is_not_acknowledged(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> bool:
        raise Unavailable("The database does not answer.", code="database-busy")

    with room.sender() as sender:
        with monkeypatch.context() as patch:
            patch.setattr(room.inbox, "take", fails)
            assert "MSA|AR" in sender.ask(orm())
        assert "MSA|AA" in sender.ask(orm())


def test_stopping_answers_what_has_come_and_ends_what_waits(tmp_path: Path) -> None:
    with room_in(tmp_path) as room, room.sender() as idle, room.sender() as busy:
        message = framed(orm())
        busy.send(message[:100])
        until(lambda: len(room.service._open) == 2, "both to be heard")
        stopping = threading.Thread(target=room.service.stop)
        stopping.start()
        assert idle.answer() is None
        busy.send(message[100:])
        assert b"MSA|AA" in (busy.answer() or b"")
        assert busy.answer() is None
        stopping.join(10)
        assert not stopping.is_alive()
        assert room.count() == 1


@pytest.mark.peers
@pytest.mark.slow
def test_over_tls_a_certificate_speaks_for_its_own_site_s_senders(tmp_path: Path) -> None:
    with room_in(tmp_path, tls_files=tls_files()) as room:
        end = datetime(2030, 1, 1, tzinfo=UTC)
        for name in ("hammer", "utsira"):
            paper = getattr(wallet(), name)
            room.people.add_certificate(paper.fingerprint, name, subject=name, not_after=end)

        def ask(paper: Any) -> bytes:
            plain = socket.create_connection(("127.0.0.1", room.service.port), timeout=10)
            try:
                secure = caller_context(paper).wrap_socket(plain, server_hostname="127.0.0.1")
                with Sender(0, secure) as sender:
                    sender.send(framed(orm()))
                    return sender.answer() or b""
            except (ssl.SSLError, ConnectionError):
                return b""

        assert b"MSA|AA" in ask(wallet().hammer)
        assert b"MSA|AR" in ask(wallet().utsira)
        assert [ask(wallet().unknown), ask(wallet().foreign)] == [b"", b""]
