"""UPS-RS over the cases: search, retrieve, claim, update, cancel, make, in and out of sight."""

from __future__ import annotations

import threading
from typing import Any

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.valuerep import validate_value
from sqlalchemy import insert, update

from casework.access import Scope
from casework.model import Role
from casework.workitems import work_item_uid
from storage.casebook_tables import cases
from storage.erasure_tables import erased_cases, erasures
from tests.viewer.conftest import World, new_world, password_hash
from tests.viewer.workitems import (
    OTHER,
    READER,
    TRANSACTION,
    URL,
    asked_state,
    item_of,
    put_state,
    sign,
    state_of,
    study_in,
    value,
)
from viewer.dicomweb.dicom_json import tag_of, to_json

EVERYTHING = Scope(sites=None, specialties=None, own_site="centre")
INCONSISTENT = "inconsistent with the state of the UPS Instance"


@pytest.fixture(scope="module")
def read_world(template, tmp_path_factory):
    """Return a world with three cases that these tests only read."""
    with new_world(template, tmp_path_factory.mktemp("ups")) as world:
        study_in(world, 1, StudyDescription="CT thorax")
        urgent = study_in(world, 2, AccessionNumber="URGENT2")
        with world.parts.database.begin() as conn:
            conn.execute(update(cases).where(cases.c.id == urgent).values(priority="stat"))
        study_in(world, 3, "berg", PatientName="Ås^Bjørn")
        case_id = study_in(world, 4)
        assert put_state(world, case_id, "IN PROGRESS").status_code == 200
        yield world


@pytest.fixture(scope="module")
def world(template, tmp_path_factory):
    """Return a world with a second radiologist, in which each test has studies of its own."""
    with new_world(template, tmp_path_factory.mktemp("ups-steps")) as found:
        people = found.parts.people
        people.add_user(OTHER, "centre", Role.RADIOLOGIST, "Second Reader", password_hash())
        found.tokens[OTHER] = people.add_token(OTHER, days=1, name="test")
        yield found


def found_by(world: World, query: str, who: str = READER) -> set[str]:
    answer = world.client(who).get(f"{URL}?{query}")
    assert answer.status_code == 200, answer.text
    return {value(item, "PatientID") for item in answer.get_json()}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", {"p-1", "p-2", "p-3", "p-4"}),
        ("ProcedureStepState=SCHEDULED", {"p-1", "p-2", "p-3"}),
        ("00741000=IN%20PROGRESS", {"p-4"}),
        ("ProcedureStepState=COMPLETED", set()),
        ("ScheduledProcedureStepPriority=HIGH", {"p-2"}),
        ("WorklistLabel=radiology&PatientID=p-1", {"p-1"}),
        ("WorklistLabel=dermatology", set()),
        ("PatientID=p-*", {"p-1", "p-2", "p-3", "p-4"}),
        ("PatientName=as*", {"p-3"}),
        ("PatientName=bj&fuzzymatching=true", {"p-3"}),
        ("ReferencedRequestSequence.AccessionNumber=URGENT2", {"p-2"}),
        ("0040A370.00080050=URGENT2", {"p-2"}),
        ("ReferencedRequestSequence.RequestingService=Berg", {"p-3"}),
        ("InputInformationSequence.StudyInstanceUID=1.2.826.0.55.1", {"p-1"}),
        ("StudyInstanceUID=1.2.826.0.55.1,1.2.826.0.55.3", {"p-1", "p-3"}),
        ("ScheduledProcedureStepStartDateTime=20200101-", {"p-1", "p-2", "p-3", "p-4"}),
        ("ScheduledProcedureStepStartDateTime=-20200101", set()),
        ("ScheduledWorkitemCodeSequence.CodeValue=110005&PatientID=p-4", {"p-4"}),
        ("ScheduledHumanPerformersSequence.HumanPerformerName=radio*", {"p-4"}),
        ("PatientID=nobody", set()),
        ("limit=0", set()),
    ],
)
def test_work_items_are_found_by_the_keys_of_the_standard(read_world, query, found):
    assert found_by(read_world, query) == found


