"""The worker process: packs what is quiet, answers for what is kept, judges how complete studies
are and asks their senders, fetches earlier studies, delivers replies, ends claims that are over,
routes and sends studies, asks for commitments, backs the casebook up, erases what is to go,
verifies packs.

Each kind of work goes on by itself, so that none waits for another.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import timedelta

from lysbro.alive import keep_alive
from lysbro.asking import Asker
from lysbro.backing_up import Backer
from lysbro.committing import Committer
from lysbro.delivering import Deliverer
from lysbro.erasing import Finisher, Keeper
from lysbro.mirroring import mirroring
from lysbro.pacing import Chore, Errands, Loop
from lysbro.prefetching import Prefetcher
from lysbro.promising import Promiser
from lysbro.sending import Sender
from lysbro.wiring import Parts
from storage.merge import MergeRule
from storage.mover import Mover
from storage.prior_queue import PriorJob
from storage.recompressor import RecompressionRule
from storage.scrub import Scrubber
from storage.turns import Turns

_SELDOM_S = 2.0


def chores(parts: Parts) -> tuple[Loop, ...]:
    """Return the work of a worker, the most urgent first."""
    settings = parts.settings
    quiet_s, lease_s = settings.quiet_seconds, settings.lease_seconds
    turns = Turns(parts.database, parts.clock, lease_s)
    committer = Committer(parts, lease_s=lease_s)
    promiser = Promiser(parts, lease_s=lease_s)
    scrubber = Scrubber(parts.archive, daily_bytes=settings.verify_daily_bytes)

    def presume() -> bool:
        parts.index.presume_complete(parts.clock(), quiet_s)
        return False

    def escalate() -> bool:
        if settings.escalate_after:
            parts.escalation.look(timedelta(seconds=settings.escalate_after))
        return False

    def release() -> bool:
        parts.casebook.end_readings()
        parts.casebook.end_claims()
        return False

    return (
        Errands("deliver", Deliverer(parts, lease_s=lease_s)),
        Chore("escalate", escalate, _SELDOM_S),
        Chore("release", release, _SELDOM_S),
        Chore("route", parts.routing.run_once),
        Errands("send", Sender(parts)),
        Errands("promise", promiser),
        Chore("overdue", promiser.look, _SELDOM_S),
        Chore("commit", committer.look),
        Errands("report", committer),
        packing(parts, turns=turns),
        Chore("presume", presume),
        Errands("ask", Asker(parts, lease_s=lease_s)),
        Errands[PriorJob]("prefetch", Prefetcher(parts, lease_s=lease_s)),
        Chore("back up", Backer(parts, turns).run_once, _SELDOM_S),
        Chore("keep", Keeper(parts).run_once, _SELDOM_S),
        Chore("erase", Finisher(parts).run_once),
        emptying(parts),
        sweeping(parts),
        Chore("verify", lambda: scrubber.run_once(parts.clock()), _SELDOM_S),
    )


def packing(parts: Parts, *, turns: Turns | None) -> Chore:
    """Return the packing of this data folder's spool; with turns, and the merging for all."""
    settings = parts.settings
    mover = Mover(
        parts.archive,
        quiet_s=settings.quiet_seconds,
        grace_s=settings.spool_grace,
        large_bytes=settings.large_series_bytes,
        pack_bytes=settings.pack_bytes,
        pack_members=settings.pack_members,
        copies_grace_s=settings.pack_grace,
        merge=MergeRule(
            packs=settings.merge_packs if turns else 0,
            quiet_s=settings.merge_quiet_seconds,
            pack_bytes=settings.pack_bytes,
            pack_members=settings.pack_members,
            turns=turns,
        ),
        recompression=RecompressionRule(
            share_percent=settings.recompress_share,
            patience_s=settings.recompress_patience,
        ),
    )

    def pack() -> bool:
        done = mover.run_once(parts.clock())
        return done.packed > 0 or done.merged > 0

    return Chore("pack", pack)


def emptying(parts: Parts) -> Chore:
    """Return the emptying of this data folder of what is erased, wherever that was decided."""
    return Chore("empty", Finisher(parts).empty_folder, _SELDOM_S)


def sweeping(parts: Parts) -> Chore:
    """Return the sweeping of this data folder of photographs that never became whole."""

    def sweep() -> bool:
        parts.uploads.sweep(parts.casebook.photographable)
        return False

    return Chore("sweep", sweep, _SELDOM_S)


def work(parts: Parts, stop: threading.Event) -> None:
    """Do all the work of a worker until told to stop."""
    with mirroring(parts, stop):
        go_on(chores(parts), parts, "worker", stop)


def pack_only(parts: Parts, stop: threading.Event) -> None:
    """Pack what the other processes of this data folder take in, and empty it of what is erased."""
    go_on([packing(parts, turns=None), emptying(parts), sweeping(parts)], parts, "packer", stop)


def go_on(loops: Sequence[Loop], parts: Parts, role: str, stop: threading.Event) -> None:
    """Let each kind of work go on in a thread of its own until told to stop; end what was begun."""
    threads = [
        threading.Thread(target=loop.run, args=(stop,), name=loop.name, daemon=True)
        for loop in loops
    ]
    for thread in threads:
        thread.start()
    keep_alive(
        parts.settings.data.resolve(),
        role,
        lives=lambda: all(thread.is_alive() for thread in threads),
        stop=stop,
    )
    for thread in threads:
        thread.join()
