"""From an order by HL7 to its study in the worklist of those who read, over real protocols.

A hospital's system orders; its modality asks for its worklist, tells of its step, sends the images;
the case has the order's question, and the order has ended.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pynetdicom import AE
from pynetdicom.association import Association
from pynetdicom.sop_class import CTImageStorage
from pynetdicom.sop_class import ModalityPerformedProcedureStep as MPPS
from pynetdicom.sop_class import ModalityWorklistInformationFind as MWL

from lysbro.settings import load
from lysbro.wiring import open_parts
from storage.hl7_inbox import Sender as Registered
from tests.flows.conftest import Exchange, can_connect, make_exchange
from tests.flows.waiting import until
from tests.pacs_bridge.messages7 import Sender, orm
from tests.ports import free_port

pytestmark = [pytest.mark.peers, pytest.mark.slow]

SLICE = Path(__file__).resolve().parents[2] / "lysbro" / "samples" / "ct" / "01.dcm"
WARD, READER = "ward@hammer.example", "radiologist@nordlys.example"


@pytest.fixture(scope="module")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Exchange, int]]:
    """Give an exchange that listens for HL7, with two bridges on its ports."""
    port = free_port()
    exchange = make_exchange(
        tmp_path_factory.mktemp("hospital") / "data",
        LYSBRO_HL7_PORT=str(port),
        LYSBRO_DICOM_PROCESSES="2",
    )
    with open_parts(load(environment=exchange.environment)) as parts:
        parts.hl7_inbox.add_sender(Registered("RIS", "HAMMER", "hammer"))
    exchange.start()
    try:
        until(lambda: can_connect(port), "the HL7 port", alive=exchange.alive)
        yield exchange, port
    finally:
        if exchange.alive():
            assert exchange.stop() == 0


def associate(exchange: Exchange) -> Association:
    modality = AE(ae_title="HAMMER_CT")
    for each in (MWL, MPPS, CTImageStorage):
        modality.add_requested_context(each)
    association = modality.associate("127.0.0.1", exchange.dicom_port, ae_title="LYSBRO")
    assert association.is_established
    return association


def asked(accession: str) -> Dataset:
    ds, step = Dataset(), Dataset()
    ds.AccessionNumber, ds.PatientName, ds.PatientID = accession, "", ""
    ds.StudyInstanceUID = ds.RequestedProcedureID = ""
    step.ScheduledStationAETitle, step.Modality = "HAMMER_CT", "CT"
    step.ScheduledProcedureStepStartDate, step.ScheduledProcedureStepID = "20260303", ""
    ds.ScheduledProcedureStepSequence = [step]
    return ds


def image_of(entry: Dataset) -> Dataset:
    """Return an image as a modality makes one of an entry of its worklist."""
    ds = dcmread(SLICE)
    for keyword in ("PatientName", "PatientID", "AccessionNumber", "StudyInstanceUID"):
        setattr(ds, keyword, entry[keyword].value)
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = "1.2.826.0.1.55.1.1"
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = CTImageStorage
    ds.SeriesInstanceUID = "1.2.826.0.1.55.1"
    return ds


def performed(entry: Dataset) -> tuple[Dataset, Dataset]:
    """Return what a modality tells at the beginning and at the end of a step."""
    begun, scheduled, ended = Dataset(), Dataset(), Dataset()
    scheduled.StudyInstanceUID = entry.StudyInstanceUID
    scheduled.AccessionNumber = entry.AccessionNumber
    (step,) = entry.ScheduledProcedureStepSequence
    scheduled.ScheduledProcedureStepID = step.ScheduledProcedureStepID
    begun.ScheduledStepAttributesSequence = [scheduled]
    begun.PerformedProcedureStepStatus = "IN PROGRESS"
    begun.PerformedSeriesSequence = []
    image, series = Dataset(), Dataset()
    image.ReferencedSOPClassUID = CTImageStorage
    image.ReferencedSOPInstanceUID = "1.2.826.0.1.55.1.1"
    series.SeriesInstanceUID = "1.2.826.0.1.55.1"
    series.ReferencedImageSequence = [image]
    ended.PerformedProcedureStepStatus = "COMPLETED"
    ended.PerformedSeriesSequence = [series]
    return begun, ended


def test_an_order_leads_to_a_case_with_its_question(hospital: tuple[Exchange, int]) -> None:
    exchange, port = hospital

    def order() -> Any:
        _, told = exchange.call(WARD, "GET", "/api/orders?accession_number=A100")
        return told["orders"][0]

    with Sender(port) as sender:
        answer = sender.ask(orm(name="ØDEGÅRD^ÅSE", priority="S", history="Dyspnea"))
    assert "MSA|AA|M1" in answer
    assert order()["state"] == "scheduled"

    association = associate(exchange)
    try:
        (status, entry), (last, _) = list(association.send_c_find(asked("A100"), MWL))
        assert (status.Status, last.Status) == (0xFF00, 0)
        assert str(entry.PatientName) == "ØDEGÅRD^ÅSE"
        begun, ended = performed(entry)
        assert association.send_n_create(begun, MPPS, "1.2.826.0.1.55.9")[0].Status == 0
        assert order()["state"] == "in-progress"
        assert len(list(association.send_c_find(asked("A100"), MWL))) == 1
        assert association.send_c_store(image_of(entry)).Status == 0
        assert association.send_n_set(ended, MPPS, "1.2.826.0.1.55.9")[0].Status == 0
    finally:
        association.release()
    assert order()["state"] == "completed"

    def case() -> Any:
        _, told = exchange.call(READER, "GET", "/api/cases?q=%C3%98deg%C3%A5rd")
        return next(iter(told["cases"]), None)

    found = until(case, "the case of the study", alive=exchange.alive)
    assert (found["question"], found["priority"]) == ("Embolism?", "stat")
    until(lambda: case()["completeness"] == "complete", "the study to be complete by its MPPS")
    _, whole = exchange.call(READER, "GET", f"/api/cases/{found['case_id']}")
    assert whole["clinical"] == {"history": "Dyspnea"}
    assert order()["case_id"] == found["case_id"]
    assert "ØDEGÅRD" not in exchange.log()
