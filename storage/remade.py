"""Folders of what was made from objects and can be made again: previews, metadata.

Who keeps something there holds the folder while looking whether its objects are still in the index;
who erases waits for them, and takes all of it. So nothing of what is erased comes in afterwards.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CACHE = Path("cache")
PREVIEWS, METADATA = "previews", "metadata"


@contextmanager
def keeping(cache: Path) -> Iterator[None]:
    """Hold the folder, beside others who do, while something is kept in it."""
    cache.mkdir(parents=True, exist_ok=True)
    with _held(cache, fcntl.LOCK_SH):
        yield


def forget_all(data: Path) -> None:
    """Remove all that was made from the objects of a data folder."""
    cache = data / CACHE
    if not cache.is_dir():  # who makes it now looks into the index after this
        return
    with _held(cache, fcntl.LOCK_EX):
        for name in (PREVIEWS, METADATA):
            shutil.rmtree(cache / name, ignore_errors=True)


@contextmanager
def _held(folder: Path, how: int) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, how)
        yield
    finally:
        os.close(descriptor)
