"""The place of a photograph in its case: numbers, series, references; devices of a site."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from casework.devices import DeviceKind, EnrolledDevice
from casework.errors import Conflict, Invalid, NotFound
from casework.photo_links import Pictured, Purpose
from storage.devices import Devices
from storage.photographs import Photographs, PhotoPlace
from storage.tables import instances
from tests.storage.conftest import MakeRecord
from tests.storage.room import Room, open_room

ARM = "41550009"


def picture(uid: str, kind: str, **given: Any) -> Pictured:
    fields = {"site_code": ARM, "sop_class_uid": "1.2.3", "series_uid": "2.25.70"}
    return Pictured(sop_instance_uid=uid, kind=kind, **fields | given)


@pytest.fixture
def room(tmp_path: Path, database_server: str) -> Iterator[Room]:
    with open_room(tmp_path, server=database_server) as found:
        yield found


@pytest.fixture
def placing(room: Room, make_record: MakeRecord) -> Any:
    """Give what places a photograph and, when it is to be kept, notes it as the exchange does."""
    register = Photographs(room.database)
    case = room.draft()

    def place(uid: str, kind: str = "closeup", *, keep: bool = True, **given: Any) -> Any:
        said = given.pop("said", {})
        capture_id = given.pop("capture_id", f"capture-{uid}")
        found = register.place(case.id, capture_id, picture(uid, kind, **given), said=said)
        if keep:
            room.casebook.note_capture(case.id, capture_id, uid)
            room.clock.passes(seconds=1)
            room.arrive(make_record(site=case.site, SOPInstanceUID=uid, StudyInstanceUID="2.25.6"))
        return found

    place.case = case
    place.register = register
    return place


def uids(place: PhotoPlace) -> list[str]:
    return [link.sop_instance_uid for link in place.links]


def test_place_when_given_then_numbers_do_not_repeat_and_a_series_has_one(placing):
    first, second = placing("2.25.1"), placing("2.25.2")
    scope = placing("2.25.3", "dermoscopic", series_uid="2.25.71")
    third = placing("2.25.4")
    assert [p.number for p in (first, second, scope, third)] == [1, 2, 3, 4]
    assert [p.series_number for p in (first, second, scope, third)] == [1, 1, 2, 1]


def test_place_when_older_photographs_have_none_then_their_numbers_are_left_alone(placing, room):
    for uid in ("2.25.1", "2.25.2"):
        room.casebook.note_capture(placing.case.id, uid, uid)
    assert placing("2.25.3").number == 3


def test_place_when_asked_again_then_it_is_as_it_was(placing):
    overview = placing("2.25.1", "overview")
    first = placing("2.25.2", keep=False, said={"clinical": {"skin_type": "2"}})
    placing("2.25.3", "overview")
    again = placing("2.25.2", said={"clinical": {"skin_type": "5"}})
    assert overview.number == 1
    assert again == first
    assert uids(again) == ["2.25.1"]
    assert again.said == {"clinical": {"skin_type": "2"}}


def test_place_when_the_capture_is_said_to_be_another_picture_then_it_is_placed_anew(placing):
    placing("2.25.1", "overview")
    placing("2.25.2", "closeup", keep=False, capture_id="c")
    changed = placing("2.25.3", "overview", capture_id="c")
    assert uids(changed) == []


def test_links_when_the_picture_referred_to_was_not_kept_then_there_are_none(placing):
    placing("2.25.1", "overview", keep=False)
    assert uids(placing("2.25.2")) == []


def test_links_when_the_picture_is_in_quarantine_then_there_are_none(placing, room):
    placing("2.25.1", "overview")
    with room.database.begin() as conn:
        conn.execute(
            update(instances)
            .where(instances.c.sop_instance_uid == "2.25.1")
            .values(state="quarantined", series_pk=None)
        )
    assert uids(placing("2.25.2")) == []


def test_links_when_the_overview_comes_later_then_it_refers_back(placing):
    placing("2.25.1", "closeup")
    placing("2.25.2", "dermoscopic", series_uid="2.25.71")
    links = placing("2.25.3", "overview").links
    assert [(link.sop_instance_uid, link.series_uid, link.purpose) for link in links] == [
        ("2.25.1", "2.25.70", Purpose.DETAIL), ("2.25.2", "2.25.71", Purpose.DETAIL),
    ]  # fmt: skip


def test_links_when_two_cases_are_of_one_patient_then_neither_refers_to_the_other(placing, room):
    placing("2.25.1", "overview")
    other = room.draft()
    found = placing.register.place(other.id, "c", picture("2.25.2", "closeup"), said={})
    assert found.links == ()
    assert found.number == 1


SCOPE = EnrolledDevice(
    site="fjordgata", name="DL5", kind=DeviceKind.DERMATOSCOPE, manufacturer="Dermlite",
    model="DL5", serial="A-17", software="none", contact="CONTACT", immersion="WATER",
    magnification=10.0,
)  # fmt: skip


def test_device_when_enrolled_then_its_site_has_it_and_no_other(room):
    register = Devices(room.database, room.clock)
    added = register.add(SCOPE, by=room.gp)
    assert register.in_use(added.id, site="fjordgata") == added
    assert register.listed("fjordgata") == [added]
    assert register.listed("bakken") == []
    with pytest.raises(NotFound):
        register.in_use(added.id, site="bakken")
    with pytest.raises(NotFound):
        register.retire(added.id, site="bakken")


def test_device_when_retired_then_it_stays_named_and_its_name_is_free(room):
    register = Devices(room.database, room.clock)
    added = register.add(SCOPE, by=room.gp)
    with pytest.raises(Conflict, match="DL5"):
        register.add(SCOPE, by=room.gp)
    assert register.retire(added.id, site="fjordgata").is_in_use
    assert not register.retire(added.id).is_in_use
    with pytest.raises(NotFound):
        register.in_use(added.id, site="fjordgata")
    again = register.add(SCOPE, by=room.gp)
    assert [d.id for d in register.listed(retired=True)] == [added.id, again.id]


def test_device_when_its_site_is_not_known_or_it_lacks_something_then_it_is_refused(room):
    register = Devices(room.database, room.clock)
    with pytest.raises(Invalid, match="no site"):
        register.add(replace(SCOPE, site="nowhere"), by=room.gp)
    with pytest.raises(Invalid, match="serial"):
        register.add(replace(SCOPE, serial=""), by=room.gp)
    assert register.listed() == []
