"""Sends one HL7 message over MLLP and gives what is answered to it (HL7 2.5.1 2.9, appendix C).

A connection for each message: replies are few, and a receiver that was restarted is no fault. What
is told back is in words; when to try again is not decided here.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from dataclasses import dataclass

from casework.errors import Refused, TooLarge, Unavailable
from pacs_bridge.hl7_text import parse
from pacs_bridge.mllp import Unframer, framed

_TAKEN = frozenset({"AA", "CA"})
_MOST_BYTES = 1 << 20
_PORTION = 65_536


@dataclass(frozen=True)
class Receiver:
    """Where a message goes."""

    host: str
    port: int
    tls: ssl.SSLContext | None = None
    timeout_s: float = 30.0

    def __str__(self) -> str:
        """Return it as people write it."""
        return f"{self.host}:{self.port}"


def send(message: bytes, receiver: Receiver) -> str:
    """Send a message and return how it was taken, as `AA` with the receiver's own number.

    Raises Unavailable when no answer to it came, Refused with the receiver's words else.
    """
    number = parse(message).header.text(10)
    try:
        with contextlib.closing(_connected(receiver)) as connection:
            connection.sendall(framed(message))
            return _answer(connection, receiver, number)
    except ssl.SSLError as error:
        raise Unavailable(
            f"{receiver} and we agree on no TLS: {error.reason or error}. Look at its certificate "
            "and at ours.",
            code="no-tls",
        ) from error
    except OSError as error:
        raise Unavailable(
            f"{receiver} cannot be reached or broke off: {error.strerror or error}. See that it "
            "runs and can be reached from here.",
            code="unreachable",
        ) from error


def _connected(receiver: Receiver) -> socket.socket:
    plain = socket.create_connection((receiver.host, receiver.port), receiver.timeout_s)
    if receiver.tls is None:
        return plain
    try:
        return receiver.tls.wrap_socket(plain, server_hostname=receiver.host)
    except BaseException:
        plain.close()
        raise


def _answer(connection: socket.socket, receiver: Receiver, number: str) -> str:
    unframer = Unframer(max_bytes=_MOST_BYTES)
    until = time.monotonic() + receiver.timeout_s
    while (left_s := until - time.monotonic()) > 0:
        connection.settimeout(left_s)
        try:
            data = connection.recv(_PORTION)
        except TimeoutError:
            break
        if not data:
            raise Unavailable(
                f"{receiver} closed the connection without an answer. Look at its log.",
                code="no-answer",
            )
        try:
            for answer in unframer.received(data):
                if (taken := _judged(answer, receiver, number)) is not None:
                    return taken
        except TooLarge as error:
            raise Unavailable(f"{receiver} answers no HL7: {error.message}") from error
    raise Unavailable(
        f"{receiver} gave no answer within {receiver.timeout_s:g} s. Look at its log.",
        code="no-answer",
    )


def _judged(answer: bytes, receiver: Receiver, number: str) -> str | None:
    """Return how the message was taken; None when this answers another one."""
    parsed = parse(answer)
    told = parsed.first("MSA")
    if told is None or told.text(2) != number:
        return None
    code = told.text(1).upper()
    if code in _TAKEN:
        return f"{code} {parsed.header.text(10)}".strip()
    error = parsed.first("ERR")
    words = told.text(3) or (error.text(8) or error.text(3, 2) if error is not None else "")
    said = f": {words}" if words else " without a reason"
    raise Refused(
        f"{receiver} answered {code or 'nothing'}{said}. Ask its operator what it finds wrong.",
        code="not-accepted",
    )
