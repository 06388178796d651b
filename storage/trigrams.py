"""Finds what stands anywhere in a folded patient name by its groups of three letters.

SQLite has a full-text table beside `patients` for it, kept by triggers; PostgreSQL an index of
`pg_trgm`, where the server has that, which it uses by itself. The migration makes both.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Select, column, table, text

from storage.criteria import Criterion, Like, Words
from storage.tables import patients

TABLE = "patient_names"
POSTGRES_INDEX = "ix_patients_name_trigrams"

LENGTH = 3
_names = table(TABLE, column("rowid"))


def narrowed(conn: Connection, asked: Select[Any], wanted: Criterion) -> Select[Any]:
    """Return the same question about patients, asked of the groups of letters where that helps."""
    if conn.dialect.name != "sqlite":
        return asked
    match = match_of(wanted)
    if not match:
        return asked
    found = text(f"{TABLE} MATCH :letters").bindparams(letters=match)
    both = _names.join(patients, patients.c.pk == _names.c.rowid)
    return asked.select_from(both).where(found)


def match_of(wanted: Criterion) -> str:
    """Return what FTS5 must find in a name that matches; nothing when its beginning tells more."""
    parts: Sequence[str] = wanted.words if isinstance(wanted, Words) else ()
    if isinstance(wanted, Like):
        parts = re.split(r"[*?]+", wanted.pattern)
        if len(parts[0]) >= LENGTH:
            return ""
    groups = [
        part[start : start + LENGTH] for part in parts for start in range(len(part) - LENGTH + 1)
    ]
    return " AND ".join('"' + g.replace('"', '""') + '"' for g in dict.fromkeys(groups))
