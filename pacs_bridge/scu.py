"""Asks other nodes for associations, and over them puts questions and reports, as bytes.

What stores objects, and asks for commitments, is `requestor`; knows no queue and no archive.
"""

from __future__ import annotations

import contextlib
import io
import queue
import socket
import ssl
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO

from pydicom.uid import UID
from pynetdicom.ae import ApplicationEntity as NetworkEntity
from pynetdicom.association import Association
from pynetdicom.dimse import DIMSEServiceProvider
from pynetdicom.pdu_primitives import P_DATA, SCP_SCU_RoleSelectionNegotiation
from pynetdicom.presentation import PresentationContext, build_context
from pynetdicom.transport import T_CONNECT, AddressInformation, AssociationSocket

from casework.errors import LysbroError, Refused, Unavailable
from casework.model import ApplicationEntity
from pacs_bridge import dimse
from pacs_bridge.quiet import quiet_pynetdicom
from pacs_bridge.status import PENDING, PENDING_WARNING, SUCCESS
from pacs_bridge.syntaxes import VERIFICATION
from pacs_bridge.tls import TlsFiles, client_context
from storage.filemeta import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME

_PIECE_BYTES = 128 << 10
_QUEUE_PIECES = 16
_LOOK_UP_S = 0.25


@dataclass(frozen=True)
class Wait:
    """How long to wait for a peer."""

    connect_s: float = 10.0
    association_s: float = 30.0
    answer_s: float = 60.0


@dataclass(frozen=True)
class EventReport:
    """One N-EVENT-REPORT: about which instance, and what has happened to it."""

    sop_class_uid: str
    sop_instance_uid: str
    event_type: int
    context_id: int
    message_id: int = 1


def echo(
    node: ApplicationEntity,
    *,
    calling: str,
    wait: Wait | None = None,
    tls: TlsFiles | None = None,
) -> None:
    """Ask a node for a sign of life (C-ECHO); raise Unavailable or Refused when it gives none."""
    contexts = [build_context(VERIFICATION)]
    with associated(node, contexts, calling=calling, wait=wait, tls=tls) as association:
        answer = association.send_c_echo()
        if answer.get("Status") != 0x0000:
            raise Unavailable(f"{node.title} did not answer the echo.", code="no-answer")


class _Line(AssociationSocket):
    """A connection to a node that does not wait for ever, and is closed even when it failed."""

    def connect(self, primitive: T_CONNECT) -> None:
        """Connect; a peer that stops in the middle of a PDU is given up after a while."""
        super().connect(primitive)
        if self.socket is not None:
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.socket.settimeout(self.assoc.network_timeout)

    def _shutdown_socket(self) -> None:
        if self.socket is not None:
            with contextlib.suppress(OSError):
                self.socket.shutdown(socket.SHUT_RDWR)
            self.socket.close()


class _Answers(DIMSEServiceProvider):
    """Leaves answers to the one who waits for them: pynetdicom's reactor could take one first."""

    def get_msg(self, block: bool = False) -> Any:
        """Return the next message to a waiting caller; nothing to the reactor."""
        return super().get_msg(block=True) if block else (None, None)


class _Caller(NetworkEntity):
    """Our side of an association that we ask for."""

    def _create_socket(
        self, assoc: Association, address: AddressInformation, tls_args: Any
    ) -> AssociationSocket:
        line = _Line(assoc, address=address)
        line.tls_args = tls_args
        return line


@contextmanager
def associated(
    node: ApplicationEntity,
    contexts: list[PresentationContext],
    *,
    calling: str,
    wait: Wait | None = None,
    roles: Sequence[SCP_SCU_RoleSelectionNegotiation] = (),
    tls: TlsFiles | None = None,
) -> Iterator[Association]:
    """Give an association with a node, released at the end, aborted on the way of an error.

    A node that is registered as TLS only is called over TLS with the certificate in `tls`, never in
    the clear. Raises Unavailable when the node cannot be reached, Refused when it rejects us.
    """
    quiet_pynetdicom()
    secure = secure_context(node, tls) if node.tls_only else None
    failures = _failures_of(secure) if secure is not None else []
    wait = wait or Wait()
    entity = _Caller(ae_title=calling)
    entity.connection_timeout = wait.connect_s
    entity.acse_timeout = wait.association_s
    entity.dimse_timeout = wait.answer_s
    entity.network_timeout = wait.answer_s
    entity.implementation_class_uid = UID(IMPLEMENTATION_CLASS_UID)
    entity.implementation_version_name = IMPLEMENTATION_VERSION_NAME
    association = entity.associate(
        node.host,
        node.port,
        contexts=contexts,
        ae_title=node.title,
        max_pdu=131072,
        ext_neg=list(roles),
        tls_args=None if secure is None else (secure, node.host),
    )
    if failures:
        raise Unavailable(
            f"{node.title} at {node.host}:{node.port} gives no TLS connection that can be trusted "
            f"({reason_of(failures[0])}). Look at its certificate and at ours.",
            code="no-tls",
        ) from failures[0]
    if not association.is_established:
        raise _not_associated(association, node)
    association.dimse = _Answers(association)
    try:
        yield association
    except BaseException:
        association.abort()
        raise
    association.release()


