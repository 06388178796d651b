"""`python -m tests.crash --rounds 1000 --seed 1` kills bridges at will, and reports."""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
import time
from pathlib import Path

import structlog

from tests.crash.campaign import run


def main() -> int:
    """Run a campaign from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    told = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    with tempfile.TemporaryDirectory(prefix="lysbro-crash-") as folder:
        began = time.monotonic()
        try:
            score = run(Path(folder), number=told.rounds, seed=told.seed, tell=tell)
        finally:
            errors = (Path(folder) / "bridges.log").read_text()
            tell(errors[-20000:])
    tell(score.table())
    tell(f"{score.kills} kills in {time.monotonic() - began:.0f} s; faults: {score.verdict.faults}")
    return 1 if score.verdict.faults else 0


def tell(text: str) -> None:
    """Write a line, or several."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
