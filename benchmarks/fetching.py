"""Asks an HTTP server for many things over a few kept connections, as cheaply as can be.

It shares the processor with what it measures: one thread, requests made beforehand, and what is
measured by time alone is thrown away in the kernel (`MSG_TRUNC` on TCP, tcp(7)) and never copied.
Knows HTTP/1.1 only as far as it needs.
"""

from __future__ import annotations

import re
import selectors
import socket
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

_BUFFER = 1 << 20
_HEAD_END = b"\r\n\r\n"
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding: *chunked", re.IGNORECASE)
_VERSION = re.compile(rb"\r\netag: *([^\r]+)", re.IGNORECASE)
_CLOSE = re.compile(rb"\r\nconnection: *close", re.IGNORECASE)
_TIMEOUT_S = 60.0


def request(path: str, *, accept: str, port: int, authorization: str = "", **more: str) -> bytes:
    """Return a GET as it goes over the wire; further headers have `_` for `-`."""
    lines = [f"GET {path} HTTP/1.1", f"Host: 127.0.0.1:{port}", f"Accept: {accept}"]
    if authorization:
        lines.append(f"Authorization: {authorization}")
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in more.items() if value]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii")


@dataclass(frozen=True)
class Fetched:
    """What all the answers were together."""

    answers: int
    body_bytes: int  # as sent, multipart framing included
    took_s: float
    connections_made: int


def fetch(port: int, requests: Sequence[bytes], *, connections: int) -> Fetched:
    """Send every request once, so many at a time; every answer must be whole, or 304."""
    waiting = deque(requests)
    selector = selectors.DefaultSelector()
    buffer = bytearray(_BUFFER)
    open_now: list[_Connection] = []
    started = time.perf_counter()
    for _ in range(min(connections, len(requests))):
        connection = _Connection(port, waiting)
        connection.open()
        selector.register(connection.socket, selectors.EVENT_READ, connection)
        open_now.append(connection)
    left = len(open_now)
    while left:
        events = selector.select(_TIMEOUT_S)
        if not events:
            raise SystemExit("The server has not answered for a minute.")
        for key, _mask in events:
            connection = key.data
            before = connection.socket
            if connection.take(buffer):
                continue
            selector.unregister(before)
            if connection.is_done:
                left -= 1
            else:
                selector.register(connection.socket, selectors.EVENT_READ, connection)
    took_s = time.perf_counter() - started
    selector.close()
    for connection in open_now:
        connection.socket.close()
    return Fetched(
        answers=len(requests),
        body_bytes=sum(c.body_bytes for c in open_now),
        took_s=took_s,
        connections_made=sum(c.made for c in open_now),
    )


def version_of(port: int, one: bytes) -> str:
    """Return the entity tag of an answer; empty when it has none."""
    with socket.create_connection(("127.0.0.1", port), timeout=_TIMEOUT_S) as sock:
        sock.sendall(one.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1))
        answer = b"".join(iter(lambda: sock.recv(_BUFFER), b""))
    found = _VERSION.search(answer.partition(_HEAD_END)[0])
    return found.group(1).decode("ascii") if found else ""


def fetch_body(port: int, one: bytes) -> bytes:
    """Return the body of one answer, read whole: for comparing it."""
    with socket.create_connection(("127.0.0.1", port), timeout=_TIMEOUT_S) as sock:
        sock.sendall(one.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1))
        answer = b"".join(iter(lambda: sock.recv(_BUFFER), b""))
    head, _, body = answer.partition(_HEAD_END)
    if not head.startswith(b"HTTP/1.1 200"):
        raise SystemExit(f"The server answered {head[:200]!r} {body[:300]!r}")
    if _CHUNKED.search(head):
        parts, at = [], 0
        while True:
            size_end = body.index(b"\r\n", at)
            size = int(body[at:size_end].partition(b";")[0], 16)
            if size == 0:
                return b"".join(parts)
            parts.append(body[size_end + 2 : size_end + 2 + size])
            at = size_end + 2 + size + 2
    told = _LENGTH.search(head)
    if told and int(told.group(1)) != len(body):
        raise SystemExit(f"{len(body)} of {int(told.group(1))} bytes came.")
    return body


@dataclass
class _Connection:
    """One connection: sends the next request when an answer has come whole."""

    port: int
    waiting: deque[bytes]
    body_bytes: int = 0
    made: int = 0
    is_done: bool = False
    socket: socket.socket = field(default_factory=socket.socket)
    _held: bytes = b""
    _left: int = 0  # of the body, or of this chunk with its line end
    _state: str = "head"  # head | body | chunk-size | chunk | last | until-close
    _closes: bool = False

    def open(self) -> None:
        self.socket.close()
        self.socket = socket.create_connection(("127.0.0.1", self.port), timeout=_TIMEOUT_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.made += 1
        self._send()

    def _send(self) -> None:
        self._state, self._held, self._closes = "head", b"", False
        self.socket.sendall(self.waiting.popleft())

    def take(self, buffer: bytearray) -> bool:
        """Take what has come; return False when this socket is at its end."""
        if self._state in ("body", "chunk", "until-close"):
            most = _BUFFER if self._state == "until-close" else min(self._left, 64 << 20)
            got = self._drop(buffer, most)
            self.body_bytes += got
            if not got:
                if self._state != "until-close":
                    raise SystemExit(f"The connection ended {self._left} bytes too soon.")
                return self._next()
            if self._state == "until-close":
                return True
            self._left -= got
            if self._left:
                return True
            if self._state == "body":
                return self._next()
            self._state = "chunk-size"
            return True
        data = self.socket.recv(16384)
        if not data:
            raise SystemExit("The connection ended before its answer.")
        self._held += data
        return self._parse()

    def _drop(self, buffer: bytearray, most: int) -> int:
        try:
            return self.socket.recv_into(buffer, min(most, _BUFFER), socket.MSG_TRUNC)
        except ConnectionResetError:
            return 0

    def _parse(self) -> bool:
        while True:
            if self._state == "head":
                head, found, rest = self._held.partition(_HEAD_END)
                if not found:
                    return True
                is_unchanged = head.startswith(b"HTTP/1.1 304")
                if not (is_unchanged or head.startswith(b"HTTP/1.1 200")):
                    raise SystemExit(f"The server answered {head[:300]!r}")
                self._held = rest
                self._closes = bool(_CLOSE.search(head))
                length = _LENGTH.search(head)
                if is_unchanged:
                    self._state, self._left = "body", 0
                elif length:
                    self._state, self._left = "body", int(length.group(1))
                elif _CHUNKED.search(head):
                    self._state = "chunk-size"
                else:
                    self._state, self._closes = "until-close", True
            elif self._state == "chunk-size":
                line, found, rest = self._held.partition(b"\r\n")
                if not found:
                    return True
                size = int(line.partition(b";")[0], 16)
                self._held = rest
                self._left = size + 2
                self._state = "chunk" if size else "last"
            if self._state in ("body", "chunk", "last"):
                used = min(self._left, len(self._held))
                self._held, self._left = self._held[used:], self._left - used
                if self._state != "last":
                    self.body_bytes += used
                if self._left:
                    return True
                if self._state != "chunk":
                    return self._next()
                self._state = "chunk-size"
            elif self._state == "until-close":
                self.body_bytes += len(self._held)
                self._held = b""
                return True

    def _next(self) -> bool:
        if not self.waiting:
            self.is_done = True
            return False
        if self._closes:
            self.open()
            return False
        self._send()
        return True
