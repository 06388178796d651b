"""The OpenAPI document: valid, and whole: every route of /api is in it."""

import re

from openapi_spec_validator import OpenAPIV31SpecValidator

from viewer.api.openapi import document, undescribed


def test_document_is_valid_openapi_3_1(shared_world):
    found = shared_world.anonymous().get("/api/openapi.json")
    assert found.status_code == 200
    OpenAPIV31SpecValidator(found.get_json()).validate()


def test_every_route_of_the_api_is_described(shared_world):
    assert undescribed(shared_world.app) == []
    paths = document(shared_world.app)["paths"]
    for rule in shared_world.app.url_map.iter_rules():
        if not rule.rule.startswith("/api/"):
            continue
        path = re.sub(r"<(?:[^:<>]+:)?([^<>]+)>", r"{\1}", rule.rule)
        methods = {m.lower() for m in rule.methods} - {"head", "options"}
        assert methods <= set(paths[path]), path


def test_every_call_of_the_contract_is_there(shared_world):
    paths = document(shared_world.app)["paths"]
    steps = (
        "submit", "claim", "release", "ask", "answer", "decline", "withdraw", "sign", "addend",
        "correct", "acknowledge",
    )  # fmt: skip
    for path, method in (
        ("/api/referrals", "post"),
        ("/api/photos/assess", "post"),
        ("/api/cases", "get"),
        ("/api/cases/{case_id}", "get"),
        ("/api/cases/{case_id}/photos", "post"),
        ("/api/cases/{case_id}/findings", "put"),
        ("/api/cases/{case_id}/referral", "put"),
        ("/api/instances/{sop_instance_uid}/custody", "get"),
        *((f"/api/cases/{{case_id}}/{step}", "post") for step in steps),
    ):
        operation = paths[path][method]
        assert operation["summary"]
        assert {"401", "404", "409"} <= set(operation["responses"])


def test_operation_ids_are_unique(shared_world):
    found = [
        operation["operationId"]
        for path in document(shared_world.app)["paths"].values()
        for operation in path.values()
    ]
    assert len(found) == len(set(found))
