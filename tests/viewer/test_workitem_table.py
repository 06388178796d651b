"""What every request comes to in every state of a case: the statuses of PS3.18 section 11."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from casework.model import CaseState
from casework.workitems import CASE_STATES, work_item_uid
from tests.told import ROOT
from tests.viewer.conftest import World, new_world
from tests.viewer.workitems import (
    FINDINGS,
    READER,
    TRANSACTION,
    URL,
    asked_state,
    put_state,
    sign,
    study_in,
)
from viewer.dicomweb.dicom_json import to_json
from viewer.dicomweb.workitem_query import ATTRIBUTES, DEFAULT, IN_FILTERS, MOST

S = CaseState
ASKER = "referrer@hammer"

# The state, and what comes of: IN PROGRESS, COMPLETED, CANCELED (each with the Transaction UID of
# the claim), SCHEDULED, progress by its holder, a comment, a request to cancel, retrieval.
EXPECTED = {
    S.SUBMITTED: (200, 409, 409, 409, 409, 200, 202, 200),
    S.CLAIMED: (409, 409, 200, 409, 200, 200, 202, 200),
    S.WAITING: (409, 409, 409, 409, 200, 200, 202, 200),
    S.REPORTED: (409, 409, 200, 409, 200, 200, 202, 200),
    S.SIGNED: (409, 200, 409, 409, 400, 400, 409, 200),
    S.READ: (409, 200, 409, 409, 400, 400, 409, 200),
    S.CLOSED: (409, 200, 409, 409, 400, 400, 409, 200),
    S.WITHDRAWN: (409, 409, 200, 409, 400, 400, 202, 200),
    S.DECLINED: (409, 409, 200, 409, 400, 400, 202, 200),
}
REQUESTS = (
    "IN PROGRESS", "COMPLETED", "CANCELED", "SCHEDULED", "progress", "comment", "cancel", "get",
)  # fmt: skip


@pytest.fixture(scope="module")
def world(template, tmp_path_factory):
    with new_world(template, tmp_path_factory.mktemp("ups-table")) as found:
        yield found


def brought_to(world: World, state: CaseState) -> str:
    """Return a case in a state; whoever claimed it did so by UPS-RS, and has said why to cancel."""
    case_id = study_in(world)
    if state is S.SUBMITTED:
        return case_id
    if state is S.WITHDRAWN:
        body = {"reason": "Wrong patient"}
        assert (
            world.client(ASKER).post(f"/api/cases/{case_id}/withdraw", json=body).status_code == 200
        )
        return case_id
    assert put_state(world, case_id, "IN PROGRESS").status_code == 200
    assert say(world, case_id, ReasonForCancellation="Cannot be read").status_code == 200
    call = f"/api/cases/{case_id}"
    reader, asker = world.client(READER), world.client(ASKER)
    if state is S.WAITING:
        assert reader.post(f"{call}/ask", json={"text": "Which side?"}).status_code == 200
    elif state is S.REPORTED:
        assert reader.put(f"{call}/findings", json=FINDINGS).status_code == 200
    elif state is S.DECLINED:
        assert reader.post(f"{call}/decline", json={"reason": "Not ours"}).status_code == 200
    elif state is not S.CLAIMED:
        sign(world, case_id)
        if state is S.READ:
            world.parts.casebook.open_reply(world.actors[ASKER], case_id)
        elif state is S.CLOSED:
            assert asker.post(f"{call}/acknowledge").status_code == 200
    found = reader.get(call).get_json()["state"]
    assert found == state.value
    return case_id


def say(world: World, case_id: str, **progress: Any) -> Any:
    url = f"{URL}/{work_item_uid(case_id)}?transaction-uid={TRANSACTION}"
    body = to_json({"ProcedureStepProgressInformationSequence": [progress]})
    return world.client(READER).post(url, json=body)


def send(world: World, case_id: str, what: str) -> Any:
    url, reader = f"{URL}/{work_item_uid(case_id)}", world.client(READER)
    if what == "get":
        return reader.get(url)
    if what == "progress":
        return say(world, case_id, ProcedureStepProgress="50")
    if what == "comment":
        body = to_json({"CommentsOnTheScheduledProcedureStep": "x"})
        held = world.client(READER).get(f"/api/cases/{case_id}").get_json()["state"] != "submitted"
        return reader.post(f"{url}?{TRANSACTION}" if held else url, json=body)
    if what == "cancel":
        body = to_json({"ReasonForCancellation": "No longer needed"})
        return world.client(ASKER).post(f"{url}/cancelrequest", json=body)
    return reader.put(f"{url}/state", json=asked_state(what))


CELLS = [
    (state, what, status)
    for state, statuses in EXPECTED.items()
    for what, status in zip(REQUESTS, statuses, strict=True)
]


def test_the_table_is_whole():
    left_out = {S.DRAFT, S.DELIVERED}  # no work item; brought about by machines, as signed
    assert set(EXPECTED) == set(S) - left_out
    assert len(CELLS) == len(set(itertools.product(EXPECTED, REQUESTS)))


@pytest.mark.parametrize(("state", "what", "status"), CELLS, ids=str)
def test_a_request_in_a_state_has_its_status(world, state, what, status):
    case_id = brought_to(world, state)
    answer = send(world, case_id, what)
    assert answer.status_code == status, answer.text
    if status >= 400:
        warning = answer.headers["Warning"]
        assert warning.startswith("299 ")
        assert "inconsistent" in warning or "claimed Workitem" in warning
    elif what in {"COMPLETED", "CANCELED", "cancel"} and state in {
        S.SIGNED, S.READ, S.CLOSED, S.WITHDRAWN, S.DECLINED,
    }:  # fmt: skip
        assert "already in the requested state" in answer.headers["Warning"]


def test_the_conformance_statement_names_all_that_may_be_asked_for():
    text = (ROOT / "docs" / "conformance.md").read_text("utf-8")
    section = text[text.index("### 4.8 ") : text.index("## 5. ")]
    assert [k for k in sorted(ATTRIBUTES | IN_FILTERS) if f"`{k}`" not in section] == []
    assert f"{DEFAULT} unless said, {MOST:,} at" in section
    for step, states in CASE_STATES.items():
        (row,) = [line for line in section.splitlines() if line.startswith(f"| {step.value} |")]
        assert {state.value for state in states} <= set(row.replace(",", " ").split()), row
