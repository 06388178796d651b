"""Orders and what is made of them: studies, cases, completeness, backups, erasure, and many."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, insert, select

from casework.access import Scope
from casework.erasure import Target
from casework.model import Actor, AePermission, Patient, Priority, Role, SiteKind
from casework.orders import Order, OrderState, Request, ScheduledStep
from casework.performed import PerformedStep, ScheduledReference, StepStatus
from storage import order_tables
from storage.backup import back_up
from storage.casebook import Casebook
from storage.database import Database
from storage.hl7_inbox import Envelope, Hl7Inbox
from storage.index import Index
from storage.mover import packing_folder
from storage.objects import FolderStore
from storage.order_rows import order_columns
from storage.orders import Orders, Wanted
from storage.people import People
from storage.performed import PerformedSteps
from storage.rebuild import rebuild
from storage.scheduled import SEQUENCE, Scheduled, read_step_query
from storage.testing import fresh_database
from tests.databases import ON_SQLITE
from tests.storage.archives import Clock
from tests.storage.conftest import NOON, MakeRecord
from tests.storage.erasing import (
    NAME,
    STUDY,
    erase,
    files_with,
    finish,
    opened,
    pack,
    receive_doomed,
    receive_others,
)

ALL = Scope(sites=None, specialties=None, own_site="centre")
NURSE = Actor("user:7", "Nurse", "hammer", SiteKind.HOSPITAL, Role.COORDINATOR)
GP = Actor("user:8", "Doctor", "gp", SiteKind.GP, Role.REFERRER)
PATIENT = Patient("12345", name="NESS^KARI")
START = datetime(2025, 3, 1, 13, 0)


def request(*modalities: str, **changes: Any) -> Request:
    steps = tuple(
        ScheduledStep(f"S{n}", modality, START) for n, modality in enumerate(modalities or ("CT",))
    )
    given = {"patient": PATIENT, "steps": steps, "question": "Why?", "study_uid": "1.2.3"}
    return Request(**(given | changes))  # type: ignore[arg-type]


class Desk:
    """The orders of a database, beside its cases and its performed steps."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self.database, self.clock = database, clock
        self.orders = Orders(database, clock)
        self.cases = Casebook(database, clock)
        self.performed = PerformedSteps(database, clock)
        self.index = Index(database)

    def place(self, *modalities: str, actor: Actor = NURSE, **changes: Any) -> Order:
        return self.orders.place(actor, request(*modalities, **changes))[0]

    def states(self, order: Order) -> list[str]:
        found = self.orders.order(ALL, order.id)
        return [found.state.value, *(step.state.value for step in found.request.steps)]

    def case_of(self, study_uid: str = "1.2.3") -> Any:
        cases, _ = self.cases.list_cases(ALL, limit=50)
        for summary in cases:
            dossier = self.cases.dossier(ALL, summary.case.id)
            if study_uid in [study.study_uid for study in dossier.studies]:
                return dossier.case
        raise AssertionError(study_uid)


@pytest.fixture
def desk(sited: Database, clock: Clock) -> Desk:
    return Desk(sited, clock)


def told(status: StepStatus, **named: str) -> PerformedStep:
    return PerformedStep(
        "1.9.1", "CT_1", status, (named.get("study_uid", "1.2.3"),),
        scheduled=(ScheduledReference(**named),),
    )  # fmt: skip


def change(desk: Desk, status: StepStatus, site: str = "hammer") -> None:
    desk.performed.change(site, "1.9.1", status=status, study_uids=(), ended="", instance_uids=None)


def test_a_study_that_is_presumed_complete_completes_its_order(
    desk: Desk, take: Callable[..., None], make_record: MakeRecord
) -> None:
    order = desk.place()
    take(make_record())
    assert desk.states(order) == ["scheduled", "scheduled"]
    desk.index.presume_complete(NOON + timedelta(seconds=120), 60)
    assert desk.states(order) == ["completed", "completed"]


@ON_SQLITE
def test_of_several_steps_those_of_the_study_s_modalities_are_completed(
    desk: Desk, take: Callable[..., None], make_record: MakeRecord
) -> None:
    order = desk.place("CT", "US")
    take(make_record())
    desk.index.presume_complete(NOON + timedelta(seconds=120), 60)
    assert desk.states(order) == ["in-progress", "completed", "scheduled"]


