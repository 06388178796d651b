"""Asks by C-FIND and over HTTP with little work of its own, so that it measures who answers."""

from __future__ import annotations

import http.client
import json
import socket
import struct
import time
from dataclasses import dataclass
from typing import Any

from pacs_bridge import dimse, pdu
from pacs_bridge.identifier import write_identifier
from pacs_bridge.negotiation import Proposed
from pacs_bridge.syntaxes import PATIENT_ROOT_FIND, STUDY_ROOT_FIND

_SYNTAX = "1.2.840.10008.1.2"
_CONTEXTS = {STUDY_ROOT_FIND: 1, PATIENT_ROOT_FIND: 3}
_PENDING = (0xFF00, 0xFF01)
_CANCEL_RQ = 0x0FFF
_WAIT_S = 120.0


@dataclass(frozen=True)
class Took:
    """How long the first answers took, and how many came."""

    ms: float
    answers: int


class Finder:
    """An association for C-FIND."""

    def __init__(self, port: int, *, called: str, calling: str) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=_WAIT_S)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._file = self._socket.makefile("rb")
        self._message = 0
        proposed = tuple(Proposed(n, uid, (_SYNTAX,)) for uid, n in _CONTEXTS.items())
        self._socket.sendall(pdu.encode(pdu.AssociateRequest(called, calling, proposed)))
        kind, body = self._read()
        accepted = pdu.decode(kind, body)
        if not isinstance(accepted, pdu.AssociateAccept):
            raise SystemExit(f"{called} did not accept the association.")

    def find(self, level: str, keys: dict[str, Any], *, limit: int) -> Took:
        """Ask, take `limit` answers at most and cancel the rest; the time is up to the last."""
        root = PATIENT_ROOT_FIND if level == "PATIENT" else STUDY_ROOT_FIND
        context = _CONTEXTS[root]
        self._message += 1
        identifier = write_identifier(
            {**keys, "QueryRetrieveLevel": level}, transfer_syntax=_SYNTAX, charset_terms=()
        )
        started = time.perf_counter()
        self._send(context, dimse.write_find_request(self._message, root), identifier)
        answers, took_s = 0, 0.0
        while True:
            status = self._status()
            if status not in _PENDING:
                if status not in (0x0000, 0xFE00, 0xB001):  # ended, cancelled, at the most answers
                    raise SystemExit(f"C-FIND ended with {status:04X}.")
                return Took(1e3 * (took_s or time.perf_counter() - started), answers)
            if took_s:
                continue
            answers += 1
            if answers == limit:
                took_s = time.perf_counter() - started
                self._send(context, _cancel(self._message), b"")

    def close(self) -> None:
        """Release the association."""
        self._socket.sendall(pdu.encode(pdu.ReleaseRequest()))
        self._socket.close()

    def _send(self, context: int, command: bytes, dataset: bytes) -> None:
        for content, control in ((command, 0x03), (dataset, 0x02)):
            if content:
                head = struct.pack(">LBB", len(content) + 2, context, control)
                self._socket.sendall(struct.pack(">BxL", pdu.P_DATA, len(head + content)) + head)
                self._socket.sendall(content)

    def _status(self) -> int:
        """Read a response whole, its data set as well, and return its status."""
        command, is_read = b"", False
        status, has_dataset = 0, False
        while True:
            kind, body = self._read()
            if kind != pdu.P_DATA:
                raise SystemExit(f"The association ended within a query (PDU {kind:02X}).")
            at = 0
            while at < len(body):
                length, _context, control = struct.unpack_from(">LBB", body, at)
                part = body[at + 6 : at + 4 + length]
                at += 4 + length
                if control & 0x01:
                    command += part
                    if control & 0x02:
                        read = dimse.read_command(command)
                        status, has_dataset, is_read = read.status, read.has_dataset, True
                        if not has_dataset:
                            return status
                elif control & 0x02 and is_read:
                    return status

    def _read(self) -> tuple[int, bytes]:
        head = self._file.read(6)
        if len(head) < 6:
            raise SystemExit("The association was cut.")
        kind, length = struct.unpack(">BxL", head)
        return kind, self._file.read(length)


class Web:
    """A connection over HTTP that is kept open."""

    def __init__(self, port: int, *, token: str = "") -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_WAIT_S)
        self._headers = {"Accept": "application/json"}
        if token:
            self._headers["Authorization"] = f"Bearer {token}"

    def get(self, path: str, *, of: str = "") -> Took:
        """Ask for an address; the answers are a list, or stand in a field of the answer.

        A connection that was closed while it lay idle is opened anew, and the time begins again.
        """
        try:
            started = time.perf_counter()
            self._connection.request("GET", path, headers=self._headers)
            response = self._connection.getresponse()
        except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
            self._connection.close()
            started = time.perf_counter()
            self._connection.request("GET", path, headers=self._headers)
            response = self._connection.getresponse()
        body = response.read()
        took_s = time.perf_counter() - started
        if response.status not in (200, 204):
            raise SystemExit(f"GET {path}: {response.status} {body[:300]!r}")
        found = json.loads(body or b"[]")
        return Took(1e3 * took_s, len(found[of] if of else found))

    def post(self, path: str, content: bytes) -> None:
        """Hand something over."""
        self._connection.request("POST", path, body=content, headers=self._headers)
        response = self._connection.getresponse()
        body = response.read()
        if response.status != 200:
            raise SystemExit(f"POST {path}: {response.status} {body[:300]!r}")


def _cancel(message: int) -> bytes:
    return dimse.write_elements(
        {
            0x0100: struct.pack("<H", _CANCEL_RQ),
            0x0120: struct.pack("<H", message),
            0x0800: struct.pack("<H", 0x0101),
        }
    )
