"""A bare DICOM peer over a socket, which can say anything and break off anywhere."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO

from pydicom.dataset import Dataset
from pydicom.uid import UID
from pynetdicom.dsutils import decode
from pynetdicom.pdu import A_ASSOCIATE_RQ
from pynetdicom.pdu_primitives import (
    A_ASSOCIATE,
    ImplementationClassUIDNotification,
    MaximumLengthNotification,
)
from pynetdicom.presentation import build_context

from pacs_bridge.pdu import Pdu
from pacs_bridge.stream import Fragment, PduStream

CT = "1.2.840.10008.5.1.4.1.1.2"
ECHO = "1.2.840.10008.1.1"
IMPLICIT = "1.2.840.10008.1.2"


def associate_request(
    contexts: list[tuple[str, str]], *, calling: str = "HAMMER_CT", called: str = "LYSBRO"
) -> bytes:
    """Return an A-ASSOCIATE-RQ for contexts 1, 3, 5 and so on."""
    primitive = A_ASSOCIATE()
    primitive.application_context_name = UID("1.2.840.10008.3.1.1.1")
    primitive.calling_ae_title, primitive.called_ae_title = calling, called
    proposed = []
    for number, (abstract, syntax) in enumerate(contexts):
        context = build_context(UID(abstract), [UID(syntax)])
        context.context_id = 2 * number + 1
        proposed.append(context)
    primitive.presentation_context_definition_list = proposed
    length, implementation = MaximumLengthNotification(), ImplementationClassUIDNotification()
    length.maximum_length_received = 16384
    implementation.implementation_class_uid = UID("1.2.3.4")
    primitive.user_information = [length, implementation]
    return bytes(A_ASSOCIATE_RQ(primitive).encode())


def p_data(context_id: int, control: int, data: bytes) -> bytes:
    """Return a P-DATA-TF of one fragment; control 3 ends a command, 2 a data set."""
    item = struct.pack(">LBB", len(data) + 2, context_id, control) + data
    return struct.pack(">BBL", 4, 0, len(item)) + item


def fed(stream: PduStream, data: bytes) -> list[Fragment | Pdu]:
    """Return what bytes complete, with fragments that keep their bytes."""
    found: list[Fragment | Pdu] = []
    while data:
        space = stream.space()
        piece, data = data[: len(space)], data[len(space) :]
        space[: len(piece)] = piece
        found += [
            event._replace(data=memoryview(bytes(event.data)))
            if isinstance(event, Fragment)
            else event
            for event in stream.received(len(piece))
        ]
    return found


class Peer:
    """One connection."""

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def read_pdu(self) -> tuple[int, bytes]:
        """Return type and body of the next PDU; type 0 when the connection was closed."""
        head = self._read(6)
        if len(head) < 6:
            return 0, b""
        kind, _, length = struct.unpack(">BBL", head)
        return kind, self._read(length)

    def associate(self, contexts: list[tuple[str, str]], **titles: str) -> bytes:
        """Ask for an association and return the body of the A-ASSOCIATE-AC."""
        self.send(associate_request(contexts, **titles))
        kind, body = self.read_pdu()
        assert kind == 2, (kind, body)
        return body

    def response(self) -> Dataset:
        """Return the command set of the next response."""
        kind, body = self.read_pdu()
        assert kind == 4, (kind, body)
        return decode(BytesIO(body[6:]), True, True)

    def _read(self, length: int) -> bytes:
        content = b""
        while len(content) < length:
            try:
                piece = self.socket.recv(length - len(content))
            except ConnectionError:
                return content
            if not piece:
                return content
            content += piece
        return content


@contextmanager
def connected(port: int, *, timeout_s: float = 10.0) -> Iterator[Peer]:
    """Give a connection to a port on this machine."""
    with socket.create_connection(("127.0.0.1", port), timeout=timeout_s) as connection:
        yield Peer(connection)
