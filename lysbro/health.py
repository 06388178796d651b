"""Says whether the processes of this host do well, as a container's check asks: doors answer, loops
go on. Opens neither database nor store; the web is asked whether it can serve.
"""

from __future__ import annotations

import socket
import urllib.error
import urllib.request
from collections.abc import Iterable
from pathlib import Path

from lysbro import pool
from lysbro.alive import is_alive
from lysbro.settings import Settings

KINDS = ("bridge", "web", "worker", "packer", "drain", "events")

_WAIT_S = 5.0
_EVERY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - what listens on all is here


def failing(settings: Settings, kinds: Iterable[str]) -> list[str]:
    """Return a sentence for each process that does not do well."""
    data = _data(settings)
    found = []
    for kind in kinds:
        if kind == "web":
            found += _web(settings)
        elif kind == "bridge":
            found += _bridge(settings)
        elif kind == "events":
            found += _events(settings)
        else:
            folder = (settings.data_pool or data).resolve() if kind == "drain" else data
            found += [] if is_alive(folder, kind) else [f"The {kind} does not go on."]
    return found


def _data(settings: Settings) -> Path:
    if settings.data_pool is None:
        return settings.data.resolve()
    folder = settings.data_pool.resolve()
    return pool.held_here(folder, settings.node or "node") or folder


def _web(settings: Settings) -> list[str]:
    host = _EVERY_ADDRESS.get(settings.web_host, settings.web_host)
    request = urllib.request.Request(
        f"http://{f'[{host}]' if ':' in host else host}:{settings.web_port}/readyz",
        headers={"Host": settings.web_trusted_hosts[0]} if settings.web_trusted_hosts else {},
    )
    try:
        with urllib.request.urlopen(request, timeout=_WAIT_S):  # noqa: S310 - our own door
            return []
    except (urllib.error.URLError, OSError) as error:
        return [f"The web is not ready ({error})."]


def _events(settings: Settings) -> list[str]:
    host, port = settings.web_host, settings.events_port
    return _closed("event channel", [(host, port)]) if port else []


def _bridge(settings: Settings) -> list[str]:
    doors = [(settings.dicom_host, settings.dicom_port)]
    if settings.dicom_tls_port:
        doors.append((settings.dicom_tls_host, settings.dicom_tls_port))
    return _closed("bridge", doors)


def _closed(what: str, doors: Iterable[tuple[str, int]]) -> list[str]:
    found = []
    for host, port in doors:
        try:
            socket.create_connection((_EVERY_ADDRESS.get(host, host), port), _WAIT_S).close()
        except OSError as error:
            found.append(f"The {what} does not answer at {host}:{port} ({error}).")
    return found
