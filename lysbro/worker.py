"""The worker process: packs what is quiet, answers for what is kept, judges how complete studies
are and asks their senders, delivers replies, sends studies, backs the casebook up, erases what is
to go, verifies packs.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from casework.errors import LysbroError
from lysbro.asking import Asker
from lysbro.backing_up import Backer
from lysbro.committing import Committer
from lysbro.delivering import Deliverer
from lysbro.erasing import Finisher, Keeper
from lysbro.mirroring import mirroring
from lysbro.sending import Sender
from lysbro.wiring import Parts
from storage.merge import MergeRule
from storage.mover import Mover
from storage.recompressor import RecompressionRule
from storage.scrub import Scrubber

log = structlog.get_logger()

_BREATH_S = 0.5


@dataclass(frozen=True)
class Chore:
    """One kind of work: does a piece and tells whether there may be more."""

    name: str
    run_once: Callable[[], bool]


def chores(parts: Parts) -> tuple[Chore, ...]:
    """Return the work of a worker, the most urgent first."""
    settings = parts.settings
    quiet_s, lease_s = settings.quiet_seconds, settings.lease_seconds
    mover = Mover(
        parts.archive,
        quiet_s=quiet_s,
        grace_s=settings.spool_grace,
        large_bytes=settings.large_series_bytes,
        pack_bytes=settings.pack_bytes,
        pack_members=settings.pack_members,
        copies_grace_s=settings.pack_grace,
        merge=MergeRule(
            packs=settings.merge_packs,
            quiet_s=settings.merge_quiet_seconds,
            pack_bytes=settings.pack_bytes,
            pack_members=settings.pack_members,
        ),
        recompression=RecompressionRule(
            share_percent=settings.recompress_share,
            patience_s=settings.recompress_patience,
        ),
    )
    scrubber = Scrubber(parts.archive, daily_bytes=settings.verify_daily_bytes)

    def pack() -> bool:
        done = mover.run_once(parts.clock())
        return done.packed > 0 or done.merged > 0

    def presume() -> bool:
        parts.index.presume_complete(parts.clock(), quiet_s)
        return False

    return (
        Chore("deliver", Deliverer(parts, lease_s=lease_s).run_once),
        Chore("send", Sender(parts).run_once),
        Chore("commit", Committer(parts, lease_s=lease_s).run_once),
        Chore("pack", pack),
        Chore("presume", presume),
        Chore("ask", Asker(parts, lease_s=lease_s).run_once),
        Chore("back up", Backer(parts).run_once),
        Chore("keep", Keeper(parts).run_once),
        Chore("erase", Finisher(parts).run_once),
        Chore("verify", lambda: scrubber.run_once(parts.clock())),
    )


def work(parts: Parts, stop: threading.Event) -> None:
    """Do the chores until told to stop; a chore that fails is told in the log and tried again
    later.
    """
    todo = chores(parts)
    with mirroring(parts, stop):
        while not stop.is_set():
            busy = False
            for chore in todo:
                if stop.is_set():
                    break
                busy = _attempt(chore) or busy
            if not busy:
                stop.wait(_BREATH_S)


def _attempt(chore: Chore) -> bool:
    try:
        return chore.run_once()
    except LysbroError as error:
        log.warning("chore failed", chore=chore.name, reason=error.code, message=error.message)
    except Exception:
        log.exception("chore broke", chore=chore.name)
    return False
