"""Sending over MLLP: each thing that a receiver may answer, or not, ends in a word about it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from casework.errors import Refused, Unavailable
from pacs_bridge.mllp import Unframer, framed
from pacs_bridge.mllp_sender import Receiver, send
from tests.ports import free_port

MESSAGE = b"MSH|^~\\&|A|B|C|D|20260302||ORU^R01^ORU_R01|M-1|P|2.5.1\rPID|1\r"


def answer(code: str, number: str = "M-1", text: str = "", more: bytes = b"") -> bytes:
    head = b"MSH|^~\\&|C|D|A|B|20260302||ACK^R01^ACK|R-9|P|2.5.1\r"
    return framed(head + f"MSA|{code}|{number}|{text}\r".encode() + more)


@contextmanager
def receiver(behave: Callable[[socket.socket, bytes], None]) -> Iterator[Receiver]:
    """Give the place of a receiver that takes one message and then behaves."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = listening.accept()
        with connection:
            unframer = Unframer(max_bytes=1 << 20)
            while not (messages := list(unframer.received(connection.recv(65536)))):
                pass
            behave(connection, messages[0])

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield Receiver("127.0.0.1", listening.getsockname()[1], timeout_s=0.5)
    finally:
        thread.join(5)
        listening.close()


def saying(*portions: bytes) -> Callable[[socket.socket, bytes], None]:
    def behave(connection: socket.socket, _message: bytes) -> None:
        for portion in portions:
            connection.sendall(portion)

    return behave


@pytest.mark.parametrize("code", ["AA", "CA"])
def test_an_accepted_message_is_told_with_the_receivers_number(code: str) -> None:
    with receiver(saying(answer(code))) as there:
        assert send(MESSAGE, there) == f"{code} R-9"


def test_the_answer_to_another_message_is_passed_over() -> None:
    with receiver(saying(answer("AE", "M-0"), answer("AA"))) as there:
        assert send(MESSAGE, there) == "AA R-9"


def test_an_answer_in_pieces_is_put_together() -> None:
    whole = answer("AA")
    with receiver(saying(whole[:20], whole[20:])) as there:
        assert send(MESSAGE, there).startswith("AA")


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (answer("AE", text="Unknown patient"), "answered AE: Unknown patient"),
        (answer("AR"), "answered AR without a reason"),
        (answer("AE", more=b"ERR|||207^Application internal error|E||||No such order\r"),
         "No such order"),
    ],
)  # fmt: skip
def test_a_refusal_is_told_in_the_receivers_words(said: bytes, words: str) -> None:
    with receiver(saying(said)) as there, pytest.raises(Refused, match=words):
        send(MESSAGE, there)


def test_a_receiver_that_hangs_up_or_says_nothing_is_not_taken_for_success() -> None:
    with receiver(saying()) as there, pytest.raises(Unavailable, match="without an answer"):
        send(MESSAGE, there)
    done = threading.Event()
    with receiver(lambda *_: done.wait(5) and None) as there:  # type: ignore[func-returns-value]
        with pytest.raises(Unavailable, match="no answer within"):
            send(MESSAGE, there)
        done.set()


def test_nobody_there_is_told_as_that() -> None:
    with pytest.raises(Unavailable, match="cannot be reached"):
        send(MESSAGE, Receiver("127.0.0.1", free_port(), timeout_s=1))


def test_what_is_no_hl7_is_told_as_that() -> None:
    noise = saying(b"HTTP/1.1 400 Bad Request\r\n" * 4000)
    with receiver(noise) as there, pytest.raises(Unavailable, match="no HL7"):
        send(MESSAGE, there)