def test_a_page_follows_a_page_and_none_is_given_twice(read_world):
    client = read_world.client(READER)
    pages = [client.get(f"{URL}?limit=1&offset={at}") for at in range(5)]
    uids = [value(p.get_json()[0], "SOPInstanceUID") for p in pages[:4]]
    assert len(set(uids)) == 4
    assert pages[4].get_json() == []
    assert [("Warning" in p.headers) for p in pages] == [True, True, True, False, False]
    by_value = [client.get(f"{URL}?PatientSex=F&limit=3&offset={at}").get_json() for at in (0, 3)]
    assert [len(page) for page in by_value] == [3, 1]


@pytest.mark.parametrize(
    "query", ["StudyDate=20260101", "Nonsense=1", "limit=many", "PatientID.CodeValue=1"]
)
def test_a_query_that_cannot_be_understood_is_400(read_world, query):
    assert read_world.client(READER).get(f"{URL}?{query}").status_code == 400


def test_what_is_not_json_is_406(read_world):
    headers = {"Accept": "application/dicom+xml"}
    assert read_world.client(READER).get(URL, headers=headers).status_code == 406


@pytest.mark.parametrize(
    ("who", "found"),
    [
        ("radiologist@centre", {"p-1", "p-2", "p-3", "p-4"}),
        ("coordinator@centre", {"p-1", "p-2", "p-3", "p-4"}),
        ("dermatologist@centre", set()),
        ("referrer@hammer", {"p-1", "p-2", "p-4"}),
        ("referrer@berg", {"p-3"}),
        ("referrer@vik", set()),
    ],
)
def test_everybody_finds_what_they_see_in_the_worklist(read_world, who, found):
    assert found_by(read_world, "", who) == found
    listed = read_world.client(who).get("/api/cases").get_json()["cases"]
    assert {row["patient"]["id"] for row in listed} == found


REQUIRED = (  # PS3.4 table CC.2.5-3: return keys and attributes of type 1
    "SOPClassUID", "SOPInstanceUID", "ScheduledProcedureStepPriority", "ProcedureStepLabel",
    "WorklistLabel", "ScheduledProcedureStepStartDateTime", "InputReadinessState",
    "ProcedureStepState",
)  # fmt: skip
PRESENT = (  # type 2
    "ScheduledProcessingParametersSequence", "ScheduledStationNameCodeSequence",
    "ScheduledStationClassCodeSequence", "ScheduledStationGeographicLocationCodeSequence",
    "ScheduledHumanPerformersSequence", "ScheduledWorkitemCodeSequence",
    "InputInformationSequence", "StudyInstanceUID", "PatientName", "PatientID",
    "IssuerOfPatientID", "IssuerOfPatientIDQualifiersSequence", "OtherPatientIDsSequence",
    "PatientBirthDate", "PatientSex", "AdmissionID", "IssuerOfAdmissionIDSequence",
    "AdmittingDiagnosesDescription", "AdmittingDiagnosesCodeSequence",
    "ReferencedRequestSequence", "ProcedureStepProgressInformationSequence",
)  # fmt: skip
OF_REQUEST = (
    "AccessionNumber", "IssuerOfAccessionNumberSequence", "OrderPlacerIdentifierSequence",
    "OrderFillerIdentifierSequence", "RequestedProcedureID", "RequestedProcedureDescription",
    "RequestedProcedureCodeSequence",
)  # fmt: skip


def test_a_work_item_has_every_attribute_of_type_1_and_2(read_world):
    items = read_world.client(READER).get(f"{URL}?includefield=all").get_json()
    items += read_world.client(READER).get(URL).get_json()
    items += [read_world.client(READER).get(f"{URL}/{uid_of(item)}").get_json() for item in items]
    for item in items:
        for keyword in REQUIRED:
            assert value(item, keyword), keyword
        for keyword in (*REQUIRED, *PRESENT):
            assert tag_of(keyword) in item, keyword
        assert tag_of("TransactionUID") not in item
        request = value(item, "ReferencedRequestSequence")
        assert value(request, "StudyInstanceUID")
        assert {tag_of(keyword) for keyword in OF_REQUEST} <= set(request)


def uid_of(item: dict[str, Any]) -> str:
    return str(value(item, "SOPInstanceUID"))


