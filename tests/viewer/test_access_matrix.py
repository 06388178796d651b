"""Every route times every role of every site, on a case of one site: nobody else sees any of it.

Made from the URL map, so that a new route is asked too.
"""

import re

import pytest
from werkzeug.routing import Rule

from casework.model import Patient, Role
from casework.workitems import work_item_uid
from viewer.fhir import resources

SECRET = "Hemmelig"
NUMBER = "hammer-secret-77"
QUESTION = "a question that nobody else may read"
STUDY, SERIES, INSTANCE = "1.2.3.77", "1.2.3.77.1", "1.2.3.77.1.1"
MACHINE = re.compile(r"/(api|dicom-web|fhir)(/|$)")

OPEN = {
    "api_openapi.openapi", "auth.login", "auth.sign_in", "capture_offline.shell",
    "capture_offline.worker", "fhir.metadata", "health.alive",
    "health.ready", "i18n.choose", "metrics.metrics", "static",
}  # fmt: skip
"""The routes that answer strangers; a new one is added here on purpose or not at all."""


@pytest.fixture(scope="module")
def secret(shared_world):
    """Return a world in which hammer has one case with a secret, and berg another of its own."""
    uids = {"StudyInstanceUID": STUDY, "SeriesInstanceUID": SERIES, "SOPInstanceUID": INSTANCE}
    named = {"PatientName": f"{SECRET}^Åse", "PatientID": NUMBER, "StudyDescription": SECRET}
    shared_world.store("hammer", **uids, **named, ReasonForTheRequestedProcedure=QUESTION)
    case_id = shared_world.case_of("hammer", STUDY)
    case = shared_world.client("referrer@hammer").get(f"/api/cases/{case_id}").get_json()
    body = {
        "patient": {"id": NUMBER, "name": f"{SECRET}^Åse"}, "question": QUESTION,
        "steps": [{"modality": "CT"}],
    }  # fmt: skip
    placed = shared_world.client("referrer@hammer").post("/api/orders", json=body)
    assert placed.status_code == 201
    return shared_world, case_id, case | {"order_id": placed.get_json()["order_id"]}


def arguments(
    rule: Rule, *, case_id: str, study: str, series: str, instance: str, patient: str, order: str
):
    """Return a value for each argument of a rule: the object wherever it can be named."""
    known = {
        "case_id": case_id, "order_id": order, "study": study, "study_uid": study, "series": series,
        "series_uid": series, "instance": instance, "sop_instance_uid": instance, "uid": instance,
        "logical_id": patient if "Patient" in rule.rule else case_id, "frame": 1, "number": 1,
        "workitem": work_item_uid(case_id), "aetitle": "WATCH",
        "numbers": "1", "n": 1, "version": 1, "code": "en", "filename": "x", "level": "STUDY",
        "site": "hammer", "kind": "fetch", "lesion": "A",
    }  # fmt: skip
    values = {}
    for name in rule.arguments - set(rule.defaults or {}):
        converter = rule._converters[name]
        if type(converter).__name__ == "IntegerConverter":
            values[name] = known.get(name, 1) if isinstance(known.get(name), int) else 1
        elif type(converter).__name__ == "AnyConverter":
            values[name] = sorted(converter.items)[0]
        else:
            values[name] = str(known.get(name, case_id))
    return values


def addresses(app, **named):
    """Yield every rule with each of its methods and its address for these objects."""
    adapter = app.url_map.bind("localhost")
    for rule in app.url_map.iter_rules():
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            values = arguments(rule, **named)
            yield rule, method, adapter.build(rule.endpoint, values, method=method)


def of_hammer(case_id, case):
    number = case["patient"]
    patient = resources.patient_id("hammer", Patient(number["id"], number["issuer"]))
    return {
        "case_id": case_id, "study": STUDY, "series": SERIES, "instance": INSTANCE,
        "patient": patient, "order": case["order_id"],
    }  # fmt: skip


ABSENT = {
    "case_id": "2222-2222", "study": "1.9.9", "series": "1.9.9.1", "instance": "1.9.9.1.1",
    "patient": "p-" + "0" * 40, "order": "3333-3333",
}  # fmt: skip


def send(client, method, url):
    if method in {"GET", "HEAD"}:
        return client.get(url)
    return client.open(url, method=method, json={})


def body_of(answer):
    with answer:
        return answer.get_data().decode("utf-8", "replace")


def holds_secret(text):
    return any(word in text for word in (SECRET, NUMBER, "nobody else may read"))


