"""How a retrieve ends, cell by cell, and when it tells of itself meanwhile."""

from __future__ import annotations

import pytest

from pacs_bridge.dimse import SubOperations
from pacs_bridge.tally import Outcome, Pace, Tally


@pytest.mark.parametrize(
    ("statuses", "ends", "counts"),
    [
        ([], 0x0000, (0, 0, 0)),
        ([0, 0], 0x0000, (2, 0, 0)),
        ([0, 0xB000], 0xB000, (1, 0, 1)),
        ([0xB007, 0xB006], 0xB000, (0, 0, 2)),
        ([0, 0xA700], 0xB000, (1, 1, 0)),
        ([0, None], 0xB000, (1, 1, 0)),
        ([0xB007, 0xC000], 0xB000, (0, 1, 1)),
        ([0xA700, 0xC000, 0x0122, None], 0xA702, (0, 4, 0)),
    ],
)
def test_final_status_follows_from_all_sub_operations(
    statuses: list[int | None], ends: int, counts: tuple[int, int, int]
) -> None:
    tally = Tally(len(statuses))
    for number, status in enumerate(statuses):
        tally.take(Outcome(f"1.{number}", status))

    answer, told = tally.final(is_cancelled=False)

    assert answer.status == ends
    assert told == SubOperations(None, *counts)
    assert len(tally.failed) == counts[1]


def test_cancel_tells_what_remains() -> None:
    tally = Tally(5)
    tally.take(Outcome("1.1", 0x0000))
    tally.take(Outcome("1.2", 0xA700))

    answer, told = tally.final(is_cancelled=True)

    assert (answer.status, told) == (0xFE00, SubOperations(3, 1, 1, 0))
    assert tally.pending() == SubOperations(3, 1, 1, 0)


def test_pending_is_due_after_so_many_or_so_long() -> None:
    pace = Pace(every=3, seconds=1.0, now=0.0)

    said = [pace.is_due(done=1, now=0.1 * n) for n in range(1, 8)]

    assert said == [False, False, True, False, False, True, False]
    assert not pace.is_due(done=0, now=1.5)
    assert pace.is_due(done=0, now=1.7)