def test_a_step_under_way_is_not_ended_by_a_study_that_is_only_presumed_complete(
    desk: Desk, take: Callable[..., None], make_record: MakeRecord
) -> None:
    order = desk.place()
    desk.performed.create("hammer", told(StepStatus.IN_PROGRESS, study_uid="1.2.3", step_id="S0"))
    take(make_record())
    desk.index.presume_complete(NOON + timedelta(seconds=120), 60)
    assert desk.states(order)[0] == "in-progress"
    change(desk, StepStatus.COMPLETED)
    assert desk.states(order)[0] == "completed"


@ON_SQLITE
def test_a_discontinued_step_is_not_completed_by_its_study(
    desk: Desk, take: Callable[..., None], make_record: MakeRecord
) -> None:
    order = desk.place()
    desk.performed.create("hammer", told(StepStatus.IN_PROGRESS, study_uid="1.2.3"))
    change(desk, StepStatus.DISCONTINUED)
    take(make_record())
    desk.index.presume_complete(NOON + timedelta(seconds=120), 60)
    assert desk.states(order)[0] == "discontinued"


@ON_SQLITE
def test_of_two_steps_the_one_that_is_performed_moves(desk: Desk) -> None:
    order = desk.place("CT", "US")
    desk.performed.create("hammer", told(StepStatus.IN_PROGRESS, study_uid="1.2.3", step_id="S1"))
    assert desk.states(order) == ["in-progress", "scheduled", "in-progress"]
    change(desk, StepStatus.COMPLETED)
    assert desk.states(order) == ["in-progress", "scheduled", "completed"]


@ON_SQLITE
def test_an_order_for_a_study_that_is_here_and_complete_is_completed(
    desk: Desk, take: Callable[..., None], make_record: MakeRecord
) -> None:
    take(make_record())
    desk.index.presume_complete(NOON + timedelta(seconds=120), 60)
    assert desk.states(desk.place()) == ["completed", "completed"]


@ON_SQLITE
def test_a_study_is_known_by_its_accession_number_and_patient(
    desk: Desk, take: Callable[..., None], make_record: MakeRecord
) -> None:
    order = desk.place(study_uid="", accession_number="A1", priority=Priority.STAT)
    take(make_record())
    case = desk.case_of()
    assert (case.referral.question, case.priority) == ("Why?", Priority.STAT)
    desk.index.presume_complete(NOON + timedelta(seconds=120), 60)
    assert desk.states(order)[0] == "completed"


def test_another_site_s_order_counts_when_it_names_a_station_of_the_sender(
    desk: Desk, take: Callable[..., None], make_record: MakeRecord
) -> None:
    rights = frozenset({AePermission.WORKLIST})
    People(desk.database, desk.clock).add_ae("CT_1", "hammer", permissions=rights)
    steps = (ScheduledStep("S0", "CT", START, ("CT_1",)),)
    named = desk.place(actor=GP, steps=steps)
    unnamed = desk.place(actor=GP, study_uid="1.2.4", accession_number="A9")
    take(make_record(), make_record(StudyInstanceUID="1.2.4", SeriesInstanceUID="1.2.4.1"))
    assert desk.case_of().referral.question == "Why?"
    assert desk.case_of("1.2.4").referral.question == ""
    desk.performed.create("hammer", told(StepStatus.IN_PROGRESS, study_uid="1.2.3"))
    assert [desk.states(each)[0] for each in (named, unnamed)] == ["in-progress", "scheduled"]


@ON_SQLITE
def test_a_case_that_a_person_wrote_or_that_is_signed_keeps_its_question(
    desk: Desk, take: Callable[..., None], make_record: MakeRecord
) -> None:
    take(make_record())
    case = desk.case_of()
    reader = Actor("user:9", "Reader", "centre", SiteKind.CENTRE, Role.RADIOLOGIST)
    desk.cases.claim(reader, case.id)
    order = desk.place()
    assert desk.case_of().referral.question == "Why?"
    desk.cases.save_findings(reader, case.id, {"findings": "x", "impression": "y"})
    desk.cases.sign(reader, case.id, displayed={})
    desk.orders.change(NURSE, order.id, request(question="Another?"))
    assert desk.case_of().referral.question == "Why?"


