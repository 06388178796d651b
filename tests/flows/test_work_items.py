"""A reader's own system works through UPS-RS: it is told of a study, claims it, is told again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from websockets.sync.client import connect

from casework.workitems import GLOBAL_SUBSCRIPTION
from tests.flows.conftest import Exchange, make_exchange
from tests.flows.waiting import until
from tests.ports import free_port
from tests.viewer.conftest import ct_slice, part10
from tests.viewer.workitems import TRANSACTION, asked_state, value
from viewer.dicomweb.dicom_json import to_json

pytestmark = pytest.mark.slow

READER, SECOND, WARD = (
    "radiologist@nordlys.example",
    "second@nordlys.example",
    "ward@hammer.example",
)


@pytest.fixture(scope="module")
def exchange(tmp_path_factory) -> Iterator[Exchange]:
    events = str(free_port())
    data = tmp_path_factory.mktemp("work-items") / "data"
    exchange = make_exchange(data, LYSBRO_EVENTS_PORT=events)
    exchange.start(only="web")
    try:
        yield exchange
    finally:
        if exchange.alive():
            exchange.stop()


def session(exchange: Exchange, who: str) -> requests.Session:
    found = requests.Session()
    found.headers["Authorization"] = f"Bearer {exchange.token(who)}"
    found.headers["Accept"] = "application/dicom+json"
    return found


def test_a_reader_works_through_ups_rs_over_real_processes(exchange: Exchange) -> None:
    reader, ward = session(exchange, READER), session(exchange, WARD)
    root = f"{exchange.address}/dicom-web"
    subscribed = reader.post(f"{root}/workitems/{GLOBAL_SUBSCRIPTION}/subscribers/READING")
    assert subscribed.status_code == 201
    address = subscribed.headers["Content-Location"]
    until(lambda: is_open(exchange, address), "the event channel", alive=exchange.alive)
    with open_channel(exchange, address) as channel:
        stored = ward.post(
            f"{root}/studies",
            data=part10(ct_slice(StudyInstanceUID="1.2.77", SOPInstanceUID="1.2.77.1")),
            headers={"Content-Type": "application/dicom"},
        )
        assert stored.status_code == 200, stored.text
        arrived = heard(channel)
        assert value(arrived, "ProcedureStepState") == "SCHEDULED"
        url = f"{root}/workitems/{value(arrived, 'AffectedSOPInstanceUID')}"
        (listed,) = reader.get(f"{root}/workitems?ProcedureStepState=SCHEDULED").json()
        assert value(listed, "SOPInstanceUID") == value(arrived, "AffectedSOPInstanceUID")

        item = reader.get(url).json()
        images = value(item, "InputInformationSequence", "WADORSRetrievalSequence", "RetrieveURL")
        fetched = reader.get(
            images, headers={"Accept": 'multipart/related; type="application/dicom"'}
        )
        assert fetched.status_code == 200

        body = asked_state("IN PROGRESS")
        assert reader.put(f"{url}/state", json=body).status_code == 200
        late = session(exchange, SECOND).put(f"{url}/state", json=asked_state("IN PROGRESS", "2.5"))
        assert late.status_code == 409
        assert "inconsistent" in late.headers["Warning"]
        first = heard(channel)
        while value(first, "ProcedureStepState") == "SCHEDULED":  # more images had come, it says
            first = heard(channel)
        assert value(first, "ProcedureStepState") == "IN PROGRESS"
        assert [value(event, "EventTypeID") for event in (first, heard(channel))] == [1, 5]

        case_id = reader.get(f"{exchange.address}/api/cases").json()["cases"][0]["case_id"]
        case = f"{exchange.address}/api/cases/{case_id}"
        findings = {"findings": "Clear.", "impression": "No disease."}
        assert reader.put(f"{case}/findings", json=findings).status_code == 200
        assert reader.post(f"{case}/sign", json={}).status_code == 200
        done = reader.put(f"{url}/state", json=asked_state("COMPLETED", TRANSACTION))
        assert (done.status_code, "already" in done.headers["Warning"]) == (200, True)
        states = [value(heard(channel), "ProcedureStepState") for _ in range(2)]
        assert states == [None, "COMPLETED"]
        seen = reader.get(f"{root}/workitems?ProcedureStepState=COMPLETED&includefield=all").json()
        assert [value(each, "SOPInstanceUID") for each in seen] == [url.rpartition("/")[2]]

        comment = to_json({"CommentsOnTheScheduledProcedureStep": "late"})
        assert reader.post(f"{url}?{TRANSACTION}", json=comment).status_code == 400
        assert exchange.stop() == 0
        down = heard(channel)
        assert value(down, "SCPStatus") == "GOING DOWN"


def open_channel(exchange: Exchange, address: str) -> Any:
    headers = {"Authorization": f"Bearer {exchange.token(READER)}"}
    return connect(address, additional_headers=headers, proxy=None)


def is_open(exchange: Exchange, address: str) -> bool:
    try:
        with open_channel(exchange, address):
            return True
    except OSError:
        return False


def heard(channel: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(channel.recv(timeout=20))
    return found
