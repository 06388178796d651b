from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from casework.audit import ACTIONS, GENESIS, Deed, first_bad, follow
from casework.lifecycle import Event
from casework.model import Actor, Role, SiteKind

T0 = datetime(2026, 3, 1, 9, tzinfo=UTC)
READER = Actor("user:7", "Dr Kari Nordmann", "nordlys", SiteKind.CENTRE, Role.RADIOLOGIST)


def chain_of(count):
    entries, previous = [], GENESIS
    for n in range(1, count + 1):
        deed = Deed(READER, "claimed", f"case-{n}", detail={"n": n, "path": ("a", "b")})
        entry = follow(n, T0 + timedelta(seconds=n), deed, previous)
        entries.append(entry)
        previous = entry.hash
    return entries


def test_a_whole_chain_has_no_bad_entry():
    assert first_bad(chain_of(5)) is None
    assert first_bad([]) is None


EDITS = [
    {"at": T0},
    {"actor_id": "user:8"},
    {"actor_name": "Dr X"},
    {"role": "admin"},
    {"site": "hammer"},
    {"action": "signed"},
    {"subject": "case-9"},
    {"case_id": "7K3M-2QXF"},
    {"outcome": "refused"},
    {"detail": {"n": 99}},
    {"seq": 30},
    {"previous": GENESIS},
    {"hash": "f" * 64},
]


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: next(iter(edit)))
def test_an_edited_entry_is_named(edit):
    entries = chain_of(5)
    entries[2] = replace(entries[2], **edit)
    assert first_bad(entries) == entries[2]


def test_an_edited_entry_with_a_new_hash_shows_at_the_next_one():
    entries = chain_of(5)
    forged = follow(3, entries[2].at, Deed(READER, "signed", "case-3"), entries[1].hash)
    entries[2] = forged
    assert first_bad(entries) == entries[3]


@pytest.mark.parametrize("cut", range(4))
def test_a_cut_entry_shows_at_the_one_after_it(cut):
    entries = chain_of(5)
    del entries[cut]
    assert first_bad(entries).seq == cut + 2


def test_entries_in_another_order_are_found():
    entries = chain_of(5)
    entries[1], entries[2] = entries[2], entries[1]
    assert first_bad(entries).seq == 3


def test_two_entries_that_change_numbers_are_found():
    entries = chain_of(5)
    entries[1], entries[2] = replace(entries[2], seq=2), replace(entries[1], seq=3)
    assert first_bad(entries).seq == 2


def test_a_part_of_a_chain_is_judged_after_its_predecessor():
    entries = chain_of(5)
    assert first_bad(entries[3:], after=entries[2].hash) is None
    assert first_bad(entries[3:], after=entries[1].hash) == entries[3]


def test_every_event_has_its_word():
    assert set(ACTIONS) == set(Event)
    assert len(set(ACTIONS.values())) == len(Event)
