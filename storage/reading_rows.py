"""Reads second readings and the rules that ask for them. Changes nothing."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import Connection, select

from casework.model import Case, Reading
from casework.second_readings import OPEN, Need, ReadingRule, rule_for
from storage.case_rows import as_reading
from storage.database import chunks
from storage.reading_tables import reading_rules, readings


def readings_of(conn: Connection, case_id: str) -> Sequence[Reading]:
    """Return the second readings of a case, the first asked for first."""
    asked = select(readings).where(readings.c.case_id == case_id).order_by(readings.c.id)
    return tuple(as_reading(row) for row in conn.execute(asked))


def open_readings(conn: Connection, ids: Collection[str]) -> dict[str, Reading]:
    """Return the second readings that some cases wait for, by case."""
    found: dict[str, Reading] = {}
    for some in chunks(sorted(ids)):
        asked = select(readings).where(
            readings.c.case_id.in_(some), readings.c.state.in_(sorted(OPEN))
        )
        found |= {row.case_id: as_reading(row) for row in conn.execute(asked)}
    return found


def all_rules(conn: Connection) -> Sequence[ReadingRule]:
    """Return every rule, those for all sites first."""
    asked = select(reading_rules).order_by(reading_rules.c.site, reading_rules.c.specialty)
    return tuple(
        ReadingRule(row.site, row.specialty, Need(row.need), row.is_blinded)
        for row in conn.execute(asked)
    )


def rule_of(conn: Connection, case: Case) -> ReadingRule:
    """Return the rule of a case."""
    return rule_for(all_rules(conn), case)
