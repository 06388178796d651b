"""The process beside the bridge that indexes what the bridge has acknowledged.

It gives way to the bridge: an answer is waited for, a row may come a moment later.
"""

from __future__ import annotations

import os
import signal
import sys

from lysbro import logs
from lysbro.settings import Settings
from lysbro.supervise import SETTINGS_VARIABLE, die_with_parent
from lysbro.wiring import data_folder
from storage.clock import SteadyClock
from storage.database import open_database
from storage.due import count_by
from storage.follower import follow

_GIVE_WAY = 10  # niceness


def main() -> None:
    """Follow the journal of the bridge until the bridge closes the pipe."""
    settings = Settings.model_validate_json(os.environ[SETTINGS_VARIABLE])
    logs.configure(level=settings.log_level, as_json=settings.log_format == "json", process="index")
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)  # the bridge ends it, once all is indexed
    os.nice(_GIVE_WAY)
    data = data_folder(settings)
    clock = SteadyClock(data)
    database = open_database(settings.resolved_database_url, data=data)
    count_by(database, settings.clocks)
    try:
        follow(
            data / "spool",
            database,
            node=settings.resolved_node,
            clock=clock,
            told=sys.stdin.buffer,
            tell=_tell,
        )
    finally:
        database.close()
        clock.close()


def _tell(segment: str, end: int) -> None:
    os.write(sys.stdout.fileno(), f"{segment} {end}\n".encode())


if __name__ == "__main__":
    die_with_parent()
    main()
