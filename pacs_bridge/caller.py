"""Our side of an association that we ask for: connecting, negotiating, hearing, leaving.

What is said over it in between is its users' matter: `requestor` stores, `fetching` fetches.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from casework.errors import LysbroError, Refused, Unavailable
from casework.model import ApplicationEntity
from pacs_bridge import pdu
from pacs_bridge.items import UserInformation
from pacs_bridge.line import Line
from pacs_bridge.negotiation import ACCEPTED, Context, Proposed
from pacs_bridge.scu import reason_of, secure_context
from pacs_bridge.stream import Fragment, PduStream, StreamLimits
from pacs_bridge.tls import TlsFiles
from storage.filemeta import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME

_MAX_PDU = 131072
_LEAVING_S = 5.0
_TRANSIENT = 2
_ABORT = pdu.encode(pdu.Abort(0, 0))

_REASONS = {
    (1, 1, 2): "application context not supported",
    (1, 1, 3): "calling AE title not recognised",
    (1, 1, 7): "called AE title not recognised",
    (2, 3, 1): "temporary congestion",
    (2, 3, 2): "local limit exceeded",
}
"""Result, source and reason of an A-ASSOCIATE-RJ in words (PS3.8 section 9.3.4)."""


class Caller:
    """What every association that we ask for has."""

    def __init__(self, line: Line, node: ApplicationEntity) -> None:
        self._line = line
        self._node = node
        self._stream = PduStream(StreamLimits(_MAX_PDU))
        self._peer_max = 0

    def abort(self) -> None:
        """End the association at once."""
        if self._line.has_room():
            self._line.send(_ABORT)
        self._line.close()

    def _ask(
        self,
        proposed: Sequence[Proposed],
        user: UserInformation,
        *,
        calling: str,
        within_s: float,
    ) -> dict[int, Context]:
        """Ask for the association and return the contexts that were accepted, by number.

        Raises Refused when the node rejects us, Unavailable when it gives no answer.
        """
        user = replace(
            user,
            maximum_length=_MAX_PDU,
            implementation_class_uid=IMPLEMENTATION_CLASS_UID,
            implementation_version=IMPLEMENTATION_VERSION_NAME,
        )
        request = pdu.AssociateRequest(self._node.title, calling, tuple(proposed), user)
        if not self._line.send(pdu.encode(request)):
            raise self._gone()
        answer = self._first_pdu(within_s)
        if isinstance(answer, pdu.AssociateReject):
            raise _rejection(self._node, answer)
        if not isinstance(answer, pdu.AssociateAccept):
            raise self._gone()
        self._peer_max = answer.user.maximum_length
        abstract = {context.id: context.abstract_syntax for context in proposed}
        return {
            c.id: Context(c.id, abstract[c.id], ACCEPTED, c.transfer_syntax)
            for c in answer.contexts
            if c.result == ACCEPTED and c.id in abstract
        }

    def _leave(self, within_s: float) -> None:
        """Release the association; how the peer takes it changes nothing: all was answered."""
        if self._line.send(pdu.encode(pdu.ReleaseRequest())):
            with suppress(LysbroError):
                self._first_pdu(min(within_s, _LEAVING_S))
        self._line.close()

    def _first_pdu(self, within_s: float) -> pdu.Pdu:
        """Return the next PDU that is no data."""
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            for event in self._received():
                if not isinstance(event, Fragment):
                    return event
        raise Unavailable(f"{self._node.title} does not answer.", code="no-answer")

    def _received(self) -> list[Fragment | pdu.Pdu]:
        """Return what has come, waiting a moment for it."""
        count = self._line.receive_into(self._stream.space())
        if count == 0:
            raise self._gone()
        return self._stream.received(count) if count else []

    def _gone(self) -> Unavailable:
        return Unavailable(f"{self._node.title} closed the connection.", code="gone")


def connected(node: ApplicationEntity, tls: TlsFiles | None, *, within_s: float) -> socket.socket:
    """Return a connection to a node, over TLS when it is registered as TLS only; Unavailable when
    there is none that can be trusted.
    """
    context = secure_context(node, tls) if node.tls_only else None
    where = f"{node.title} at {node.host}:{node.port}"
    try:
        plain = socket.create_connection((node.host, node.port or 0), timeout=within_s)
    except OSError as error:
        reason = error.strerror or "no answer in time"
        raise Unavailable(f"{where} cannot be reached ({reason}).", code="unreachable") from error
    if context is None:
        return plain
    try:
        return context.wrap_socket(plain, server_hostname=node.host)
    except (OSError, ValueError) as error:
        plain.close()
        reason = reason_of(error) if isinstance(error, OSError) else str(error)
        raise Unavailable(
            f"{where} gives no TLS connection that can be trusted ({reason}).", code="no-tls"
        ) from error


def _rejection(node: ApplicationEntity, answer: pdu.AssociateReject) -> Refused:
    """Return why we are not let in; who is only busy now is told from who does not know us."""
    key = answer.result, answer.source, answer.reason
    words = f", {_REASONS[key]}" if key in _REASONS else ""
    code = "/".join(map(str, key))
    return Refused(
        f"{node.title} rejected us ({code}{words}).",
        code="busy" if answer.result == _TRANSIENT else "rejected",
    )
