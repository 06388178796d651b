"""Hashes every signed version again and holds it against its row, its case and the audit.

Reads only. What it finds is for an operator to compare with a backup.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Connection, Select, select

from casework.audit import ACTIONS
from casework.findings import content_hash
from casework.lifecycle import Event
from storage.casebook_tables import audit, cases, reports
from storage.database import Database

_SIGNINGS = tuple(ACTIONS[event] for event in (Event.SIGN, Event.ADDEND, Event.CORRECT))


@dataclass(frozen=True)
class ReportsChecked:
    """How many signed versions there are, and what is wrong with which: `CASE version 2: …`."""

    checked: int
    broken: tuple[str, ...]


def check_reports(database: Database, *, case_id: str | None = None) -> ReportsChecked:
    """Check the signed versions of all cases, or of one."""
    with database.read() as conn:
        signed = dict(_signed(conn, case_id))
        counted = {row.id: row.report_version for row in conn.execute(_counted(case_id))}
        asked = select(reports).order_by(reports.c.case_id, reports.c.version)
        if case_id is not None:
            asked = asked.where(reports.c.case_id == case_id)
        checked, broken, there = 0, [], set()
        for row in conn.execute(asked.execution_options(yield_per=200)):
            checked += 1
            there.add((row.case_id, row.version))
            name = f"{row.case_id} version {row.version}"
            if content_hash(row.content) != row.sha256:
                broken.append(f"{name}: its content is not what was signed")
            noted = signed.get((row.case_id, row.version))
            if noted is None:
                broken.append(f"{name}: the audit knows no signature of it")
            elif noted != row.sha256:
                broken.append(f"{name}: the audit noted another hash when it was signed")
    wanted = {(case, n) for case, count in counted.items() for n in range(1, count + 1)}
    broken += [f"{case} version {n}: is not there" for case, n in sorted(wanted - there)]
    return ReportsChecked(checked, tuple(broken))


def _signed(conn: Connection, case_id: str | None) -> Iterator[tuple[tuple[str, int], str]]:
    """Yield the hash that the audit noted of each version when it was signed."""
    asked = select(audit.c.case_id, audit.c.detail).where(audit.c.action.in_(_SIGNINGS))
    if case_id is not None:
        asked = asked.where(audit.c.case_id == case_id)
    for row in conn.execute(asked.execution_options(yield_per=1000)):
        detail = row.detail or {}
        if "report_version" in detail and "sha256" in detail:
            yield (row.case_id, int(detail["report_version"])), str(detail["sha256"])


def _counted(case_id: str | None) -> Select[str, int]:
    asked = select(cases.c.id, cases.c.report_version).where(cases.c.report_version > 0)
    return asked if case_id is None else asked.where(cases.c.id == case_id)