def test_a_work_item_says_what_is_asked_of_whom_and_where_the_images_are(read_world):
    (listed,) = read_world.client(READER).get(f"{URL}?PatientID=p-2").get_json()
    item = read_world.client(READER).get(f"{URL}/{uid_of(listed)}").get_json()
    assert value(item, "SOPClassUID") == "1.2.840.10008.5.1.4.34.6.1"
    assert value(item, "ScheduledProcedureStepPriority") == "HIGH"
    assert value(item, "ProcedureStepLabel") == "Radiology reading: CT thorax"
    assert value(item, "InputReadinessState") == "INCOMPLETE"
    request = value(item, "ReferencedRequestSequence")
    assert value(request, "ReasonForTheRequestedProcedure") == "Pneumonia?"
    assert value(request, "RequestingService") == "Hammer"
    code = value(item, "ScheduledWorkitemCodeSequence")
    assert (value(code, "CodeValue"), value(code, "CodingSchemeDesignator")) == ("110005", "DCM")
    series = value(item, "InputInformationSequence")
    assert value(series, "TypeOfInstances") == "DICOM"
    assert value(series, "DICOMRetrievalSequence", "RetrieveAETitle") == "LYSBRO"
    address = value(series, "WADORSRetrievalSequence", "RetrieveURL")
    assert address.endswith("/dicom-web/studies/1.2.826.0.55.2/series/1.2.826.0.55.2.1")
    assert read_world.client(READER).get(address + "/metadata").status_code == 200
    named = value(series, "ReferencedSOPSequence", "ReferencedSOPInstanceUID")
    assert named == "1.2.826.0.55.2.1.1"
    begun, due = (
        value(item, k)
        for k in ("ScheduledProcedureStepStartDateTime", "ExpectedCompletionDateTime")
    )
    assert begun < due
    assert begun.endswith("+0000")
    assert value(listed, "InputInformationSequence") is None  # named, and fetched when asked for


def test_a_claimed_work_item_names_its_performer(read_world):
    (item,) = read_world.client(READER).get(f"{URL}?PatientID=p-4&includefield=all").get_json()
    performer = value(item, "ScheduledHumanPerformersSequence")
    assert value(performer, "HumanPerformerName")["Alphabetic"] == "radiologist centre"
    assert value(performer, "HumanPerformerOrganization") == "Centre"
    performed = value(item, "UnifiedProcedureStepPerformedProcedureSequence")
    assert value(performed, "PerformedProcedureStepStartDateTime")
    assert value(performed, "PerformedStationNameCodeSequence", "CodeMeaning") == "Lysbro LYSBRO"
    progress = value(item, "ProcedureStepProgressInformationSequence")
    assert value(progress, "ProcedureStepProgressDescription") == "Claimed"


def test_a_draft_is_no_work_item(read_world):
    case_id = read_world.derm_case()
    client = read_world.client("referrer@fjord")
    assert client.get(URL).get_json() == []
    assert client.get(f"{URL}/{work_item_uid(case_id)}").status_code == 404


@pytest.mark.parametrize("uid", ["1.2.3", "nonsense", work_item_uid("2222-2222"), "2.25.0"])
def test_what_is_no_work_item_is_404(read_world, uid):
    client = read_world.client(READER)
    assert client.get(f"{URL}/{uid}").status_code == 404
    assert client.put(f"{URL}/{uid}/state", json=asked_state("IN PROGRESS")).status_code == 404
    body = to_json({"CommentsOnTheScheduledProcedureStep": "x"})
    assert client.post(f"{URL}/{uid}", json=body).status_code == 404
    assert client.post(f"{URL}/{uid}/cancelrequest", json={}).status_code == 404


def test_another_site_can_neither_see_nor_touch_a_work_item(world):
    case_id = study_in(world)
    uid = work_item_uid(case_id)
    for who in ("referrer@berg", "radiologist@berg", "coordinator@berg", "dermatologist@centre"):
        client = world.client(who)
        assert client.get(f"{URL}/{uid}").status_code == 404
        assert put_state(world, case_id, "IN PROGRESS", who=who).status_code == 404
        assert client.post(f"{URL}/{uid}/cancelrequest", json={}).status_code == 404
        assert client.post(f"{URL}/{uid}/subscribers/WATCH").status_code == 404
    assert state_of(world, case_id) == "SCHEDULED"


