"""Runs the processes of one Lysbro: starts bridge, web and worker, restarts one that fell, stops
them together.

Knows nothing of what the processes do. When the supervisor itself is killed, the kernel ends the
children: every promise they gave is on the disk already.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import structlog

log = structlog.get_logger()

SETTINGS_VARIABLE = "LYSBRO_PROCESS"
"""Where a process that is started by another finds its settings."""

_PR_SET_PDEATHSIG = 1
_RESTART_WAIT_S = (0.2, 0.5, 1, 2, 5, 10, 30)
_STEADY_S = 60.0
_STARTS_WITHIN_S = 20.0  # a process that ends by itself sooner cannot run as it was told to


def die_with_parent() -> None:
    """Ask the kernel to end this process when its parent is gone (Linux; elsewhere it does
    nothing).
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def stop_event() -> threading.Event:
    """Return what is set when this process is told to stop.

    A handler of Python's runs in the main thread only, which a signal that another thread took does
    not wake from a lock. So the signal is written to a pipe as it comes, and a thread waits there.
    """
    stop = threading.Event()
    told, tell = os.pipe()
    os.set_blocking(tell, False)
    signal.set_wakeup_fd(tell)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _heard)

    def wait() -> None:
        os.read(told, 1)
        stop.set()

    threading.Thread(target=wait, name="told-to-stop", daemon=True).start()
    return stop


def _heard(number: int, frame: object) -> None:
    """Leave it to the pipe."""


@dataclass
class Child:
    """One supervised process and how often it has fallen lately."""

    name: str
    command: Sequence[str]
    pass_fds: Sequence[int] = ()  # open descriptors that it is handed
    process: subprocess.Popen[bytes] | None = None
    falls: int = 0
    started_at: float = 0.0
    start_after: float = field(default=0.0)

    def start(self, environment: Mapping[str, str]) -> None:
        """Start the process."""
        self.process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            self.command,
            env=dict(environment),
            pass_fds=tuple(self.pass_fds),
            preexec_fn=die_with_parent,  # noqa: PLW1509 - prctl only
        )
        self.started_at = time.monotonic()
        log.info("process started", name=self.name, pid=self.process.pid)

    def fell(self, now: float) -> None:
        """Note that the process ended by itself and when it may start again."""
        code = self.process.returncode if self.process else None
        self.falls = 0 if now - self.started_at > _STEADY_S else self.falls
        wait_s = _RESTART_WAIT_S[min(self.falls, len(_RESTART_WAIT_S) - 1)]
        self.falls += 1
        self.start_after = now + wait_s
        self.process = None
        log.error("process ended", name=self.name, exit_status=code, restart_in_s=wait_s)


class Supervisor:
    """Keeps the children running until it is told to stop."""

    def __init__(self, children: Sequence[Child], *, drain_s: float = 30.0) -> None:
        self._children = children
        self._drain_s = drain_s
        self._stopping = False

    def run(self) -> int:
        """Run until SIGTERM or SIGINT, or until a child says that its call is wrong; return the
        exit status.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        environment = {**os.environ}
        status = 0
        while not self._stopping:
            now = time.monotonic()
            for child in self._children:
                if child.process is None and now >= child.start_after:
                    child.start(environment)
                elif child.process is not None and child.process.poll() is not None:
                    if (
                        child.process.returncode in {1, 2}
                        and child.falls == 0
                        and now - child.started_at < _STARTS_WITHIN_S
                    ):
                        status, self._stopping = child.process.returncode, True
                        break
                    child.fell(now)
            time.sleep(0.1)
        self._drain()
        return status

    def _stop(self, number: int, frame: object) -> None:
        self._stopping = True

    def _drain(self) -> None:
        running = [
            (c.name, c.process)
            for c in self._children
            if c.process is not None and c.process.poll() is None
        ]
        for _, process in running:
            process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + self._drain_s
        for name, process in running:
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                log.warning("process did not drain in time", name=name)
                process.kill()
                process.wait()
        log.info("stopped")
