"""A proxy before an S3 server that misbehaves as it is told, one request at a time.

Speaks just enough HTTP to know where a request and its answer end; changes nothing unless told.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["refuse", "status", "lose-answer", "cut-request", "flip-request", "cut-answer",
               "flip-answer", "delay"]  # fmt: skip
_CHUNK = 64 << 10


@dataclass
class Fault:
    """What happens to the next requests that match."""

    kind: Kind
    method: str = ""  # empty: any
    path: str = ""  # a part of the path; empty: any
    times: int = 1 << 30
    status: int = 503
    at_byte: int = 0  # of the body
    seconds: float = 0.0
    hit: int = 0


@dataclass
class Seen:
    """One request that came, and what the server itself answered, if it was asked."""

    method: str
    path: str
    headers: dict[str, str]
    status: int = 0
    is_answer_delivered: bool = False


@dataclass
class FaultProxy:
    """A proxy that runs; `faults` may be changed at any time."""

    port: int
    server_port: int  # of the server behind it; may be changed at any time
    faults: list[Fault] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    stop: threading.Event = field(default_factory=threading.Event)

    def tell(self, kind: Kind, **how: object) -> Fault:
        """Do this from now on, until `heal`."""
        fault = Fault(kind, **how)  # type: ignore[arg-type]
        with self.lock:
            self.faults.append(fault)
        return fault

    def heal(self) -> None:
        """Behave again."""
        with self.lock:
            self.faults.clear()

    def next_fault(self, method: str, path: str) -> Fault | None:
        """Take the fault of a request, if there is one."""
        with self.lock:
            for fault in self.faults:
                fits = fault.method in ("", method) and fault.path in path
                if fits and fault.hit < fault.times:
                    fault.hit += 1
                    return fault
        return None


@contextmanager
def serve(server_port: int) -> Iterator[FaultProxy]:
    """Run a proxy before a server on this machine."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        listener.settimeout(0.2)
        proxy = FaultProxy(listener.getsockname()[1], server_port)
        threads: list[threading.Thread] = []

        def accept() -> None:
            while not proxy.stop.is_set():
                try:
                    caller, _ = listener.accept()
                except TimeoutError:
                    continue
                thread = threading.Thread(target=_serve_one, args=(proxy, caller))
                thread.start()
                threads.append(thread)

        accepting = threading.Thread(target=accept)
        accepting.start()
        try:
            yield proxy
        finally:
            proxy.stop.set()
            accepting.join()
            for thread in threads:
                thread.join(timeout=10)


def _serve_one(proxy: FaultProxy, caller: socket.socket) -> None:
    caller.settimeout(0.3)
    with caller, suppress(OSError, _Gone), caller.makefile("rb") as _:
        while not proxy.stop.is_set():
            if not _one_exchange(proxy, _Reader(caller, proxy.stop), caller):
                return


def _one_exchange(proxy: FaultProxy, request: _Reader, caller: socket.socket) -> bool:
    """Pass one request on and its answer back; returns whether the connection stays."""
    head = request.head()
    method, path, _ = head.first.split(" ", 2)
    fault = proxy.next_fault(method, path)
    kind = fault.kind if fault else None
    seen = Seen(method, path, head.headers)
    proxy.seen.append(seen)
    if kind == "refuse":
        return False
    if fault is not None and kind == "delay":
        proxy.stop.wait(fault.seconds)
    body = request.exactly(int(head.headers.get("content-length", 0)))
    if fault is not None and kind == "status":
        caller.sendall(f"HTTP/1.1 {fault.status} Told\r\nContent-Length: 0\r\n\r\n".encode())
        return True
    if fault is not None and kind == "flip-request" and body:
        body = _flipped(body, fault.at_byte)
    with socket.create_connection(("127.0.0.1", proxy.server_port), timeout=30) as server:
        if fault is not None and kind == "cut-request":
            server.sendall(head.raw + body[: fault.at_byte])
            return False
        server.sendall(head.raw + body)
        answer = _Reader(server, proxy.stop)
        told = answer.head()
        seen.status = int(told.first.split(" ", 2)[1])
        has_body = method != "HEAD" and seen.status not in (204, 304)
        if "content-length" in told.headers:
            data = answer.exactly(int(told.headers["content-length"])) if has_body else b""
        else:
            data = answer.chunked() if has_body else b""
    if kind == "lose-answer":
        return False
    if fault is not None and kind == "cut-answer":
        caller.sendall(told.raw + data[: fault.at_byte])
        return False
    if fault is not None and kind == "flip-answer" and data:
        data = _flipped(data, fault.at_byte)
    caller.sendall(told.raw + data)
    seen.is_answer_delivered = True
    return "close" not in told.headers.get("connection", "")


def _flipped(data: bytes, at_byte: int) -> bytes:
    at = min(at_byte, len(data) - 1)
    return data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1 :]


class _Gone(Exception):
    """The other side has closed, or the proxy stops."""


@dataclass
class _Head:
    raw: bytes
    first: str
    headers: dict[str, str]


class _Reader:
    """Reads HTTP from a socket, waking up to see whether the proxy stops."""

    def __init__(self, source: socket.socket, stop: threading.Event) -> None:
        self._receive: Callable[[int], bytes] = source.recv
        self._stop = stop
        self._held = b""

    def head(self) -> _Head:
        while b"\r\n\r\n" not in self._held:
            self._more()
        raw, _, self._held = self._held.partition(b"\r\n\r\n")
        first, *lines = raw.decode("latin-1").split("\r\n")
        pairs = (line.partition(":") for line in lines)
        return _Head(raw + b"\r\n\r\n", first, {k.lower(): v.strip() for k, _, v in pairs})

    def exactly(self, count: int) -> bytes:
        while len(self._held) < count:
            self._more()
        data, self._held = self._held[:count], self._held[count:]
        return data

    def chunked(self) -> bytes:
        """Return a chunked body as it came."""
        whole = b""
        while True:
            while b"\r\n" not in self._held:
                self._more()
            line = self._held.partition(b"\r\n")[0]
            size = int(line.split(b";")[0], 16)
            whole += self.exactly(len(line) + 2 + size + 2)
            if not size:
                return whole

    def _more(self) -> None:
        while not self._stop.is_set():
            try:
                data = self._receive(_CHUNK)
            except TimeoutError:
                continue
            if not data:
                raise _Gone
            self._held += data
            return
        raise _Gone
