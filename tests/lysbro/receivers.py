"""Systems that take replies, for tests: each is real at its wire, and behaves as it is told to."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from pacs_bridge.hl7_text import Parsed, parse
from pacs_bridge.mllp import Unframer, framed


@dataclass
class Epr:
    """An electronic patient record that takes ORU^R01; it keeps what it accepts."""

    port: int = 0
    answers: list[str] = field(default_factory=list)  # MSA-1 of the next ones; then AA
    breaks: int = 0  # so many connections are closed once the message is kept, without an answer
    kept: list[Parsed] = field(default_factory=list)

    def take(self, message: bytes) -> bytes | None:
        read = parse(message)
        code = self.answers.pop(0) if self.answers else "AA"
        if code == "AA":
            self.kept.append(read)
        if self.breaks:
            self.breaks -= 1
            return None
        number = read.header.text(10)
        head = "MSH|^~\\&|EPJ|X|LYSBRO|Y|20260302||ACK^R01^ACK|9|P|2.5.1"
        return framed(f"{head}\rMSA|{code}|{number}|as told\r".encode())


@contextmanager
def epr() -> Iterator[Epr]:
    """Run a patient record."""
    told = Epr()

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            unframer = Unframer(max_bytes=1 << 24)
            while data := self.request.recv(65536):
                for message in unframer.received(data):
                    answer = told.take(message)
                    if answer is None:
                        return
                    self.request.sendall(answer)

    with _served(socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)) as port:
        told.port = port
        yield told


@dataclass
class Endpoint:
    """A server that takes POSTs; it keeps those that it answers with success."""

    address: str = ""
    statuses: list[int] = field(default_factory=list)  # of the next answers; then 201
    kept: list[tuple[dict[str, str], Any, bytes]] = field(default_factory=list)


@contextmanager
def endpoint() -> Iterator[Endpoint]:
    """Run such a server."""
    told = Endpoint()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status = told.statuses.pop(0) if told.statuses else 201
            if status < 300:
                told.kept.append((dict(self.headers), json.loads(body), body))
            self.send_response(status)
            if status == 302:
                self.send_header("Location", "http://127.0.0.1:9/elsewhere")
            self.end_headers()
            self.wfile.write(b"because")

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with _served(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as port:
        told.address = f"http://127.0.0.1:{port}/in"
        yield told


@contextmanager
def _served(server: socketserver.BaseServer) -> Iterator[int]:
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server.server_address[1]  # type: ignore[misc]
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


@dataclass
class Mailbox:
    """A mail server that keeps what it accepts."""

    port: int = 0
    refusal: str = ""
    kept: list[bytes] = field(default_factory=list)

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        if self.refusal:
            return self.refusal
        content = envelope.content or b""
        self.kept.append(content if isinstance(content, bytes) else content.encode())
        return "250 OK"


@contextmanager
def mail_server(free_port: Callable[[], int]) -> Iterator[Mailbox]:
    """Run a mail server."""
    box = Mailbox(port=free_port())
    controller = Controller(box, hostname="127.0.0.1", port=box.port)
    controller.start()
    try:
        yield box
    finally:
        controller.stop()
