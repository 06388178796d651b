"""Moves the wall clock of the processes that a test starts, by a few lines of C before the C
library; their count of time goes on.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

Move = Callable[[int], None]


@dataclass(frozen=True)
class Movable:
    """What is put before the C library, and the file that says how far the clock is moved."""

    library: str
    offset: Path

    def move(self, seconds: int) -> None:
        """Let the clock be so many seconds from the true time."""
        fresh = self.offset.with_name("next")
        fresh.write_text(str(seconds))
        fresh.replace(self.offset)

    @property
    def environment(self) -> dict[str, str]:
        return {"LD_PRELOAD": self.library, "CLOCK_OFFSET": str(self.offset)}


def movable(folder: Path) -> Movable:
    """Return a clock to move, at the true time; skip where there is no C compiler."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("there is no C compiler on this machine")
    library = folder / "clock.so"
    source = Path(__file__).with_name("clock.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", library, source], check=True)
    found = Movable(str(library), folder / "offset")
    found.move(0)
    return found
