"""Keeps a node known to the others: one process of its data folder says that it lives and holds
the door to its spool. When that process ends, another of the same folder takes over.
"""

from __future__ import annotations

import fcntl
import os
import platform
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import structlog

from casework.errors import LysbroError
from lysbro.node_door import open_door
from lysbro.settings import Settings
from storage.archive import SpoolStatus
from storage.nodes import HEARD_EVERY_S, Nodes, Told, folder_id
from storage.segments import segment_paths

log = structlog.get_logger()

KINDS = ("bridge", "web", "worker", "packer")

_TAKE_OVER_S = 1.0
_EVERY_ADDRESS = ("0.0.0.0", "::")  # noqa: S104 - to tell that the host listens on all


def claim(nodes: Nodes, settings: Settings, data: Path) -> None:
    """Take the node's name for this data folder, or raise Unavailable when another lives by it."""
    spool = data / "spool"
    holding = [path.name for path in segment_paths(spool)] if spool.is_dir() else []
    nodes.claim(settings.resolved_node, folder_id(data), holding=holding)


@contextmanager
def present(
    nodes: Nodes, settings: Settings, data: Path, *, spool: Callable[[], SpoolStatus]
) -> Iterator[None]:
    """Let the others know of this node for as long as one process of its folder holds this."""
    stop = threading.Event()
    presence = _Presence(nodes, settings, data, stop, spool)
    thread = threading.Thread(target=presence.run, name="presence", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def roles_of(data: Path) -> list[str]:
    """Return which processes run on a data folder, as their locks tell."""
    return [role for role in KINDS if _is_held(data / f"{role}.lock")]


def _version() -> str:
    try:
        return version("lysbro")
    except PackageNotFoundError:  # run from its source
        return ""


def _is_held(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)  # gives back the lock that it may have taken
    return False


class _Presence:
    def __init__(
        self,
        nodes: Nodes,
        settings: Settings,
        data: Path,
        stop: threading.Event,
        spool: Callable[[], SpoolStatus],
    ) -> None:
        self._spool = spool
        self._nodes = nodes
        self._settings = settings
        self._data = data
        self._stop = stop
        self._folder_id = folder_id(data)

    def run(self) -> None:
        """Wait for the turn of this process; then hold the door until told to stop."""
        descriptor = os.open(self._data / "node.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            while not self._is_our_turn(descriptor):
                if self._stop.wait(_TAKE_OVER_S):
                    return
            while not self._stop.is_set():
                try:
                    self._hold()
                except OSError as error:  # the port is taken, or the address is not ours
                    log.error("node_door_closed", reason=str(error))
                    self._stop.wait(HEARD_EVERY_S)
            self._leave()
        finally:
            os.close(descriptor)

    def _hold(self) -> None:
        port = self._settings.node_port
        if port is None:
            self._tell_until_stopped("")
            return
        host = self._settings.node_host
        with open_door(
            self._data / "spool", host=host, port=port, secret=self._settings.node_secret
        ) as bound:
            named = platform.node() if host in _EVERY_ADDRESS else host
            named = f"[{named}]" if ":" in named else named
            log.info("listening", what="node", host=host, port=bound)
            self._tell_until_stopped(f"{named}:{bound}")

    def _tell_until_stopped(self, address: str) -> None:
        while True:
            try:
                self._nodes.heard(
                    self._settings.resolved_node,
                    self._folder_id,
                    address=address,
                    told=self._told(),
                )
            except LysbroError as error:
                log.warning("node_not_heard", reason=error.code)
            except Exception:
                log.exception("node_not_heard")  # boundary of a thread that must go on
            if self._stop.wait(HEARD_EVERY_S):
                return

    def _leave(self) -> None:
        try:
            self._nodes.leave(self._settings.resolved_node, self._folder_id, told=self._told())
        except LysbroError as error:
            log.warning("node_not_heard", reason=error.code)

    def _told(self) -> Told:
        found = self._spool()
        return Told(
            kinds=",".join(roles_of(self._data)),
            version=_version(),
            spool_instances=found.instances,
            spool_bytes=found.waiting_bytes,
            spool_oldest_at=found.oldest_at,
            drain_s=found.drain_s,
        )

    @staticmethod
    def _is_our_turn(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
