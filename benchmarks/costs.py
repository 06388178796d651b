"""What a process and its children have used: processor time and resident memory, from /proc."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Cost:
    """Processor seconds since the start, and the most memory that was resident at one time."""

    cpu_s: float
    peak_bytes: int


def cost_of(pid: int) -> Cost:
    """Return what a process, its living descendants and its dead children have used."""
    tree = [pid, *_descendants(pid)]
    return Cost(sum(map(_cpu_s, tree)), sum(map(_peak_bytes, tree)))


def _descendants(pid: int) -> list[int]:
    found: list[int] = []
    try:
        tasks = list(Path(f"/proc/{pid}/task").glob("*/children"))
    except OSError:  # it has ended meanwhile
        return []
    for task in tasks:
        try:
            children = [int(word) for word in task.read_text().split()]
        except OSError:
            continue
        for child in children:
            found += [child, *_descendants(child)]
    return found


def _cpu_s(pid: int) -> float:
    """Return user and system time, that of children which have been waited for included."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    except OSError:
        return 0.0
    return sum(int(field) for field in fields[11:15]) / _TICKS


def _peak_bytes(pid: int) -> int:
    try:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0
