"""What the ledger of an instance answers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from casework.custody import CustodyEvent as E
from casework.custody import CustodyRow, Trail, trail_of, with_synced

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
SYNCED = NOON + timedelta(milliseconds=4)
ORIGIN = {
    "door": "dicom", "calling_ae": "HAMMER_CT", "called_ae": "LYSBRO", "peer": "10.0.0.7:4242",
    "association": "a1",
}  # fmt: skip


def row(event: E, minute: float = 0, **detail: object) -> CustodyRow:
    return CustodyRow(event.value, NOON + timedelta(minutes=minute), detail)


LEDGER = [
    row(E.RECEIVED, **ORIGIN, synced_at=SYNCED.isoformat()),
    row(E.REPEATED, 1, **ORIGIN),
    row(E.PACKED, 2, pack="p"),
    row(E.VERIFIED, 3, pack="p"),
    row(E.COMMITTED, 4),
    row(E.OPENED, 5, actor="user:1", name="Dr Kari"),
    row(E.OPENED, 6, actor="user:2", name="Dr Ola"),
    row(E.EXPORTED, 7),
    row(E.SENT, 8, to="PACS"),
    row(E.VERIFIED, 9),
]


def test_the_ledger_answers_who_sent_it_and_when_it_first_met_each_event() -> None:
    at = {n: NOON + timedelta(minutes=n) for n in range(9)}
    assert trail_of(LEDGER) == Trail(
        **ORIGIN,
        received_at=NOON,
        synced_at=SYNCED,
        packed_at=at[2],
        verified_at=at[3],
        committed_at=at[4],
        opened_at=at[5],
        opened_by="Dr Kari",
        exported_at=at[7],
        sent_at=at[8],
    )
    assert trail_of(with_synced(LEDGER)) == trail_of(LEDGER)


def test_a_ledger_shows_the_sync_as_a_line_after_the_arrival() -> None:
    whole = with_synced(LEDGER)
    assert [line.event for line in whole[:3]] == ["received", "synced", "repeated"]
    assert whole[1] == CustodyRow("synced", SYNCED)
    assert "synced_at" not in whole[0].detail


def test_an_adopted_object_says_that_its_sync_is_when_it_was_found() -> None:
    found = row(E.RECEIVED, **ORIGIN, adopted=True, synced_at=SYNCED.isoformat())
    assert with_synced([found])[1].detail == {"adopted": True}
    assert trail_of([found]).adopted


@pytest.mark.parametrize("ledger", [[], [row(E.RECEIVED, door="import")]])
def test_what_has_not_happened_has_no_time(ledger: list[CustodyRow]) -> None:
    trail = trail_of(ledger)
    assert (trail.synced_at, trail.opened_at, trail.opened_by) == (None, None, "")
    assert trail.sender == ("import" if ledger else "")
