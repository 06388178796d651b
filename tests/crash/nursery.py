"""Starts bridges quickly, watches them die and waits until nothing of them is left."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.crash.bridge import Plan

ROOT = Path(__file__).resolve().parents[2]
STARTS_WITHIN_S = 30.0


class Nursery:
    """Starts bridges quickly: everything that they import is imported once."""

    def __init__(self, log: Path) -> None:
        with log.open("ab") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.crash.bridge"],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
            )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._in, self._out = self._process.stdin, self._process.stdout
        self._told = b""
        self._living: Life | None = None

    def bear(self, plan: Plan) -> Life:
        """Start a bridge."""
        self._in.write(plan.as_line())
        self._in.flush()
        self._living = Life(self, int(self._line("born")))
        return self._living

    def wait_listening(self, life: Life) -> int:
        """Return the port of a bridge, or 0 when it died before it listened."""
        deadline = time.monotonic() + STARTS_WITHIN_S
        while b"\n" not in self._told:
            if time.monotonic() > deadline:
                life.say_where()
                raise AssertionError("the bridge did not start")
            if select.select([self._out], [], [], 0.02)[0]:
                self._told += os.read(self._out.fileno(), 1 << 16)
            elif life.is_over:
                return 0
        return int(self._line("listening"))

    def reap(self) -> int:
        """Wait until all of the dead bridge's group are gone, and return its status."""
        self._in.write(b"reap\n")
        self._in.flush()
        self._living = None
        return int(self._line("reaped"))

    def close(self) -> None:
        """End the nursery, and a bridge that still lives."""
        if self._living is not None:
            self._living.kill()
        self._in.close()
        self._process.wait()
        self._out.close()

    def _line(self, word: str) -> str:
        while b"\n" not in self._told:
            more = os.read(self._out.fileno(), 1 << 16)
            assert more, "the nursery ended by itself"
            self._told += more
        line, self._told = self._told.split(b"\n", 1)
        found, _, rest = line.decode().partition(" ")
        if found != word and found == "listening":  # it died in the moment it began to listen
            return self._line(word)
        assert found == word, line
        return rest


class Life:
    """A bridge that lives until it is killed or kills itself."""

    def __init__(self, nursery: Nursery, process: int) -> None:
        self._nursery = nursery
        self._process = process
        self._handle = os.pidfd_open(process)

    @property
    def is_over(self) -> bool:
        """Tell whether it is dead."""
        return self.wait(0)

    def wait(self, timeout_s: float) -> bool:
        """Wait for its death, and tell whether it came."""
        return bool(select.select([self._handle], [], [], timeout_s)[0])

    def kill(self) -> None:
        """Kill its process group."""
        os.killpg(self._process, signal.SIGKILL)  # not reaped yet: the number is its own

    def say_where(self) -> None:
        """Let it write to its log where every thread is."""
        os.kill(self._process, signal.SIGUSR1)
        self.wait(0.5)

    def bury(self) -> None:
        """Wait until nothing of it is left; it must have died by a kill."""
        assert self.wait(STARTS_WITHIN_S), "the bridge did not die"
        os.close(self._handle)
        status = self._nursery.reap()
        assert status == -signal.SIGKILL, f"the bridge ended by itself: {status}"


@contextmanager
def nursery(log: Path) -> Iterator[Nursery]:
    """Give a nursery, and end it."""
    opened = Nursery(log)
    try:
        yield opened
    finally:
        opened.close()