def test_a_claim_here_is_a_claim_on_the_pages_and_the_other_way(world):
    first, second = study_in(world), study_in(world)
    assert put_state(world, first, "IN PROGRESS").status_code == 200
    case = world.client(READER).get(f"/api/cases/{first}").get_json()
    assert case["state"] == "claimed"
    claimed = [e for e in world.audit("claimed") if e.case_id == first]
    assert [e.actor_id for e in claimed] == [world.actors[READER].id]

    assert world.client(READER).post(f"/api/cases/{second}/claim").status_code == 200
    assert state_of(world, second) == "IN PROGRESS"
    refused = put_state(world, second, "IN PROGRESS", who=OTHER)
    assert refused.status_code == 409
    assert "Claimed by radiologist centre" in refused.get_json()["detail"]
    assert put_state(world, second, "IN PROGRESS").status_code == 200  # gives it its transaction
    again = put_state(world, second, "IN PROGRESS")
    assert (again.status_code, INCONSISTENT in again.headers["Warning"]) == (409, True)


def test_of_two_readers_who_claim_at_once_one_does(world):
    case_id = study_in(world)
    answers: dict[str, int] = {}
    barrier = threading.Barrier(2)

    def claim(who: str) -> None:
        client = world.app.test_client()
        headers = {"Authorization": f"Bearer {world.tokens[who]}"}
        barrier.wait()
        url = f"{URL}/{work_item_uid(case_id)}/state"
        answer = client.put(url, json=asked_state("IN PROGRESS", "2.25.7"), headers=headers)
        answers[who] = answer.status_code

    threads = [threading.Thread(target=claim, args=(who,)) for who in (READER, OTHER)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers.values()) == [200, 409]
    winner = next(who for who, status in answers.items() if status == 200)
    case = world.parts.casebook.dossier(EVERYTHING, case_id).case
    assert case.holder_id == world.parts.people.user_by_email(winner).actor.id


def test_a_signed_case_is_a_completed_work_item_with_its_output(world):
    case_id = study_in(world)
    assert put_state(world, case_id, "IN PROGRESS").status_code == 200
    early = put_state(world, case_id, "COMPLETED")
    assert (early.status_code, early.get_json()["code"]) == (409, "not-signed")
    assert INCONSISTENT in early.headers["Warning"]
    sign(world, case_id)
    done = put_state(world, case_id, "COMPLETED")
    assert (done.status_code, done.get_data()) == (200, b"")
    assert "already in the requested state of COMPLETED" in done.headers["Warning"]
    item = item_of(world, case_id)
    assert value(item, "ProcedureStepState") == "COMPLETED"
    performed = value(item, "UnifiedProcedureStepPerformedProcedureSequence")
    for keyword in (
        "PerformedProcedureStepStartDateTime", "PerformedProcedureStepEndDateTime",
        "PerformedWorkitemCodeSequence", "PerformedStationNameCodeSequence",
        "ActualHumanPerformersSequence",
    ):  # fmt: skip
        assert value(performed, keyword), keyword
    assert tag_of("OutputInformationSequence") in performed
    late = world.client(READER).post(
        f"{URL}/{work_item_uid(case_id)}?transaction-uid={TRANSACTION}",
        json=to_json({"CommentsOnTheScheduledProcedureStep": "late"}),
    )
    assert late.status_code == 400


