"""HL7 orders: what is read of a message, what is answered, what is kept for an operator."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from casework.access import Scope
from casework.errors import Conflict, Invalid, NotFound
from casework.model import Priority, Site, SiteKind
from casework.orders import Code, Order, OrderState
from pacs_bridge.hl7_desk import Came, Hl7Desk
from pacs_bridge.hl7_text import parse
from storage import hl7_inbox
from storage.database import Database
from storage.hl7_inbox import Hl7Inbox, Sender
from storage.order_tables import hl7_messages
from storage.orders import Orders, Wanted
from storage.people import People
from storage.testing import fresh_database
from tests.pacs_bridge.messages7 import omi, orm, strictly

NOW = datetime(2026, 3, 2, 9, 15, tzinfo=UTC)
ALL = Scope(sites=None, specialties=None, own_site="nordlys")


@dataclass
class Door:
    database: Database
    inbox: Hl7Inbox
    orders: Orders
    desk: Hl7Desk

    def ask(self, message: bytes, came: Came = Came("10.0.0.5")) -> str:  # noqa: B008
        judged = self.desk.receive(message, came)
        assert judged is not None
        strictly(judged.answer)
        return judged.answer.decode()

    def all(self) -> list[Order]:
        return self.orders.listed(ALL, Wanted(), limit=100)[0]

    def one(self) -> Order:
        (order,) = self.all()
        return order


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Door]:
    with fresh_database(tmp_path) as database:
        people = People(database, lambda: NOW)
        for slug, kind in (("hammer", SiteKind.HOSPITAL), ("utsira", SiteKind.HOSPITAL)):
            people.add_site(Site(slug, slug.title(), kind, issuer=f"1.2.{len(slug)}"))
        inbox = Hl7Inbox(database, lambda: NOW)
        inbox.add_sender(Sender("RIS", "HAMMER", "hammer"))
        desk = Hl7Desk(inbox, clock=lambda: NOW, application="LYSBRO", timezone="Europe/Oslo")
        yield Door(database, inbox, Orders(database, lambda: NOW), desk)


def msa(answer: str) -> list[str]:
    return next(line for line in answer.split("\r") if line.startswith("MSA")).split("|")


def err(answer: str) -> str:
    return next(line for line in answer.split("\r") if line.startswith("ERR"))


def test_an_order_is_read_field_by_field(door: Door) -> None:
    answer = door.ask(orm(history="Dyspnea", extra=["NTE|1||Sudden onset \\T\\ pain"]))

    assert msa(answer)[1:3] == ["AA", "M1"]
    order = door.one()
    told, (step,) = order.request, order.request.steps
    assert (order.site, order.state) == ("hammer", OrderState.SCHEDULED)
    assert (told.patient.id, told.patient.issuer) == ("12345", "1.2.6")
    assert (told.patient.name, told.patient.sex) == ("NESS^KARI^ANNE", "F")
    assert told.patient.birth_date == date(1950, 1, 2)
    assert (told.accession_number, told.placer_number, told.procedure_id) == ("A100", "P1", "RP1")
    assert (told.study_uid, told.question) == ("1.2.826.0.1.55", "Embolism?")
    assert told.clinical == {"history": "Dyspnea\nSudden onset & pain"}
    assert (told.referrer, told.requester) == ("BERG^LIV", "HANSEN^OLA")
    assert told.procedure_code == Code("CTTHX", "L", "CT thorax")
    assert (step.id, step.modality, step.stations) == ("S1", "CT", ("HAMMER_CT",))
    assert step.protocol == Code("CTPE", "L", "CT pulmonary angiography")
    assert step.starts_at == datetime(2026, 3, 3, 9, 0)
    assert told.priority is Priority.ROUTINE


def test_an_imaging_order_has_a_step_for_each_ipc(door: Door) -> None:
    answer = door.ask(
        omi(
            {4: "S1", 5: "MR", 6: "MRHEAD^MR head^L", 7: "Skanner 2", 9: "HAMMER_MR~HAMMER_MR2"},
            {4: "S2", 5: "CT", 8: "LAB2^Lab 2^L"},
        )
    )

    assert msa(answer)[1] == "AA"
    told = door.one().request
    assert told.patient.name == "ØDEGÅRD^ÅSE"
    assert (told.accession_number, told.procedure_id) == ("A200", "RP2")
    assert (told.question, told.priority) == ("Migrene?\nTumor?", Priority.STAT)
    assert told.clinical == {"history": "Hodepine"}
    first, second = told.steps
    assert (first.id, first.modality, first.station_name) == ("S1", "MR", "Skanner 2")
    assert first.stations == ("HAMMER_MR", "HAMMER_MR2")
    assert first.protocol == Code("MRHEAD", "L", "MR head")
    assert first.starts_at == datetime(2026, 3, 3, 9, 0)  # 08:00 UTC, by Oslo's clocks
    assert (second.id, second.modality, second.location) == ("S2", "CT", "Lab 2")


def test_groups_under_one_number_are_steps_of_one_order(door: Door) -> None:
    more = ["ORC|NW|P1", "OBR|2|P1||CTABD^CT abdomen^L||||||||||||||A100|RP1|S2||||CT"]
    assert msa(door.ask(orm(extra=more)))[1] == "AA"
    assert [step.id for step in door.one().request.steps] == ["S1", "S2"]


@pytest.mark.parametrize("version", ["2.3", "2.3.1", "2.4", "2.5", "2.5.1"])
@pytest.mark.parametrize("modality", ["CT", ""])
def test_answers_are_strictly_of_the_version_that_asks(
    door: Door, version: str, modality: str
) -> None:
    answer = door.ask(orm(version=version, modality=modality))
    parsed = strictly(answer.encode())
    assert parsed.version == version
    assert parsed.msh.msh_5.to_er7() == "RIS"
    assert parsed.msh.msh_6.to_er7() == "HAMMER"
    assert parsed.msa.msa_1.to_er7() == ("AA" if modality else "AE")
    assert parsed.msa.msa_2.to_er7() == "M1"


def test_an_error_names_its_field_in_the_form_of_the_version(door: Door) -> None:
    assert err(door.ask(orm(modality=""))).startswith("ERR|OBR^1^24^101&Required field missing")
    told = err(door.ask(orm(modality="", version="2.5.1")))
    assert told.startswith("ERR||OBR^1^24^1|101^Required field missing^HL70357|E||||OBR-24: ")


@pytest.mark.parametrize(
    ("changes", "code", "condition", "place"),
    [
        ({"application": "OTHER"}, "AR", 103, "MSH^1^3^1"),
        ({"facility": "OTHER"}, "AR", 103, "MSH^1^3^1"),
        ({"kind": "ADT^A01"}, "AR", 200, "MSH^1^9^1"),
        ({"kind": "OMI^O19"}, "AR", 201, "MSH^1^9^1"),
        ({"processing": "T"}, "AR", 202, "MSH^1^11^1"),
        ({"control_id": ""}, "AE", 101, "MSH^1^10^1"),
        ({"charset": "EBCDIC"}, "AE", 102, "MSH^1^18^1"),
        ({"charset": "UNICODE UTF-8", "name": "ØS", "encoding": "iso8859-1"}, "AE", 102,
         "MSH^1^18^1"),
        ({"patient": ""}, "AE", 101, "PID^1^3^1"),
        ({"patient": "1\0"}, "AE", 101, "PID^1^3^1"),
        ({"patient": "1^^^A\0B"}, "AE", 102, "PID^1^3^1"),
        ({"name": ""}, "AE", 101, "PID^1^5^1"),
        ({"control": ""}, "AE", 101, "ORC^1^1^1"),
        ({"control": "ZZ"}, "AE", 103, "ORC^1^1^1"),
        ({"control": "SC", "status": "??"}, "AE", 103, "ORC^1^5^1"),
        ({"placer": ""}, "AE", 101, "ORC^1^2^1"),
        ({"start": "tomorrow"}, "AE", 102, "OBR^1^36^1"),
        ({"start": "20261399"}, "AE", 102, "OBR^1^36^1"),
        ({"modality": "c t"}, "AE", 101, "OBR^1^24^1"),
        ({"step": "S" * 17}, "AE", 102, "OBR^1^20^1"),
        ({"accession": "A" * 17}, "AE", 102, "OBR^1^18^1"),
        ({"study": "1.2.x"}, "AE", 102, "ZDS^1^1^1"),
        ({"control": "CA", "placer": "P9"}, "AE", 204, "ORC^1^2^1"),
    ],
)  # fmt: skip
def test_what_cannot_be_taken_is_answered_with_its_place_and_kept_aside(
    door: Door, changes: dict[str, str], code: str, condition: int, place: str
) -> None:
    answer = door.ask(orm(version="2.5.1", **changes))  # type: ignore[arg-type]

    assert msa(answer)[1] == code
    fields = err(answer).split("|")
    assert (fields[2].removesuffix("^2"), fields[3].split("^")[0]) == (place, str(condition))
    assert door.all() == []
    (kept,) = door.inbox.refused()
    assert kept.code == f"{code} {condition}"
    assert "NESS" not in kept.reason
    assert door.inbox.refused_content(kept.id).startswith(b"MSH")


@pytest.mark.parametrize(
    ("charset", "encoding"),
    [
        ("UNICODE UTF-8", "utf-8"),
        ("8859/1", "iso8859-1"),
        ("8859/15", "iso8859-15"),
        ("", "iso8859-1"),
        ("", "utf-8"),
    ],
)
def test_names_are_read_in_the_character_set_of_the_message(
    door: Door, charset: str, encoding: str
) -> None:
    judged = door.desk.receive(orm(name="ØDEGÅRD^ÅSE", charset=charset, encoding=encoding), Came())
    assert judged is not None
    assert b"MSA|AA" in judged.answer
    assert door.one().request.patient.name == "ØDEGÅRD^ÅSE"


def test_the_same_control_id_twice_is_harmless(door: Door) -> None:
    first, change = orm(), orm(control="XO", control_id="M2", reason="^Since when?")
    assert [msa(door.ask(each))[1] for each in (first, first, change, first)] == ["AA"] * 4
    assert door.one().request.question == "Since when?"


def test_another_message_under_a_used_control_id_is_read(door: Door) -> None:
    door.ask(orm())
    door.ask(orm(reason="^Since when?"))
    assert door.one().request.question == "Since when?"


def test_a_change_leaves_what_it_does_not_say(door: Door) -> None:
    door.ask(orm())
    door.ask(orm(control="XO", control_id="M2", start="", reason="", priority="S", study=""))
    told = door.one().request
    assert (told.question, told.priority) == ("Embolism?", Priority.STAT)
    assert told.steps[0].starts_at == datetime(2026, 3, 3, 9, 0)
    assert told.study_uid == "1.2.826.0.1.55"


def test_a_change_of_what_was_never_placed_places_it(door: Door) -> None:
    assert msa(door.ask(orm(control="XO")))[1] == "AA"
    assert door.one().state is OrderState.SCHEDULED


@pytest.mark.parametrize(
    ("control", "status", "state"),
    [
        ("CA", "", "cancelled"),
        ("OC", "", "cancelled"),
        ("DC", "", "cancelled"),
        ("SC", "IP", "in-progress"),
        ("SC", "CM", "completed"),
        ("SC", "CA", "cancelled"),
    ],
)
def test_an_order_moves_as_it_is_told(door: Door, control: str, status: str, state: str) -> None:
    door.ask(orm())
    moved = orm(control=control, status=status, control_id="M2")
    assert [msa(door.ask(each))[1] for each in (moved, moved)] == ["AA", "AA"]
    assert door.one().state == state


def test_a_completed_order_cannot_be_cancelled(door: Door) -> None:
    door.ask(orm())
    door.ask(orm(control="SC", status="CM", control_id="M2"))
    answer = door.ask(orm(control="CA", control_id="M3", version="2.5.1"))
    assert msa(answer)[1] == "AE"
    assert "|206^" in err(answer)


def test_a_number_is_not_taken_for_another_patient(door: Door) -> None:
    door.ask(orm())
    answer = door.ask(orm(control_id="M2", patient="999^^^HAMMER", version="2.5.1"))
    assert (msa(answer)[1], err(answer).split("|")[3][:3]) == ("AE", "205")
    assert door.one().request.patient.id == "12345"


def test_an_accession_number_is_of_one_order(door: Door) -> None:
    door.ask(orm())
    answer = door.ask(orm(control_id="M2", placer="P2", study="", version="2.5.1"))
    assert "OBR^1^18" in err(answer)
    assert "|205^" in err(answer)


def test_a_message_of_two_orders_is_taken_whole_or_not_at_all(door: Door) -> None:
    bad = ["ORC|NW|P2", "OBR|2|P2||X^X^L||||||||||||||A101|RP2|S2||||"]
    answer = door.ask(orm(version="2.5.1", extra=bad))
    assert "OBR^2^24" in err(answer)
    assert door.all() == []


def test_a_number_of_another_issuer_keeps_it(door: Door) -> None:
    door.ask(orm(patient="777^^^REGION&2.16.578.1&ISO^PI"))
    assert door.one().request.patient.issuer == "2.16.578.1"


def test_of_several_numbers_the_site_s_own_counts(door: Door) -> None:
    door.ask(orm(patient="777^^^REGION^PI~12345^^^X&1.2.6&ISO^MR"))
    assert door.one().request.patient.id == "12345"


def test_a_name_in_several_scripts_is_one_name(door: Door) -> None:
    name = "YAMADA^TARO^^^^^L^A~山田^太郎^^^^^L^I"
    door.ask(orm(name=name, charset="UNICODE UTF-8"))
    assert door.one().request.patient.name == "YAMADA^TARO=山田^太郎"


def test_a_refused_message_is_taken_once_its_sender_is_known(door: Door) -> None:
    message = orm(application="NEW")
    assert msa(door.ask(message))[1] == "AR"
    assert msa(door.ask(message))[1] == "AR"
    (kept,) = door.inbox.refused()
    door.inbox.add_sender(Sender("NEW", "HAMMER", "utsira"))
    assert msa(door.ask(door.inbox.refused_content(kept.id)))[1] == "AA"
    assert door.inbox.refused() == []
    assert door.one().site == "utsira"


def test_a_sender_is_bound_to_its_address_and_its_certificate(door: Door) -> None:
    door.inbox.add_sender(Sender("PACS", "", "hammer", address="10.0.0.7"))
    message = orm(application="PACS", facility="")
    assert msa(door.ask(message, Came("10.0.0.8")))[1] == "AR"
    assert msa(door.ask(message, Came("10.0.0.7", "utsira")))[1] == "AR"
    assert msa(door.ask(message, Came("10.0.0.7", "hammer")))[1] == "AA"


def test_refused_messages_stay_within_bounds_and_strangers_go_first(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hl7_inbox, "MAX_REFUSED", 3)
    door.ask(orm(modality="", control_id="OURS"))
    for number in range(5):
        door.ask(orm(application="X", control_id=f"M{number}"))
    kept = [each.envelope.control_id for each in door.inbox.refused()]
    assert kept == ["M4", "M3", "OURS"]


def test_no_text_of_a_message_that_was_taken_is_kept(door: Door) -> None:
    door.ask(orm())
    with door.database.read() as conn:
        (row,) = conn.execute(select(hl7_messages)).all()
    assert (row.state, row.content) == ("taken", None)


@pytest.mark.parametrize("raw", [b"", b"hello", b"MSH", b"MSH|", b"\0\0", b"PID|1", b"MSHaaaaaaa"])
def test_what_is_no_message_has_no_answer(door: Door, raw: bytes) -> None:
    assert door.desk.receive(raw, Came()) is None


def test_a_sender_is_registered_once(door: Door) -> None:
    door.inbox.add_sender(Sender("RIS", "HAMMER", "hammer"))
    with pytest.raises(Conflict):
        door.inbox.add_sender(Sender("RIS", "HAMMER", "utsira"))
    with pytest.raises(NotFound):
        door.inbox.add_sender(Sender("A", "", "nowhere"))
    with pytest.raises(Invalid):
        door.inbox.add_sender(Sender("", "", "hammer"))
    door.inbox.remove_sender("RIS", "HAMMER")
    with pytest.raises(NotFound):
        door.inbox.remove_sender("RIS", "HAMMER")
    assert msa(door.ask(orm()))[1] == "AR"


def test_escapes_and_other_marks_are_read() -> None:
    message = parse(
        b"MSH#*~\\&#A#B\rNTE#1##a\\F\\b\\S\\c\\T\\d\\R\\e\\E\\f\\X0D0A\\g\\.br\\h\\H\\i"
    )
    note = message.first("NTE")
    assert note is not None
    assert note.text(3) == "a#b*c&d~e\\f\ng\nhi"


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_no_broken_message_breaks_anything(door: Door, data: st.DataObject) -> None:
    """Cut, doubled and scrambled: each is answered, or is no message; nothing is taken by half."""
    whole = data.draw(st.sampled_from([orm(version="2.5.1"), omi({4: "S1", 5: "CT"})]))
    at = data.draw(st.integers(0, len(whole)))
    broken = data.draw(
        st.sampled_from(
            [
                whole[:at],
                whole[at:],
                whole[:at] + data.draw(st.binary(min_size=1, max_size=12)) + whole[at:],
                whole[:at] + whole[at + 3 :],
                whole[:at].replace(b"|", b"^") + whole[at:],
                whole + whole[at:],
            ]
        )
    )
    judged = door.desk.receive(broken, Came("10.0.0.5"))
    if judged is not None:
        assert b"MSA|A" in judged.answer
        assert (judged.verdict.condition, judged.verdict.code) != (207, "AR")


def test_control_characters_in_a_header_harm_nothing(door: Door) -> None:
    judged = door.desk.receive(orm(control_id="M\0\x01", application="R\0IS"), Came())
    assert judged is not None
    assert b"MSA|AA" in judged.answer
    assert door.inbox.refused() == []
