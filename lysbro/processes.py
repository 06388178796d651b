"""The processes of an exchange: bridge (DICOM), web, worker; packer where the worker is elsewhere,
events beside the web.

Each opens its own parts and drains on SIGTERM.
"""

from __future__ import annotations

import fcntl
import os
import socket
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import IO

import structlog

from casework.errors import Invalid, Unavailable
from lysbro import worker
from lysbro.settings import Settings
from lysbro.supervise import SETTINGS_VARIABLE, stop_event
from lysbro.wiring import data_folder, open_parts
from storage.data_folder import not_ours_to_write

log = structlog.get_logger()

_TRIES, _BETWEEN_TRIES_S = 5, 0.02


@contextmanager
def only_one(settings: Settings, role: str) -> Iterator[None]:
    """Hold the role on this data folder; raise Unavailable when another process has it."""
    path = data_folder(settings) / f"{role}.lock"
    try:
        file = path.open("a+")
    except OSError as error:
        raise not_ours_to_write(path.parent, error) from error
    with file:
        if not _locked(file):
            raise Unavailable(
                f"Another Lysbro already runs its {role} on {settings.data}. "
                "Stop it, or choose another --data.",
                code="already-running",
            )
        yield


def _locked(file: IO[str]) -> bool:
    """Take a lock; tried again for a moment, since it is held so long while one looks at it."""
    for _ in range(_TRIES):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            time.sleep(_BETWEEN_TRIES_S)
        else:
            return True
    return False


def require_free(settings: Settings, roles: Iterable[str]) -> None:
    """Raise Unavailable when another process has one of the roles on this data folder, or its
    port.
    """
    for role in roles:
        with only_one(settings, role):
            require_free_door(settings, role)


def require_free_door(settings: Settings, role: str) -> None:
    """Raise Unavailable when somebody listens where the role is to listen.

    The web server would share the port with another exchange, and each get some of the callers.
    """
    doors: Mapping[str, Sequence[tuple[str, str, int | None]]] = {
        "bridge": [
            ("LYSBRO_DICOM_PORT", settings.dicom_host, settings.dicom_port),
            ("LYSBRO_DICOM_TLS_PORT", settings.dicom_tls_host, settings.dicom_tls_port),
            ("LYSBRO_HL7_PORT", settings.hl7_host, settings.hl7_port),
        ],
        "web": [("LYSBRO_WEB_PORT", settings.web_host, settings.web_port)],
        "events": [("LYSBRO_EVENTS_PORT", settings.web_host, settings.events_port)],
    }
    for name, host, port in doors.get(role, ()):
        if not port:
            continue
        with suppress(OSError), socket.create_connection((host, port), timeout=2):
            raise Unavailable(
                f"Something listens on {host}:{port} already, perhaps another Lysbro. "
                f"Stop it, or choose another port with {name}.",
                code="port-taken",
            )


def run_bridge(settings: Settings) -> None:
    """Receive and answer DICOM until told to stop."""
    from lysbro.receiving import receive, receive_in_many  # noqa: PLC0415 - the web process does not load the network library

    os.environ[SETTINGS_VARIABLE] = settings.model_dump_json()
    with only_one(settings, "bridge"):
        if settings.dicom_processes > 1:
            receive_in_many(settings)
        else:
            receive(settings, stop_event())


def run_worker(settings: Settings) -> None:
    """Pack, deliver and send until told to stop."""
    with only_one(settings, "worker"), open_parts(settings, intake=True) as parts:
        log.info("working")
        worker.work(parts, stop_event())


def run_packer(settings: Settings) -> None:
    """Pack what the other processes of this data folder take in, until told to stop."""
    with only_one(settings, "packer"), open_parts(settings, intake=True) as parts:
        log.info("packing")
        worker.pack_only(parts, stop_event())


def run_events(settings: Settings) -> None:
    """Tell subscribers of work items what happens, until told to stop."""
    from lysbro.eventing import tell_events  # noqa: PLC0415 - only this process speaks WebSocket

    if not settings.events_port:
        raise Invalid(
            "There is no port for event channels. Set LYSBRO_EVENTS_PORT.", code="no-event-channel"
        )
    with only_one(settings, "events"):
        require_free_door(settings, "events")
        tell_events(settings, stop_event())


def with_companions(settings: Settings, roles: Sequence[str]) -> list[str]:
    """Return the roles with what runs beside them: the event channel beside the web."""
    has_channel = "web" in roles and settings.events_port and "events" not in roles
    return [*roles, "events"] if has_channel else list(roles)


def run_web(settings: Settings) -> None:
    """Serve the web application until told to stop."""
    from granian import Granian  # noqa: PLC0415 - only this process needs the web server
    from granian.constants import Interfaces  # noqa: PLC0415

    with only_one(settings, "web"):
        require_free_door(settings, "web")
        os.environ[SETTINGS_VARIABLE] = settings.model_dump_json()
        log.info("listening", what="web", host=settings.web_host, port=settings.web_port)
        Granian(
            "lysbro.web:application",
            factory=True,
            address=settings.web_host,
            port=settings.web_port,
            interface=Interfaces.WSGI,
            workers=1,
            blocking_threads=settings.web_threads,
            backpressure=settings.web_threads * 16,
            respawn_failed_workers=True,
            workers_kill_timeout=20,
            websockets=False,
            log_enabled=False,
        ).serve()


ROLES: Mapping[str, Callable[[Settings], None]] = {
    "bridge": run_bridge,
    "web": run_web,
    "worker": run_worker,
    "packer": run_packer,
    "events": run_events,
}
