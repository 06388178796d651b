"""Lets pages of other origins read the machine faces, where the operator names their origins.

Decides on headers only: who is asking and what they may see stays with the guard. Without the
setting no answer has any of these headers, and a preflight is answered as every other OPTIONS.
"""

from __future__ import annotations

from collections.abc import Iterable

from flask import Flask, Response, request

from viewer.services import services

_PATHS = ("/dicom-web", "/fhir", "/api")
_METHODS = "GET, HEAD, POST, PUT, DELETE, OPTIONS"
_TAKEN = (
    "Accept, Accept-Charset, Authorization, Content-Type, If-Match, If-Modified-Since, "
    "If-None-Match, If-Range, Range, X-CSRF-Token"
)
_TOLD = (
    "Accept-Ranges, Allow, Content-Disposition, Content-Length, Content-Location, Content-Range, "
    "ETag, Last-Modified, Link, Location, Retry-After, Warning, WWW-Authenticate"
)
_KEEP_S = "600"
ANYBODY = "*"


def headers_for(origin: str, path: str, origins: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """Return the headers of an answer to a page of an origin, none where it may not read it.

    Fetch, "CORS protocol": credentials go with an exact origin only, so never with the wildcard.
    """
    known = tuple(origins)
    if not known or not is_shared(path):
        return ()
    varies = ("Vary", "Origin")
    if origin and origin in known:
        return (
            ("Access-Control-Allow-Origin", origin),
            ("Access-Control-Allow-Credentials", "true"),
            ("Access-Control-Expose-Headers", _TOLD),
            varies,
        )
    if origin and ANYBODY in known:
        return (
            ("Access-Control-Allow-Origin", ANYBODY),
            ("Access-Control-Expose-Headers", _TOLD),
            varies,
        )
    return (varies,)


def added_to(
    headers: Iterable[tuple[str, str]], shared: Iterable[tuple[str, str]]
) -> list[tuple[str, str]]:
    """Return the headers of an answer with these; one `Vary` says all that it varies by."""
    found = [*headers, *shared]
    varies = [value for name, value in found if name == "Vary"]
    others = [each for each in found if each[0] != "Vary"]
    return [*others, ("Vary", ", ".join(varies))] if varies else others


def is_shared(path: str) -> bool:
    """Tell whether a path is of a face for machines, the only ones that other origins may read."""
    return any(path == each or path.startswith(each + "/") for each in _PATHS)


def install(app: Flask) -> None:
    """Answer preflights before the guard, which asks for a token that a preflight never has."""
    app.before_request(_preflight)
    app.after_request(_share)


def _preflight() -> Response | None:
    if request.method != "OPTIONS" or "Access-Control-Request-Method" not in request.headers:
        return None
    if not dict(_headers()).get("Access-Control-Allow-Origin"):
        return None
    response = Response(status=204)
    response.headers["Access-Control-Allow-Methods"] = _METHODS
    response.headers["Access-Control-Allow-Headers"] = _TAKEN
    response.headers["Access-Control-Max-Age"] = _KEEP_S
    return response


def _share(response: Response) -> Response:
    for name, value in _headers():
        if name == "Vary":
            response.vary.add(value)
        else:
            response.headers[name] = value
    return response


def _headers() -> tuple[tuple[str, str], ...]:
    origin = request.headers.get("Origin", "")
    return headers_for(origin, request.path, services().settings.cors_origins)
