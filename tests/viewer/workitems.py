"""What the tests of UPS-RS share: bodies in DICOM JSON, and a world with cases to read."""

from __future__ import annotations

import itertools
from typing import Any

from casework.workitems import work_item_uid
from tests.viewer.conftest import World
from viewer.dicomweb.dicom_json import tag_of, to_json

URL = "/dicom-web/workitems"
READER, OTHER = "radiologist@centre", "radiologist2@centre"
TRANSACTION = "2.25.1234567890"
FINDINGS = {"findings": "Clear lungs.", "impression": "No acute disease."}


def asked_state(state: str, transaction: str = TRANSACTION) -> dict[str, Any]:
    """Return the body of a request for a state."""
    values = {"ProcedureStepState": state}
    return to_json({**values, "TransactionUID": transaction} if transaction else values)


def value(dataset: dict[str, Any], *path: str) -> Any:
    """Return the first value of an attribute, by keywords down through first items."""
    found: Any = dataset
    for keyword in path:
        listed = found.get(tag_of(keyword), {}).get("Value", [])
        if not listed:
            return None
        found = listed[0]
    return found


_numbers = itertools.count(100)


def study_in(
    world: World, number: int | None = None, site: str = "hammer", **attributes: Any
) -> str:
    """Take in a study that is a case by itself, and return the number of the case."""
    number = next(_numbers) if number is None else number
    study = f"1.2.826.0.55.{number}"
    given = {
        "StudyInstanceUID": study,
        "SeriesInstanceUID": f"{study}.1",
        "SOPInstanceUID": f"{study}.1.1",
        "PatientID": f"p-{number}",
        "AccessionNumber": f"ACC{number}",
        "ReasonForTheRequestedProcedure": "Pneumonia?",
        **attributes,
    }
    world.store(site, **given)
    with world.parts.database.read() as conn:
        return str(
            conn.exec_driver_sql(
                "SELECT case_id FROM case_studies WHERE site = ? AND study_uid = ?", (site, study)
            ).scalar_one()
        )


def item_of(world: World, case_id: str, who: str = READER) -> dict[str, Any]:
    """Return the work item of a case."""
    answer = world.client(who).get(f"{URL}/{work_item_uid(case_id)}")
    assert answer.status_code == 200, answer.text
    return dict(answer.get_json())


def state_of(world: World, case_id: str) -> str:
    return str(value(item_of(world, case_id), "ProcedureStepState"))


def put_state(world: World, case_id: str, state: str, *, who: str = READER, **given: str) -> Any:
    """Ask for a state of a case's work item."""
    url = f"{URL}/{work_item_uid(case_id)}/state"
    return world.client(who).put(url, json=asked_state(state, **given))


def sign(world: World, case_id: str, who: str = READER) -> None:
    """Write findings and sign them, on the pages' own calls."""
    client = world.client(who)
    assert client.put(f"/api/cases/{case_id}/findings", json=FINDINGS).status_code == 200
    assert client.post(f"/api/cases/{case_id}/sign", json={}).status_code == 200
