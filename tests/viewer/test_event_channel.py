"""The event channel of UPS-RS: who may open one, what is told, what a subscriber is owed later."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from casework.workitems import FILTERED_SUBSCRIPTION, GLOBAL_SUBSCRIPTION, work_item_uid
from lysbro.eventing import channel_parts
from lysbro.services import web_services
from lysbro.status import gather, in_words
from storage.hl7_inbox import Envelope
from tests.flows.waiting import until
from tests.viewer.conftest import World, new_world
from tests.viewer.workitems import (
    FINDINGS,
    READER,
    TRANSACTION,
    URL,
    put_state,
    sign,
    study_in,
    value,
)
from viewer import event_channel
from viewer.app import create_app
from viewer.dicomweb.dicom_json import to_json
from viewer.event_channel import open_channels

WARD, OTHER_WARD = "referrer@hammer", "referrer@berg"


@pytest.fixture(scope="module")
def world(template, tmp_path_factory) -> Iterator[World]:
    with new_world(template, tmp_path_factory.mktemp("events")) as found:
        yield found


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(event_channel, "_LOOK_S", 0.05)


@pytest.fixture
def door(world) -> Iterator[int]:
    """Open the channel and give its port; the web tells of it."""
    with opened(world) as port:
        yield port


@contextmanager
def opened(world: World, **changes: Any) -> Iterator[int]:
    parts = channel_parts(world.parts)
    settings = replace(parts.settings, **changes)
    with open_channels(replace(parts, settings=settings), host="127.0.0.1", port=0) as p:
        services = web_services(world.parts)
        world.app = create_app(
            replace(services, settings=replace(services.settings, events_port=p))
        )
        world.clients.clear()
        yield p


def subscribe(world: World, who: str, title: str, target: str = GLOBAL_SUBSCRIPTION, **args: str):
    url = f"{URL}/{target}/subscribers/{title}"
    answer = world.client(who).post(url, query_string=args)
    assert answer.status_code == 201, answer.text
    return answer


def channel(world: World, port: int, who: str, title: str, **headers: str) -> ClientConnection:
    given = headers or {"Authorization": f"Bearer {world.tokens[who]}"}
    address = f"ws://127.0.0.1:{port}/dicom-web/subscribers/{title}"
    return connect(address, additional_headers=given, proxy=None)


def told(ws: ClientConnection, count: int) -> list[dict[str, Any]]:
    return [json.loads(ws.recv(timeout=10)) for _ in range(count)]


def short(event: dict[str, Any]) -> tuple[int, str]:
    """Return the type of an event and the state that it tells, if any."""
    return value(event, "EventTypeID"), value(event, "ProcedureStepState") or ""


def nothing_more(ws: ClientConnection) -> bool:
    try:
        ws.recv(timeout=0.25)
    except TimeoutError:
        return True
    return False


def test_a_subscriber_is_told_of_a_work_item_from_arrival_to_answer(world, door):
    answer = subscribe(world, READER, "WATCH")
    address = f"ws://localhost:{door}/dicom-web/subscribers/WATCH"
    assert answer.headers["Content-Location"] == address
    with channel(world, door, READER, "WATCH") as ws:
        case_id = study_in(world)
        (arrived,) = told(ws, 1)
        assert short(arrived) == (1, "SCHEDULED")
        assert value(arrived, "AffectedSOPInstanceUID") == work_item_uid(case_id)
        assert value(arrived, "AffectedSOPClassUID") == "1.2.840.10008.5.1.4.34.6.4"
        assert value(arrived, "InputReadinessState") == "INCOMPLETE"
        put_state(world, case_id, "IN PROGRESS")
        claimed, assigned = told(ws, 2)
        assert (short(claimed), short(assigned)) == ((1, "IN PROGRESS"), (5, ""))
        assert value(assigned, "HumanPerformerOrganization") == "Centre"
        assert value(assigned, "HumanPerformerCodeSequence", "CodeMeaning") == "radiologist centre"
        body = to_json({"ProcedureStepProgressInformationSequence": [{"ProcedureStepProgress": 5}]})
        url = f"{URL}/{work_item_uid(case_id)}?transaction-uid={TRANSACTION}"
        assert world.client(READER).post(url, json=body).status_code == 200
        (progress,) = told(ws, 1)
        item = value(progress, "ProcedureStepProgressInformationSequence")
        assert (short(progress), value(item, "ProcedureStepProgress")) == ((3, ""), 5)
        asked = to_json({"ReasonForCancellation": "Not needed"})
        url = f"{URL}/{work_item_uid(case_id)}/cancelrequest"
        assert world.client(WARD).post(url, json=asked).status_code == 202
        (cancel,) = told(ws, 1)
        assert short(cancel) == (2, "")
        assert value(cancel, "ReasonForCancellation").endswith("Not needed")
        assert value(cancel, "RequestingAE") == "LYSBRO"
        sign(world, case_id)
        drafted, signed = told(ws, 2)
        assert (short(drafted), short(signed)) == ((3, ""), (1, "COMPLETED"))
        ids = [value(e, "MessageID") for e in (arrived, claimed, assigned, progress, cancel)]
        assert ids == [1, 2, 3, 4, 5]
        assert nothing_more(ws)


def test_who_comes_back_is_told_what_was_missed_and_nothing_twice(world, door):
    subscribe(world, READER, "AWAY")
    with channel(world, door, READER, "AWAY") as ws:
        while not nothing_more(ws):
            pass
        case_id = study_in(world)
        assert short(told(ws, 1)[0]) == (1, "SCHEDULED")
    world.client(READER).post(f"/api/cases/{case_id}/claim")
    world.client(READER).post(f"/api/cases/{case_id}/release")
    with channel(world, door, READER, "AWAY") as ws:
        events = [short(event) for event in told(ws, 2)]
        assert events == [(1, "IN PROGRESS"), (1, "SCHEDULED")]  # nobody has it any more
        assert nothing_more(ws)


def test_who_listens_is_told_when_the_images_are_complete(world, door, monkeypatch):
    monkeypatch.setattr(event_channel, "_READINESS_S", 0.05)
    subscribe(world, READER, "READY")
    with channel(world, door, READER, "READY") as ws:
        case_id = study_in(world)
        for event in iter(lambda: told(ws, 1)[0], None):
            if value(event, "AffectedSOPInstanceUID") == work_item_uid(case_id):
                break
        assert nothing_more(ws)
        world.parts.index.presume_complete(world.parts.clock(), 0)
        reports = {value(e, "AffectedSOPInstanceUID"): e for e in rest(ws)}
        report = reports[work_item_uid(case_id)]
        assert short(report) == (1, "SCHEDULED")
        assert value(report, "InputReadinessState") == "READY"


def rest(ws: ClientConnection) -> list[dict[str, Any]]:
    """Return what is told until nothing is for a moment."""
    found = told(ws, 1)
    while True:
        try:
            found.append(json.loads(ws.recv(timeout=0.5)))
        except TimeoutError:
            return found


def test_nobody_is_told_of_what_they_may_not_see(world, door):
    subscribe(world, OTHER_WARD, "SPY")
    subscribe(world, "dermatologist@centre", "SPY")
    with (
        channel(world, door, OTHER_WARD, "SPY") as berg,
        channel(world, door, "dermatologist@centre", "SPY") as skin,
    ):
        case_id = study_in(world)
        put_state(world, case_id, "IN PROGRESS")
        own = study_in(world, site="berg")
        (event,) = told(berg, 1)
        assert value(event, "AffectedSOPInstanceUID") == work_item_uid(own)
        assert nothing_more(skin)


def test_one_work_item_alone_is_reported_as_it_is_and_then_followed(world, door):
    case_id, other = study_in(world), study_in(world)
    put_state(world, case_id, "IN PROGRESS")
    subscribe(world, READER, "ONE", work_item_uid(case_id))
    with channel(world, door, READER, "ONE") as ws:
        assert short(told(ws, 1)[0]) == (1, "IN PROGRESS")
        world.client(READER).post(f"/api/cases/{other}/claim")
        world.client(READER).put(f"/api/cases/{case_id}/findings", json=FINDINGS)
        (event,) = told(ws, 1)
        assert short(event) == (3, "")
        url = f"{URL}/{work_item_uid(case_id)}/subscribers/ONE"
        assert world.client(READER).delete(url).status_code == 200
        assert world.client(READER).delete(url).status_code == 404
        world.client(READER).post(f"/api/cases/{case_id}/release")
        with pytest.raises(ConnectionClosed):
            ws.recv(timeout=10)


def test_a_filter_is_followed_once_it_has_fitted(world, door):
    target = FILTERED_SUBSCRIPTION
    subscribe(world, READER, "FILTER", target, filter="ProcedureStepState=IN PROGRESS")
    case_id = study_in(world)
    with channel(world, door, READER, "FILTER") as ws:
        while not nothing_more(ws):
            pass
        put_state(world, case_id, "IN PROGRESS")
        assert [short(event) for event in told(ws, 2)] == [(1, "IN PROGRESS"), (5, "")]
        sign(world, case_id)
        assert [short(event) for event in told(ws, 2)] == [(3, ""), (1, "COMPLETED")]


def test_a_filter_that_fits_nothing_is_told_nothing(world, door):
    subscribe(world, READER, "SKIN", FILTERED_SUBSCRIPTION, WorklistLabel="dermatology")
    with channel(world, door, READER, "SKIN") as ws:
        study_in(world)
        assert nothing_more(ws)


def test_a_suspended_subscription_goes_on_with_what_was_there(world, door):
    old = study_in(world)
    subscribe(world, READER, "PAUSE")
    url = f"{URL}/{GLOBAL_SUBSCRIPTION}/subscribers/PAUSE"
    assert world.client(READER).post(f"{url}/suspend").status_code == 200
    new = study_in(world)
    with channel(world, door, READER, "PAUSE") as ws:
        while not nothing_more(ws):
            pass
        put_state(world, new, "IN PROGRESS")
        put_state(world, old, "IN PROGRESS")
        uids = {value(event, "AffectedSOPInstanceUID") for event in told(ws, 2)}
        assert uids == {work_item_uid(old)}


def test_what_is_taken_out_of_the_worklist_is_not_told(world, door):
    subscribe(world, READER, "BUT")
    case_id = study_in(world)
    url = f"{URL}/{work_item_uid(case_id)}/subscribers/BUT"
    assert world.client(READER).delete(url).status_code == 200
    with channel(world, door, READER, "BUT") as ws:
        while not nothing_more(ws):
            pass
        put_state(world, case_id, "IN PROGRESS")
        assert nothing_more(ws)


@pytest.mark.parametrize(
    ("target", "title", "args", "status"),
    [
        (GLOBAL_SUBSCRIPTION, "MUCH_TOO_LONG_A_TITLE", {}, 400),
        (FILTERED_SUBSCRIPTION, "F", {}, 400),
        (FILTERED_SUBSCRIPTION, "F", {"filter": "PatientID=p-1"}, 403),
        (FILTERED_SUBSCRIPTION, "F", {"filter": "Nonsense=1"}, 400),
        ("1.2.3", "F", {}, 404),
    ],
)
def test_a_subscription_that_cannot_be_had_is_refused(world, door, target, title, args, status):
    url = f"{URL}/{target}/subscribers/{title}"
    assert world.client(READER).post(url, query_string=args).status_code == status


def test_a_deletion_lock_is_not_granted_and_that_is_said(world, door):
    answer = subscribe(world, READER, "LOCK", deletionlock="true")
    assert "Deletion Lock not granted" in answer.headers["Warning"]


def test_what_is_not_subscribed_to_is_404(world, door):
    for target in (GLOBAL_SUBSCRIPTION, FILTERED_SUBSCRIPTION):
        url = f"{URL}/{target}/subscribers/NOBODY"
        assert world.client(READER).delete(url).status_code == 404
        assert world.client(READER).post(f"{url}/suspend").status_code == 404


def test_without_a_channel_nothing_is_subscribed_to(world):
    services = web_services(world.parts)
    client = create_app(services).test_client()
    headers = {"Authorization": f"Bearer {world.tokens[READER]}"}
    answer = client.post(f"{URL}/{GLOBAL_SUBSCRIPTION}/subscribers/NO", headers=headers)
    assert (answer.status_code, answer.get_json()["code"]) == (403, "no-event-channel")


def refused(world: World, port: int, who: str, title: str, **headers: str) -> int:
    with pytest.raises(InvalidStatus) as status, channel(world, port, who, title, **headers):
        pass
    return status.value.response.status_code


def test_a_stranger_opens_no_channel(world, door):
    subscribe(world, READER, "MINE")
    assert refused(world, door, READER, "MINE", Authorization="Bearer nonsense") == 401
    assert refused(world, door, READER, "MINE", Cookie="lysbro=nonsense") == 401
    assert refused(world, door, WARD, "MINE") == 404  # the subscriber is another's
    assert refused(world, door, READER, "YOURS") == 404


def test_a_session_opens_a_channel_from_a_page_of_ours_only(world, door):
    subscribe(world, READER, "PAGE")
    people = world.parts.people
    secret = people.open_session(world.actors[READER].id, now=world.parts.clock())
    cookie = {"Cookie": f"lysbro={secret}"}
    with channel(world, door, READER, "PAGE", **cookie, Origin="http://127.0.0.1:8080") as ws:
        assert ws.response.status_code == 101
    assert refused(world, door, READER, "PAGE", **cookie, Origin="http://evil.example") == 401
    assert refused(world, door, READER, "PAGE", **cookie, Origin="null") == 401


def test_who_is_signed_out_is_told_no_more(world, door, monkeypatch):
    monkeypatch.setattr(event_channel, "_AGAIN_S", 0.1)
    subscribe(world, READER, "OUT")
    token = world.parts.people.add_token(READER, days=1, name="short")
    number = world.parts.people.tokens()[0].id
    with channel(world, door, READER, "OUT", Authorization=f"Bearer {token}") as ws:
        while not nothing_more(ws):
            pass
        world.parts.people.revoke_token(number)
        with pytest.raises(ConnectionClosed) as closed:
            ws.recv(timeout=10)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1008


def test_channels_are_not_without_number(world):
    parts = channel_parts(world.parts)
    with opened(world) as port:
        subscribe(world, READER, "FULL")
        assert port
    with (
        open_channels(replace(parts, most=1), host="127.0.0.1", port=0) as port,
        channel(world, port, READER, "FULL"),
    ):
        second = until(lambda: status_or_none(world, port), "the first to be counted")
        assert second == 503


def status_or_none(world: World, port: int) -> int | None:
    try:
        with channel(world, port, READER, "FULL"):
            pass
    except InvalidStatus as error:
        return error.response.status_code
    return None


def test_an_exchange_that_stops_says_so_and_says_when_it_is_back(world):
    with ExitStack() as stack:
        with opened(world) as port:
            subscribe(world, READER, "DOWN")
            ws = stack.enter_context(channel(world, port, READER, "DOWN"))
            while not nothing_more(ws):
                pass
        down = json.loads(ws.recv(timeout=10))
        assert (value(down, "EventTypeID"), value(down, "SCPStatus")) == (4, "GOING DOWN")
        assert value(down, "AffectedSOPInstanceUID") == GLOBAL_SUBSCRIPTION
        with pytest.raises(ConnectionClosed) as closed:
            ws.recv(timeout=10)
        assert closed.value.rcvd.code == 1001
    case_id = study_in(world)
    with opened(world) as port, channel(world, port, READER, "DOWN") as ws:
        back, arrived = told(ws, 2)
        assert value(back, "SCPStatus") == "RESTARTED"
        assert value(back, "SubscriptionListStatus") == "WARM START"
        assert value(arrived, "AffectedSOPInstanceUID") == work_item_uid(case_id)


def test_the_host_must_be_one_that_the_exchange_answers_to(world):
    with opened(world, trusted_hosts=("lysbro.example",)) as port:
        assert refused(world, port, READER, "WATCH") == 400


def bearer(world: World, *scopes: str) -> str:
    return "Bearer " + world.parts.people.add_token(READER, days=1, scopes=scopes)


def test_a_token_that_is_limited_to_other_things_opens_no_channel(world, door):
    subscribe(world, READER, "LIMITED")
    for scopes in (("dicomweb.read",), ("workitems.write", "cases.read")):
        with pytest.raises(InvalidStatus) as refused:
            channel(world, door, READER, "LIMITED", Authorization=bearer(world, *scopes))
        answer = refused.value.response
        assert answer.status_code == 403
        assert 'error="insufficient_scope"' in answer.headers["WWW-Authenticate"]
        assert 'scope="workitems.read"' in answer.headers["WWW-Authenticate"]
        assert b"workitems.read" in answer.body
    given = bearer(world, "workitems.read")
    with channel(world, door, READER, "LIMITED", Authorization=given) as ws:
        wanted = work_item_uid(study_in(world))
        while value(told(ws, 1)[0], "AffectedSOPInstanceUID") != wanted:
            pass  # what happened before


def test_the_figures_tell_of_open_channels_refused_messages_and_questions(world, door):
    subscribe(world, READER, "COUNTED")

    def figures() -> dict[str, float]:
        lines = world.client("admin@centre").get("/metrics").text.splitlines()
        pairs = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
        return {name: float(number) for name, number in pairs}

    assert figures()["lysbro_events_channels"] == 0
    with channel(world, door, READER, "COUNTED"), channel(world, door, READER, "COUNTED"):
        until(lambda: figures()["lysbro_events_channels"] == 2, "two channels are counted")
    until(lambda: figures()["lysbro_events_channels"] == 0, "both are gone")
    envelope = Envelope("RIS", "HAMMER", "M1", "0" * 64, 4)
    world.parts.hl7_inbox.refuse(envelope, b"MSH|", site="hammer", code="AE", reason="x")
    found = figures()
    assert found["lysbro_hl7_refused"] == 1
    assert {"lysbro_priors_questions", "lysbro_priors_fetches"} <= found.keys()
    assert "1 refused messages" in in_words(gather(world.parts))