def test_progress_is_told_by_the_holder_with_the_transaction(world):
    case_id = study_in(world)
    url = f"{URL}/{work_item_uid(case_id)}"
    progress = {
        "ProcedureStepProgress": "40",
        "ProcedureStepProgressDescription": "Comparing with priors",
        "ProcedureStepCommunicationsURISequence": [
            {"ContactURI": "tel:+4712345678", "ContactDisplayName": "Reading room"}
        ],
    }
    body = to_json({"ProcedureStepProgressInformationSequence": [progress]})
    client = world.client(READER)
    early = client.post(url, json=body)
    assert early.status_code == 409
    assert "did not reference a claimed Workitem" in early.headers["Warning"]
    put_state(world, case_id, "IN PROGRESS")
    missing, wrong = client.post(url, json=body), client.post(f"{url}?2.25.99", json=body)
    assert (missing.status_code, wrong.status_code) == (400, 400)
    assert "Transaction UID is missing" in missing.headers["Warning"]
    assert "Transaction UID is incorrect" in wrong.headers["Warning"]
    assert client.post(f"{url}?transaction-uid={TRANSACTION}", json=body).status_code == 200
    assert client.post(f"{url}?{TRANSACTION}", json=body).status_code == 200
    told = value(item_of(world, case_id), "ProcedureStepProgressInformationSequence")
    assert value(told, "ProcedureStepProgress") == 40
    assert value(told, "ProcedureStepProgressDescription") == "Comparing with priors"
    contact = value(told, "ProcedureStepCommunicationsURISequence")
    assert value(contact, "ContactURI") == "tel:+4712345678"
    other = world.client(OTHER).post(f"{url}?{TRANSACTION}", json=body)
    assert other.status_code == 403


def test_comments_stand_in_the_conversation_too(world):
    case_id = study_in(world)
    url = f"{URL}/{work_item_uid(case_id)}"
    body = to_json(
        {"CommentsOnTheScheduledProcedureStep": "Call the ward", "ProcedureStepLabel": "mine"}
    )
    answer = world.client("referrer@hammer").post(url, json=body)
    assert answer.status_code == 200
    assert "optional Attributes are not supported" in answer.headers["Warning"]
    assert value(item_of(world, case_id), "CommentsOnTheScheduledProcedureStep") == "Call the ward"
    case = world.client(READER).get(f"/api/cases/{case_id}").get_json()
    assert [(m["kind"], m["text"]) for m in case["conversation"]] == [("note", "Call the ward")]
    assert world.client("admin@hammer").post(url, json=body).status_code == 403


@pytest.mark.parametrize(
    ("values", "status"),
    [
        ({"ProcedureStepLabel": "mine"}, 409),
        ({"ScheduledProcedureStepPriority": "HIGH"}, 409),
        ({"PatientName": "Other^Name"}, 400),
        ({"ProcedureStepState": "COMPLETED"}, 400),
        ({"ProcedureStepProgressInformationSequence": [{"ProcedureStepProgress": "400"}]}, 400),
    ],
)
def test_an_update_of_what_the_case_decides_is_refused(world, values, status):
    case_id = study_in(world)
    url = f"{URL}/{work_item_uid(case_id)}"
    assert world.client(READER).post(url, json=to_json(values)).status_code == status


@pytest.mark.parametrize(
    "body", ["not json", "[]", "[1, 2]", '{"00741000": 5}', '{"00741000": {"Value": ["X"]}}']
)
def test_a_body_that_cannot_be_read_is_400(world, body):
    case_id = study_in(world)
    url = f"{URL}/{work_item_uid(case_id)}/state"
    answer = world.client(READER).put(url, data=body, content_type="application/dicom+json")
    assert answer.status_code == 400


def test_a_body_of_another_kind_or_size_is_415_or_413(world):
    url = f"{URL}/{work_item_uid(study_in(world))}/state"
    client = world.client(READER)
    assert client.put(url, data="<x/>", content_type="application/xml").status_code == 415
    large = client.put(url, data="[" * (3 << 20), content_type="application/dicom+json")
    assert large.status_code == 413


def test_the_holder_cancels_with_a_reason_and_the_case_is_declined(world):
    case_id = study_in(world)
    put_state(world, case_id, "IN PROGRESS")
    early = put_state(world, case_id, "CANCELED")
    assert (early.status_code, early.get_json()["code"]) == (409, "reason-missing")
    code = {
        "CodeValue": "110501",
        "CodingSchemeDesignator": "DCM",
        "CodeMeaning": "Equipment failure",
    }
    reason = {
        "ReasonForCancellation": "The images cannot be opened",
        "ProcedureStepDiscontinuationReasonCodeSequence": [code],
    }
    url = f"{URL}/{work_item_uid(case_id)}?transaction-uid={TRANSACTION}"
    body = to_json({"ProcedureStepProgressInformationSequence": [reason]})
    assert world.client(READER).post(url, json=body).status_code == 200
    assert put_state(world, case_id, "CANCELED").status_code == 200
    case = world.client(READER).get(f"/api/cases/{case_id}").get_json()
    assert case["state"] == "declined"
    told = value(item_of(world, case_id), "ProcedureStepProgressInformationSequence")
    assert value(told, "ReasonForCancellation") == "The images cannot be opened"
    assert value(told, "ProcedureStepCancellationDateTime")
    coded = value(told, "ProcedureStepDiscontinuationReasonCodeSequence", "CodeValue")
    assert coded == "110501"
    again = put_state(world, case_id, "CANCELED")
    assert again.status_code == 200
    assert "already in the requested state of CANCELED" in again.headers["Warning"]


