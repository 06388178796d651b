"""The modality worklist: what is matched, what is answered, and who sees whose steps (annex K)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE
from pynetdicom.association import Association
from pynetdicom.dsutils import encode
from pynetdicom.sop_class import ModalityPerformedProcedureStep as MPPS
from pynetdicom.sop_class import ModalityWorklistInformationFind as MWL
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelFind as STUDY_ROOT

from casework.model import (
    Actor,
    AePermission,
    ApplicationEntity,
    Patient,
    Priority,
    Role,
    SiteKind,
)
from casework.orders import Code, OrderState, Request, ScheduledStep
from pacs_bridge.modality_worklist import find_steps
from pacs_bridge.negotiation import USER_REJECTION
from pacs_bridge.query import FindRequest
from pacs_bridge.syntaxes import EXPLICIT_LE
from storage.orders import Orders
from storage.scheduled import Scheduled
from tests.pacs_bridge.conftest import House, open_house
from tests.pacs_bridge.test_peers import dcmtk

P = AePermission
NURSE = Actor("user:1", "Nurse", "hammer", SiteKind.HOSPITAL, Role.COORDINATOR)
OTHER = Actor("user:2", "Doctor", "utsira", SiteKind.HOSPITAL, Role.REFERRER)
TODAY = datetime.now().replace(hour=10, minute=15, second=0, microsecond=0)
STEP = ScheduledStep(
    "S1", "CT", TODAY, ("HAMMER_CT",), "Room 1", "CT thorax", Code("P1", "L", "Thorax"), "LAB1"
)
REQUEST = Request(
    patient=Patient("12345", "", "ØDEGÅRD^ÅSE", date(1950, 1, 2), "F"),
    steps=(STEP,),
    accession_number="A1",
    placer_number="P1",
    filler_number="F1",
    procedure_id="RP1",
    procedure="CT of the chest",
    procedure_code=Code("CTT", "L", "CT thorax"),
    study_uid="1.2.826.0.1.9",
    question="Embolism? " * 10,
    priority=Priority.URGENT,
    referrer="BERG^LIV",
    requester="HANSEN^OLA",
)


MORE = """
PatientBirthDate PatientSex RequestedProcedureDescription RequestingPhysician PregnancyStatus
RequestedProcedureCodeSequence RequestedProcedurePriority ReferringPhysicianName PatientWeight
ReasonForTheRequestedProcedure RequestedProcedureComments AdmissionID ReferencedStudySequence
PlacerOrderNumberImagingServiceRequest FillerOrderNumberImagingServiceRequest
"""


def other(number: int, **changes: Any) -> Request:
    """Return an order of other numbers; `step` changes its step."""
    step = replace(STEP, **changes.pop("step", {}))
    numbers = {
        "accession_number": f"A{number}", "placer_number": f"P{number}",
        "study_uid": f"1.2.826.0.1.9.{number}", "procedure_id": f"RP{number}",
    }  # fmt: skip
    return replace(REQUEST, steps=(step,), **(numbers | changes))


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with open_house(tmp_path_factory.mktemp("worklist"), maximum_matches=6) as opened:
        fill(opened)
        yield opened


def fill(house: House) -> Orders:
    orders = Orders(house.database, house.archive.clock)
    for title, site in (("HAMMER_WL", "hammer"), ("HAMMER_US", "hammer"), ("UTSIRA_WL", "utsira")):
        rights = frozenset({P.WORKLIST, P.QUERY, P.STORE})
        house.people.add_ae(title, site, permissions=rights)
    orders.place(NURSE, REQUEST)
    tomorrow = TODAY + timedelta(days=1)
    anybody = {"stations": (), "modality": "US", "starts_at": tomorrow, "protocol": Code()}
    orders.place(NURSE, other(2, patient=Patient("777", name="NESS^KARI"), step=anybody))
    orders.place(NURSE, other(3, step={"starts_at": TODAY - timedelta(days=60)}))
    orders.place(OTHER, other(4, step={"stations": ("UTSIRA_CT",)}))
    orders.place(OTHER, other(5, step={"stations": ("HAMMER_WL",), "modality": "MR"}))
    gone, _ = orders.place(NURSE, other(6))
    orders.cancel(NURSE, gone.id)
    return orders


@contextmanager
def calling(house: House, title: str, *classes: str) -> Iterator[Association]:
    entity = AE(ae_title=title)
    for each in classes or (MWL,):
        entity.add_requested_context(each)
    association = entity.associate("127.0.0.1", house.port, ae_title="LYSBRO")
    assert association.is_established
    try:
        yield association
    finally:
        association.release()


def keys(step: dict[str, Any] | None = None, **values: Any) -> Dataset:
    ds = Dataset()
    for keyword, value in {"AccessionNumber": "", **values}.items():
        setattr(ds, keyword, value)
    item = Dataset()
    for keyword, value in (step or {}).items():
        setattr(item, keyword, value)
    ds.ScheduledProcedureStepSequence = [item]
    return ds


def ask(
    house: House, ds: Dataset, title: str = "HAMMER_WL", *, pending: int = 0xFF00, ends: int = 0
) -> list[Dataset]:
    with calling(house, title) as association:
        *found, last = list(association.send_c_find(ds, MWL))
    assert last[0].Status == ends
    assert {status.Status for status, _ in found} <= {pending}
    return [identifier for _, identifier in found if identifier is not None]


def accessions(found: list[Dataset]) -> list[str]:
    return [ds.AccessionNumber for ds in found]


def test_every_key_of_the_table_is_answered(house: House) -> None:
    asked = keys(
        {"ScheduledProcedureStepStatus": ""},
        AccessionNumber="A1",
        SpecificCharacterSet="ISO_IR 100",
        **dict.fromkeys(MORE.split()),
    )
    (ds,) = ask(house, asked)
    assert ds.SpecificCharacterSet == "ISO_IR 100"
    assert (ds.PatientName, ds.PatientID) == ("ØDEGÅRD^ÅSE", "12345")
    assert (ds.PatientBirthDate, ds.PatientSex) == ("19500102", "F")
    assert (ds.StudyInstanceUID, ds.RequestedProcedureID) == ("1.2.826.0.1.9", "RP1")
    assert ds.RequestedProcedureDescription == "CT of the chest"
    assert ds.RequestedProcedureCodeSequence[0].CodeValue == "CTT"
    assert ds.RequestedProcedurePriority == "HIGH"
    assert ds.ReasonForTheRequestedProcedure == ("Embolism? " * 10)[:64].rstrip()
    assert ds.RequestedProcedureComments == ("Embolism? " * 10).rstrip()
    assert (ds.ReferringPhysicianName, ds.RequestingPhysician) == ("BERG^LIV", "HANSEN^OLA")
    assert ds.PlacerOrderNumberImagingServiceRequest == "P1"
    assert ds.FillerOrderNumberImagingServiceRequest == "F1"
    assert (ds.PatientWeight, ds.AdmissionID, ds.PregnancyStatus) == (None, "", None)
    assert list(ds.ReferencedStudySequence) == []
    (step,) = ds.ScheduledProcedureStepSequence
    assert step.ScheduledStationAETitle == "HAMMER_CT"
    assert step.ScheduledProcedureStepStartDate == f"{TODAY:%Y%m%d}"
    assert step.ScheduledProcedureStepStartTime == "101500"
    assert (step.Modality, step.ScheduledProcedureStepID) == ("CT", "S1")
    assert step.ScheduledProcedureStepStatus == "SCHEDULED"
    assert "ScheduledProcedureStepLocation" not in step  # it was not asked for


def test_an_empty_item_asks_for_the_whole_step(house: House) -> None:
    (ds,) = ask(house, keys(AccessionNumber="A1"))
    (step,) = ds.ScheduledProcedureStepSequence
    assert (step.ScheduledStationName, step.ScheduledProcedureStepLocation) == ("Room 1", "LAB1")
    assert step.ScheduledProcedureStepDescription == "CT thorax"
    assert step.ScheduledProtocolCodeSequence[0].CodeMeaning == "Thorax"


def test_what_a_step_does_not_say_is_filled_where_it_must_not_be_empty(house: House) -> None:
    (ds,) = ask(house, keys(AccessionNumber="A2"), "HAMMER_US")
    (step,) = ds.ScheduledProcedureStepSequence
    assert list(step.ScheduledStationAETitle) == ["HAMMER_US", "HAMMER_WL"]
    assert step.ScheduledProcedureStepDescription == "CT thorax"
    assert list(step.ScheduledProtocolCodeSequence) == []


@pytest.mark.parametrize(
    ("step", "values", "expected"),
    [
        ({"Modality": "CT"}, {}, ["A1"]),
        ({"Modality": "US"}, {}, ["A2"]),
        ({"Modality": "C"}, {}, []),
        ({"ScheduledStationAETitle": "HAMMER_?T"}, {}, ["A1"]),
        ({"ScheduledStationAETitle": "HAMMER_CT"}, {}, ["A1"]),
        ({"ScheduledStationAETitle": "HAMMER*"}, {}, ["A1", "A2", "A5"]),
        ({"ScheduledStationAETitle": "HAMMER_US"}, {}, ["A2"]),
        ({"ScheduledStationAETitle": "UTSIRA_CT"}, {}, []),
        ({"ScheduledProcedureStepStartDate": "today"}, {}, ["A1", "A5"]),
        ({"ScheduledProcedureStepStartDate": "today-"}, {}, ["A1", "A2", "A5"]),
        ({"ScheduledProcedureStepStartDate": "-today"}, {}, ["A3", "A1", "A5"]),
        ({"ScheduledProcedureStepStartDate": "20200101-20200102"}, {}, []),
        ({"ScheduledProcedureStepStartTime": "1000-1015"}, {}, ["A1", "A2", "A5"]),
        ({"ScheduledProcedureStepStartTime": "1016-"}, {}, []),
        ({"ScheduledProcedureStepStartDate": "today", "Modality": "MR"}, {}, ["A5"]),
        ({"ScheduledProcedureStepLocation": "LAB?"}, {}, ["A1", "A2", "A5"]),
        ({"ScheduledPerformingPhysicianName": "X*"}, {}, []),
        ({"ScheduledProcedureStepID": "S1"}, {}, ["A1", "A2", "A5"]),
        ({}, {"PatientName": "ødegård*"}, ["A1", "A5"]),
        ({}, {"PatientName": "ness^kari"}, ["A2"]),
        ({}, {"PatientID": "777"}, ["A2"]),
        ({}, {"AccessionNumber": "A5"}, ["A5"]),
        ({}, {"StudyInstanceUID": "1.2.826.0.1.9"}, ["A1"]),
        ({}, {"RequestedProcedureID": "RP2"}, ["A2"]),
        ({}, {"PatientBirthDate": "19500101-19500103"}, ["A1", "A5"]),
        ({}, {"PatientSex": "M"}, []),
        ({}, {"RequestedProcedurePriority": "HIGH"}, ["A1", "A2", "A5"]),
        ({}, {"ReferringPhysicianName": "berg*"}, ["A1", "A2", "A5"]),
    ],
)
def test_keys_are_matched(
    house: House, step: dict[str, str], values: dict[str, str], expected: list[str]
) -> None:
    step = {k: v.replace("today", f"{TODAY:%Y%m%d}") for k, v in step.items()}
    assert accessions(ask(house, keys(step, **values))) == expected


def test_codes_are_matched_by_the_item_of_their_sequence(house: House) -> None:
    ds = keys()
    code = Dataset()
    code.CodeValue = "CTT"
    ds.RequestedProcedureCodeSequence = [code]
    assert accessions(ask(house, ds)) == ["A1", "A2", "A5"]
    code.CodeValue = "OTHER"
    assert ask(house, ds) == []


def test_a_caller_sees_its_own_site_s_steps_and_those_that_name_it(house: House) -> None:
    assert accessions(ask(house, keys(), "HAMMER_US")) == ["A1", "A2"]
    assert sorted(accessions(ask(house, keys(), "UTSIRA_WL"))) == ["A4", "A5"]


def test_old_steps_are_given_to_who_asks_for_their_date_only(house: House) -> None:
    assert "A3" not in accessions(ask(house, keys()))
    old = f"{TODAY - timedelta(days=60):%Y%m%d}"
    assert accessions(ask(house, keys({"ScheduledProcedureStepStartDate": old}))) == ["A3"]


def test_a_key_that_is_not_matched_is_said_so(house: House) -> None:
    assert accessions(ask(house, keys(PatientWeight="70"), pending=0xFF01)) == ["A1", "A2", "A5"]
    found = ask(house, keys({"PreMedication": "X", "Modality": "CT"}), pending=0xFF01)
    assert accessions(found) == ["A1"]


@pytest.mark.parametrize(
    ("step", "values"),
    [
        ({"ScheduledProcedureStepStartDate": "tomorrow"}, {}),
        ({}, {"PatientName": "x" * 20_000}),
    ],
)
def test_a_query_against_the_rules_is_refused(
    house: House, step: dict[str, Any], values: dict[str, Any]
) -> None:
    import warnings  # noqa: PLC0415 - pydicom warns of what is sent here on purpose

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert ask(house, keys(step, **values), ends=0xA900) == []


def test_a_sequence_of_two_items_is_refused(house: House) -> None:
    ds = keys()
    ds.ScheduledProcedureStepSequence = [Dataset(), Dataset()]
    assert ask(house, ds, ends=0xA900) == []


def test_a_node_without_the_right_is_refused_the_context(house: House) -> None:
    entity = AE(ae_title="HAMMER_CT")
    entity.add_requested_context(MWL)
    entity.add_requested_context("1.2.840.10008.1.1")
    association = entity.associate("127.0.0.1", house.port, ae_title="LYSBRO")
    assert [cx.result for cx in association.rejected_contexts] == [USER_REJECTION]
    association.release()


def test_the_worklist_and_other_queries_share_an_association(house: House) -> None:
    with calling(house, "HAMMER_WL", MWL, STUDY_ROOT) as association:
        *found, last = list(association.send_c_find(keys(), MWL))
        assert (len(found), last[0].Status) == (3, 0)
        ds = Dataset()
        ds.QueryRetrieveLevel, ds.StudyInstanceUID = "STUDY", ""
        ((status, _),) = list(association.send_c_find(ds, STUDY_ROOT))
        assert status.Status == 0


@pytest.mark.peers
def test_dcmtk_asks_for_its_worklist(house: House) -> None:
    status, said = dcmtk(
        "findscu", house, "-W", "-k", "ScheduledProcedureStepSequence[0].Modality=CT",
        "-k", "PatientName", "-k", "(0040,0100)[0].ScheduledStationAETitle", calling="HAMMER_WL",
    )  # fmt: skip
    assert status == 0
    assert "HAMMER_CT" in said
    assert said.count("1.2.826.0.1.9") == 1


def test_a_long_answer_ends_at_the_limit_and_can_be_cancelled(house: House) -> None:
    orders = Orders(house.database, house.archive.clock)
    placed = [
        orders.place(NURSE, other(n, step={"modality": "NM", "stations": ()}))[0]
        for n in range(20, 28)
    ]
    found = ask(house, keys({"Modality": "NM"}), ends=0xB001)
    assert len(found) == 6
    for order in placed:
        orders.cancel(NURSE, order.id)


def test_a_cancelled_query_ends_where_it_is(house: House) -> None:
    entity = ApplicationEntity("HAMMER_WL", "hammer", SiteKind.HOSPITAL)
    asked = encode(keys(), False, True) or b""
    request = FindRequest(str(MWL), EXPLICIT_LE, asked, entity)
    scheduled = Scheduled(house.database, house.archive.clock)
    given: list[int] = []
    for found in find_steps(request, scheduled, limit=9, is_cancelled=lambda: len(given) == 2):
        given.append(found.answer.status)
    assert given == [0xFF00, 0xFF00, 0xFE00]


def begun(status: str = "IN PROGRESS", **scheduled: str) -> Dataset:
    item = Dataset()
    for keyword, value in ({"StudyInstanceUID": "1.2.826.0.1.9"} | scheduled).items():
        setattr(item, keyword, value)
    ds = Dataset()
    ds.ScheduledStepAttributesSequence = [item]
    ds.PerformedProcedureStepStatus = status
    ds.PerformedProcedureStepStartDate, ds.PerformedProcedureStepStartTime = "20260302", "101500"
    ds.PatientName, ds.PerformedProcedureStepID, ds.Modality = "NESS^KARI", "P1", "CT"
    ds.PerformedSeriesSequence = []
    return ds


def ended(status: str) -> Dataset:
    ds = Dataset()
    ds.PerformedProcedureStepStatus = status
    ds.PerformedProcedureStepEndDate, ds.PerformedProcedureStepEndTime = "20260302", "102000"
    return ds


@pytest.mark.parametrize(
    ("status", "state"),
    [("COMPLETED", OrderState.COMPLETED), ("DISCONTINUED", OrderState.DISCONTINUED)],
)
@pytest.mark.parametrize(
    "named",
    [
        {"ScheduledProcedureStepID": "S1"},
        {"StudyInstanceUID": "1.9.9.9", "AccessionNumber": "A50"},
        {},
    ],
)
def test_a_performed_step_moves_its_order_and_takes_it_off_the_list(
    house: House, status: str, state: OrderState, named: dict[str, str]
) -> None:
    orders = Orders(house.database, house.archive.clock)
    uid = f"1.2.826.0.1.8.{len(status)}.{len(named)}.{sum(map(len, named))}"
    number = f"A50-{uid[-7:]}"
    order, _ = orders.place(
        NURSE,
        other(50, study_uid=uid, accession_number=number, placer_number="", procedure_id="X"),
    )
    named = {k: v.replace("A50", number) for k, v in named.items()}
    with calling(house, "HAMMER_WL", MWL, MPPS) as association:
        assert accessions(ask(house, keys(AccessionNumber=number))) == [number]
        scheduled = {"StudyInstanceUID": uid} | named
        begin, _ = association.send_n_create(begun(**scheduled), MPPS, f"{uid}.1")
        assert begin.Status == 0
        assert orders.order(_sight(), order.id).state is OrderState.IN_PROGRESS
        assert ask(house, keys(AccessionNumber=number)) == []
        end, _ = association.send_n_set(ended(status), MPPS, f"{uid}.1")
        assert end.Status == 0
    assert orders.order(_sight(), order.id).state is state


def test_a_performed_step_of_nobody_s_order_goes_on_as_before(house: House) -> None:
    with calling(house, "HAMMER_WL", MPPS) as association:
        told = begun(StudyInstanceUID="1.7.7.7", AccessionNumber="NONE")
        assert association.send_n_create(told, MPPS, "1.7.7.8")[0].Status == 0
        assert association.send_n_set(ended("COMPLETED"), MPPS, "1.7.7.8")[0].Status == 0


def test_a_step_of_another_site_moves_no_order(house: House) -> None:
    orders = Orders(house.database, house.archive.clock)
    order, _ = orders.place(NURSE, other(60, step={"stations": ("HAMMER_CT",)}))
    with calling(house, "UTSIRA_WL", MPPS) as association:
        told = begun(StudyInstanceUID=order.request.study_uid)
        assert association.send_n_create(told, MPPS, "1.7.9.1")[0].Status == 0
    assert orders.order(_sight(), order.id).state is OrderState.SCHEDULED
    orders.cancel(NURSE, order.id)


def _sight() -> Any:
    from casework.access import scope_of  # noqa: PLC0415 - for this alone

    return scope_of(NURSE)
