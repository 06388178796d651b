"""What a process has to tell the others on its data folder, such as that it takes nothing in.

A notice is a small file whose lock its author holds: it counts for as long as that process lives.
Decides nothing, and fails nobody: the disk may be the very thing that a notice is about.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import threading
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal, get_args

import structlog

log = structlog.get_logger()

Kind = Literal["read-only", "fallback", "packing", "mirroring"]
_SUFFIX = ".notice"
_UNBORN = ".notice-new"


@dataclass(frozen=True)
class Notice:
    """One thing that a living process has to tell."""

    kind: str
    reason: str
    since: datetime
    process: int


class Notices:
    """The notices of one data folder, and those that this process has put up."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._own: dict[str, tuple[Path, int]] = {}

    def put_up(self, kind: Kind, reason: str, *, at: datetime) -> None:
        """Tell something, once for each kind."""
        with self._lock:
            if kind in self._own:
                return
            try:
                self._own[kind] = self._write(kind, reason, at)
            except OSError as error:
                log.warning("notice_not_written", kind=kind, reason=str(error))

    def take_down(self, kind: Kind) -> None:
        """Take back what was told, if it was."""
        with self._lock:
            told = self._own.pop(kind, None)
        if told is not None:
            path, descriptor = told
            path.unlink(missing_ok=True)
            os.close(descriptor)

    def close(self) -> None:
        """Take back everything: this process ends."""
        for kind in get_args(Kind):
            self.take_down(kind)

    def standing(self) -> list[Notice]:
        """Return the notices of living processes, the oldest first; those of dead ones go."""
        found = []
        try:
            paths = sorted(self._folder.iterdir())
        except OSError:
            return []
        for path in paths:
            if path.suffix == _SUFFIX and (notice := _read_if_living(path)) is not None:
                found.append(notice)
        return sorted(found, key=lambda notice: notice.since)

    def _write(self, kind: str, reason: str, at: datetime) -> tuple[Path, int]:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        name = f"{kind}-{os.getpid()}-{secrets.token_hex(4)}"
        unborn, final = self._folder / (name + _UNBORN), self._folder / (name + _SUFFIX)
        descriptor = os.open(unborn, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            told = {
                "kind": kind,
                "reason": reason,
                "since": at.isoformat(),
                "process": os.getpid(),
            }
            os.write(descriptor, json.dumps(told).encode())
            os.rename(unborn, final)
        except BaseException:
            os.close(descriptor)
            unborn.unlink(missing_ok=True)
            raise
        return final, descriptor


def _read_if_living(path: Path) -> Notice | None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            told = json.loads(os.read(descriptor, 1 << 16))
            since = datetime.fromisoformat(told["since"])
            return Notice(told["kind"], told["reason"], since, told["process"])
        path.unlink(missing_ok=True)
    finally:
        os.close(descriptor)
    return None
