"""FHIR R4 over HTTP: reply, question, images and patient, for those who may see them."""

import pytest
from fhir.resources.R4B.diagnosticreport import DiagnosticReport
from fhir.resources.R4B.documentreference import DocumentReference
from fhir.resources.R4B.observation import Observation

MODELS = {m.get_resource_type(): m for m in (DiagnosticReport, DocumentReference, Observation)}
STUDY = "1.2.826.0.1"
IMPRESSION = "Nodule of 8 mm; CT again in 3 months."
FHIR = "application/fhir+json"


@pytest.fixture(scope="module")
def replied(shared_world):
    """Return the world and the case of a CT of hammer whose report is signed."""
    shared_world.store("hammer")
    case_id = shared_world.case_of("hammer", STUDY)
    reader = shared_world.client("radiologist@centre")
    reader.post(f"/api/cases/{case_id}/claim", json={})
    findings = {
        "impression": IMPRESSION,
        "measurements": [
            {
                "instance_uid": "1.2.826.0.1.1",
                "frame": 1,
                "kind": "length",
                "value": 8.0,
                "points": [[0, 0], [3, 3]],
                "unit": "mm",
                "label": "Nodule",
            }
        ],
        "diagnoses": [{"text": "Nodule", "code": "427359005", "system": "http://snomed.info/sct"}],
    }
    reader.put(f"/api/cases/{case_id}/findings", json=findings)
    assert reader.post(f"/api/cases/{case_id}/sign", json={}).status_code == 200
    return shared_world, case_id


def entries(answer):
    assert answer.status_code == 200, answer.text
    bundle = answer.get_json()
    assert bundle["type"] == "searchset"
    return [entry["resource"] for entry in bundle.get("entry", [])]


def test_capability_statement_is_open(shared_world):
    answer = shared_world.anonymous().get("/fhir/metadata")
    assert answer.content_type == FHIR
    found = answer.get_json()
    assert found["fhirVersion"] == "4.0.1"
    offered = {resource["type"] for resource in found["rest"][0]["resource"]}
    assert offered == {
        "Patient", "ServiceRequest", "ImagingStudy", "DiagnosticReport", "Task", "Observation",
        "DocumentReference",
    }  # fmt: skip


def test_report_concludes_with_the_impression(replied):
    world, case_id = replied
    found = entries(world.client("referrer@hammer").get("/fhir/DiagnosticReport"))
    assert [(r["id"], r["status"], r["conclusion"]) for r in found] == [
        (case_id, "final", IMPRESSION)
    ]
    report = found[0]
    assert report["basedOn"] == [{"reference": f"ServiceRequest/{case_id}"}]
    assert {"reference": f"ImagingStudy/{STUDY}"} in report["imagingStudy"]
    assert report["conclusionCode"][0]["coding"][0]["code"] == "427359005"
    assert report["resultsInterpreter"] == [{"display": "radiologist centre"}]


def test_references_lead_to_what_they_name(replied):
    world, case_id = replied
    client = world.client("referrer@hammer")
    answer = client.get(f"/fhir/DiagnosticReport/{case_id}")
    assert answer.headers["ETag"] == 'W/"1"'
    report = answer.get_json()
    for reference in (
        report["subject"]["reference"],
        report["basedOn"][0]["reference"],
        report["imagingStudy"][0]["reference"],
    ):
        found = client.get(f"/fhir/{reference}")
        assert found.status_code == 200, reference
        assert f"{found.get_json()['resourceType']}/{found.get_json()['id']}" == reference


def test_patient(replied):
    world, _ = replied
    patient = entries(world.client("referrer@hammer").get("/fhir/Patient"))[0]
    assert patient["birthDate"] == "1955-02-14"
    assert patient["gender"] == "female"
    assert patient["name"][0]["family"] == "<script>alert(1)</script>"
    assert patient["identifier"][0]["value"] == "hammer-1"


def test_request_and_task_follow_the_case(replied):
    world, case_id = replied
    client = world.client("referrer@hammer")
    assert client.get(f"/fhir/ServiceRequest/{case_id}").get_json()["status"] == "completed"
    task = client.get(f"/fhir/Task/{case_id}").get_json()
    assert task["status"] == "completed"
    assert task["owner"] == {"display": "radiologist centre"}
    assert task["businessStatus"]["text"] in {"signed", "delivered"}


