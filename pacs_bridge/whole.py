"""DIMSE messages that are whole: one that has come in, and what is sent in return. Values only."""

from __future__ import annotations

from dataclasses import dataclass

from pacs_bridge.dimse import Command
from pacs_bridge.negotiation import Context
from pacs_bridge.sinks import Sink


@dataclass(frozen=True)
class Message:
    """A DIMSE message that has come in whole."""

    context: Context
    command: Command
    sink: Sink


@dataclass(frozen=True)
class Reply:
    """A response to send: command set, and data set where there is one."""

    command: bytes
    dataset: bytes = b""


@dataclass(frozen=True)
class OutgoingRequest:
    """A request of ours to send over the association: its context, command set and data set."""

    context: Context
    command: bytes
    dataset: bytes
