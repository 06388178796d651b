"""Wires the HL7 face: its settings out of ours, the parts it needs, started and drained."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

from casework.errors import Invalid
from lysbro.secure import tls_files
from lysbro.settings import Settings
from lysbro.wiring import Parts
from pacs_bridge.hl7_answers import ACCEPTED
from pacs_bridge.hl7_desk import Came, Hl7Desk
from pacs_bridge.hl7_service import Hl7Service, Hl7Settings, bind


@contextmanager
def open_hl7(parts: Parts, listening: socket.socket | None = None) -> Iterator[int | None]:
    """Listen for HL7 where a port is set; give the port; answer what has come, and end."""
    if parts.settings.hl7_port is None:
        yield None
        return
    service = Hl7Service(
        hl7_settings(parts.settings),
        hl7_desk(parts),
        site_of_certificate=parts.people.site_of_certificate,
        listening=listening,
    )
    service.start()
    try:
        yield service.port
    finally:
        service.stop()


def bind_hl7(settings: Settings) -> socket.socket | None:
    """Return the listening socket for several processes, or None where HL7 is not listened for."""
    return None if settings.hl7_port is None else bind(hl7_settings(settings))


def hl7_desk(parts: Parts) -> Hl7Desk:
    """Return what judges messages, also those that an operator replays."""
    return Hl7Desk(
        parts.hl7_inbox,
        clock=parts.clock,
        application=parts.settings.ae_title,
        timezone=parts.settings.timezone,
    )


def replay(parts: Parts, message_id: int) -> str:
    """Take a refused message again; return why it is refused again, or nothing."""
    content, peer = parts.hl7_inbox.refused_whole(message_id)
    judged = hl7_desk(parts).receive(content, Came(peer))
    if judged is None:
        return "it is no HL7 message"
    return "" if judged.verdict.code == ACCEPTED else judged.verdict.text


def hl7_settings(settings: Settings) -> Hl7Settings:
    """Return the part of the settings that the HL7 face is handed."""
    files = tls_files(settings) if settings.hl7_tls else None
    if settings.hl7_tls and files is None:
        raise Invalid("LYSBRO_HL7_TLS: HL7 over TLS needs a certificate.", code="settings")
    return Hl7Settings(
        host=settings.hl7_host,
        port=settings.hl7_port or 0,
        tls_files=files,
        max_bytes=settings.hl7_max_bytes,
        max_connections=settings.hl7_max_connections,
        message_timeout_s=settings.hl7_message_timeout,
        idle_timeout_s=settings.hl7_idle_timeout,
        handshake_timeout_s=settings.dicom_handshake_timeout,
    )
