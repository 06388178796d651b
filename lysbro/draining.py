"""Packs what lies in data folders that no process holds any more: of replicas that were taken away.
What an erasure wants out of them goes as well, since nobody else would empty them.

Each folder is held while it is drained, under the name of its node. What the store does not take
stays where it is, and is tried again.
"""

from __future__ import annotations

import threading
from pathlib import Path

import structlog

from casework.errors import LysbroError
from lysbro import pool
from lysbro.alive import keep_alive
from lysbro.erasing import Finisher
from lysbro.settings import Settings
from lysbro.wiring import open_parts, utc_now
from storage import tombstones
from storage.database import open_database
from storage.mover import Mover

log = structlog.get_logger()


def drain_all(settings: Settings, folder: Path) -> tuple[int, int]:
    """Drain every free data folder of a pool; return how many are empty now and how many not."""
    drained = left = 0
    for held in pool.leftover(folder, asked_for=_asked_for(settings)):
        if drain(settings.model_copy(update={"data": held.data, "node": held.node})):
            drained += 1
        else:
            left += 1
    return drained, left


def _asked_for(settings: Settings) -> frozenset[str]:
    """Return the nodes that an erasure waits for."""
    if settings.database_url in ("", "sqlite"):
        return frozenset()  # each data folder has a database of its own
    try:
        database = open_database(settings.resolved_database_url)
        try:
            with database.read() as conn:
                return tombstones.nodes_owing(conn)
        finally:
            database.close()
    except LysbroError as error:
        log.warning("erasures_not_read", reason=error.code)
        return frozenset()


def drain(settings: Settings) -> bool:
    """Recover and pack what is in the spool of a data folder; tell whether it is empty then."""
    try:
        with open_parts(settings, intake=True) as parts:
            parts.archive.settle()
            mover = Mover(
                parts.archive,
                quiet_s=0,
                grace_s=0,
                pack_bytes=settings.pack_bytes,
                pack_members=settings.pack_members,
            )
            while (done := mover.run_once(utc_now())).packed and not done.failure:
                log.info("drained", node=settings.node, instances=done.packed)
            mover.run_once(utc_now())
            Finisher(parts).empty_folder()
    except LysbroError as error:
        log.warning("not_drained", node=settings.node, reason=error.code, message=error.message)
    return not pool.has_spool(settings.data)


def drain_until_stopped(settings: Settings, *, every_s: float, stop: threading.Event) -> None:
    """Drain again and again until told to stop."""
    folder = (settings.data_pool or settings.data).resolve()

    def go_on() -> None:
        while not stop.is_set():
            try:
                drain_all(settings, folder)
            except Exception:
                log.exception("not_drained")  # boundary of a loop that must go on
            stop.wait(every_s)

    draining = threading.Thread(target=go_on, name="drain", daemon=True)
    draining.start()
    keep_alive(folder, "drain", lives=draining.is_alive, stop=stop)
    draining.join()
