"""Receivers of replies that behave badly for a while, one for each way: real at the wire, each on a
port that it keeps when it is killed and started again.

What one has is kept by the identifier that a receiver of its kind knows a repeat by.
"""

from __future__ import annotations

import contextlib
import json
import socket
import socketserver
import threading
from collections.abc import Callable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from pynetdicom import AE, evt
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    BasicTextSRStorage,
    ComprehensiveSRStorage,
    EncapsulatedPDFStorage,
    KeyObjectSelectionDocumentStorage,
)

from pacs_bridge.hl7_text import parse
from pacs_bridge.mllp import Unframer, framed

LATE_S = 0.6  # longer than the tests' patience
TROUBLES = ("killed", "slow", "refusing", "forgetful")

Take = Callable[[str, bytes], bool]
"""Takes what has come under its identifier; False: it is refused."""


class Peer:
    """A receiver; `trouble` is how it meets what comes next, empty when it is well."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.trouble = ""
        self.kept: dict[str, list[bytes]] = {}
        self._stop: Callable[[], None] | None = None

    def start(self) -> None:
        """Listen."""
        self._stop = self._serve()

    def stop(self) -> None:
        """Be gone."""
        if self._stop is not None:
            self._stop()
            self._stop = None

    def met(self, identifier: str, content: bytes) -> str:
        """Keep or refuse what has come; return what happens then: taken, refused or broken."""
        trouble = self.trouble
        if trouble == "refusing":
            return "refused"
        if trouble == "killed":
            return "broken"
        self.kept.setdefault(identifier, []).append(content)
        if trouble == "slow":
            threading.Event().wait(LATE_S)
        return "broken" if trouble == "forgetful" else "taken"

    def _serve(self) -> Callable[[], None]:
        raise NotImplementedError


def _stopping(server: socketserver.BaseServer) -> Callable[[], None]:
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()

    def stop() -> None:
        server.shutdown()
        server.server_close()

    return stop


class EprPeer(Peer):
    """A patient record that takes ORU^R01 and knows a repeat by its message control ID."""

    def _serve(self) -> Callable[[], None]:
        peer = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                unframer = Unframer(max_bytes=1 << 26)
                with contextlib.suppress(OSError):
                    while data := self.request.recv(65536):
                        if any(not self._taken(each) for each in unframer.received(data)):
                            return

            def _taken(self, message: bytes) -> bool:
                number = parse(message).header.text(10)
                happened = peer.met(number, message)
                if happened == "broken":
                    return False
                code = "AA" if happened == "taken" else "AR"
                head = "MSH|^~\\&|EPJ|X|LYSBRO|Y|20260302||ACK^R01^ACK|77|P|2.5.1"
                self.request.sendall(framed(f"{head}\rMSA|{code}|{number}|no\r".encode()))
                return True

        return _stopping(_Tcp(("127.0.0.1", self.port), Handler))


class WebPeer(Peer):
    """A server of a FHIR transaction, or of a webhook; each knows a repeat by its own."""

    def _serve(self) -> Callable[[], None]:
        peer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                happened = peer.met(identifier(self.headers.get("Idempotency-Key"), body), body)
                with contextlib.suppress(OSError):
                    if happened == "broken":
                        self.connection.shutdown(socket.SHUT_RDWR)
                        return
                    self.send_response(201 if happened == "taken" else 422)
                    self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        return _stopping(_Http(("127.0.0.1", self.port), Handler))


def identifier(key: str | None, body: bytes) -> str:
    """Return the key of a webhook; of a transaction the report that it puts, with its version."""
    if key is not None:
        return key
    entries = json.loads(body)["entry"]
    (report,) = (e for e in entries if e["resource"]["resourceType"] == "DiagnosticReport")
    of_version = report["resource"]["identifier"][1]["value"]
    return f"{report['request']['url']} {of_version}"


class _Tcp(socketserver.ThreadingTCPServer):
    allow_reuse_address, daemon_threads = True, True


class _Http(ThreadingHTTPServer):
    allow_reuse_address, daemon_threads = True, True


class MailPeer(Peer):
    """A mail server that knows a repeat by its Message-ID."""

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Take a notice."""
        content = envelope.content or b""
        raw = content if isinstance(content, bytes) else content.encode()
        (line,) = (each for each in raw.splitlines() if each.startswith(b"Message-ID:"))
        happened = self.met(line.decode(), raw)
        if happened == "broken" and server.transport is not None:
            server.transport.abort()  # type: ignore[attr-defined]
        return "250 OK" if happened == "taken" else "554 not now"

    def _serve(self) -> Callable[[], None]:
        controller = Controller(self, hostname="127.0.0.1", port=self.port)
        controller.start()
        return lambda: controller.stop(no_assert=True)


class NodePeer(Peer):
    """A DICOM node that knows a repeat by its SOP Instance UID."""

    def _serve(self) -> Callable[[], None]:
        entity = AE(ae_title="EPJ_PACS")
        for each in _CLASSES:
            entity.add_supported_context(each)
        server = entity.start_server(
            ("127.0.0.1", self.port), block=False, evt_handlers=[(evt.EVT_C_STORE, self._stored)]
        )

        def stop() -> None:
            server.shutdown()
            server.server_close()

        return stop

    def _stored(self, event: evt.Event) -> int:
        raw = event.request.DataSet.getvalue()
        happened = self.met(str(event.request.AffectedSOPInstanceUID), raw)
        if happened == "broken":
            event.assoc.abort()
        return 0x0000 if happened == "taken" else 0xA700


_CLASSES: Sequence[str] = (
    EncapsulatedPDFStorage,
    BasicTextSRStorage,
    ComprehensiveSRStorage,
    KeyObjectSelectionDocumentStorage,
)
PEERS: dict[str, type[Peer]] = {
    "ae": NodePeer, "hl7": EprPeer, "fhir": WebPeer, "webhook": WebPeer, "mail": MailPeer,
}  # fmt: skip


@contextlib.contextmanager
def running(channel: str, port: int) -> Iterator[Peer]:
    """Run the receiver of a channel."""
    peer = PEERS[channel](port)
    peer.start()
    try:
        yield peer
    finally:
        peer.stop()