def secure_context(node: ApplicationEntity, tls: TlsFiles | None) -> ssl.SSLContext:
    """Return what a node that is TLS only is called with; Unavailable without a certificate."""
    if tls is None:
        raise Unavailable(
            f"{node.title} is called over TLS only, and we have no certificate. Set "
            "LYSBRO_DICOM_TLS_CERT, LYSBRO_DICOM_TLS_KEY and LYSBRO_DICOM_TLS_CA.",
            code="no-certificate",
        )
    return client_context(tls)


def _failures_of(context: ssl.SSLContext) -> list[OSError]:
    """Return a list that gets what goes wrong in handshakes; pynetdicom keeps it to itself."""
    failures: list[OSError] = []

    class Noting(ssl.SSLSocket):
        def do_handshake(self, block: bool = False) -> None:
            try:
                super().do_handshake(block)
            except OSError as error:
                failures.append(error)
                raise

    context.sslsocket_class = Noting
    return failures


def reason_of(error: OSError) -> str:
    """Return in words why a handshake failed."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return str(error.verify_message)
    return (getattr(error, "reason", None) or str(error)).replace("_", " ").lower()


def event_report(association: Association, event: EventReport, content: bytes) -> tuple[int, str]:
    """Send one report and return the peer's status and comment; Unavailable when none comes."""
    command = dimse.write_event_report(
        event.message_id, event.sop_class_uid, event.sop_instance_uid, event_type=event.event_type
    )
    return _exchange(association, event.context_id, command, io.BytesIO(content), what="a report")


def _exchange(
    association: Association, context_id: int, command: bytes, content: BinaryIO, *, what: str
) -> tuple[int, str]:
    size = _piece_size(association)
    for pieces, kind in ((io.BytesIO(command), 0x01), (content, 0x00)):
        _send_pieces(association, context_id, pieces, kind, size)
    answer = _answer(association)
    status = getattr(answer, "Status", None)
    if status is None:
        raise Unavailable(f"The node gave no answer to {what}.", code="no-answer")
    return int(status), str(getattr(answer, "ErrorComment", "") or "")


def find(
    association: Association, context_id: int, sop_class_uid: str, identifier: bytes
) -> Iterator[bytes]:
    """Ask (C-FIND) and give the encoded identifier of each match; Unavailable when it breaks off.

    Identifiers are handed on as bytes: what a peer says is not parsed here.
    """
    command = dimse.write_find_request(1, sop_class_uid)
    size = _piece_size(association)
    for content, kind in ((command, 0x01), (identifier, 0x00)):
        _send_pieces(association, context_id, io.BytesIO(content), kind, size)
    while True:
        answer = _answer(association)
        status = getattr(answer, "Status", None)
        if status in (PENDING, PENDING_WARNING):
            matched = getattr(answer, "Identifier", None)
            yield matched.getvalue() if matched is not None else b""
        elif status == SUCCESS:
            return
        elif status is None:
            raise Unavailable("The node gave no answer to a question.", code="no-answer")
        else:
            raise Unavailable(
                f"The node answered a question with status {status:04X}.", code="not-answered"
            )


def _not_associated(association: Association, node: ApplicationEntity) -> LysbroError:
    primitive = association.acceptor.primitive
    where = f"{node.title} at {node.host}:{node.port}"
    if association.is_rejected and primitive is not None:
        return Refused(f"{where} rejected us: {primitive.reason_str}.", code="rejected")
    if primitive is not None:
        return Unavailable(f"{where} accepted nothing of what we send.", code="nothing-accepted")
    return Unavailable(f"{where} does not answer.", code="no-answer")


def _piece_size(association: Association) -> int:
    """PS3.8 annex D.1: never more than the peer takes; 0 means any."""
    return max(1, min(association.acceptor.maximum_length or _PIECE_BYTES, _PIECE_BYTES) - 6)


def _send_pieces(
    association: Association, context_id: int, content: BinaryIO, kind: int, size: int
) -> None:
    piece = content.read(size)
    while True:
        following = content.read(size)
        primitive = P_DATA()
        header = bytes([kind | (0x00 if following else 0x02)])
        primitive.presentation_data_value_list.append((context_id, header + piece))
        while association.dul.to_provider_queue.qsize() > _QUEUE_PIECES:
            _require_line(association)
            time.sleep(0.001)
        _require_line(association)
        association.dul.send_pdu(primitive)
        if not following:
            return
        piece = following


def _answer(association: Association) -> Any:
    """Wait for the answer to what was sent, as long as the peer is there."""
    deadline = time.monotonic() + (association.dimse_timeout or 0)
    while time.monotonic() < deadline:
        try:
            return association.dimse.msg_queue.get(timeout=_LOOK_UP_S)[1]
        except queue.Empty:
            _require_line(association)
    return None


def _require_line(association: Association) -> None:
    if not association.dul.is_alive() or association.acse.is_aborted():
        raise Unavailable("The node went away before it answered.", code="aborted")
