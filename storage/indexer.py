"""The thread that takes durable records over into the index: in batches, at once, and in order.

The position of each segment commits with its rows, so nothing is read twice or passed over. A
record that the index cannot take is held back and tried again; only its own segment waits for it.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial

import structlog

from casework.errors import Unavailable
from storage.database import Database
from storage.positions import advance, mark_sealed
from storage.records import SpoolRecord
from storage.register import register

log = structlog.get_logger()

_BATCH = 500
_BACKLOG = 50_000
_GATHER_S = (
    0.03  # each batch is a sync of the database, which a storing association must wait beside
)
_HOUSEKEEPING_S = 1.0
_RETRY_S = 2.0


class Indexer:
    """Indexes what this process has acknowledged."""

    def __init__(
        self,
        database: Database,
        *,
        node: str,
        clock: Callable[[], datetime],
        housekeeping: Callable[[], None],
        on_indexed: Callable[[Mapping[str, int]], None] | None = None,
    ) -> None:
        self._on_indexed = on_indexed
        self._database = database
        self._node = node
        self._clock = clock
        self._housekeeping = housekeeping
        self._condition = threading.Condition()
        self._queue: deque[SpoolRecord] = deque()
        self._sealed: deque[tuple[str, int]] = deque()
        self._added = 0
        self._done = 0
        self._awaited = 0  # up to which of those that were added somebody waits
        self._held: list[SpoolRecord] = []
        self._is_stopping = False
        self._thread = threading.Thread(target=self._run, name="indexer", daemon=True)

    @property
    def backlog(self) -> int:
        """Return how many acknowledged records are not in the index yet."""
        with self._condition:
            return self._added - self._done

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def add(self, record: SpoolRecord) -> None:
        """Hand over a durable record; records of one segment come in their order."""
        with self._condition:
            self._queue.append(record)
            self._added += 1
            self._condition.notify_all()

    def note_sealed(self, segment: str, end: int) -> None:
        """Hear that a segment is sealed; the index learns it after the segment's records."""
        with self._condition:
            self._sealed.append((segment, end))
            self._condition.notify_all()

    def require_capacity(self) -> None:
        """Raise Unavailable when the index has fallen far behind what is acknowledged."""
        if self._added - self._done >= _BACKLOG:
            raise Unavailable(
                f"{_BACKLOG} objects wait for the index. Look at the database, then send again.",
                code="index-behind",
            )

    def settle(self, *, timeout_s: float) -> None:
        """Wait until all that was handed over before this call is in the index."""
        deadline = time.monotonic() + timeout_s
        with self._condition:
            wanted = self._added
            self._awaited = max(self._awaited, wanted)
            self._condition.notify_all()
            while self._done < wanted:
                left = deadline - time.monotonic()
                if left <= 0 or not self._thread.is_alive():
                    raise Unavailable(
                        f"The index has not taken over {wanted - self._done} objects in "
                        f"{timeout_s:g} s. They are safe in the spool; look at the database.",
                        code="index-behind",
                    )
                self._condition.wait(left)

    def stop(self, *, timeout_s: float) -> None:
        """Index what waits, then end the thread."""
        with self._condition:
            self._is_stopping = True
            self._condition.notify_all()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def _run(self) -> None:
        tidied_at = time.monotonic()
        while True:
            batch, sealed, is_last = self._next()
            if batch or self._held or sealed:
                self._take_over(batch, sealed)
            if is_last:
                return
            if time.monotonic() - tidied_at >= _HOUSEKEEPING_S:
                self._attempt(self._housekeeping)
                tidied_at = time.monotonic()

    def _next(self) -> tuple[list[SpoolRecord], list[tuple[str, int]], bool]:
        with self._condition:
            if not self._queue and not self._sealed and not self._is_stopping:
                self._condition.wait(_RETRY_S if self._held else _HOUSEKEEPING_S)
            self._gather()
            batch = [self._queue.popleft() for _ in range(min(_BATCH, len(self._queue)))]
            sealed: list[tuple[str, int]] = []
            if not self._queue:
                sealed = list(self._sealed)
                self._sealed.clear()
            return batch, sealed, self._is_stopping and not self._queue and not self._sealed

    def _gather(self) -> None:
        """Let more records join a batch for a moment, unless somebody waits for those there are."""
        deadline = time.monotonic() + _GATHER_S
        while (
            0 < len(self._queue) < _BATCH
            and self._awaited <= self._done
            and not self._is_stopping
            and (left := deadline - time.monotonic()) > 0
        ):
            self._condition.wait(left)

    def _take_over(self, batch: Sequence[SpoolRecord], sealed: list[tuple[str, int]]) -> None:
        waiting = [*self._held, *batch]
        taken = 0
        if waiting and self._attempt(partial(self._commit, waiting)):
            self._held = []
            taken = len(waiting)
        elif waiting:  # one of them may be the reason: the others need not wait for it
            self._held = []
            for record in waiting:
                if self._blocks(record) or not self._attempt(partial(self._commit, [record])):
                    self._held.append(record)
                else:
                    taken += 1
        for segment, end in sealed:
            is_held = any(r.segment == segment for r in self._held)
            if is_held or not self._attempt(partial(self._commit_sealed, segment, end)):
                self._seal_later(segment, end)
        with self._condition:
            self._done += taken
            self._condition.notify_all()
        if self._held:
            log.error("indexing_failed", held=len(self._held))
            if taken == 0:
                with self._condition:
                    if not self._is_stopping:
                        self._condition.wait(_RETRY_S)

    def _seal_later(self, segment: str, end: int) -> None:
        with self._condition:
            if not self._is_stopping:  # else the next start finds the seal
                self._sealed.append((segment, end))

    def _blocks(self, record: SpoolRecord) -> bool:
        """Tell whether an earlier record of the same segment is held: positions go in order."""
        return any(held.segment == record.segment for held in self._held)

    def _commit(self, records: Sequence[SpoolRecord]) -> None:
        through: dict[str, int] = {}
        for record in records:
            through[record.segment] = max(through.get(record.segment, 0), record.end)
        with self._database.begin() as conn:
            register(conn, records)
            advance(conn, through, node=self._node, now=self._clock())
        if self._on_indexed is not None:
            self._on_indexed(through)

    def _commit_sealed(self, segment: str, end: int) -> None:
        with self._database.begin() as conn:
            mark_sealed(conn, segment, end=end, node=self._node, now=self._clock())
        if self._on_indexed is not None:
            self._on_indexed({segment: end})

    def _attempt(self, act: Callable[[], None]) -> bool:
        try:
            act()
        except Exception as error:  # noqa: BLE001 - boundary of a thread that must go on
            # the text of a database error may hold a patient's name; that of its cause does not
            reason = str(getattr(error, "orig", "")) or type(error).__name__
            log.error("indexing_attempt_failed", reason=reason, kind=type(error).__name__)
            return False
        return True
