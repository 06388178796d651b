"""The OpenAPI 3.1 description of `/api`, made from what each view says of itself."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from flask import Blueprint, Flask, Response, current_app, jsonify
from pydantic import Field
from pydantic.json_schema import models_json_schema
from werkzeug.routing import Rule

from viewer.api.calls import Answer, Call, call_of, describe
from viewer.guard import open_to_all

bp = Blueprint("api_openapi", __name__, url_prefix="/api")

_ARGUMENT = re.compile(r"<(?:[^:<>]+:)?([^<>]+)>")
_REF = "#/components/schemas/{model}"
_NOT_CALLS = frozenset({"HEAD", "OPTIONS"})
_ERRORS = {
    "400": "The request cannot be read.",
    "401": "Nobody is signed in.",
    "403": "The role of the one who asks does not allow it.",
    "404": "There is no such thing within sight.",
    "409": "The state has moved on; the member `state` says where it is.",
    "413": "The upload is over a limit.",
    "422": "What was sent cannot be accepted as it is.",
    "503": "A part that is needed does not answer.",
}


class Problem(Answer):
    """A problem document (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str = ""
    code: str = Field("", description="stable, for machines")
    state: str = Field("", description="of a conflict: the present state")


@bp.get("/openapi.json")
@open_to_all
@describe("This description", answers={200: "application/json"})
def openapi() -> Response:
    """Describe the API."""
    return jsonify(document(current_app))


def document(app: Flask) -> dict[str, Any]:
    """Return the OpenAPI document of an application's `/api` routes."""
    found = list(_calls(app))
    schemas, definitions = _schemas([call for _, _, _, call in found])
    paths: dict[str, dict[str, Any]] = {}
    for rule, method, view, call in found:
        path = _ARGUMENT.sub(r"{\1}", rule.rule)
        paths.setdefault(path, {})[method.lower()] = _operation(rule, method, view, call, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Lysbro",
            "version": _version(),
            "description": "Referrals, cases, photographs, findings. Sign in with a session cookie "
            "and an X-CSRF-Token header, or send a bearer token.",
        },
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": definitions,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "session": {"type": "apiKey", "in": "cookie", "name": "lysbro"},
            },
        },
        "security": [{"token": []}, {"session": []}],
    }


def undescribed(app: Flask) -> list[str]:
    """Return the `/api` routes that do not say what they take and give."""
    return [
        rule.rule
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith("/api/") and call_of(app.view_functions[rule.endpoint]) is None
    ]


def _calls(app: Flask) -> Iterator[tuple[Rule, str, Callable[..., Any], Call]]:
    for rule in app.url_map.iter_rules():
        view = app.view_functions[rule.endpoint]
        call = call_of(view)
        if rule.rule.startswith("/api") and call is not None:
            for method in sorted((rule.methods or set()) - _NOT_CALLS):
                yield rule, method, view, call


def _schemas(calls: list[Call]) -> tuple[Mapping[Any, Any], dict[str, Any]]:
    inputs = {m for c in calls for m in (c.body, c.query, c.form) if m is not None}
    outputs = {m for c in calls for m in c.answers.values() if not isinstance(m, str)} | {Problem}
    modes = [(m, "validation") for m in inputs] + [(m, "serialization") for m in outputs]
    modes.sort(key=lambda pair: pair[0].__name__)
    schemas, top = models_json_schema(modes, ref_template=_REF)  # type: ignore[arg-type]
    return schemas, top.get("$defs", {})


def _operation(
    rule: Rule, method: str, view: Callable[..., Any], call: Call, schemas: Mapping[Any, Any]
) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": f"{rule.endpoint}.{method.lower()}".replace("api_", ""),
        "summary": call.summary,
        "tags": [rule.endpoint.partition(".")[0].removeprefix("api_")],
        "responses": _responses(call, schemas),
    }
    if view.__doc__:
        operation["description"] = view.__doc__.strip()
    parameters = [*_path_parameters(rule), *_query_parameters(call), *_header_parameters(call)]
    if parameters:
        operation["parameters"] = parameters
    body = _request_body(call, schemas)
    if body:
        operation["requestBody"] = body
    if getattr(view, "open_to_all", False):
        operation["security"] = []
    return operation


def _path_parameters(rule: Rule) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in _ARGUMENT.findall(rule.rule)
    ]


def _query_parameters(call: Call) -> list[dict[str, Any]]:
    if call.query is None:
        return []
    schema = call.query.model_json_schema()
    needed = schema.get("required", [])
    return [
        {"name": name, "in": "query", "required": name in needed, "schema": _inlined(part, schema)}
        for name, part in schema["properties"].items()
    ]


def _inlined(part: Any, schema: Mapping[str, Any]) -> Any:
    """Return a schema with its references to the query model's own definitions put in place."""
    if isinstance(part, list):
        return [_inlined(item, schema) for item in part]
    if not isinstance(part, dict):
        return part
    if "$ref" in part:
        return schema["$defs"][part["$ref"].rpartition("/")[2]]
    return {name: _inlined(item, schema) for name, item in part.items()}


def _header_parameters(call: Call) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "header", "description": why, "schema": {"type": "string"}}
        for name, why in call.request_headers.items()
    ]


def _request_body(call: Call, schemas: Mapping[Any, Any]) -> dict[str, Any]:
    if call.files:
        fields = call.form.model_json_schema() if call.form else {"properties": {}}
        files = {name: {"type": "string", "contentMediaType": "image/*"} for name in call.files}
        schema = {
            "type": "object",
            "properties": {**files, **fields["properties"]},
            "required": [*call.files, *fields.get("required", [])],
        }
        return {"required": True, "content": {"multipart/form-data": {"schema": schema}}}
    if call.bare:
        return {"required": True, "content": {call.bare: {}}}
    if call.body is None:
        return {}
    return {"content": {"application/json": {"schema": schemas[(call.body, "validation")]}}}


def _responses(call: Call, schemas: Mapping[Any, Any]) -> dict[str, Any]:
    responses: dict[str, Any] = {}
    for status, what in call.answers.items():
        content = (
            {what: {}}
            if isinstance(what, str)
            else {"application/json": {"schema": schemas[(what, "serialization")]}}
        )
        responses[str(status)] = {"description": "Done.", "content": content}
    problem = {"application/problem+json": {"schema": schemas[(Problem, "serialization")]}}
    for status_text, why in _ERRORS.items():
        responses.setdefault(status_text, {"description": why, "content": problem})
    return responses


def _version() -> str:
    try:
        return version("lysbro")
    except PackageNotFoundError:
        return "0"
