"""Who is asking, and whether the request is theirs: sessions, bearer tokens, CSRF, deny by default.

What they may see and do is decided by `casework.access`; nothing here knows of cases.
"""

from __future__ import annotations

import functools
import hmac
import secrets
from collections.abc import Callable
from typing import ParamSpec, TypeVar
from urllib.parse import urlsplit

from flask import Flask, Response, current_app, g, request
from werkzeug.wrappers import Response as AnyResponse

from casework.access import Scope, scope_of
from casework.errors import Refused
from casework.model import Actor, Role
from casework.token_scopes import covers
from viewer.services import services
from viewer.token_scopes import ANY_TOKEN, InsufficientScope, needed_for

P = ParamSpec("P")
R = TypeVar("R")

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_OPEN = "open_to_all"
CSRF_HEADER = "X-CSRF-Token"
CSRF_FIELD = "csrf_token"


class NotSignedIn(Exception):
    """The request comes from nobody known; a page sends to sign-in, a machine gets 401."""


def open_to_all(view: Callable[P, R]) -> Callable[P, R]:
    """Let a view answer those who have not signed in; every other view refuses them."""
    setattr(view, _OPEN, True)
    return view


def signed_in(view: Callable[P, R]) -> Callable[P, R]:
    """Refuse a view to those who have not signed in (as all are; this says it at the view)."""

    @functools.wraps(view)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        current_actor()
        return view(*args, **kwargs)

    return wrapper


def require_role(*roles: Role) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Refuse a view to everybody who is not in one of the roles."""

    def decorate(view: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(view)
        def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
            if current_actor().role not in roles:
                raise Refused("This is not part of your role.", code="wrong-role")
            return view(*args, **kwargs)

        return wrapper

    return decorate


def current_actor() -> Actor:
    """Return who is asking, or raise NotSignedIn."""
    actor = actor_or_none()
    if actor is None:
        raise NotSignedIn
    return actor


def actor_or_none() -> Actor | None:
    """Return who is asking, or None."""
    actor: Actor | None = g.get("actor")
    return actor


def current_scope() -> Scope:
    """Return what the one who asks may see."""
    return scope_of(current_actor())


def csrf_token() -> str:
    """Return the token that an unsafe request of this page must bring (header or form field)."""
    if g.get("csrf"):
        return str(g.csrf)
    if "pre_session" not in g:
        g.pre_session = request.cookies.get(pre_session_cookie()) or secrets.token_urlsafe(32)
    return str(g.pre_session)


def session_cookie() -> str:
    """Return the name of the session cookie, which follows the transport."""
    return session_cookie_name(https=services().settings.https)


def session_cookie_name(*, https: bool) -> str:
    """Return the name of the session cookie under a transport."""
    return ("__Host-" if https else "") + "lysbro"


def pre_session_cookie() -> str:
    """Return the name of the cookie that ties a sign-in form to its browser."""
    return _host_prefix() + "lysbro-form"


def set_cookie(
    response: AnyResponse, name: str, value: str, *, max_age_s: int | None = None
) -> None:
    """Set a cookie that scripts cannot read and other sites cannot send along with a post."""
    response.set_cookie(
        name,
        value,
        max_age=max_age_s,
        path="/",
        secure=services().settings.https,
        httponly=True,
        samesite="Lax",
    )


def drop_cookie(response: AnyResponse, name: str) -> None:
    """Take a cookie back."""
    response.delete_cookie(
        name, path="/", secure=services().settings.https, httponly=True, samesite="Lax"
    )


def install(app: Flask) -> None:
    """Put the guard before every view of the application."""
    app.before_request(_identify)
    app.before_request(_refuse_strangers)
    app.before_request(_refuse_beyond_scope)
    app.before_request(_refuse_forged)
    app.after_request(_keep_pre_session)
    app.after_request(_challenge)
    app.jinja_env.globals["csrf_token"] = csrf_token
    app.context_processor(lambda: {"actor": actor_or_none()})


def _host_prefix() -> str:
    return "__Host-" if services().settings.https else ""


def _identify() -> None:
    if request.endpoint == "static":
        return
    known, now = services(), services().clock()
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        g.via = "bearer"
        bearer = known.people.bearer(token.strip(), now)
        if bearer is not None:
            g.actor, g.token_scopes = bearer.actor, bearer.scopes
        return
    session = request.cookies.get(session_cookie())
    found = known.people.actor_by_session(session, now) if session else None
    if found is not None:
        g.via = "session"
        g.actor, g.csrf = found


def _refuse_beyond_scope() -> None:
    """Refuse what a token that is limited to scopes does not cover."""
    scopes = g.get("token_scopes")
    if scopes is None or request.url_rule is None:
        return
    needed = needed_for(request.url_rule.rule, request.method)
    if needed != ANY_TOKEN and not covers(scopes, needed):
        error = InsufficientScope(needed)
        g.challenge = error.challenge
        raise error


def _refuse_forged() -> None:
    if request.method in _SAFE or g.get("via") == "bearer":
        return
    if not _same_origin():
        raise Refused("The request came from another site.", code="cross-site")
    expected = g.get("csrf") or request.cookies.get(pre_session_cookie(), "")
    given = request.headers.get(CSRF_HEADER) or (
        request.form.get(CSRF_FIELD, "") if _is_form() else ""
    )
    if not expected or not hmac.compare_digest(expected.encode(), given.encode()):
        raise Refused(
            "The page is out of date. Load it again and repeat what you did.", code="csrf"
        )


def _is_form() -> bool:
    return request.mimetype in {"application/x-www-form-urlencoded", "multipart/form-data"}


def _same_origin() -> bool:
    """Tell whether the browser says that our own page sent this; the token is asked for besides.

    Under `Referrer-Policy: no-referrer` a form posts `Origin: null` (Fetch, "append a request
    `Origin` header"), so that value says nothing.
    """
    fetch_site = request.headers.get("Sec-Fetch-Site")
    if fetch_site is not None:
        return fetch_site in {"same-origin", "none"}
    origin = request.headers.get("Origin")
    return origin in {None, "null"} or urlsplit(origin or "").netloc == request.host


def _refuse_strangers() -> None:
    if actor_or_none() is not None or request.endpoint in {None, "static"}:
        return
    view = current_app.view_functions.get(request.endpoint or "")
    if not getattr(view, _OPEN, False):
        raise NotSignedIn


def _challenge(response: Response) -> Response:
    """Say in whatever form the refusal has which scope the token lacks."""
    if "challenge" in g:
        response.headers["WWW-Authenticate"] = g.challenge
    return response


def _keep_pre_session(response: Response) -> Response:
    if "pre_session" in g and pre_session_cookie() not in request.cookies:
        set_cookie(response, pre_session_cookie(), g.pre_session)
    return response
