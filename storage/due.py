"""Which clocks a database counts by: the targets and opening hours that its exchange has set.

They ride on the engine, so that whatever is in a transaction may ask what a new case's time is.
"""

from __future__ import annotations

from sqlalchemy import Connection

from casework.clocks import STANDARD, Clocks
from storage.database import Database

_OPTION = "lysbro_clocks"


def count_by(database: Database, clocks: Clocks) -> None:
    """Let everything that is done over a database count by these clocks."""
    database.engine.update_execution_options(**{_OPTION: clocks})


def clocks_of(conn: Connection) -> Clocks:
    """Return the clocks to count by in a transaction."""
    clocks: Clocks = conn.get_execution_options().get(_OPTION, STANDARD)
    return clocks
