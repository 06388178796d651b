"""Signed versions are held against their hashes, the audit and the count of their case."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import delete, text, update

from storage.casebook_tables import reports
from storage.report_checks import check_reports
from tests.storage.room import open_room


@pytest.fixture
def room(tmp_path: Path):
    with open_room(tmp_path) as furnished:
        yield furnished


def tampered(room, statement):
    """Change a report past the rule that forbids it, as somebody with the file could."""
    with room.database.begin() as conn:
        found = conn.execute(
            text("SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'reports'")
        )
        for name in found.scalars().all():
            conn.execute(text(f"DROP TRIGGER {name}"))
        conn.execute(statement)


def test_all_that_was_signed_is_whole(room):
    case = room.signed()
    room.casebook.correct(room.elle, case.id, {"impression": "Melanoma.", "anchors": []})
    room.casebook.addend(room.elle, case.id, {"findings": "More."})
    found = check_reports(room.database)
    assert (found.checked, found.broken) == (3, ())
    assert check_reports(room.database, case_id="none").checked == 0


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (update(reports).values(content={"impression": "X"}), "content is not what was signed"),
        (update(reports).values(sha256="ab" * 32), "audit noted another hash"),
        (delete(reports), "is not there"),
    ],
)
def test_a_changed_or_missing_version_is_named(room, change, told):
    case = room.signed()
    tampered(room, change)
    found = check_reports(room.database, case_id=case.id)
    assert any(f"{case.id} version 1: " in each and told in each for each in found.broken)
