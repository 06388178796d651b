"""How a call of the API reads its request, gives its answer, and says what it takes, for OpenAPI.

A view names its models with `describe`, reads with `read_*` and answers with `answer`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ParamSpec, TypeVar

from flask import Response, request
from pydantic import BaseModel, ConfigDict, ValidationError

from casework.errors import Invalid, TooLarge

P = ParamSpec("P")
R = TypeVar("R")
M = TypeVar("M", bound=BaseModel)

_CALL = "lysbro_call"
_MAX_JSON_BYTES = 2 << 20


class Body(BaseModel):
    """What a caller sends: unknown members are refused by name."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)


class Answer(BaseModel):
    """What a caller gets."""

    model_config = ConfigDict(frozen=True)


@dataclass(frozen=True)
class Call:
    """What one view takes and gives."""

    summary: str
    body: type[BaseModel] | None = None
    query: type[BaseModel] | None = None
    form: type[BaseModel] | None = None
    files: tuple[str, ...] = ()
    answers: Mapping[int, type[BaseModel] | str] = field(default_factory=dict)
    request_headers: Mapping[str, str] = field(default_factory=dict)
    bare: str = ""  # the media type of a body that is bytes alone


def describe(
    summary: str,
    *,
    answers: Mapping[int, type[BaseModel] | str],
    body: type[BaseModel] | None = None,
    query: type[BaseModel] | None = None,
    form: type[BaseModel] | None = None,
    files: tuple[str, ...] = (),
    request_headers: Mapping[str, str] | None = None,
    bare: str = "",
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Say what a view takes and gives; an answer is a model, or a media type when it is no JSON."""
    call = Call(summary, body, query, form, files, answers, request_headers or {}, bare)

    def decorate(view: Callable[P, R]) -> Callable[P, R]:
        setattr(view, _CALL, call)
        return view

    return decorate


def call_of(view: Callable[..., Any]) -> Call | None:
    """Return what a view said of itself."""
    found: Call | None = getattr(view, _CALL, None)
    return found


def read_body(model: type[M]) -> M:
    """Return the JSON body as its model, or raise Invalid with one line for each fault."""
    return _checked(model, read_object())


def read_object() -> dict[str, Any]:
    """Return the JSON body, which must be an object; no body at all is an empty one."""
    request.max_content_length = _MAX_JSON_BYTES
    if not request.get_data(cache=True):
        return {}
    value = request.get_json(force=True, silent=True)
    if not isinstance(value, dict):
        raise Invalid("The body must be a JSON object.", code="not-json")
    return value


def read_query(model: type[M]) -> M:
    """Return the query parameters as their model."""
    return _checked(model, request.args.to_dict())


def read_form(model: type[M]) -> M:
    """Return the text fields of a form as their model."""
    fields = request.form.to_dict()
    fields.pop("csrf_token", None)
    return _checked(model, fields)


def read_file(name: str, *, limit_bytes: int) -> bytes:
    """Return an uploaded file, or raise Invalid when it is missing or over the limit."""
    upload = request.files.get(name)
    if upload is None:
        raise Invalid(
            f"Send the file as multipart/form-data in the field '{name}'.", code="missing-field"
        )
    data = upload.stream.read(limit_bytes + 1)
    refuse_too_large(len(data), limit_bytes=limit_bytes)
    return data


def refuse_too_large(size_bytes: int, *, limit_bytes: int) -> None:
    """Raise TooLarge for a file over the limit."""
    if size_bytes > limit_bytes:
        raise TooLarge(
            f"The file is larger than {limit_bytes >> 20} MB. Send a smaller one.", code="too-large"
        )


def answer(value: BaseModel, status: int = 200, **headers: str) -> Response:
    """Return a model as JSON."""
    response = Response(value.model_dump_json(), status=status, mimetype="application/json")
    for name, text in headers.items():
        response.headers[name.replace("_", "-")] = text
    return response


def _checked(model: type[M], value: Mapping[str, Any]) -> M:
    try:
        return model.model_validate(value)
    except ValidationError as error:
        faults = [_fault(e["loc"], e["msg"]) for e in error.errors()]
        raise Invalid("; ".join(faults) + ".", code="invalid-body") from error


def _fault(where: tuple[int | str, ...], message: str) -> str:
    name = ".".join(str(part) for part in where) or "body"
    return f"{name}: {message.removeprefix('Value error, ')}"
