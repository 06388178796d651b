"""The indexer of a process that must answer fast: a process beside it, which follows the journal.

Stands where the indexer's thread stands elsewhere. What is durable is announced over a pipe, what
is indexed comes back over another. A follower that fell is started again and told everything that
it had not confirmed; telling twice changes nothing.
"""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime

import structlog

from casework.errors import Unavailable
from storage.follower import SEALED, UNSYNCED
from storage.records import SpoolRecord

log = structlog.get_logger()

_BACKLOG = 50_000
_HOUSEKEEPING_S = 1.0
_RESTART_S = 0.5
_GATHER_S = 0.05


class IndexProcess:
    """Indexes what this process has acknowledged, in another process."""

    def __init__(self, command: Sequence[str], *, housekeeping: Callable[[], None]) -> None:
        self._command = list(command)
        self._housekeeping = housekeeping
        self._condition = threading.Condition()
        self._unconfirmed: dict[str, deque[int]] = {}  # ends of records, by segment
        self._sealed: dict[str, int] = {}
        self._unsaid: dict[str, str] = {}  # lines to be written, the last of each segment
        self._since = UNSYNCED  # what was said last
        self._has_news = threading.Event()
        self._added = 0
        self._done = 0
        self._is_stopping = False
        self._process: subprocess.Popen[bytes] | None = None
        self._pipe = -1
        self._threads = [
            threading.Thread(target=self._keep_running, name="index-process", daemon=True),
            threading.Thread(target=self._keep_house, name="housekeeping", daemon=True),
            threading.Thread(target=self._announce, name="announcing", daemon=True),
        ]

    @property
    def backlog(self) -> int:
        """Return how many acknowledged records are not in the index yet."""
        return self._added - self._done

    def start(self) -> None:
        """Start the process, and keep it running."""
        self._launch()
        for thread in self._threads:
            thread.start()

    def add(self, record: SpoolRecord) -> None:
        """Announce a durable record; records of one segment come in their order."""
        with self._condition:
            self._unconfirmed.setdefault(record.segment, deque()).append(record.end)
            self._added += 1
            self._since = _since(record.synced_at)
            self._say(record.segment, record.end, self._since)
        if not self._has_news.is_set():
            self._has_news.set()

    def note_sealed(self, segment: str, end: int) -> None:
        """Announce that a segment is sealed."""
        with self._condition:
            self._sealed[segment] = end
            self._say(segment, end, SEALED)
        self._has_news.set()

    def require_capacity(self) -> None:
        """Raise Unavailable when the index has fallen far behind what is acknowledged."""
        if self._added - self._done >= _BACKLOG:
            raise Unavailable(
                f"{_BACKLOG} objects wait for the index. Look at the database, then send again.",
                code="index-behind",
            )

    def settle(self, *, timeout_s: float) -> None:
        """Wait until all that was announced before this call is in the index."""
        deadline = time.monotonic() + timeout_s
        with self._condition:
            wanted = {name: ends[-1] for name, ends in self._unconfirmed.items() if ends}
            self._say_all()
            while any(self._waits(name, end) for name, end in wanted.items()):
                left = deadline - time.monotonic()
                if left <= 0:
                    raise Unavailable(
                        f"The index has not taken over {self.backlog} objects in {timeout_s:g} s. "
                        "They are safe in the spool; look at the database.",
                        code="index-behind",
                    )
                self._condition.wait(left)

    def stop(self, *, timeout_s: float) -> None:
        """Let the process index what it was told, then end it."""
        with self._condition:
            self._is_stopping = True
            process = self._process
            if self._pipe >= 0:
                os.set_blocking(self._pipe, True)
                self._say_all()
            self._close_pipe()
            self._has_news.set()
            self._condition.notify_all()
        if process is not None:
            try:
                process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                log.error("index_process_killed", backlog=self.backlog)
                process.kill()
                process.wait()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(timeout_s)

    def _stops(self) -> bool:
        return self._is_stopping

    def _waits(self, segment: str, end: int) -> bool:
        ends = self._unconfirmed.get(segment)
        return bool(ends and ends[0] <= end)

    def _launch(self) -> None:
        process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        with self._condition:
            self._process = process
            self._pipe = process.stdin.fileno() if process.stdin is not None else -1
            os.set_blocking(self._pipe, False)
            self._unsaid.clear()
            for segment, ends in self._unconfirmed.items():
                if ends:
                    self._say(segment, ends[-1], self._since)
            for segment, end in self._sealed.items():
                self._say(segment, end, SEALED)
            self._say_all()

    def _say(self, segment: str, end: int, note: str) -> None:
        """Note a line for the pipe; a later one of the segment says what an earlier one did."""
        line = f"{segment} {end} {note}\n"
        is_seal = note == SEALED
        self._unsaid[segment] = self._unsaid.get(segment, "") + line if is_seal else line

    def _say_all(self) -> None:
        for segment in list(self._unsaid):
            if self._pipe < 0 or not self._write(self._unsaid[segment]):
                return
            del self._unsaid[segment]

    def _announce(self) -> None:
        """Write what there is a few times a second: the other process works best in batches."""
        while not self._is_stopping:
            self._has_news.wait()
            time.sleep(_GATHER_S)
            self._has_news.clear()
            with self._condition:
                self._say_all()

    def _write(self, text: str) -> bool:
        """Return whether the pipe took it; one that is broken takes all, for the next start says
        it again."""
        try:
            os.write(self._pipe, text.encode())  # whole or not at all: it is under PIPE_BUF
        except BlockingIOError:
            return False
        except OSError:
            self._pipe = -1
        return True

    def _close_pipe(self) -> None:
        self._pipe = -1
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()

    def _keep_running(self) -> None:
        while True:
            process = self._process
            if process is None or process.stdout is None:
                return
            with process, process.stdout as answers:
                for line in answers:
                    self._confirmed(line)
            with self._condition:
                if self._is_stopping:
                    self._condition.notify_all()
                    return
                self._close_pipe()
                log.error("index_process_fell", exit_status=process.returncode)
                self._condition.wait_for(self._stops, timeout=_RESTART_S)
                if self._stops():
                    return
            self._launch()

    def _confirmed(self, line: bytes) -> None:
        segment, end = line.decode().split()
        with self._condition:
            ends = self._unconfirmed.get(segment, deque())
            while ends and ends[0] <= int(end):
                ends.popleft()
                self._done += 1
            if not ends:
                self._unconfirmed.pop(segment, None)
            if self._sealed.get(segment, -1) == int(end):
                del self._sealed[segment]
            self._say_all()
            self._condition.notify_all()

    def _keep_house(self) -> None:
        while True:
            with self._condition:
                self._condition.wait_for(self._stops, timeout=_HOUSEKEEPING_S)
                if self._is_stopping:
                    return
            try:
                self._housekeeping()
            except Exception:
                log.exception("housekeeping_failed")


def _since(synced_at: datetime | None) -> str:
    return UNSYNCED if synced_at is None else str(int(synced_at.timestamp() * 1e6))
