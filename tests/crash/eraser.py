"""Erases in a process that kills itself at a step, for every step; then lets another go on.

Run as `python -m tests.crash.eraser FILLED WORK VARIANT`: FILLED is a data folder in which nobody
is at work. Each round is a line on standard output: the step, and what was found afterwards.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import event

from casework.erasure import Target
from storage import care, erasure_spool
from storage.archive import Archive, SpoolLimits, utc_now
from storage.database import Database, open_database
from storage.disk import write_all_at
from storage.erasing import Erasures
from storage.erasure_steps import Eraser
from storage.journal import Entry, encode_erased
from storage.ledger import Ledger
from storage.mirroring import Mirrorer
from storage.objects import FolderStore
from tests.storage.erasing import ADMIN, NAME, PIXELS, REASON, STUDY, files_with

_COMPILED: dict[Any, Any] = {}

SOUND, HEADER_FIRST = "sound", "header-first"
"""HEADER_FIRST is the broken variant: it says that a record is erased before its bytes are."""


def main() -> None:
    filled, work, variant = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    structlog.configure(processors=[_drop])
    # a kill leaves the page cache: what is slow here would show nothing
    os.fsync = os.fdatasync = lambda _descriptor: None  # type: ignore[assignment]
    if variant == HEADER_FIRST:
        erasure_spool._erase = _header_first
    for number in range(1, 500):
        data = work / str(number)
        shutil.copytree(filled, data)
        child = os.fork()
        if not child:
            _die_at(number)
            with archive_over(data) as archive:
                erase_and_finish(archive)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        has_ended = not os.WIFSIGNALED(status)
        with archive_over(data) as archive:
            erase_and_finish(archive)
            told = found(archive)
            is_bad = told != "ok"
            line = f"{number} {'ended' if has_ended else 'killed'} {told}\n"
            os.write(sys.stdout.fileno(), line.encode())
        shutil.rmtree(data)
        if has_ended or (variant == HEADER_FIRST and is_bad):
            return
    raise AssertionError("it never came to an end")


@contextmanager
def archive_over(data: Path) -> Iterator[Archive]:
    """Open an archive that takes nothing in, so that this process has one thread."""
    database = open_database("sqlite", data=data)
    database.engine = database.engine.execution_options(compiled_cache=_COMPILED)
    database._snapshots = database.engine
    event.listen(database.engine, "connect", _unsynced)
    try:
        yield Archive(
            data=data,
            database=database,
            store=FolderStore(data / "store"),
            limits=SpoolLimits(spool_bytes=1 << 30, reserve_bytes=0),
            mirror=FolderStore(data / "mirror"),
        )
    finally:
        database.close()


def _unsynced(raw: Any, _record: Any) -> None:
    raw.execute("PRAGMA synchronous=OFF").close()


def erase_and_finish(archive: Archive) -> None:
    erasures = Erasures(archive.database, utc_now, node=archive.spool.node)
    if not erasures.listed():
        erasures.erase(Target(study_uid=STUDY), actor=ADMIN, reason=REASON)
    eraser, now = Eraser(archive, actor=ADMIN), utc_now()
    eraser.finish("", now)
    assert archive.mirror is not None
    mirrorer = Mirrorer(archive, archive.mirror)
    while mirrorer.run_once(now):  # what stays of a pack must be there before the old one goes
        pass
    eraser.finish("", now + timedelta(hours=2))


def found(archive: Archive) -> str:
    """Return what is wrong, or `ok`."""
    left = files_with(archive.data, NAME, PIXELS)
    if left:
        return f"bytes in {','.join(left)}"
    (erasure,) = Erasures(archive.database, utc_now, node="").listed()
    report = care.verify(archive)
    if erasure.state != "done" or report.checked != 3 or not report.is_clean or report.orphaned:
        return f"{erasure.state} {erasure.waits_for} {report}"
    return "ok" if Ledger(archive.database).verify() is None else "the audit does not hold"


def _die_at(number: int) -> None:
    """Kill this process when the steps that change something have been passed so many times."""
    left = [number]

    def step() -> None:
        left[0] -= 1
        if not left[0]:
            os.kill(os.getpid(), signal.SIGKILL)

    def after(act: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*args: Any, **more: Any) -> Any:
            result = act(*args, **more)
            step()  # before the next one all is as it is now
            return result

        return wrapped

    begin = Database.begin

    @contextmanager
    def begun(self: Database) -> Iterator[Any]:
        with begin(self) as conn:
            yield conn
        step()

    Database.begin = begun  # type: ignore[method-assign]
    Database.wipe_deleted = after(Database.wipe_deleted)  # type: ignore[method-assign]
    FolderStore.put = after(FolderStore.put)  # type: ignore[method-assign]
    FolderStore.erase = after(FolderStore.erase)  # type: ignore[method-assign]
    erasure_spool.write_all_at = after(write_all_at)


def _header_first(descriptor: int, entry: Entry, *, nonce: bytes) -> None:
    erasure_spool.write_all_at(descriptor, [encode_erased(entry, nonce=nonce)], entry.offset)
    length = entry.end - entry.payload_offset
    erasure_spool.write_all_at(descriptor, [bytes(length)], entry.payload_offset)


def _drop(_logger: object, _name: str, _event: Any) -> Any:
    raise structlog.DropEvent


if __name__ == "__main__":
    main()