def test_strangers_are_sent_to_sign_in_from_every_route(secret):
    world, case_id, case = secret
    client = world.anonymous()
    for rule, method, url in addresses(world.app, **of_hammer(case_id, case)):
        if rule.endpoint in OPEN or rule.endpoint.endswith(".static") or "assets" in rule.endpoint:
            continue
        answer = send(client, method, url)
        assert not holds_secret(body_of(answer)), url
        if method != "GET":
            assert answer.status_code in {401, 403}, (method, url, answer.status_code)
        elif MACHINE.match(url):
            assert answer.status_code == 401, (url, answer.status_code)
            assert "Bearer" in answer.headers["WWW-Authenticate"]
        else:
            assert answer.status_code == 302, (url, answer.status_code)
            assert answer.location.startswith("/login")


def test_open_routes_tell_strangers_nothing_of_a_case(secret):
    world, case_id, case = secret
    client = world.anonymous()
    for rule, method, url in addresses(world.app, **of_hammer(case_id, case)):
        if rule.endpoint in OPEN and method == "GET":
            assert not holds_secret(body_of(client.get(url))), url


@pytest.mark.parametrize("who", [*(f"{role.value}@berg" for role in Role), "referrer@fjord"])
def test_people_of_another_site_never_learn_that_it_exists(secret, who):
    world, case_id, case = secret
    client = world.client(who)
    pairs = zip(
        addresses(world.app, **of_hammer(case_id, case)),
        addresses(world.app, **ABSENT),
        strict=True,
    )
    before = world.client("referrer@hammer").get(f"/api/cases/{case_id}").get_json()
    for (rule, method, url), (_, _, absent_url) in pairs:
        if rule.endpoint.startswith("auth."):
            continue
        answer, absent = send(client, method, url), send(client, method, absent_url)
        text, absent_text = body_of(answer), body_of(absent)
        assert not holds_secret(text), (method, url)
        assert answer.status_code < 500, (method, url, answer.status_code)
        if url != absent_url:
            assert answer.status_code == absent.status_code, (method, url, answer.status_code)
            assert len(re.findall(re.escape(case_id), text)) <= 3, url
            if method == "GET" and MACHINE.match(url) and "assets" not in rule.endpoint:
                assert answer.status_code == 404 or is_empty_list(answer), (url, absent_text)
    after = world.client("referrer@hammer").get(f"/api/cases/{case_id}").get_json()
    assert after == before


def is_empty_list(answer):
    found = answer.get_json(silent=True)
    return found == [] or (isinstance(found, dict) and found.get("total") == 0)


@pytest.mark.parametrize("who", ["radiologist@centre", "coordinator@centre", "referrer@hammer"])
def test_those_who_may_see_it_do(secret, who):
    world, case_id, case = secret
    client = world.client(who)
    assert SECRET in body_of(client.get(f"/api/cases/{case_id}"))
    assert [row["case_id"] for row in client.get("/api/cases").get_json()["cases"]] == [case_id]
    assert SECRET in body_of(client.get(f"/dicom-web/studies?StudyInstanceUID={STUDY}"))
    assert client.get(f"/dicom-web/studies/{STUDY}").status_code == 200
    assert SECRET in body_of(client.get("/fhir/Patient"))
    assert client.get(f"/fhir/Task/{case_id}").status_code == 200
    assert SECRET in body_of(client.get(f"/api/orders/{case['order_id']}"))
    assert SECRET in body_of(client.get("/api/orders"))


def test_dermatologist_does_not_see_radiology(secret):
    world, case_id, case = secret
    client = world.client("dermatologist@centre")
    assert client.get(f"/api/cases/{case_id}").status_code == 404
    assert client.get(f"/dicom-web/studies/{STUDY}").status_code == 404
    assert client.get("/dicom-web/studies").get_json() == []
    assert client.get(f"/api/orders/{case['order_id']}").status_code == 404
    assert client.get("/api/orders").get_json()["orders"] == []


def test_refusal_and_search_are_in_the_audit_without_a_name(secret):
    world, case_id, case = secret
    world.client("referrer@berg").get(f"/api/cases/{case_id}")
    world.client("referrer@berg").get(f"/dicom-web/studies?PatientName={SECRET}")
    world.client("referrer@berg").get(f"/api/cases?q={SECRET}")
    refused = world.audit("refused")
    assert any(e.subject == f"/api/cases/{case_id}" and e.site == "berg" for e in refused)
    assert world.audit("images-searched")
    assert world.audit("cases-listed")
    entries = world.parts.ledger.entries(limit=5000)
    assert not any(SECRET in f"{e.subject} {e.detail}" for e in entries)
    assert world.parts.ledger.verify() is None
