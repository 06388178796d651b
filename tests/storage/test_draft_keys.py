"""What a client calls the referral that it starts, and with what a browser locks what it keeps."""

from __future__ import annotations

from pathlib import Path

import pytest

from casework.errors import NotFound
from casework.model import Priority, Referral, Specialty
from storage.erasing_rows import remove_cases
from storage.queue_keys import QueueKeys
from tests.storage.room import EVERYTHING, KARI, open_room


@pytest.fixture
def room(tmp_path: Path, database_server: str):
    with open_room(tmp_path, server=database_server) as furnished:
        yield furnished


def start(room, actor, key):
    return room.casebook.create_referral(
        actor,
        specialty=Specialty.DERMATOLOGY,
        priority=Priority.ROUTINE,
        patient=KARI,
        referral=Referral("?", {}, {}),
        draft_key=key,
    )


def test_a_key_is_one_case_of_one_person_until_the_case_is_erased(room):
    first = start(room, room.gp, "k")
    assert start(room, room.gp, "k").id == first.id
    assert start(room, room.other_gp, "k").id != first.id
    assert [deed for deed, *_ in room.deeds(first.id)] == ["referral-started"]
    with room.database.begin() as conn:
        remove_cases(conn, [first.id])
    with pytest.raises(NotFound):
        room.casebook.dossier(EVERYTHING, first.id)
    assert start(room, room.gp, "k").id != first.id


def test_each_person_has_one_secret_that_stays(room):
    keys = QueueKeys(room.database)
    assert keys.secret_of(room.gp.id) == keys.secret_of(room.gp.id)
    assert keys.secret_of(room.gp.id) != keys.secret_of(room.other_gp.id)
