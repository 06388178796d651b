"""The response headers that hold a browser to what Lysbro means: CSP, caching, framing."""

from __future__ import annotations

from flask import Flask, Response, g, request

from viewer.services import services

_CSP: dict[str, tuple[str, ...]] = {
    "default-src": ("'none'",),
    "script-src": ("'self'",),
    "style-src": ("'self'",),
    "img-src": ("'self'", "blob:", "data:"),
    "connect-src": ("'self'",),
    "font-src": ("'self'",),
    "form-action": ("'self'",),
    "base-uri": ("'none'",),
    "frame-ancestors": ("'none'",),
    "object-src": ("'none'",),
}

_FIXED = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Frame-Options": "DENY",
}

_PERMISSIONS = "geolocation=(), payment=(), usb=(), interest-cohort=()"
_CAPTURE = "/capture"

_HSTS = "max-age=63072000; includeSubDomains"
_HASHED = "/static/dist/assets/"


def widen_csp(directive: str, *sources: str) -> None:
    """Let this page use further sources, e.g. `widen_csp("worker-src", "'self'")`."""
    extra: dict[str, tuple[str, ...]] = g.setdefault("csp_extra", {})
    extra[directive] = (*extra.get(directive, ()), *sources)


def let_be_framed(response: Response) -> None:
    """Let our own pages, and nobody else's, show an answer in a frame."""
    response.headers["X-Frame-Options"] = "SAMEORIGIN"
    response.headers["Content-Security-Policy"] = content_security_policy({}).replace(
        "frame-ancestors 'none'", "frame-ancestors 'self'"
    )


def content_security_policy(extra: dict[str, tuple[str, ...]]) -> str:
    """Return the policy, widened where the page asked for it."""
    merged = dict(_CSP)
    for directive, sources in extra.items():
        merged[directive] = tuple(dict.fromkeys((*merged.get(directive, ()), *sources)))
    return "; ".join(f"{name} {' '.join(sources)}" for name, sources in merged.items())


def allow_microphone() -> None:
    """Let this page hear the one who dictates."""
    g.may_hear = True


def permissions_policy(path: str, *, may_hear: bool = False) -> str:
    """Return what a page may use of the machine: the camera where photographs are taken, the
    microphone where somebody may dictate, nothing else.
    """
    may_photograph = path == _CAPTURE or path.startswith(f"{_CAPTURE}/")
    camera, microphone = ("(self)" if may else "()" for may in (may_photograph, may_hear))
    return f"camera={camera}, microphone={microphone}, {_PERMISSIONS}"


def of_every_answer(*, https: bool) -> tuple[tuple[str, str], ...]:
    """Return the headers of an answer to a machine, which nobody may keep."""
    fixed = {
        **_FIXED,
        "Permissions-Policy": permissions_policy(""),
        "Content-Security-Policy": content_security_policy({}),
    }
    if https:
        fixed["Strict-Transport-Security"] = _HSTS
    return (*fixed.items(), ("Cache-Control", "no-store"))


def install(app: Flask) -> None:
    """Set the headers on every answer of the application."""
    app.after_request(_harden)


def _harden(response: Response) -> Response:
    for name, value in _FIXED.items():
        response.headers.setdefault(name, value)
    response.headers.setdefault(
        "Permissions-Policy", permissions_policy(request.path, may_hear=g.get("may_hear", False))
    )
    response.headers.setdefault(
        "Content-Security-Policy", content_security_policy(g.get("csp_extra", {}))
    )
    if services().settings.https:
        response.headers["Strict-Transport-Security"] = _HSTS
    if request.path.startswith(_HASHED) and response.status_code in {200, 206, 304}:
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
    elif request.path.startswith("/static/"):
        response.headers["Cache-Control"] = "no-cache"
    elif "private" not in response.headers.get("Cache-Control", ""):
        response.headers["Cache-Control"] = "no-store"
    return response
