"""How complete a study is, by every kind of evidence and their contradictions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from casework.completeness import (
    ASK_ATTEMPTS,
    Completeness,
    Evidence,
    EvidenceKind,
    ask_again_at,
    is_quiet,
    judge,
)

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
K = EvidenceKind


def number(kind: K, expected: int, *, minute: int = 0, source: str = "") -> Evidence:
    return Evidence(kind, NOON + timedelta(minutes=minute), expected, source=source)


def names(kind: K, *uids: str, minute: int = 0, source: str = "") -> Evidence:
    at = NOON + timedelta(minutes=minute)
    return Evidence(kind, at, expected_uids=frozenset(uids), source=source)


ARRIVING, PRESUMED = Completeness("arriving"), Completeness("presumed")


def complete(kind: K, expected: int) -> Completeness:
    return Completeness("complete", kind.value, expected)


def lacking(kind: K, expected: int, missing: int) -> Completeness:
    return Completeness("arriving", kind.value, expected, missing)


# what is here, what was said, quiet, what follows
TABLE = [
    ("nothing was said", "ab", [], False, ARRIVING),
    ("silence is taken for the end", "ab", [], True, PRESUMED),
    ("as many as counted", "ab", [number(K.COUNTS, 2)], False, complete(K.COUNTS, 2)),
    ("more than counted is complete too", "abc", [number(K.SENDER, 2)], False,
     complete(K.SENDER, 2)),
    ("fewer than counted", "ab", [number(K.SENDER, 5)], False, lacking(K.SENDER, 5, 3)),
    ("fewer than counted is never presumed complete", "ab", [number(K.COUNTS, 5)], True,
     lacking(K.COUNTS, 5, 3)),
    ("a newer number of a kind replaces the older", "ab",
     [number(K.COUNTS, 2, minute=1, source="user:1"), number(K.COUNTS, 9, source="objects")],
     False, complete(K.COUNTS, 2)),
    ("also when it asks for more", "ab",
     [number(K.SENDER, 3, minute=1), number(K.SENDER, 2)], False, lacking(K.SENDER, 3, 1)),
    ("kinds that contradict: all must be here", "ab",
     [number(K.COUNTS, 2, minute=1), number(K.SENDER, 4)], True, lacking(K.SENDER, 4, 2)),
    ("all that is named is here", "ab", [names(K.MPPS, "a", "b")], False, complete(K.MPPS, 2)),
    ("one that is named is not", "ab", [names(K.MPPS, "a", "c")], True, lacking(K.MPPS, 3, 1)),
    ("two steps add up", "abcd",
     [names(K.MPPS, "a", "b", source="1"), names(K.MPPS, "c", "d", source="2", minute=1)], False,
     complete(K.MPPS, 4)),
    ("names of some do not show that it is all", "abc", [names(K.MPPS, "a", "b")], False,
     ARRIVING),
    ("names of some, then silence", "abc", [names(K.COMMITMENT, "a", "b")], True, PRESUMED),
    ("names of some and a number of all", "abc",
     [names(K.MPPS, "a", "b"), number(K.SENDER, 3, minute=1)], False, complete(K.SENDER, 3)),
    ("a number that holds and a name that does not", "abc",
     [names(K.COMMITMENT, "a", "z"), number(K.SENDER, 3)], False, lacking(K.COMMITMENT, 4, 1)),
    ("names of two kinds", "abc",
     [names(K.MPPS, "a", "b"), names(K.COMMITMENT, "b", "c", minute=1)], False,
     complete(K.COMMITMENT, 3)),
    ("a number of nothing says nothing", "ab", [number(K.SENDER, 0)], True, PRESUMED),
    ("nothing of it is here yet", "", [names(K.MPPS, "a")], False, lacking(K.MPPS, 1, 1)),
]  # fmt: skip


@pytest.mark.parametrize(
    ("here", "said", "quiet", "expected"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE]
)
def test_completeness_follows_the_evidence(here, said, quiet, expected):
    found = judge(instances=len(here), present=set(here), evidences=said, is_quiet=quiet)
    assert found == expected


@pytest.mark.parametrize(
    ("age_s", "expected"), [(0, False), (59.9, False), (60, True), (9e6, True)]
)
def test_a_study_is_quiet_when_nothing_came_for_so_long(age_s, expected):
    assert is_quiet(NOON, NOON + timedelta(seconds=age_s), 60) is expected


def test_a_sender_is_asked_a_few_times_with_longer_waits():
    waits = [ask_again_at(n, now=NOON) for n in range(1, ASK_ATTEMPTS)]
    assert [(at - NOON).total_seconds() for at in waits if at] == [15, 30, 60]
    assert ask_again_at(ASK_ATTEMPTS, now=NOON) is None
