"""Takes the bytes of data sets as they come: into the archive, into memory, or nowhere."""

from __future__ import annotations

from typing import Protocol

import structlog

from casework.custody import Origin
from casework.errors import LysbroError, TooLarge
from pacs_bridge.desk import Desk
from pacs_bridge.dimse import Command
from pacs_bridge.identifier import MAX_IDENTIFIER_BYTES
from pacs_bridge.negotiation import Context
from pacs_bridge.status import Answer, answer_to_error, answer_to_receipt
from storage.archive import Intake
from storage.disk import Buffer

log = structlog.get_logger()

_PATIENCE_BYTES = 64 << 20  # read beyond a refusal, to be able to answer; then the line is cut


class Sink(Protocol):
    """Takes the bytes of one data set."""

    def write(self, chunk: Buffer) -> None:
        """Take the next bytes; raise TooLarge when nobody should send on."""

    def abandon(self) -> None:
        """Forget what came; leaves nothing behind."""


class StoreSink:
    """Writes a data set to the archive as it comes; keeps the first failure and answers with it."""

    def __init__(self, desk: Desk, origin: Origin, context: Context, command: Command) -> None:
        self._desk = desk
        self._origin = origin
        self._command = command
        self._size = 0
        self._failure: Exception | None = None
        self._intake: Intake | None = None
        try:
            self._intake = desk.archive.begin(
                origin,
                sop_class_uid=command.affected_class,
                sop_instance_uid=command.affected_instance,
                transfer_syntax_uid=context.transfer_syntax,
            )
        except Exception as error:  # noqa: BLE001 - process boundary: the peer gets a status
            self._fail(error)

    def write(self, chunk: Buffer) -> None:
        """Write the next bytes; after a failure only count them."""
        self._size += len(chunk)
        if self._intake is None:
            if self._size > self._desk.max_object_bytes + _PATIENCE_BYTES:
                raise TooLarge("The sender goes on after the limit.", code="endless")
            return
        try:
            if self._size > self._desk.max_object_bytes:
                raise TooLarge(f"Objects over {self._desk.max_object_bytes} bytes are not taken")
            self._intake.write(chunk)
        except Exception as error:  # noqa: BLE001 - process boundary: the peer gets a status
            self._fail(error)

    def finish(self) -> Answer:
        """Make the object durable and answer; success only after the receipt (PS3.4 B.2.3)."""
        intake, self._intake = self._intake, None
        if intake is None:
            return self._answer(self._failure or RuntimeError("finished twice"))
        try:
            receipt = intake.commit()
        except Exception as error:  # noqa: BLE001 - process boundary: the peer gets a status
            intake.abort()
            return self._answer(error)
        log.info(
            "stored",
            sop=receipt.sop_instance_uid,
            site=receipt.site,
            bytes=receipt.size_bytes,
            association=self._origin.association,
        )
        answer = answer_to_receipt(receipt)
        self._desk.meter.received(self._origin.site, receipt.size_bytes, answer.status)
        return answer

    def abandon(self) -> None:
        """Leave nothing of an object whose sender went away."""
        intake, self._intake = self._intake, None
        if intake is not None:
            intake.abort()

    def _fail(self, error: Exception) -> None:
        self._failure = error
        self.abandon()

    def _answer(self, error: Exception) -> Answer:
        answer = answer_to_error(error)
        fields = {"association": self._origin.association, "site": self._origin.site}
        if isinstance(error, LysbroError):
            reason = {"status": f"{answer.status:04X}", "reason": error.code}
            log.warning("not stored", **fields, **reason, message=error.message)
        else:
            log.error("storing broke", **fields, exc_info=error)
        self._desk.meter.received(self._origin.site, 0, answer.status)
        return answer


class DiscardSink:
    """Counts the bytes of a data set that nobody wants, so that its message can be answered."""

    def __init__(self) -> None:
        self._size = 0

    def write(self, chunk: Buffer) -> None:
        """Count the next bytes."""
        self._size += len(chunk)
        if self._size > _PATIENCE_BYTES:
            raise TooLarge("The sender goes on with what is not taken.", code="endless")

    def abandon(self) -> None:
        """Do nothing."""


class MemorySink:
    """Holds a short data set, as identifiers are."""

    def __init__(self, limit_bytes: int = MAX_IDENTIFIER_BYTES) -> None:
        self._limit_bytes = limit_bytes
        self._chunks: list[bytes] = []
        self._size = 0

    def write(self, chunk: Buffer) -> None:
        """Hold the next bytes."""
        self._size += len(chunk)
        if self._size > self._limit_bytes:
            raise TooLarge(f"An identifier has {self._limit_bytes} bytes at most.", code="endless")
        self._chunks.append(bytes(chunk))

    def abandon(self) -> None:
        """Forget the bytes."""
        self._chunks.clear()

    @property
    def content(self) -> bytes:
        """Return all bytes."""
        return b"".join(self._chunks)
