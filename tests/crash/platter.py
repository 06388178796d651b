"""Plays the disk: knows what a process has really synced, and makes of a folder what a power cut
would leave of it.

The child tells it of every `fsync` and `fdatasync` after the kernel has done it; what it keeps lies
outside the data folder. Of each file the content at its last sync is left, and of the blocks
written since any part, or nothing, or noise; a name or its removal counts once its folder is
synced. SQLite's own syncs are not seen: the database is left as the dead process left it.
"""

from __future__ import annotations

import json
import os
import random
import secrets
import shutil
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

BLOCK = 4096
PLAYED = ("spool", "packing", "store")


class Platter:
    """What is on stable storage of one data folder."""

    def __init__(self, data: Path, folder: Path) -> None:
        self._data = data
        self._contents = folder / "contents"  # by inode
        self._names = folder / "names"  # of a folder, by the hash of its path
        self._removed = folder / "removed"  # links to what was unlinked, by inode
        self._turn = threading.Lock()

    # -- in the process that is killed

    def listen(self) -> None:
        """Hear of every sync and every removal of this process from now on."""
        removal = os.unlink

        def unlink(path: Any, *args: Any, **kwargs: Any) -> None:
            with suppress(OSError):
                os.link(path, self._removed / str(os.stat(path, follow_symlinks=False).st_ino))
            removal(path, *args, **kwargs)

        os.unlink = unlink
        os.fsync = self._hearing(os.fsync)  # type: ignore
        os.fdatasync = self._hearing(os.fdatasync)  # type: ignore

    def _hearing(self, sync: Callable[[int], None]) -> Callable[[int], None]:
        def heard(descriptor: int) -> None:
            path = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
            if not path.is_relative_to(self._data):
                sync(descriptor)
            elif path.is_dir():
                with self._turn:  # an older listing must not be kept after a newer one
                    names = listing(path)  # before: what comes meanwhile may not be on the disk
                    sync(descriptor)
                    self._keep_names(path, names)
            else:
                sync(descriptor)
                self._keep_content(f"/proc/self/fd/{descriptor}")

        return heard

    def _keep_content(self, path: Path | str) -> None:
        """Copy a file; what a kill cuts short here was not answered for yet."""
        source = os.open(path, os.O_RDONLY)
        found = os.fstat(source)
        target = os.open(self._contents / str(found.st_ino), os.O_WRONLY | os.O_CREAT, 0o600)
        at = 0
        while at < found.st_size:
            copied = os.copy_file_range(source, target, found.st_size - at, at, at)
            if not copied:
                break
            at += copied
        os.ftruncate(target, found.st_size)
        os.close(source)
        os.close(target)

    def _keep_names(self, folder: Path, names: dict[str, int]) -> None:
        unborn = self._names / secrets.token_hex(8)
        unborn.write_text(json.dumps(names))
        os.rename(unborn, self._names_of(folder))

    def _names_of(self, folder: Path) -> Path:
        return self._names / (sha256(str(folder).encode()).hexdigest()[:32] + ".json")

    # -- in the process that watches

    def begin(self) -> None:
        """Take all that there is for synced: a process is about to begin its life on it."""
        for folder in (self._contents, self._names, self._removed):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
        for folder in self._folders():
            self._keep_names(folder, listing(folder))
            for path in folder.glob("*.seg"):  # the only files that change once they are named
                self._keep_content(path)
        self._was_there = {ino for f in self._folders() for ino in listing(f).values()}

    def cut_power(self, chosen: random.Random) -> None:
        """Make of the data folder what may lie on the disk after the cut."""
        for folder in self._folders():
            self._settle_names(folder, chosen)
        for folder in self._folders():
            for path in sorted(folder.iterdir()):
                if path.is_file():
                    self._settle_content(path, chosen)

    def _folders(self) -> Iterator[Path]:
        for name in PLAYED:
            for root, folders, _ in os.walk(self._data / name):
                folders.sort()
                yield Path(root)

    def _settle_names(self, folder: Path, chosen: random.Random) -> None:
        kept = self._names_of(folder)
        durable: dict[str, int] = json.loads(kept.read_text()) if kept.exists() else {}
        present = listing(folder)
        for name in sorted(present.keys() - durable.keys()):
            if chosen.random() < 0.5:
                _remove(folder / name)
        for name in sorted(durable.keys() - present.keys()):
            removed = self._removed / str(durable[name])
            if removed.exists() and chosen.random() < 0.5:
                os.link(removed, folder / name)

    def _settle_content(self, path: Path, chosen: random.Random) -> None:
        number = path.stat().st_ino
        kept = self._contents / str(number)
        if not kept.exists() and number in self._was_there:
            return
        old = kept.read_bytes() if kept.exists() else b""
        new = path.read_bytes()
        if old != new:
            path.write_bytes(mixed(old, new, chosen))


def listing(folder: Path) -> dict[str, int]:
    """Return the names in a folder with the inodes that they stand for."""
    with os.scandir(folder) as entries:
        return {entry.name: entry.inode() for entry in entries}


def mixed(old: bytes, new: bytes, chosen: random.Random) -> bytes:
    """Return what may be left of a file that held `old` when it was last synced and holds `new`."""
    if len(new) < len(old):
        size = chosen.choice((len(new), len(old)))
    else:
        size = chosen.randint(len(old), len(new))
    before, after = old.ljust(size, b"\x00"), new.ljust(size, b"\x00")
    blocks = []
    for at in range(0, size, BLOCK):
        was, written = before[at : min(at + BLOCK, size)], after[at : min(at + BLOCK, size)]
        become = chosen.choice(("old", "new", "noise"))
        if become == "noise" and was != written:
            same = next(i for i, (a, b) in enumerate(zip(was, written, strict=True)) if a != b)
            blocks.append(was[:same] + chosen.randbytes(len(was) - same))
        else:
            blocks.append(written if become == "new" else was)
    return b"".join(blocks)


def _remove(path: Path) -> None:
    if stat.S_ISDIR(path.lstat().st_mode):
        shutil.rmtree(path)
    else:
        path.unlink()
