"""The process that follows a journal, as a test starts it."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

import structlog

from storage.archive import utc_now
from storage.database import open_database
from storage.follower import follow


def main() -> None:
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    data = Path(sys.argv[1])
    database = open_database(sys.argv[2], data=data)
    follow(
        data / "spool",
        database,
        node="node",
        clock=utc_now,
        told=sys.stdin.buffer,
        tell=lambda segment, end: os.write(1, f"{segment} {end}\n".encode()),
    )
    database.close()


def command(data: Path, url: str = "sqlite") -> list[str]:
    """Return the command that follows the journal of a data folder."""
    return [sys.executable, "-m", "tests.storage.following", str(data), url]


if __name__ == "__main__":
    main()
