"""Recompresses what is about to be packed, a bounded time in each run of the mover.

Holds the files that are ready in the mover's folder until they lie in a pack. Nothing waits for it
for ever: what it has no time for is packed as it came, and counted so.
"""

from __future__ import annotations

import secrets
import time
from collections import Counter
from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO

import structlog
from sqlalchemy import Connection, select

from casework.errors import LysbroError
from storage.archive import Archive
from storage.casebook_tables import sites
from storage.codec import Codec
from storage.disk import is_out_of_room
from storage.recompressed_file import LeftAlone, recompress
from storage.recompression import why_not
from storage.recompression_counts import Tally
from storage.rows import InstanceRow

log = structlog.get_logger()

TEMPORARY = ".pack-recompressed-"
_LONGEST_RUN_S = 2.0
_SPOOL_PRESSED_PERCENT = 75
_WORD = 24


@dataclass(frozen=True)
class RecompressionRule:
    """How much of its time a mover may spend, and how long a series may wait for it."""

    share_percent: int = 50
    patience_s: float = 900


@dataclass(frozen=True)
class Outcome:
    """What became of an instance: its row, as it is to be packed, and in one word why."""

    instance: InstanceRow
    word: str  # htj2k | jpeg-ls | the reason why it stays as it came
    path: Path | None = None  # of the recompressed Part 10 file


class Recompressor:
    """Makes recompressed files for one mover."""

    def __init__(
        self,
        archive: Archive,
        folder: Path,
        rule: RecompressionRule,
        *,
        elapsed: Callable[[], float] = time.monotonic,
    ) -> None:
        self._archive = archive
        self._folder = folder
        self._rule = rule
        self._elapsed = elapsed
        self._outcomes: dict[int, Outcome] = {}
        self._work: tuple[int, Generator[None, None, InstanceRow], Path, Codec] | None = None
        self._last_at: float | None = None
        self._left_s = 0.0

    def begin_run(self) -> None:
        """Grant this run its share of the time since the last one."""
        now = self._elapsed()
        since = _LONGEST_RUN_S if self._last_at is None else now - self._last_at
        self._last_at = now
        self._left_s = min(_LONGEST_RUN_S, since) * self._rule.share_percent / 100

    def prepare(
        self, part: Sequence[InstanceRow], codec: Codec, *, now: datetime
    ) -> list[Outcome] | None:
        """Return what is to be packed of some instances, or None while it is not ready."""
        hurry = self._hurry(part, now)
        for instance in part:
            if instance.pk in self._outcomes:
                continue
            reason = why_not(instance) or hurry
            if reason:
                self._stop(instance.pk)
                self._outcomes[instance.pk] = Outcome(instance, reason)
            elif not self._advance(instance, codec, now):
                return None
        return [self._outcomes[instance.pk] for instance in part]

    def open(self, instance: InstanceRow) -> BinaryIO:
        """Open the Part 10 file of an instance that is ready, or where it lies."""
        ready = self._outcomes.get(instance.pk)
        if instance.kept_sha256 and ready is not None and ready.path is not None:
            return ready.path.open("rb")
        return self._archive.open_part10(instance)

    def forget(self, pks: Collection[int]) -> None:
        """Remove what was ready of instances that are packed, or that are to be begun again."""
        for pk in pks:
            outcome = self._outcomes.pop(pk, None)
            if outcome is not None and outcome.path is not None:
                outcome.path.unlink(missing_ok=True)

    def keep_only(self, pks: Collection[int]) -> None:
        """Remove what was ready of instances that wait no more."""
        if self._work is not None and self._work[0] not in pks:
            self._stop(self._work[0])
        self.forget(self._outcomes.keys() - set(pks))

    def _hurry(self, part: Sequence[InstanceRow], now: datetime) -> str:
        """Return why instances must not wait any more; empty while they may."""
        newest = max(instance.received_at for instance in part)
        if now - newest > timedelta(seconds=self._rule.patience_s):
            return "no-time"
        return "spool-full" if self._archive.load().spool_percent >= _SPOOL_PRESSED_PERCENT else ""

    def _advance(self, instance: InstanceRow, codec: Codec, now: datetime) -> bool:
        """Work on an instance while there is time; return whether it is done."""
        if self._work is not None and (self._work[0], self._work[3]) != (instance.pk, codec):
            self._stop(self._work[0])
        if self._left_s <= 0:
            return False
        begun = self._elapsed()
        try:
            self._work = self._work or self._begin(instance, codec, now)
            _, work, path, _ = self._work
            while True:
                next(work)
                if self._elapsed() - begun > self._left_s:
                    return False
        except StopIteration as done:
            self._done(Outcome(done.value, codec.value, path))
        except LeftAlone as error:
            log_it = log.error if error.reason in ("proof", "hash") else log.info
            log_it(
                "not_recompressed",
                sop=instance.sop_instance_uid,
                site=instance.site,
                reason=error.reason,
            )
            self._done(Outcome(instance, error.reason))
        except LysbroError as error:  # its bytes cannot be read: packing it says what is wrong
            self._done(Outcome(instance, error.code or "unreadable"))
        except OSError as error:
            log.warning("not_recompressed", sop=instance.sop_instance_uid, reason=str(error))
            self._done(Outcome(instance, "no-room" if is_out_of_room(error) else "disk"))
        finally:
            self._left_s -= self._elapsed() - begun
        return True

    def _begin(
        self, instance: InstanceRow, codec: Codec, now: datetime
    ) -> tuple[int, Generator[None, None, InstanceRow], Path, Codec]:
        path = self._folder / (TEMPORARY + secrets.token_hex(8))
        archive, where = self._archive, instance.location
        work = recompress(
            _Dataset(archive, instance),
            instance,
            meta=archive.read_in_place(instance, 0, where.dataset_offset),
            codec=codec,
            path=path,
            limits=archive.walk_limits,
            now=now,
        )
        return instance.pk, work, path, codec

    def _done(self, outcome: Outcome) -> None:
        self._work = None
        self._outcomes[outcome.instance.pk] = outcome

    def _stop(self, pk: int) -> None:
        """End work on an instance; the generator removes its file."""
        if self._work is not None and self._work[0] == pk:
            self._work[1].close()
            self._work = None


class _Dataset:
    """The data set of an instance where it lies, a stretch at a time."""

    def __init__(self, archive: Archive, instance: InstanceRow) -> None:
        self._archive = archive
        self._instance = instance
        self.size = instance.size_bytes

    def read_at(self, offset: int, length: int) -> bytes:
        """Return a slice, fewer bytes at the end."""
        length = min(length, self.size - offset)
        if length <= 0:
            return b""
        at = self._instance.location.dataset_offset + offset
        return self._archive.read_in_place(self._instance, at, length)


def codecs_of_sites(conn: Connection) -> dict[str, Codec]:
    """Return the sites whose images are kept in another form, and in which."""
    rows = conn.execute(select(sites.c.slug, sites.c.recompress).where(sites.c.recompress != ""))
    return {slug: Codec(codec) for slug, codec in rows}


def tallies_of(outcomes: Sequence[Outcome]) -> list[Tally]:
    """Return what became of instances, to be counted."""
    found = []
    for outcome in outcomes:
        row = outcome.instance
        came = row.as_received().size_bytes
        found.append(Tally(row.site, outcome.word[:_WORD], 1, came, row.size_bytes))
    return found


def words_of(outcomes: Sequence[Outcome]) -> Mapping[str, int]:
    """Return how many instances met each outcome."""
    return Counter(outcome.word for outcome in outcomes)
