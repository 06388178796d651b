"""Queues the messages of an association that pynetdicom carries, whole and not too many.

Stands where pynetdicom has its DIMSE provider; the assembler puts the messages together.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Mapping

import structlog
from pynetdicom.association import Association
from pynetdicom.dimse import DIMSEServiceProvider
from pynetdicom.pdu_primitives import P_DATA

from casework.errors import Invalid, LysbroError
from pacs_bridge.limits import WireLimits
from pacs_bridge.messages import Assembler, Cancel, Response
from pacs_bridge.negotiation import Context
from pacs_bridge.session import Session
from pacs_bridge.whole import Message

log = structlog.get_logger()

_MAX_CANCELS = 16
_IS_COMMAND, _IS_LAST = 0x01, 0x02  # message control header (PS3.8 annex E.2)


class Inbox(DIMSEServiceProvider):
    """The messages of one association."""

    def __init__(self, assoc: Association, limits: WireLimits) -> None:
        super().__init__(assoc)
        self._limits = limits
        self._began_at: float | None = None  # of the message that is under way
        self._message_bytes = 0
        self._assembler: Assembler | None = None
        self._whole: queue.Queue[Message] = queue.Queue()
        self._room = threading.Semaphore(limits.read_ahead)
        self._cancelled: set[int] = set()

    def open(self, session: Session, contexts: Mapping[int, Context]) -> None:
        """Start to take messages of an accepted association, by its accepted contexts."""
        self._assembler = Assembler(
            session,
            contexts,
            max_command_bytes=self._limits.command_bytes,
            room=self._wait_for_room,
        )

    def receive_primitive(self, primitive: P_DATA) -> None:
        """Take the fragments of one P-DATA-TF; a violation aborts the association."""
        try:
            for context_id, data in primitive.presentation_data_value_list:
                self._take(context_id, bytes(data))
        except LysbroError as error:
            self._violated(error.code, error.message)
        except Exception:  # process boundary: the reading thread must end in an orderly way
            log.exception("reading broke")
            self._violated("broken", "")

    def next_message(self, wait_s: float) -> Message | None:
        """Return the next whole message, or None when none comes in time."""
        try:
            return self._whole.get(timeout=wait_s)
        except queue.Empty:
            return None

    def served(self, message: Message) -> None:
        """Make room for another message."""
        self._cancelled.discard(message.command.message_id)
        self._room.release()

    def is_cancelled(self, message_id: int) -> bool:
        """Tell whether the requester has cancelled this message (PS3.7 section 9.3.2.3)."""
        return message_id in self._cancelled

    @property
    def is_quiet(self) -> bool:
        """Tell whether no message is under way."""
        is_partial = self._assembler is not None and not self._assembler.is_quiet
        return not is_partial and self._whole.empty()

    def discard(self) -> None:
        """Leave nothing of what is not served; called when nothing is read any more."""
        if self._assembler is not None:
            self._assembler.discard()
        while (message := self.next_message(0)) is not None:
            message.sink.abandon()

    def _take(self, context_id: int, data: bytes) -> None:
        if self._assembler is None or not data:
            raise Invalid("A fragment is empty.", code="bad-context")
        self._require_pace(len(data))
        taken_from = time.monotonic()
        whole = self._assembler.take(
            context_id,
            data[1:],
            is_command=bool(data[0] & _IS_COMMAND),
            is_last=bool(data[0] & _IS_LAST),
        )
        if self._assembler.is_quiet:
            self._began_at = None
        elif self._began_at is not None:  # what took us time is not the sender's
            self._began_at += time.monotonic() - taken_from
        match whole:
            case Message():
                self._whole.put(whole)
            case Cancel():
                if len(self._cancelled) < _MAX_CANCELS:
                    self._cancelled.add(whole.message_id)
            case Response():
                raise Invalid("A response came, and nothing was asked.", code="bad-order")

    def _require_pace(self, size_bytes: int) -> None:
        now = time.monotonic()
        if self._began_at is None:
            self._began_at, self._message_bytes = now, 0
        self._message_bytes += size_bytes
        waited_s = now - self._began_at
        if self._limits.floor.is_undercut(size_bytes=self._message_bytes, waited_s=waited_s):
            raise Invalid(
                f"A message of {self._message_bytes} bytes took {waited_s:.0f} s.", code="too-slow"
            )

    def _wait_for_room(self) -> None:
        """Stop reading while enough is waiting; the peer's window fills, not our memory."""
        while not self._room.acquire(timeout=0.25):
            if self.assoc._kill:
                raise Invalid("The association is ending.", code="ending")

    def _violated(self, code: str, message: str) -> None:
        if code != "ending":
            log.warning("association violated", reason=code, message=message)
        self.dul.event_queue.put("Evt19")  # invalid PDU: abort (PS3.8 table 9-10)
