"""How a person hangs a kind of case is kept for them alone, the newest of many."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from storage.database import Database
from storage.reading_preferences import MOST, ReadingPreferences

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def test_what_a_person_chose_is_theirs_and_is_replaced(database: Database) -> None:
    kept = ReadingPreferences(database, lambda: NOON)
    kept.keep("user:1", "CT-head", {"layout": "1x1"})
    kept.keep("user:1", "CT-head", {"layout": "1x2"})
    kept.keep("user:2", "CT-head", {"layout": "2x2"})
    assert kept.of_person("user:1") == {"CT-head": {"layout": "1x2"}}
    kept.forget("user:1", "CT-head")
    kept.forget("user:1", "CT-head")
    assert kept.of_person("user:1") == {}
    assert kept.of_person("user:2") == {"CT-head": {"layout": "2x2"}}


def test_of_too_many_kinds_the_oldest_goes(database: Database) -> None:
    now = [NOON]
    kept = ReadingPreferences(database, lambda: now[0])
    for number in range(MOST + 2):
        now[0] += timedelta(seconds=1)
        kept.keep("user:1", f"CT{number}-any", {"layout": "1x1"})
    found = kept.of_person("user:1")
    assert len(found) == MOST
    assert "CT0-any" not in found
    assert f"CT{MOST + 1}-any" in found
