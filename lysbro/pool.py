"""Chooses a data folder for a process among those that replicas share, and holds it while it runs.

A pool is a folder of data folders on one machine. A process takes one that no other holds: first
one that has something in its spool, so that what a replica left behind is packed by the next.
"""

from __future__ import annotations

import fcntl
import os
import platform
import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from casework.errors import Unavailable
from storage.segments import segment_paths

_MOST = 64
_LOCK = ".{}.held"


@dataclass(frozen=True)
class Held:
    """A data folder of a pool that this process holds until the descriptor is closed."""

    data: Path
    descriptor: int

    @property
    def node(self) -> str:
        """Return the name of the node, which is the folder's: the same whoever takes it next."""
        return self.data.name

    def release(self) -> None:
        """Give the folder up."""
        os.close(self.descriptor)


def take(pool: Path, name: str) -> Held:
    """Take a data folder whose name begins so, or make one; raise Unavailable when none is free."""
    _make(pool)
    mine = re.compile(re.escape(name) + r"-\d{1,3}")
    there = [path for path in _folders(pool) if mine.fullmatch(path.name)]
    fresh = (pool / f"{name}-{number}" for number in range(1, _MOST + 1))
    for folder in (*sorted(there, key=_most_urgent), *fresh):
        held = _hold(pool, folder)
        if held is not None:
            folder.mkdir(mode=0o700, exist_ok=True)
            return held
    raise Unavailable(f"All {_MOST} data folders of {name} in {pool} are in use.", code="pool-full")


def leftover(pool: Path, *, asked_for: Collection[str] = ()) -> Iterator[Held]:
    """Hold, one after the other, the data folders that no process holds and that have a spool.

    Those that are asked for by name as well, with a spool or without.
    """
    _make(pool)
    for folder in sorted(_folders(pool)):
        if not has_spool(folder) and folder.name not in asked_for:
            continue
        held = _hold(pool, folder)
        if held is None:
            continue
        try:
            if has_spool(folder) or folder.name in asked_for:
                yield held
        finally:
            held.release()


def held_here(pool: Path, name: str) -> Path | None:
    """Return the data folder, whose name begins so, that a process of this host holds, or None."""
    for folder in sorted(_folders(pool)):
        if not folder.name.startswith(f"{name}-"):
            continue
        try:
            holder = (pool / _LOCK.format(folder.name)).read_text("utf-8")
        except FileNotFoundError:
            continue
        if holder == platform.node() and _is_held(pool, folder):
            return folder
    return None


def has_spool(folder: Path) -> bool:
    """Tell whether the spool of a data folder has a segment: something may wait to be packed."""
    spool = folder / "spool"
    return spool.is_dir() and next(iter(segment_paths(spool)), None) is not None


@contextmanager
def taken(pool: Path, name: str) -> Iterator[Held]:
    """Hold a data folder of the pool for as long as this is held."""
    held = take(pool, name)
    try:
        yield held
    finally:
        held.release()


def _hold(pool: Path, folder: Path) -> Held | None:
    descriptor = os.open(
        pool / _LOCK.format(folder.name), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600
    )
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    os.truncate(descriptor, 0)
    os.pwrite(descriptor, platform.node().encode(), 0)
    return Held(folder, descriptor)


def _is_held(pool: Path, folder: Path) -> bool:
    descriptor = os.open(pool / _LOCK.format(folder.name), os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _folders(pool: Path) -> list[Path]:
    if not pool.is_dir():
        return []
    return [path for path in pool.iterdir() if path.is_dir() and not path.name.startswith(".")]


def _most_urgent(folder: Path) -> tuple[bool, int]:
    return (not has_spool(folder), int(folder.name.rpartition("-")[2]))


def _make(pool: Path) -> None:
    try:
        pool.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise Unavailable(
            f"The pool {pool} cannot be made ({error.strerror}). "
            "Give another with LYSBRO_DATA_POOL.",
            code="pool-unwritable",
        ) from error