def test_imaging_study_has_its_series(replied):
    world, case_id = replied
    study = world.client("referrer@hammer").get(f"/fhir/ImagingStudy/{STUDY}").get_json()
    assert study["numberOfInstances"] >= 1
    assert study["started"] == "2026-01-02"
    assert study["basedOn"] == [{"reference": f"ServiceRequest/{case_id}"}]
    assert "1.2.826.0.1.0" in [series["uid"] for series in study["series"]]


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("DiagnosticReport?status=final", 1),
        ("DiagnosticReport?status=corrected", 0),
        ("DiagnosticReport?based-on=ServiceRequest/2222-2222", 0),
        ("ServiceRequest?_id=2222-2222", 0),
        ("Patient?identifier=hammer-1", 1),
        ("Patient?identifier=other", 0),
        ("Task?patient=Patient/p-0", 0),
        (f"ImagingStudy?identifier=urn:dicom:uid|urn:oid:{STUDY}", 1),
        ("ImagingStudy?identifier=other|1.2.3", 0),
        ("ImagingStudy?patient=Patient/p-0", 0),
    ],
)
def test_search(replied, query, count):
    world, _ = replied
    assert len(entries(world.client("referrer@hammer").get(f"/fhir/{query}"))) == count


def test_parameter_that_would_be_left_out_of_account_is_refused(replied):
    world, _ = replied
    answer = world.client("referrer@hammer").get("/fhir/Task?owner=me")
    assert answer.status_code == 400
    assert answer.get_json()["resourceType"] == "OperationOutcome"
    assert "owner" in answer.get_json()["issue"][0]["diagnostics"]


@pytest.mark.parametrize(
    "name", ["DiagnosticReport", "ServiceRequest", "Task", "ImagingStudy", "Patient"]
)
def test_another_site_finds_nothing(replied, name):
    world, case_id = replied
    client = world.client("referrer@berg")
    assert entries(client.get(f"/fhir/{name}")) == []
    answer = client.get(f"/fhir/{name}/{STUDY if name == 'ImagingStudy' else case_id}")
    assert answer.status_code == 404
    assert answer.get_json()["issue"][0]["code"] == "not-found"


def test_stranger_gets_an_outcome(replied):
    world, _ = replied
    answer = world.anonymous().get("/fhir/Patient")
    assert answer.status_code == 401


def test_pages_of_a_search_are_linked(world):
    for n in range(3):
        uids = {"StudyInstanceUID": f"1.2.{n}", "SeriesInstanceUID": f"1.2.{n}.1"}
        world.store("hammer", **uids, SOPInstanceUID=f"1.2.{n}.1.1", PatientID=f"p{n}")
    client = world.client("referrer@hammer")
    first = client.get("/fhir/ServiceRequest?_count=2").get_json()
    assert (first["total"], len(first["entry"])) == (3, 2)
    following = next(link["url"] for link in first["link"] if link["relation"] == "next")
    assert len(entries(client.get(following))) == 1


def test_addendum_and_correction_show_in_status_and_conclusion(world):
    world.store("hammer")
    case_id = world.case_of("hammer", STUDY)
    reader = world.client("radiologist@centre")
    reader.post(f"/api/cases/{case_id}/claim", json={})
    reader.put(f"/api/cases/{case_id}/findings", json={"impression": IMPRESSION})
    reader.post(f"/api/cases/{case_id}/sign", json={})
    reader.post(f"/api/cases/{case_id}/addend", json={"impression": "Old rib fracture."})
    url = f"/fhir/DiagnosticReport/{case_id}"
    report = reader.get(url).get_json()
    assert report["status"] == "appended"
    assert report["conclusion"] == f"{IMPRESSION}\n\nOld rib fracture."
    reader.post(f"/api/cases/{case_id}/correct", json={"impression": "No nodule."})
    report = reader.get(url).get_json()
    assert (report["status"], report["conclusion"]) == ("corrected", "No nodule.")


def test_what_was_measured_and_the_document_are_read_and_found(replied):
    world, case_id = replied
    client = world.client("referrer@hammer")
    (report,) = entries(client.get(f"/fhir/DiagnosticReport?_id={case_id}"))
    (measured,) = entries(client.get(f"/fhir/Observation?based-on=ServiceRequest/{case_id}"))
    assert report["result"] == [{"reference": f"Observation/{measured['id']}"}]
    assert measured["valueQuantity"] == {
        "value": 8.0, "unit": "mm", "system": "http://unitsofmeasure.org", "code": "mm",
    }  # fmt: skip
    assert client.get(f"/fhir/Observation/{measured['id']}").get_json() == measured
    assert entries(client.get("/fhir/Observation?_id=x-m1")) == []
    assert client.get(f"/fhir/Observation/{case_id}-m2").status_code == 404
    (document,) = entries(client.get("/fhir/DocumentReference"))
    address = document["content"][0]["attachment"]["url"]
    assert address.endswith(f"/cases/{case_id}/report.pdf")
    for name in ("Observation", "DocumentReference"):
        assert entries(world.client("referrer@berg").get(f"/fhir/{name}")) == []
    for made in (report, measured, document):
        MODELS[made["resourceType"]].model_validate(made)
