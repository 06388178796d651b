"""The list of modules that `make quick` leaves out names modules that there are."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_every_lengthy_module_is_there_and_named_once() -> None:
    lines = (ROOT / "tests" / "lengthy.txt").read_text("utf-8").splitlines()
    named = [line for line in lines if not line.startswith("#")]
    assert named == sorted(set(named))
    assert [name for name in named if not (ROOT / name).is_file()] == []
