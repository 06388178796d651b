"""The door through which other nodes read from this node's spool: stretches of segments over HTTP.

Knows the folder of the spool and the secret that all nodes share; no database, no DICOM.
"""

from __future__ import annotations

import hmac
import os
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import TCPServer

from storage.segments import SUFFIX

PATH = "/spool/"
_SEGMENT = re.compile(rf"{PATH}([A-Za-z0-9][A-Za-z0-9._-]*{re.escape(SUFFIX)})")
_RANGE = re.compile(r"bytes=(\d{1,18})-(\d{1,18})")
_CHUNK = 256 << 10
_SILENCE_S = 15


@contextmanager
def open_door(spool: Path, *, host: str, port: int, secret: str) -> Iterator[int]:
    """Answer other nodes for as long as this is held; give the port."""
    server = _Server((host, port), spool, secret)
    thread = threading.Thread(target=server.serve_forever, name="node-door", daemon=True)
    thread.start()
    try:
        yield int(server.server_address[1])
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, address: tuple[str, int], spool: Path, secret: str) -> None:
        self.spool = spool
        self.authorization = f"Bearer {secret}".encode()
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        super().__init__(address, _Answer)

    def server_bind(self) -> None:
        """Bind without asking for the name of the address: a name server may be slow."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = "lysbro", int(self.server_address[1])


class _Answer(BaseHTTPRequestHandler):
    server: _Server
    timeout = _SILENCE_S

    def do_GET(self) -> None:
        """Answer with a stretch of a segment."""
        given = self.headers.get("Authorization", "").encode("latin-1", "replace")
        if not hmac.compare_digest(given, self.server.authorization):
            self._refuse(HTTPStatus.UNAUTHORIZED)
            return
        segment = _SEGMENT.fullmatch(self.path)
        stretch = _RANGE.fullmatch(self.headers.get("Range", ""))
        if segment is None or stretch is None:
            self._refuse(HTTPStatus.BAD_REQUEST)
            return
        try:
            descriptor = os.open(self.server.spool / segment[1], os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            self._refuse(HTTPStatus.NOT_FOUND)
            return
        try:
            self._send(descriptor, int(stretch[1]), int(stretch[2]) + 1)
        finally:
            os.close(descriptor)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing of each request."""

    def version_string(self) -> str:
        """Tell nobody which versions run here."""
        return "lysbro"

    def _send(self, descriptor: int, start: int, end: int) -> None:
        size = os.fstat(descriptor).st_size
        if not start < end <= size:
            self._refuse(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE)
            return
        self.send_response(HTTPStatus.PARTIAL_CONTENT)
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", str(end - start))
        self.send_header("Content-Range", f"bytes {start}-{end - 1}/{size}")
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        while start < end:
            chunk = os.pread(descriptor, min(_CHUNK, end - start), start)
            if not chunk:
                self.close_connection = True  # the reader sees that it is short
                return
            self.wfile.write(chunk)
            start += len(chunk)

    def _refuse(self, status: HTTPStatus) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()