@ON_SQLITE
def test_a_rebuilt_exchange_has_its_orders_and_senders(
    sited: Database, tmp_path: Path, clock: Clock
) -> None:
    orders = Orders(sited, clock)
    order, _ = orders.place(NURSE, request("CT", "US"))
    inbox = Hl7Inbox(sited, clock)
    inbox.add_sender(_sender())
    inbox.refuse(_envelope(), b"MSH|", site="hammer", code="AE 101", reason="x")
    with opened(tmp_path / "here", sited, clock) as archive:
        back_up(sited, archive.store, packing_folder(archive.data), now=clock())
    (tmp_path / "other").mkdir()
    store = FolderStore(tmp_path / "here" / "store")
    with (
        fresh_database(tmp_path / "other") as empty,
        opened(tmp_path / "there", empty, clock, store=store) as other,
    ):
        assert rebuild(other).is_whole
        assert Orders(empty, clock).order(ALL, order.id) == order
        assert Hl7Inbox(empty, clock).senders() == [_sender()]
        assert Hl7Inbox(empty, clock).refused() == []


def _sender() -> Any:
    from storage.hl7_inbox import Sender  # noqa: PLC0415 - beside the envelope

    return Sender("RIS", "HAMMER", "hammer")


def _envelope(control_id: str = "M1") -> Envelope:
    return Envelope("RIS", "HAMMER", control_id, "0" * 64, 4)


@pytest.fixture
def filled(sited: Database, tmp_path: Path, clock: Clock) -> Iterator[Any]:
    """Give an archive with two patients' studies and orders, backed up; and refused messages."""
    orders, inbox = Orders(sited, clock), Hl7Inbox(sited, clock)
    doomed = Patient("67890", name=NAME.decode())
    with opened(tmp_path / "here", sited, clock) as archive:
        receive_doomed(archive, 1)
        receive_others(archive, 1)
        pack(archive, clock)
        orders.place(NURSE, request(patient=doomed, study_uid=STUDY, accession_number="A-OF-STUDY"))
        orders.place(NURSE, request(patient=doomed, study_uid="", accession_number="A-TO-COME"))
        orders.place(NURSE, request(study_uid="1.2.99", accession_number="A-OTHER"))
        for control_id, text in (
            ("M1", b"PID|||67890^^^X||" + NAME),
            ("M2", b"OBR|||A-TO-COME|" + NAME),
            ("M3", b"PID|||678901||OTHER^ONE"),
        ):
            inbox.refuse(_envelope(control_id), text, site="hammer", code="AE", reason="x")
        back_up(sited, archive.store, packing_folder(archive.data), now=clock.later(1))
        clock.later(1)
        yield archive


@ON_SQLITE
@pytest.mark.parametrize(
    ("target", "left", "messages"),
    [
        (Target(patient_id="67890"), ["A-OTHER"], ["M3"]),
        (Target(study_uid=STUDY), ["A-OTHER", "A-TO-COME"], ["M3", "M2", "M1"]),
    ],
)
def test_orders_go_with_what_is_erased(
    filled: Any, sited: Database, tmp_path: Path, clock: Clock, target: Target, left: list[str],
    messages: list[str],
) -> None:  # fmt: skip
    erasure = erase(filled, clock, target)
    assert finish(filled, clock, erasure) == "done"
    orders, _ = Orders(sited, clock).listed(ALL, Wanted(), limit=10)
    assert sorted(order.request.accession_number for order in orders) == left
    kept = [each.envelope.control_id for each in Hl7Inbox(sited, clock).refused()]
    assert kept == messages
    if target.patient_id:
        assert files_with(tmp_path, NAME, b"A-TO-COME", b"A-OF-STUDY") == []


@ON_SQLITE
def test_a_patient_of_whom_there_is_an_order_alone_can_be_erased(
    sited: Database, tmp_path: Path, clock: Clock
) -> None:
    with opened(tmp_path / "here", sited, clock) as archive:
        doomed = Patient("67890", name=NAME.decode())
        Orders(sited, clock).place(NURSE, request(patient=doomed, study_uid=""))
        back_up(sited, archive.store, packing_folder(archive.data), now=clock.later(1))
        clock.later(1)
        erasure = erase(archive, clock, Target(patient_id="67890"))
        assert finish(archive, clock, erasure) == "done"
        assert Orders(sited, clock).listed(ALL, Wanted(), limit=10) == ([], False)
        assert files_with(tmp_path, NAME) == []


MANY = 4_000