def cancel(world: World, case_id: str, who: str, **values: Any) -> Any:
    url = f"{URL}/{work_item_uid(case_id)}/cancelrequest"
    return world.client(who).post(url, json=to_json(values))


def test_a_request_to_cancel_withdraws_what_nobody_has_claimed(world):
    first, second = study_in(world), study_in(world)
    assert cancel(world, first, "referrer@hammer").status_code == 202
    reason = {"ReasonForCancellation": "Wrong patient"}
    assert cancel(world, second, "coordinator@centre", **reason).status_code == 202
    states = [
        world.client(READER).get(f"/api/cases/{case_id}").get_json()["state"]
        for case_id in (first, second)
    ]
    assert states == ["withdrawn", "declined"]
    assert state_of(world, first) == state_of(world, second) == "CANCELED"
    again = cancel(world, first, "referrer@hammer")
    assert (again.status_code, "CANCELED" in again.headers["Warning"]) == (202, True)


def test_a_request_to_cancel_is_told_to_the_one_who_holds_the_case(world):
    case_id = study_in(world)
    put_state(world, case_id, "IN PROGRESS")
    assert cancel(world, case_id, "admin@hammer").status_code == 403
    asked = cancel(world, case_id, "referrer@hammer", ReasonForCancellation="No longer needed")
    assert asked.status_code == 202
    case = world.client(READER).get(f"/api/cases/{case_id}").get_json()
    assert case["state"] == "claimed"
    (note,) = case["conversation"]
    assert (note["text"], note["reason"]) == ("No longer needed", "cancel-requested")
    sign(world, case_id)
    assert cancel(world, case_id, "referrer@hammer").status_code == 409


def wanted(**changes: Any) -> dict[str, Any]:
    """Return a work item that a client wants made."""
    values = {
        "ScheduledProcedureStepPriority": "MEDIUM",
        "ProcedureStepLabel": "Second opinion",
        "ScheduledProcedureStepStartDateTime": "20260302",
        "InputReadinessState": "READY",
        "ProcedureStepState": "SCHEDULED",
        "PatientID": "c-1",
        "InputInformationSequence": [{"StudyInstanceUID": "1.2.826.0.55.9"}],
        "ReferencedRequestSequence": [{"RequestedProcedureComments": "Is this a lymphoma?"}],
        **changes,
    }
    return to_json({keyword: v for keyword, v in values.items() if v is not None})


_OWNER = {"1.2.826.0.55.9": "c-1", "1.2.826.0.55.8": "c-2"}


def own_study(world: World, study: str = "1.2.826.0.55.9") -> None:
    """Take in a study of the centre, which is nobody's case by itself."""
    named = {"StudyInstanceUID": study, "SeriesInstanceUID": f"{study}.1"}
    world.store("centre", **named, SOPInstanceUID=f"{study}.1.1", PatientID=_OWNER[study])


