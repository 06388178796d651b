"""What a rehearsal takes, stage by stage, and what was missing at its end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from benchmarks.costs import Cost
from tests.flows.conftest import Exchange


@dataclass(frozen=True)
class Stage:
    """One stage and what it took."""

    name: str
    seconds: float
    cpu_s: float
    peak_bytes: int
    instances: int = 0

    @property
    def rate(self) -> float:
        return self.instances / self.seconds if self.instances else 0.0


@dataclass
class Account:
    """What a rehearsal did and what was missing at its end."""

    stages: list[Stage] = field(default_factory=list)
    acknowledged: int = 0
    store_bytes: int = 0
    store_objects: int = 0
    reports: int = 0
    replies: int = 0  # objects that the exchange made of signed reports, in packs as others
    kills: int = 0
    faults: list[str] = field(default_factory=list)

    def table(self) -> str:
        """Return the stages as a Markdown table."""
        lines = [
            "| stage | seconds | objects/s | processor seconds | objects/processor s | memory |",
            "|---|---|---|---|---|---|",
        ]
        for stage in self.stages:
            rate, pace = "", ""
            if stage.instances:
                rate = f"{stage.rate:,.0f}"
                pace = f"{stage.instances / stage.cpu_s:,.0f}" if stage.cpu_s else ""
            lines.append(
                f"| {stage.name} | {stage.seconds:.1f} | {rate} | {stage.cpu_s:.1f} | {pace} "
                f"| {stage.peak_bytes >> 20} MiB |"
            )
        return "\n".join(lines)


@dataclass(frozen=True)
class Done:
    told: Any
    cost: Cost


def command(exchange: Exchange, *words: str) -> Done:
    """Run a command that has to succeed; return its JSON and the most memory that it held."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        process = subprocess.Popen(
            [sys.executable, "-m", "lysbro", *words],
            env=exchange.environment,
            stdout=out,
            stderr=err,
        )
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        said = out.read()
        assert process.returncode == 0, (words, said[-2000:], err.read()[-2000:])
    cost = Cost(used.ru_utime + used.ru_stime, used.ru_maxrss << 10)
    return Done(json.loads(said) if "--json" in words else said, cost)


@contextmanager
def stage(
    name: str, account: Account, tell: Callable[[str], None], *, instances: int = 0
) -> Iterator[Callable[[Any], Any]]:
    """Time a stage; what is given takes what it cost, and returns what a command told."""
    cost = Cost(0.0, 0)

    def watch(found: Any) -> Any:
        nonlocal cost
        cost = found.cost if isinstance(found, Done) else found
        return found.told if isinstance(found, Done) else found

    began = time.perf_counter()
    yield watch
    took = Stage(name, time.perf_counter() - began, cost.cpu_s, cost.peak_bytes, instances)
    account.stages.append(took)
    tell(
        f"{name}: {took.seconds:.1f} s, {took.rate:.0f}/s, {took.cpu_s:.1f} s of a processor, "
        f"{took.peak_bytes >> 20} MiB"
    )
