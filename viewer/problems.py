"""Turns every error into its answer: an RFC 9457 problem document, or a plain page for people.

One table from error types to statuses. What is not in it is a defect: logged with its trace
under an id, answered as 500.
"""

from __future__ import annotations

import secrets
import traceback
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import structlog
from flask import Flask, Response, jsonify, redirect, render_template, request, url_for
from markupsafe import escape
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as AnyResponse

from casework.errors import (
    Conflict,
    Invalid,
    LysbroError,
    NoRoom,
    NotFound,
    Refused,
    TooLarge,
    Unavailable,
)
from viewer.error_words import error_in
from viewer.guard import NotSignedIn, actor_or_none
from viewer.languages import language
from viewer.services import services

log = structlog.get_logger()


class NotAcceptable(LysbroError):
    """The client takes none of the forms that there are."""


class UnsupportedMedia(LysbroError):
    """The body has a form that is not taken."""


class LengthRequired(LysbroError):
    """The body must say how long it is, since nothing else tells whether it is whole."""


class TooSlow(LysbroError):
    """The body stood still or came too slowly."""


class TooManyRequests(LysbroError):
    """The caller must wait."""

    def __init__(self, message: str, *, wait_s: int) -> None:
        super().__init__(message, code="too-many-requests")
        self.wait_s = wait_s


STATUS: Mapping[type[LysbroError], int] = {
    TooLarge: 413,
    Invalid: 422,
    Refused: 403,
    NotFound: 404,
    Conflict: 409,
    NoRoom: 507,
    Unavailable: 503,
    NotAcceptable: 406,
    UnsupportedMedia: 415,
    LengthRequired: 411,
    TooSlow: 408,
    TooManyRequests: 429,
}
"""The status of each error; a type is answered as its nearest ancestor here."""

_UNREADABLE = frozenset({"not-json", "bad-request", "missing-field"})
_MACHINE_PATHS = ("/api/", "/dicom-web", "/fhir", "/healthz", "/readyz", "/metrics")
_RETRY_AFTER_S = "30"


def status_of(error: LysbroError) -> int:
    """Return the HTTP status of an error."""
    if type(error) is Invalid and error.code in _UNREADABLE:
        return 400
    for kind in type(error).__mro__:
        if kind in STATUS:
            return STATUS[kind]
    return 500


def problem(status: int, detail: str, **members: Any) -> Response:
    """Return an RFC 9457 problem document."""
    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status}
    body |= {"detail": detail} if detail else {}
    response = jsonify(body | members)
    response.status_code = status
    response.mimetype = "application/problem+json"
    return response


def for_machines() -> bool:
    """Tell whether the caller wants a document rather than a page."""
    if request.path.startswith(_MACHINE_PATHS) or request.is_json:
        return True
    best = request.accept_mimetypes.best_match(["text/html", "application/json"])
    return best == "application/json"


def trace_of(error: BaseException) -> dict[str, str]:
    """Return the kind of an error and where it arose.

    Its message and its variables are left out: they may hold what a patient is called.
    """
    frames = traceback.extract_tb(error.__traceback__)
    lines = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
    return {"kind": type(error).__name__, "trace": " > ".join(lines)}


def install(app: Flask) -> None:
    """Answer every error of the application."""
    app.register_error_handler(LysbroError, _expected)
    app.register_error_handler(NotSignedIn, _stranger)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(Exception, _defect)


def _expected(error: LysbroError) -> AnyResponse:
    status = status_of(error)
    _note_refusal(error)
    members: dict[str, Any] = {"code": error.code}
    if isinstance(error, Conflict):
        members["state"] = error.state
    response = _answer(status, error.message, **members)
    if isinstance(error, TooManyRequests):
        response.headers["Retry-After"] = str(error.wait_s)
    elif isinstance(error, Unavailable):
        response.headers["Retry-After"] = _RETRY_AFTER_S
    return response


def _stranger(error: NotSignedIn) -> AnyResponse:
    if for_machines() or request.method not in {"GET", "HEAD"}:
        response = _answer(401, "Sign in, or send a bearer token.", code="not-signed-in")
        response.headers["WWW-Authenticate"] = 'Bearer realm="lysbro"'
        return response
    here = request.full_path.rstrip("?")
    return redirect(url_for("auth.login", next=here) if here != "/" else url_for("auth.login"))


def _http(error: HTTPException) -> AnyResponse:
    if error.response is not None or error.code is None or error.code < 400:
        return error.get_response()
    response = _answer(error.code, _plain(error), code=error.name.lower().replace(" ", "-"))
    for name, value in error.get_headers():
        if name.lower() in {"allow", "retry-after", "content-range"}:
            response.headers[name] = value
    return response


def _plain(error: HTTPException) -> str:
    if error.code == 413:
        limit = (request.max_content_length or 0) >> 20
        return f"What was sent is larger than {limit} MB. Send less at a time."
    return error.description or ""


def _defect(error: Exception) -> AnyResponse:
    """Answer what nobody foresaw; a process boundary, so the except is broad."""
    error_id = secrets.token_hex(6)
    log.error("request failed", error_id=error_id, endpoint=request.endpoint, **trace_of(error))
    return _answer(
        500,
        f"Something went wrong on our side. Say {error_id} when you ask about it.",
        code="defect",
        error_id=error_id,
    )


def _answer(status: int, detail: str, **members: Any) -> AnyResponse:
    said = error_in(detail, language())
    if for_machines():
        return problem(status, said, **members)
    return page(status, said)


def page(status: int, detail: str) -> AnyResponse:
    """Return the error page, or the barest one when even that cannot be drawn."""
    title = HTTPStatus(status).phrase
    try:
        html = render_template("error.html", status=status, title=title, message=detail)
    except Exception as error:  # noqa: BLE001 - the last page that can be drawn
        log.error("error page failed", **trace_of(error))
        html = f"<!doctype html><title>{status}</title><h1>{title}</h1><p>{escape(detail)}</p>"
    return Response(html, status=status, mimetype="text/html")


def _note_refusal(error: LysbroError) -> None:
    actor = actor_or_none()
    if not isinstance(error, Refused | NotFound) or error.noted or actor is None:
        return
    services().ledger.append(
        None,
        actor=actor,
        action="refused",
        subject=request.path,
        site=actor.site,
        outcome=error.code,
        detail={"method": request.method},
    )