def test_a_work_item_that_is_made_is_a_submitted_case(world):
    own_study(world, "1.2.826.0.55.8")
    inputs = [{"StudyInstanceUID": "1.2.826.0.55.8"}]
    body = wanted(PatientID="c-2", InputInformationSequence=inputs)
    client = world.client("referrer@centre")
    made = client.post(f"{URL}?workitem=1.2.826.0.77.1", json=body)
    assert made.status_code == 201, made.text
    assert made.headers["Location"].endswith(f"{URL}/1.2.826.0.77.1")
    assert "created with modifications" in made.headers["Warning"]
    item = world.client(READER).get(made.headers["Location"]).get_json()
    assert uid_of(item) == "1.2.826.0.77.1"
    assert value(item, "ScheduledProcedureStepPriority") == "MEDIUM"
    request = value(item, "ReferencedRequestSequence")
    assert value(request, "RequestedProcedureComments") == "Is this a lymphoma?"
    (case,) = world.client(READER).get("/api/cases?q=c-2").get_json()["cases"]
    assert (case["state"], case["priority"]) == ("submitted", "urgent")
    again = client.post(f"{URL}?AffectedSOPInstanceUID=1.2.826.0.77.1", json=body)
    assert again.status_code == 409
    derived = work_item_uid(case["case_id"])
    assert world.client(READER).get(f"{URL}/{derived}").status_code == 404  # it has the client's
    found = found_by(world, "SOPInstanceUID=1.2.826.0.77.1")
    assert found == {"c-2"}
    url = f"{URL}/1.2.826.0.77.1/state"
    assert world.client(READER).put(url, json=asked_state("IN PROGRESS")).status_code == 200


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"ProcedureStepState": "IN PROGRESS"}, 400),
        ({"ProcedureStepLabel": None}, 400),
        ({"ScheduledProcedureStepPriority": "SOON"}, 400),
        ({"TransactionUID": "1.2.3"}, 400),
        ({"ReferencedRequestSequence": []}, 400),
        ({"InputInformationSequence": []}, 400),
        ({"InputInformationSequence": [{"StudyInstanceUID": "1.9.9"}]}, 400),
        ({"WorklistLabel": "cardiology"}, 400),
        ({"PatientID": "somebody-else"}, 400),
        ({"SOPInstanceUID": "1.02.3"}, 400),
        ({"SOPInstanceUID": work_item_uid("2222-2222")}, 409),
    ],
)
def test_a_work_item_that_cannot_be_made_is_refused(world, changes, status):
    own_study(world)
    answer = world.client("referrer@centre").post(URL, json=wanted(**changes))
    assert answer.status_code == status, answer.text
    assert world.client(READER).get(f"{URL}?PatientID=c-1").get_json() == []


def test_a_study_that_has_a_work_item_gets_no_second(world):
    case_id = study_in(world, 9)
    answer = world.client("referrer@hammer").post(URL, json=wanted(PatientID="p-9"))
    assert answer.status_code == 409
    assert work_item_uid(case_id) in answer.get_json()["detail"]
    assert world.client("radiologist@centre").post(URL, json=wanted()).status_code == 403


def test_nobody_makes_a_work_item_of_another_sites_study(world):
    own_study(world, "1.2.826.0.55.8")
    inputs = [{"StudyInstanceUID": "1.2.826.0.55.8"}]
    body = wanted(PatientID="c-2", InputInformationSequence=inputs)
    answer = world.client("referrer@hammer").post(URL, json=body)
    assert answer.status_code == 400
    assert "has sent nothing of the study" in answer.get_json()["detail"]


def test_what_was_erased_is_410_to_those_who_saw_all_of_its_site_and_404_to_others(world):
    case_id = "3333-3333"
    with world.parts.database.begin() as conn:
        at = world.parts.clock()
        stone = {"id": "e1", "kind": "study", "state": "done", "at": at, "finished_at": at}
        conn.execute(insert(erasures).values(**stone, tombstone={"sites": ["hammer"]}))
        conn.execute(insert(erased_cases).values(case_id=case_id, erasure_id="e1"))
    url = f"{URL}/{work_item_uid(case_id)}"
    statuses = {
        who: world.client(who).get(url).status_code
        for who in ("coordinator@centre", "referrer@hammer", "referrer@berg", READER)
    }
    assert list(statuses.values()) == [410, 410, 404, 404]
    answer = world.client("referrer@hammer").post(f"{url}/cancelrequest", json={})
    assert answer.status_code == 410


def test_a_work_item_is_valid_dicom_as_pydicom_reads_it(read_world):
    found = read_world.client(READER).get(f"{URL}?includefield=all").get_json()
    assert len(found) == 4
    for item in found:
        dataset = Dataset.from_json(item)
        for element in dataset.iterall():
            values = element.value if element.VM > 1 else [element.value]
            for each in values if element.VR != "SQ" else ():
                if each:
                    validate_value(element.VR, each, pydicom.config.RAISE)
