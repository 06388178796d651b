"""The bridge as a process, or as several on one port: each receives, and has its own follower.

Several share the listening sockets, which the one that starts them has bound, and count open
associations together. A process that falls is started again; the others go on.
"""

from __future__ import annotations

import os
import socket
import sys
import threading
from pathlib import Path

import structlog

from lysbro import logs
from lysbro.dicom import bridge_settings, open_bridge
from lysbro.hl7 import bind_hl7, open_hl7
from lysbro.settings import Settings
from lysbro.supervise import SETTINGS_VARIABLE, Child, Supervisor, die_with_parent, stop_event
from lysbro.wiring import data_folder, open_parts
from pacs_bridge.places import Places
from pacs_bridge.service import Shared, bind

log = structlog.get_logger()

_NO_SOCKET = -1


def receive(settings: Settings, stop: threading.Event, shared: Shared | None = None) -> None:
    """Receive and answer DICOM until told to stop."""
    follower = [sys.executable, "-m", "lysbro.following"]
    with (
        open_parts(settings, intake=True, follower=follower) as parts,
        open_bridge(parts, shared) as port,
        open_hl7(parts, None if shared is None else shared.hl7) as hl7_port,
    ):
        if hl7_port is not None:
            log.info("listening", what="hl7", host=settings.hl7_host, port=hl7_port)
        log.info(
            "listening",
            what="dicom",
            host=settings.dicom_host,
            port=port,
            ae_title=settings.ae_title,
            tls_port=settings.dicom_tls_port,
        )
        stop.wait()
        log.info("draining", what="dicom")


def receive_in_many(settings: Settings) -> None:
    """Bind the ports and run as many processes on them as the settings say; exit as they do."""
    plain, secure = bind(bridge_settings(settings))
    bound = (plain, secure, bind_hl7(settings))
    sockets = [each for each in bound if each is not None]
    descriptors = [each.fileno() for each in sockets]
    words = [str(_NO_SOCKET if each is None else each.fileno()) for each in bound]
    command = [sys.executable, "-m", "lysbro.receiving", *words]
    children = [
        Child(f"bridge-{number}", command, pass_fds=descriptors)
        for number in range(1, settings.dicom_processes + 1)
    ]
    try:
        status = Supervisor(children).run()
    finally:
        for each in sockets:
            each.close()
    if status:
        raise SystemExit(status)


def places_of(data: Path) -> Places:
    """Return the count of open associations that the bridges of a data folder share."""
    return Places(data / "bridge.places")


def main(words: list[str]) -> None:
    """Be one of several: take the sockets that were handed down."""
    settings = Settings.model_validate_json(os.environ[SETTINGS_VARIABLE])
    logs.configure(
        level=settings.log_level, as_json=settings.log_format == "json", process="bridge"
    )
    plain, secure, hl7 = (_socket(int(word)) for word in words)
    if plain is None:
        raise SystemExit(2)
    places = places_of(data_folder(settings))
    try:
        receive(settings, stop_event(), Shared(plain, secure, places, hl7))
    finally:
        places.close()


def _socket(descriptor: int) -> socket.socket | None:
    return None if descriptor == _NO_SOCKET else socket.socket(fileno=descriptor)


if __name__ == "__main__":
    die_with_parent()
    main(sys.argv[1:])
