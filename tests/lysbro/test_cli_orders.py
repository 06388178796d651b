"""The commands about orders and HL7: what they place, list, register, refuse and take again."""

from __future__ import annotations

import pytest

from lysbro.hl7 import hl7_desk
from lysbro.settings import Settings
from lysbro.wiring import open_parts
from pacs_bridge.hl7_desk import Came
from tests.lysbro.calling import Desk
from tests.pacs_bridge.messages7 import orm

pytestmark = pytest.mark.slow

ORDER = (
    "order", "add", "--site", "hammer", "--patient-id", "12345", "--name", "NESS^KARI",
    "--modality", "ct", "--at", "2026-03-02T10:15", "--procedure", "CT thorax",
    "--question", "Embolism?", "--placer", "P1", "--json",
)  # fmt: skip


def test_an_order_is_placed_once_listed_and_cancelled(desk: Desk) -> None:
    placed = desk.must(*ORDER).json
    assert (placed["new"], placed["state"], placed["modality"]) == (True, "scheduled", "CT")
    again = desk.must(*ORDER).json
    assert (again["new"], again["order"]) == (False, placed["order"])
    listed = desk.must("order", "list", "--from", "2026-03-02").out
    assert placed["accession"] in listed
    assert "NESS" not in listed
    assert desk.must("order", "list", "--from", "2026-03-03", "--json").json == []
    assert "is cancelled" in desk.must("order", "cancel", placed["order"]).out
    assert desk.must("order", "cancel", placed["order"]).status == 0
    assert desk("order", "cancel", "2222-2222").status == 1
    (entry,) = desk.audit("order-placed")
    assert (entry.actor_id, entry.site) == ("system:operator", "hammer")


def test_an_order_with_a_fault_is_refused_with_its_name(desk: Desk) -> None:
    bad = desk(*(word if word != "NESS^KARI" else "^" for word in ORDER))
    assert (bad.status, "patient.name" in bad.err) == (1, True)
    nowhere = desk(*(word if word != "hammer" else "nowhere" for word in ORDER))
    assert "There is no site nowhere" in nowhere.err


def test_senders_are_registered_and_refused_messages_taken_again(desk: Desk) -> None:
    assert "none" in desk.must("hl7", "list").out
    with open_parts(Settings(data=desk.data)) as parts:
        for control_id, modality in (("M1", "CT"), ("M2", "")):
            message = orm(control_id=control_id, placer=control_id, modality=modality)
            hl7_desk(parts).receive(message, Came("10.0.0.5"))
    refused = desk.must("hl7", "refused", "--json").json
    assert [(each["control_id"], each["answer"]) for each in refused] == [
        ("M2", "AR 103"),
        ("M1", "AR 103"),
    ]
    second, first = (str(each["id"]) for each in refused)
    again = desk("hl7", "replay", first)
    assert (again.status, "not registered" in again.err) == (1, True)
    desk.must("hl7", "add", "RIS", "HAMMER", "--site", "hammer")
    assert desk.must("hl7", "list", "--json").json[0]["site"] == "hammer"
    assert f"Message {first} is taken" in desk.must("hl7", "replay", first).out
    assert "OBR-24" in desk("hl7", "replay", second).err
    assert "PID|||12345" in desk.must("hl7", "refused", "--show", second).out
    desk.must("hl7", "refused", "--remove", second)
    assert desk.must("hl7", "refused", "--json").json == []
    assert desk("hl7", "refused", "--show", second).status == 1
    desk.must("hl7", "remove", "RIS", "HAMMER")
    assert desk("hl7", "remove", "RIS", "HAMMER").status == 1
    assert len(desk.must("order", "list", "--from", "2026-03-03", "--json").json) == 1
