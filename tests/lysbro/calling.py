"""Calls `lysbro` as a user does: inside this process, which is quick, or as one of its own."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import structlog

from lysbro.cli import main
from lysbro.settings import Settings
from lysbro.wiring import Parts, open_parts

PASSWORD = "nordlys over fjorden"


@dataclass(frozen=True)
class Answer:
    """What a command printed, and its exit status."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True)
class Desk:
    """An operator's desk: a data folder and the command line on it."""

    data: Path
    monkeypatch: pytest.MonkeyPatch
    variables: dict[str, str] = field(default_factory=dict)

    def __call__(self, *words: object, given: str = "") -> Answer:
        """Run a command inside this process."""
        with self.monkeypatch.context() as patch:
            for name in [n for n in os.environ if n.startswith("LYSBRO_")]:
                patch.delenv(name)
            for name, value in {"LYSBRO_DATA": str(self.data), **self.variables}.items():
                patch.setenv(name, value)
            patch.setattr(sys, "argv", ["lysbro", *map(str, words)])
            patch.setattr(sys, "stdin", io.StringIO(given))
            out, err = io.StringIO(), io.StringIO()
            with (
                own_logs(),
                redirect_stdout(out),
                redirect_stderr(err),
                pytest.raises(SystemExit) as ended,
            ):
                main()
        status = ended.value.code
        return Answer(int(status or 0), out.getvalue(), err.getvalue())

    def must(self, *words: object, given: str = "") -> Answer:
        """Run a command that has to succeed."""
        answer = self(*words, given=given)
        assert answer.status == 0, (words, answer)
        return answer

    def process(self, *words: object, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a command as a process of its own, its output in pipes."""
        return subprocess.run(
            [sys.executable, "-m", "lysbro", *map(str, words)],
            check=False,
            capture_output=True,
            text=True,
            timeout=60,
            env=self.environment(**variables),
        )

    def environment(self, **variables: str) -> dict[str, str]:
        clean = {k: v for k, v in os.environ.items() if not k.startswith("LYSBRO_")}
        return {**clean, "LYSBRO_DATA": str(self.data), **self.variables, **variables}

    @contextmanager
    def parts(self, *, intake: bool = False) -> Iterator[Parts]:
        """Open what lies in the data folder."""
        with open_parts(Settings(data=self.data), intake=intake) as parts:
            yield parts

    def audit(self, action: str) -> list[Any]:
        with self.parts() as parts:
            return [e for e in parts.ledger.entries(limit=1000) if e.action == action]


@contextmanager
def own_logs() -> Iterator[None]:
    """Let a command set up the logs, and put back what was there before."""
    before, configure = structlog.get_config(), structlog.configure

    def uncached(**given: Any) -> None:  # a cached logger would go on writing to this command
        configure(**{**given, "cache_logger_on_first_use": False})

    structlog.configure = uncached
    try:
        yield
    finally:
        structlog.configure = configure
        configure(**before)