@pytest.mark.slow
def test_a_worklist_among_many_orders_is_quick(desk: Desk) -> None:
    first = START - timedelta(days=20)
    with desk.database.begin() as conn:
        rows, steps, stations = [], [], []
        for n in range(MANY):
            step = ScheduledStep("S1", ("CT", "MR")[n % 2], first + timedelta(minutes=15 * n))
            order = request(
                steps=(step,), accession_number=f"A{n}", study_uid=f"1.2.77.{n}", procedure_id="R"
            )
            columns = order_columns(Request(**{**vars(order), "priority": Priority.ROUTINE}))
            rows.append(
                {"id": f"O{n}", "site": "hammer", "created_by": "x", "created_at": NOON,
                 "changed_at": NOON, "patient_id": f"{n}", "patient_name": f"N{n}", **columns}
            )  # fmt: skip
            date = f"{step.starts_at:%Y%m%d}"
            steps.append(
                {"order_id": f"O{n}", "step_id": "S1", "ordinal": 0, "site": "hammer",
                 "state": "scheduled", "modality": step.modality, "start_date": date,
                 "start_time": f"{step.starts_at:%H%M%S}.000000", "stations": ["CT_1"],
                 "protocol": {"value": "", "scheme": "", "meaning": ""}}
            )  # fmt: skip
            stations.append({"title": "CT_1", "order_id": f"O{n}", "step_id": "S1"})
        conn.execute(insert(order_tables.orders), rows)
        conn.execute(insert(order_tables.order_steps), steps)
        conn.execute(insert(order_tables.order_stations), stations)
    desk.clock.now = NOON
    scheduled = Scheduled(desk.database, desk.clock)
    for keys, count in (
        ({"Modality": "CT", "ScheduledProcedureStepStartDate": "20250301"}, 48),
        ({"ScheduledStationAETitle": "CT_1", "ScheduledProcedureStepStartDate": "20250301"}, 96),
        ({"Modality": "XA"}, 0),
    ):
        query = read_step_query({SEQUENCE: [keys], "PatientName": ""})
        began = time.perf_counter()
        found = list(scheduled.steps(site="hammer", title="CT_1", query=query))
        assert time.perf_counter() - began < 0.5
        assert len(found) == count
    one = read_step_query({SEQUENCE: [{}], "AccessionNumber": f"A{20 * 96}"})
    began = time.perf_counter()
    assert len(list(scheduled.steps(site="hammer", title="CT_1", query=one))) == 1
    assert time.perf_counter() - began < 0.5


@ON_SQLITE
def test_the_site_of_a_step_is_that_of_its_order(desk: Desk) -> None:
    order = desk.place()
    with desk.database.read() as conn:
        (row,) = conn.execute(select(order_tables.order_steps)).all()
    assert (row.site, row.order_id, row.state) == ("hammer", order.id, OrderState.SCHEDULED)


@ON_SQLITE
def test_no_question_about_orders_reads_a_table_whole(desk: Desk) -> None:
    asked: list[tuple[str, Any]] = []

    @event.listens_for(desk.database.engine, "before_cursor_execute")
    def hear(_conn: Any, _cursor: Any, statement: str, given: Any, *_rest: Any) -> None:
        asked.append((statement, given))

    desk.place(placer_number="P", filler_number="F")
    named = {"study_uid": "1.9", "accession_number": "A", "step_id": "S0"}
    desk.performed.create("hammer", told(StepStatus.IN_PROGRESS, **named))
    change(desk, StepStatus.COMPLETED)
    ward = Scope(frozenset({"hammer"}), None, "hammer")
    for wanted in (Wanted(START.date(), START.date()), Wanted(accession_number="A")):
        for scope in (ALL, ward):
            desk.orders.listed(scope, wanted, limit=10)
    scheduled = Scheduled(desk.database, desk.clock)
    for item in ({"Modality": "CT"}, {"ScheduledStationAETitle": "X"}):
        query = read_step_query({SEQUENCE: [item], "PatientID": "7", "AccessionNumber": "A"})
        list(scheduled.steps(site="hammer", title="X", query=query))
    small = ("audit_head", "sites", "aes")
    with desk.database.read() as conn:
        plans = {
            statement: [
                row[3] for row in conn.exec_driver_sql("EXPLAIN QUERY PLAN " + statement, given)
            ]
            for statement, given in asked
            if statement.startswith(("SELECT", "UPDATE", "DELETE"))
        }
    scans = {
        statement: line
        for statement, lines in plans.items()
        for line in lines
        if line.startswith("SCAN") and line.split()[1] not in small
    }
    assert len(plans) > 15
    assert scans == {}
