"""The short way to one frame (WADO-RS): answered before Flask, whose work is most of the time.

Only the plain request that viewers send by the hundred: a GET of one frame, as stored or rendered,
by somebody known, of something within sight. Anything else, and whatever goes wrong here, goes the
long way, which decides and says what is to be said. Decides nothing that the long way would decide
otherwise: a test compares the two.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from flask import Flask
from werkzeug.http import parse_cookie
from werkzeug.sansio.utils import host_is_trusted

from casework.model import Actor
from storage.rows import InstanceRow
from viewer import cors, headers, metrics
from viewer.dicomweb import accept
from viewer.dicomweb.accept import Wanted
from viewer.dicomweb.multipart import around, new_boundary
from viewer.dicomweb.noting import note_once
from viewer.dicomweb.wado import (
    FRAMES_ENDPOINT,
    FRAMES_NOTED,
    JPEG,
    RENDERED_ENDPOINT,
    form_of_frames,
    takes_jpeg,
)
from viewer.guard import session_cookie_name
from viewer.imaging import imaging
from viewer.services import Services
from viewer.sight import Sight

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_UID = r"([0-9.]{1,64})"
_PATH = re.compile(
    f"/dicom-web/studies/{_UID}/series/{_UID}/instances/{_UID}/frames/([1-9][0-9]{{0,8}})"
    "(/rendered)?"
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
                try:
                    answer = self._answer(environ, *found.groups())
                except Exception:  # noqa: BLE001 - the long way meets it again, and tells of it
                    answer = None
                if answer is not None:
                    content_type, body = answer
                    length = ("Content-Length", str(sum(map(len, body))))
                    origin = environ.get("HTTP_ORIGIN", "")
                    shared = cors.headers_for(origin, path, self._services.settings.cors_origins)
                    fixed = (*self._fixed, *shared)
                    start_response("200 OK", [("Content-Type", content_type), length, *fixed])
                    endpoint = RENDERED_ENDPOINT if found.group(5) else FRAMES_ENDPOINT
                    taken_s = time.perf_counter() - started
                    metrics.count(self._app.extensions, endpoint, 200, taken_s)
                    return body
        return self._long_way(environ, start_response)

    def _answer(
        self,
        environ: WSGIEnvironment,
        study: str,
        series: str,
        instance: str,
        number: str,
        rendered: str | None,
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
        ranges = accept.ranges_of(environ.get("HTTP_ACCEPT") or accept.ANY)
        answer = (self._rendered if rendered else self._stored)(row, int(number), ranges)
        if answer is not None:
            note_once(self._app.extensions, self._services, actor, FRAMES_NOTED, study, series)
        return answer

    def _stored(
        self, row: InstanceRow, number: int, ranges: Sequence[Wanted]
    ) -> tuple[str, list[bytes]] | None:
        if row.received is not None:  # it may be asked for as it came, too
            return None
        media_type, is_single, _ = form_of_frames(row, ranges, may_be_single=True)
        read = self._services.archive.read_frame(row, number)
        if read.transfer_syntax_uid != row.transfer_syntax_uid:
            return None
        frame = read.data
        content_type = f"{media_type}; transfer-syntax={row.transfer_syntax_uid}"
        if is_single:
            return content_type, [frame]
        boundary = new_boundary()
        before, behind = around(boundary, f"Content-Type: {content_type}")
        whole = f'multipart/related; type="{media_type}"; boundary={boundary}'
        return whole, [before, frame, behind]

    def _rendered(
        self, row: InstanceRow, number: int, ranges: Sequence[Wanted]
    ) -> tuple[str, list[bytes]] | None:
        if not takes_jpeg(ranges):
            return None
        with self._app.app_context():
            renderer = imaging().renderer
        return JPEG, [renderer.rendered(row, number)]

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
