"""Keeps previews, or metadata, on disk within a bound. Whatever is in it can be made again."""

from __future__ import annotations

import hashlib
import os
import secrets
import sys
from pathlib import Path
from threading import Lock

_LOOK_EVERY = 100  # writes between two looks at how much there is


class PreviewCache:
    """A folder of small files; the least recently used go first. Several processes may share it."""

    def __init__(
        self, folder: Path | None, *, limit_bytes: int, look_every_bytes: int = sys.maxsize
    ) -> None:
        """`look_every_bytes`: how much is written at most between two looks, where files vary."""
        self._folder = folder
        self._limit_bytes = limit_bytes
        self._look_every_bytes = look_every_bytes
        self._writes = self._written_bytes = 0
        self._lock = Lock()

    def get(self, key: str) -> bytes | None:
        """Return what is kept under a key, and mark it as used."""
        if self._folder is None:
            return None
        path = self._path(self._folder, key)
        try:
            data = path.read_bytes()
            os.utime(path)
        except OSError:
            return None
        return data

    def put(self, key: str, data: bytes) -> None:
        """Keep bytes under a key; a full or broken disk only means that they are not kept."""
        if self._folder is None:
            return
        path = self._path(self._folder, key)
        fresh = path.with_name(f".{secrets.token_hex(8)}")
        try:
            try:
                fresh.write_bytes(data)
            except FileNotFoundError:
                path.parent.mkdir(parents=True, exist_ok=True)
                fresh.write_bytes(data)
            fresh.replace(path)
        except OSError:
            fresh.unlink(missing_ok=True)
            return
        with self._lock:
            self._writes += 1
            self._written_bytes += len(data)
            is_due = self._writes % _LOOK_EVERY == 1
            if self._written_bytes > self._look_every_bytes:
                self._written_bytes, is_due = 0, True
        if is_due:
            self.trim()

    def trim(self) -> int:
        """Remove the least recently used beyond the bound; return how many went."""
        if self._folder is None:
            return 0
        known = sorted(self._files(self._folder))
        total, removed = sum(size for _, size, _ in known), 0
        for _, size, path in known:
            if total <= self._limit_bytes:
                break
            path.unlink(missing_ok=True)
            total, removed = total - size, removed + 1
        return removed

    @staticmethod
    def _files(folder: Path) -> list[tuple[float, int, Path]]:
        found = []
        for path in folder.glob("*/*"):
            try:
                stat = path.stat()
            except FileNotFoundError:
                continue
            found.append((stat.st_mtime, stat.st_size, path))
        return found

    @staticmethod
    def _path(folder: Path, key: str) -> Path:
        name = hashlib.sha256(key.encode()).hexdigest()
        return folder / name[:2] / name[2:]
