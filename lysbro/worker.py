"""The worker process: packs what is quiet, answers for what is kept, judges how complete studies
are and asks their senders, delivers replies, sends studies.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from casework.errors import LysbroError
from lysbro.asking import Asker
from lysbro.committing import Committer
from lysbro.delivering import Deliverer
from lysbro.sending import Sender
from lysbro.wiring import Parts
from storage.mover import Mover

log = structlog.get_logger()

_BREATH_S = 0.5


@dataclass(frozen=True)
class Chore:
    """One kind of work: does a piece and tells whether there may be more."""

    name: str
    run_once: Callable[[], bool]


def chores(parts: Parts) -> tuple[Chore, ...]:
    """Return the work of a worker, the most urgent first."""
    quiet_s = parts.settings.quiet_seconds
    lease_s = parts.settings.lease_seconds
    mover = Mover(parts.archive, quiet_s=quiet_s)

    def pack() -> bool:
        return mover.run_once(parts.clock()).packed > 0

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
    )


def work(parts: Parts, stop: threading.Event) -> None:
    """Do the chores until told to stop; a chore that fails is told in the log and tried again
    later.
    """
    todo = chores(parts)
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
