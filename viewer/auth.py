"""Signing in and out: password against hash, delay after failures, a new session each time.

People with no account and people with a wrong password are answered alike and as slowly.
"""

from __future__ import annotations

import math
import secrets
from collections.abc import Mapping
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import structlog
from flask import Blueprint, jsonify, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from casework.errors import Invalid
from casework.model import Actor, SiteKind
from viewer import passwords
from viewer.guard import (
    actor_or_none,
    csrf_token,
    drop_cookie,
    open_to_all,
    session_cookie,
    set_cookie,
)
from viewer.problems import TooManyRequests, for_machines, problem
from viewer.services import services

bp = Blueprint("auth", __name__)
log = structlog.get_logger()

_WRONG = "The address or the password is not right."


@bp.get("/login")
@open_to_all
def login() -> Response:
    """Show the sign-in page, or to a machine the token that its POST must bring."""
    if for_machines():
        return jsonify(csrf_token=csrf_token())
    onward = safe_next(request.args.get("next", ""))
    if actor_or_none() is not None:
        return redirect(onward)
    return _form(onward=onward, email="", message="", status=200)


@bp.post("/login")
@open_to_all
def sign_in() -> Response:
    """Check the password and open a session."""
    email, password, onward = _credentials()
    keys = (f"account:{email}", f"address:{request.remote_addr or ''}")
    wait_s = math.ceil(max(services().people.sign_in_delay(key) for key in keys))
    if wait_s > 0:
        return _too_soon(wait_s, onward=onward, email=email)
    actor = _known(email, password)
    if actor is None:
        for key in keys:
            services().people.note_failed_sign_in(key)
        _note("sign-in-failed", _somebody(), subject=email, outcome="refused")
        log.info("sign-in refused", address=request.remote_addr)
        if for_machines():
            return problem(401, _WRONG, code="wrong-password")
        return _form(onward=onward, email=email, message=_WRONG, status=401)
    services().people.clear_failed(keys[0])
    return _welcome(actor, onward)


@bp.post("/logout")
def logout() -> Response:
    """End the session of this browser."""
    actor, token = actor_or_none(), request.cookies.get(session_cookie())
    if token:
        services().people.close_session(token)
    if actor is not None:
        _note("signed-out", actor, subject=actor.email)
    response: Response = (
        jsonify(signed_out=True) if for_machines() else redirect(url_for("auth.login"))
    )
    drop_cookie(response, session_cookie())
    return response


def safe_next(target: str) -> str:
    """Return where to go after sign-in: a path of this application, else the front page."""
    parts = urlsplit(target)
    plain = not any(ord(c) < 33 or c == "\\" for c in target)
    inside = not parts.scheme and not parts.netloc and target.startswith("/")
    return target if plain and inside and not target.startswith("//") else "/"


def _credentials() -> tuple[str, str, str]:
    given: Any = request.get_json(silent=True) if request.is_json else request.form
    if not isinstance(given, Mapping):
        raise Invalid("Send an e-mail address and a password.", code="bad-request")
    email, password, onward = (given.get(k, "") for k in ("email", "password", "next"))
    if not isinstance(email, str) or not isinstance(password, str):
        raise Invalid("Send an e-mail address and a password.", code="bad-request")
    return email.strip().casefold()[:254], password[:4096], safe_next(str(onward))


def _too_soon(wait_s: int, *, onward: str, email: str) -> Response:
    error = TooManyRequests("Too many attempts. Wait a little and try again.", wait_s=wait_s)
    if for_machines():
        raise error
    response = _form(onward=onward, email=email, message=error.message, status=429)
    response.headers["Retry-After"] = str(wait_s)
    return response


def _known(email: str, password: str) -> Actor | None:
    row = services().people.user_by_email(email)
    usable = row is not None and not row.disabled
    right = passwords.verify(row.password_hash if row is not None else _nobody(), password)
    if row is None or not usable or not right:
        return None
    if passwords.needs_rehash(row.password_hash):
        services().people.set_password(email, passwords.hash_password(password))
    return row.actor


def _welcome(actor: Actor, onward: str) -> Response:
    old = request.cookies.get(session_cookie())
    if old:
        services().people.close_session(old)
    token = services().people.open_session(actor.id, now=services().clock())
    _note("signed-in", actor, subject=actor.email)
    found = services().people.actor_by_session(token, services().clock())
    response: Response
    if for_machines():
        csrf = found[1] if found else ""
        response = jsonify(
            name=actor.name, role=actor.role, site=actor.site, csrf_token=csrf, next=onward
        )
    else:
        response = redirect(onward)
    set_cookie(response, session_cookie(), token)
    return response


def _form(*, onward: str, email: str, message: str, status: int) -> Response:
    html = render_template("login.html", next=onward, email=email, message=message)
    return _html(html, status)


def _html(html: str, status: int) -> Response:
    return Response(html, status=status, mimetype="text/html")


def _note(action: str, actor: Actor, *, subject: str, outcome: str = "ok") -> None:
    services().ledger.append(
        None,
        actor=actor,
        action=action,
        subject=subject,
        site=actor.site,
        outcome=outcome,
        detail={"address": request.remote_addr or ""},
    )


def _somebody() -> Actor:
    return Actor(id="system:web", name="Web application", site="", site_kind=SiteKind.CENTRE)


@cache
def _nobody() -> str:
    """Return the hash that a password is checked against when there is no such account."""
    return passwords.hash_password(secrets.token_urlsafe(24))
