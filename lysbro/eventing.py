"""The process that tells subscribers of work items over WebSocket, beside the web."""

from __future__ import annotations

import threading
from functools import partial

import structlog

from lysbro.open_channels import counting, note_open
from lysbro.services import web_services
from lysbro.settings import Settings
from lysbro.wiring import Parts, open_parts
from viewer.event_channel import ChannelParts, open_channels

log = structlog.get_logger()


def tell_events(settings: Settings, stop: threading.Event) -> None:
    """Let subscribers in and tell them what happens, until told to stop."""
    with (
        open_parts(settings) as parts,
        counting(parts.settings.data),
        open_channels(
            channel_parts(parts), host=settings.web_host, port=settings.events_port
        ) as port,
    ):
        log.info("listening", what="events", host=settings.web_host, port=port)
        stop.wait()


def channel_parts(parts: Parts) -> ChannelParts:
    """Return what the channels are made of."""
    return ChannelParts(
        database=parts.database,
        people=parts.people,
        subscriptions=parts.subscriptions,
        ledger=parts.ledger,
        clock=parts.clock,
        settings=web_services(parts).settings,
        most=parts.settings.events_connections,
        counted=partial(note_open, parts.settings.data),
    )
