"""Puts DIMSE messages together from their fragments, within bounds (PS3.8 annex E). No I/O.

Data sets go straight into the session's sinks as they come; only command sets are gathered.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from casework.errors import Invalid
from pacs_bridge import dimse
from pacs_bridge.dimse import Command
from pacs_bridge.negotiation import Context
from pacs_bridge.sinks import DiscardSink, Sink
from pacs_bridge.whole import Message


@dataclass(frozen=True)
class Cancel:
    """A C-CANCEL for the message of this number (PS3.7 section 9.3.2.3)."""

    message_id: int


@dataclass(frozen=True)
class Response:
    """An answer to what we asked."""

    command: Command


Whole = Message | Cancel | Response


class Sinks(Protocol):
    """Says where the data set of a request goes, as a session does."""

    def sink_for(self, context: Context, command: Command) -> Sink:
        """Return what takes the data set of a message, before its first byte has come."""


class Assembler:
    """The messages of one association, one at a time."""

    def __init__(
        self,
        session: Sinks,
        contexts: Mapping[int, Context],
        *,
        max_command_bytes: int = 65536,
        room: Callable[[], None] | None = None,
    ) -> None:
        """`room` is called before a message is begun, and may wait until there is room for it."""
        self._session = session
        self._contexts = contexts
        self._max_command_bytes = max_command_bytes
        self._room = room
        self._command = bytearray()
        self._command_context = 0  # of the command set that is being gathered
        self._partial: Message | None = None

    @property
    def is_quiet(self) -> bool:
        """Tell whether no message is under way."""
        return self._partial is None and not self._command

    def take(
        self, context_id: int, data: bytes | memoryview, *, is_command: bool, is_last: bool
    ) -> Whole | None:
        """Take a fragment, or a piece of one; return the message that it ends."""
        context = self._contexts.get(context_id)
        if context is None:
            raise Invalid(f"Context {context_id} was not accepted.", code="bad-context")
        if is_command:
            return self._take_command(context, data, is_last=is_last)
        return self._take_dataset(context, data, is_last=is_last)

    def discard(self) -> None:
        """Leave nothing of a message that is not whole."""
        message, self._partial = self._partial, None
        if message is not None:
            message.sink.abandon()

    def _take_command(
        self, context: Context, data: bytes | memoryview, *, is_last: bool
    ) -> Whole | None:
        if self._partial is not None:
            raise Invalid("A command came in the middle of a data set.", code="bad-order")
        if self._command and context.id != self._command_context:
            raise Invalid("A command came in two contexts.", code="bad-order")
        if not data and not is_last:  # or it could go on for ever without a byte
            raise Invalid("A piece of a command is empty.", code="bad-command")
        self._command_context = context.id
        self._command += data
        if len(self._command) > self._max_command_bytes:
            raise Invalid("A command set is too long.", code="bad-command")
        if not is_last:
            return None
        command = dimse.read_command(bytes(self._command))
        self._command.clear()
        if command.field == dimse.C_CANCEL_RQ:
            if command.has_dataset:
                raise Invalid("A cancel has a data set that none has.", code="bad-order")
            return Cancel(command.responded_to)
        if command.field & 0x8000:
            return self._take_response(context, command)
        _ = command.message_id  # every request has one
        if self._room is not None:
            self._room()
        if not command.has_dataset:
            return Message(context, command, DiscardSink())
        self._partial = Message(context, command, self._session.sink_for(context, command))
        return None

    def _take_dataset(
        self, context: Context, data: bytes | memoryview, *, is_last: bool
    ) -> Whole | None:
        message = self._partial
        if message is None or message.context is not context:
            raise Invalid("A data set came without its command.", code="bad-order")
        message.sink.write(data)
        if not is_last:
            return None
        self._partial = None
        return Response(message.command) if message.command.field & 0x8000 else message

    def _take_response(self, context: Context, command: Command) -> Response | None:
        if not command.has_dataset:
            return Response(command)
        self._partial = Message(context, command, DiscardSink())  # what it holds says nothing
        return None
