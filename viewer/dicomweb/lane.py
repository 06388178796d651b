"""The short way to one frame (WADO-RS): answered before Flask, whose work is most of the time.

Only the plain request that viewers send by the hundred: a GET of one frame, as it is stored, by
somebody known, of something within sight. Anything else, and whatever goes wrong here, goes the
long way, which decides and says what is to be said. Decides nothing that the long way would decide
otherwise: a test compares the two.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING

from flask import Flask
from werkzeug.http import parse_cookie
from werkzeug.sansio.utils import host_is_trusted

from casework.model import Actor
from storage.rows import InstanceRow
from viewer import headers, metrics
from viewer.dicomweb import accept
from viewer.dicomweb.multipart import around, new_boundary
from viewer.dicomweb.noting import note_once
from viewer.dicomweb.wado import FRAMES_ENDPOINT, FRAMES_NOTED, form_of_frames
from viewer.guard import session_cookie_name
from viewer.services import Services
from viewer.sight import Sight

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_UID = r"([0-9.]{1,64})"
_PATH = re.compile(
    f"/dicom-web/studies/{_UID}/series/{_UID}/instances/{_UID}/frames/([1-9][0-9]{{0,8}})"
)
_ELSEWHERE = ("HTTP_RANGE", "HTTP_IF_NONE_MATCH", "HTTP_IF_MATCH", "HTTP_IF_MODIFIED_SINCE")


class FrameLane:
    """Stands before the application and answers the plain requests for a frame itself."""

    def __init__(self, app: Flask, known: Services) -> None:
        self._long_way: WSGIApplication = app.wsgi_app
        self._app = app
        self._services = known
        self._sight = Sight(known)
        self._cookie = session_cookie_name(https=known.settings.https)
        self._fixed = headers.of_every_answer(https=known.settings.https)
        self._trusts = lru_cache(maxsize=64)(self._is_trusted)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a frame, or hand the request on."""
        path = environ.get("PATH_INFO", "")
        if path.startswith("/dicom-web/") and environ["REQUEST_METHOD"] == "GET":
            found = _PATH.fullmatch(path)
            if found is not None:
                started = time.perf_counter()
                study, series, instance, number = found.groups()
                try:
                    answer = self._answer(environ, study, series, instance, int(number))
                except Exception:  # noqa: BLE001 - the long way meets it again, and tells of it
                    answer = None
                if answer is not None:
                    content_type, body = answer
                    length = str(sum(map(len, body)))
                    start_response(
                        "200 OK",
                        [
                            ("Content-Type", content_type),
                            ("Content-Length", length),
                            *self._fixed,
                        ],
                    )
                    taken_s = time.perf_counter() - started
                    metrics.count(self._app.extensions, FRAMES_ENDPOINT, 200, taken_s)
                    return body
        return self._long_way(environ, start_response)

    def _answer(
        self, environ: WSGIEnvironment, study: str, series: str, instance: str, number: int
    ) -> tuple[str, list[bytes]] | None:
        if environ.get("QUERY_STRING") or environ.get("SCRIPT_NAME"):
            return None
        if any(name in environ for name in _ELSEWHERE) or not self._trusts(_host(environ)):
            return None
        actor = self._caller(environ)
        if actor is None:
            return None
        row = self._sight.instance(actor, study, series, instance)
        if row is None:
            return None
        media_type, is_single = _form(row, environ.get("HTTP_ACCEPT") or accept.ANY)
        frame = self._services.archive.read_frame(row, number).data
        note_once(self._app.extensions, self._services, actor, FRAMES_NOTED, study, series)
        content_type = f"{media_type}; transfer-syntax={row.transfer_syntax_uid}"
        if is_single:
            return content_type, [frame]
        boundary = new_boundary()
        before, behind = around(boundary, f"Content-Type: {content_type}")
        whole = f'multipart/related; type="{media_type}"; boundary={boundary}'
        return whole, [before, frame, behind]

    def _caller(self, environ: WSGIEnvironment) -> Actor | None:
        scheme, _, token = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
        if scheme.lower() == "bearer":
            return self._sight.actor(bearer=token.strip())
        session = parse_cookie(environ.get("HTTP_COOKIE", "")).get(self._cookie)
        return self._sight.actor(session=session) if session else None

    def _is_trusted(self, host: str) -> bool:
        hosts = self._services.settings.trusted_hosts
        return not hosts or host_is_trusted(host, list(hosts))


def _host(environ: WSGIEnvironment) -> str:
    return str(environ.get("HTTP_HOST", ""))


def _form(row: InstanceRow, text: str) -> tuple[str, bool]:
    return form_of_frames(row, accept.ranges_of(text), may_be_single=True)
