"""A modality sends a study and tells by MPPS what it has made: what is missing, then complete."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pydicom import dcmread
from pynetdicom import AE
from pynetdicom.sop_class import CTImageStorage
from pynetdicom.sop_class import ModalityPerformedProcedureStep as MPPS

from tests.flows import phantoms
from tests.flows.conftest import Exchange
from tests.pacs_bridge.test_performed import begun, ended

pytestmark = pytest.mark.slow

WARD, RADIOLOGIST = "ward@hammer.example", "radiologist@nordlys.example"
STUDY = "1.2.826.0.1.3680043.10.7.1"
EXPLICIT_LE = "1.2.840.10008.1.2.1"


def test_a_study_is_complete_when_all_that_the_modality_has_made_is_here(
    exchange: Exchange, tmp_path: Any, wait: Callable[..., Any]
) -> None:
    phantoms.write_series(tmp_path, STUDY)
    images = [dcmread(path) for path in sorted(tmp_path.iterdir())]
    modality = AE(ae_title="HAMMER_CT")
    modality.add_requested_context(CTImageStorage, EXPLICIT_LE)
    modality.add_requested_context(MPPS)
    association = modality.associate("127.0.0.1", exchange.dicom_port, ae_title="LYSBRO")
    assert association.is_established
    start = begun()
    start.ScheduledStepAttributesSequence[0].StudyInstanceUID = STUDY
    assert association.send_n_create(start, MPPS, f"{STUDY}.77")[0].Status == 0x0000
    for image in images[:-1]:
        assert association.send_c_store(image).Status == 0x0000
    end = ended(*(image.SOPInstanceUID for image in images))
    assert association.send_n_set(end, MPPS, f"{STUDY}.77")[0].Status == 0x0000

    def study() -> dict[str, Any]:
        for row in exchange.call(RADIOLOGIST, "GET", "/api/cases")[1]["cases"]:
            case = exchange.call(RADIOLOGIST, "GET", f"/api/cases/{row['case_id']}")[1]
            if case["studies"][0]["study_uid"] == STUDY:
                return dict(case["studies"][0])
        return {}

    short = wait(lambda: study() if study().get("missing_instances") else None, "the study")
    assert (short["completeness"], short["missing_instances"]) == ("arriving", 1)
    assert short["expected_instances"] == len(images)

    assert association.send_c_store(images[-1]).Status == 0x0000
    association.release()
    whole = wait(lambda: study() if study()["completeness"] == "complete" else None, "the rest")
    assert (whole["completeness_evidence"], whole["missing_instances"]) == ("mpps", 0)

    address = f"/api/instances/{images[0].SOPInstanceUID}/custody"
    trail = wait(
        lambda: (
            exchange.call(WARD, "GET", address)[1]["trail"]
            if exchange.call(WARD, "GET", address)[1]["trail"]["verified_at"]
            else None
        ),
        "the pack",
    )
    assert (trail["calling_ae"], trail["called_ae"]) == ("HAMMER_CT", "LYSBRO")
    assert trail["peer"].startswith("127.0.0.1:")
    assert trail["association"]
    assert trail["received_at"] <= trail["synced_at"] <= trail["packed_at"] <= trail["verified_at"]
    assert trail["opened_at"] is None
