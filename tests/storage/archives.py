"""What tests of an archive over some store share: a clock to move, and archives on one folder.

A module that asks for `open_archive` has a fixture `store` of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

from storage.archive import Archive, SpoolLimits, utc_now
from storage.belonging import Belonging
from storage.database import Database
from storage.objects import MemoryStore, ObjectStore
from storage.spool import Durability

OpenArchive = Callable[..., Archive]
"""Opens and starts one more archive on the folder; takes its durability."""


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = utc_now()

    def __call__(self) -> datetime:
        return self.now

    def later(self, seconds: float = 60.0) -> datetime:
        self.now += timedelta(seconds=seconds)
        return self.now


class LooseStore(MemoryStore):
    """A store whose objects can be looked at, rot and vanish without a word."""

    def keys(self) -> set[str]:
        return set(self._objects)

    def flip(self, key: str, at: int) -> None:
        data = bytearray(self._objects[key])
        data[at] ^= 1
        self._objects[key] = bytes(data)

    def lose(self, key: str) -> None:
        del self._objects[key]


@contextmanager
def archives(
    data: Path, database: Database, clock: Clock, store: ObjectStore
) -> Iterator[OpenArchive]:
    """Give what opens archives on a data folder, and close them at the end.

    With `is_marked` they look whose the store is, as in an exchange that runs.
    """
    opened: list[Archive] = []

    def open_it(durability: Durability = "disk", *, is_marked: bool = False) -> Archive:
        archive = Archive(
            data=data,
            database=database,
            store=store,
            limits=SpoolLimits(spool_bytes=1 << 30, reserve_bytes=0),
            clock=clock,
            durability=durability,
            require_store=Belonging(database, store).require if is_marked else lambda: None,
        )
        archive.start()
        opened.append(archive)
        return archive

    try:
        yield open_it
    finally:
        for archive in opened:
            archive.close()
