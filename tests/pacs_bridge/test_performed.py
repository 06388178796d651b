"""MPPS: a modality begins a step, ends it, and what it has made says how much there is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE
from pynetdicom.association import Association
from pynetdicom.sop_class import ModalityPerformedProcedureStep as MPPS
from sqlalchemy import select

from casework.access import Scope
from casework.model import AePermission
from pacs_bridge import dimse
from pacs_bridge.negotiation import USER_REJECTION
from storage.tables import performed_steps
from tests.pacs_bridge.conftest import House
from tests.pacs_bridge.making import ORIGIN, ct, part10

ALL = Scope(sites=None, specialties=None, own_site="")
STEP = "1.2.826.0.1.77"
STUDY = "1.2.1"


@contextmanager
def calling(house: House, title: str = "HAMMER_CT") -> Iterator[Association]:
    entity = AE(ae_title=title)
    entity.add_requested_context(MPPS)
    association = entity.associate("127.0.0.1", house.port, ae_title="LYSBRO")
    assert association.is_established
    try:
        yield association
    finally:
        association.release()


def begun(**values: Any) -> Dataset:
    """Return what a modality says at the beginning of a step (PS3.4 table F.7.2-1)."""
    scheduled = Dataset()
    scheduled.StudyInstanceUID = STUDY
    ds = Dataset()
    ds.ScheduledStepAttributesSequence = [scheduled]
    ds.PerformedProcedureStepStatus = "IN PROGRESS"
    ds.PerformedProcedureStepStartDate, ds.PerformedProcedureStepStartTime = "20260302", "101500"
    ds.PatientName, ds.PerformedProcedureStepID, ds.Modality = "NESS^KARI", "P1", "CT"
    ds.PerformedSeriesSequence = []
    for keyword, value in values.items():
        setattr(ds, keyword, value)
    return ds


def ended(*images: str, others: tuple[str, ...] = (), status: str = "COMPLETED") -> Dataset:
    series = Dataset()
    series.SeriesInstanceUID = "1.2.2"
    series.ReferencedImageSequence = [_reference(uid) for uid in images]
    series.ReferencedNonImageCompositeSOPInstanceSequence = [_reference(uid) for uid in others]
    ds = Dataset()
    ds.PerformedProcedureStepStatus = status
    ds.PerformedProcedureStepEndDate, ds.PerformedProcedureStepEndTime = "20260302", "102000"
    ds.PerformedSeriesSequence = [series]
    return ds


def _reference(uid: str) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = "1.2.840.10008.5.1.4.1.1.2", uid
    return item


def create(association: Association, ds: Dataset, uid: str | None = STEP) -> Dataset:
    return association.send_n_create(ds, MPPS, uid)[0]


def change(association: Association, ds: Dataset, uid: str = STEP) -> Dataset:
    return association.send_n_set(ds, MPPS, uid)[0]


def arrive(house: House, *uids: str) -> None:
    for uid in uids:
        house.archive.receive_part10(part10(ct(uid)), ORIGIN)
    house.archive.settle()


def study(house: House) -> tuple[str, str, int | None, int]:
    (row,) = house.index.studies(ALL)
    kind, missing = row.completeness_evidence, row.missing_instances
    return row.completeness, kind, row.expected_instances, missing


@pytest.mark.parametrize("status", ["COMPLETED", "DISCONTINUED"])
def test_an_ended_step_is_evidence_of_what_it_has_made(house: House, status: str) -> None:
    arrive(house, "1.2.2.1", "1.2.2.2")
    with calling(house) as association:
        assert create(association, begun()).Status == 0x0000
        assert study(house) == ("arriving", "", None, 0)
        told = ended("1.2.2.1", "1.2.2.2", others=("1.2.2.3",), status=status)
        assert change(association, told).Status == 0x0000
    assert study(house) == ("arriving", "mpps", 3, 1)
    arrive(house, "1.2.2.3")
    house.index.presume_complete(house.archive.clock(), 60)
    assert study(house) == ("complete", "mpps", 3, 0)


def test_a_step_that_ended_before_its_images_came(house: House) -> None:
    with calling(house) as association:
        create(association, begun())
        change(association, ended("1.2.2.1"))
    arrive(house, "1.2.2.1")
    house.index.presume_complete(house.archive.clock(), 60)
    assert study(house) == ("complete", "mpps", 1, 0)


def test_what_a_step_said_between_is_replaced_by_what_it_says_at_the_end(house: House) -> None:
    with calling(house) as association:
        create(association, begun())
        assert change(association, ended("1.9", status="IN PROGRESS")).Status == 0x0000
        change(association, ended("1.2.2.1"))
    arrive(house, "1.2.2.1")
    house.index.presume_complete(house.archive.clock(), 60)
    assert study(house) == ("complete", "mpps", 1, 0)


def test_a_step_of_several_studies_says_nothing_of_either(house: House) -> None:
    other = Dataset()
    other.StudyInstanceUID = "1.2.99"
    arrive(house, "1.2.2.1")
    with calling(house) as association:
        scheduled = [*begun().ScheduledStepAttributesSequence, other]
        create(association, begun(ScheduledStepAttributesSequence=scheduled))
        assert change(association, ended("1.2.2.1", "1.2.2.7")).Status == 0x0000
    assert study(house) == ("arriving", "", None, 0)


REFUSALS = [
    ("no status", begun(PerformedProcedureStepStatus=""), STEP, 0x0120),
    ("no study", begun(ScheduledStepAttributesSequence=[]), STEP, 0x0120),
    ("a status that is none", begun(PerformedProcedureStepStatus="DONE"), STEP, 0x0106),
    ("ended at its beginning", begun(PerformedProcedureStepStatus="COMPLETED"), STEP, 0x0106),
]


@pytest.mark.parametrize(
    ("ds", "uid", "status"), [row[1:] for row in REFUSALS], ids=[row[0] for row in REFUSALS]
)
def test_a_step_that_cannot_begin_is_refused_with_its_reason(house, ds, uid, status) -> None:
    with calling(house) as association:
        answer = create(association, ds, uid)
    assert answer.Status == status
    assert answer.ErrorComment
    assert house.bridge._front._desk.performed.step("hammer", STEP) is None


def test_a_step_begins_once_and_ends_once(house: House) -> None:
    with calling(house) as association:
        assert change(association, ended("1.2.2.1")).Status == 0x0112
        assert create(association, begun()).Status == 0x0000
        assert create(association, begun()).Status == 0x0111
        assert change(association, ended("1.2.2.1", status="OVER")).Status == 0x0106
        assert change(association, ended("1.2.2.1")).Status == 0x0000
        late = change(association, ended("1.2.2.1", "1.2.2.2"))
    assert (late.Status, late.ErrorID) == (0x0110, 0xA710)
    step = house.bridge._front._desk.performed.step("hammer", STEP)
    assert step.instance_uids == {"1.2.2.1"}
    assert (step.started, step.ended) == ("20260302 101500", "20260302 102000")
    assert step.ae == "HAMMER_CT"


def test_a_step_without_a_uid_is_given_one(house: House) -> None:
    with calling(house) as association:
        answer = create(association, begun(), None)
    assert answer.Status == 0x0000
    with house.database.read() as conn:
        uid = conn.execute(select(performed_steps.c.sop_instance_uid)).scalar_one()
    assert uid.startswith("2.25.")


def test_the_uid_that_a_step_was_given_is_in_the_answer() -> None:
    elements = {0x0002: MPPS.encode(), 0x0100: b"\x40\x01", 0x0110: b"\1\0", 0x0800: b"\0\0"}
    request = dimse.read_command(dimse.write_elements(elements))
    answer = dimse.read_command(dimse.write_response(request, 0, instance="2.25.7"))
    assert (answer.field, answer.affected_instance) == (dimse.N_CREATE_RSP, "2.25.7")


def test_the_same_uid_of_two_sites_is_two_steps(house: House) -> None:
    with calling(house) as association:
        create(association, begun())
    with calling(house, "UTSIRA_CT") as association:
        assert change(association, ended("1.2.2.1")).Status == 0x0112
        assert create(association, begun()).Status == 0x0000


def test_a_caller_without_permission_may_not_tell_of_steps(house: House) -> None:
    house.people.add_ae("HAMMER_MWL", "hammer", permissions=frozenset({AePermission.WORKLIST}))
    with calling(house, "HAMMER_MWL") as association:
        assert create(association, begun()).Status == 0x0000
    entity = AE(ae_title="HAMMER_ASK")
    entity.add_requested_context(MPPS)
    entity.add_requested_context("1.2.840.10008.1.1")
    association = entity.associate("127.0.0.1", house.port, ae_title="LYSBRO")
    assert [c.result for c in association.rejected_contexts] == [USER_REJECTION]
    association.release()


def test_many_references_are_read(house: House) -> None:
    uids = [f"1.2.826.0.1.3680043.10.99.1.{n}" for n in range(6000)]
    with calling(house) as association:
        create(association, begun())
        assert change(association, ended(*uids)).Status == 0x0000
    step = house.bridge._front._desk.performed.step("hammer", STEP)
    assert len(step.instance_uids) == 6000
