"""The short way to one frame (WADO-RS): answered before Flask, whose work is most of the time.

Only the plain request that viewers send by the hundred: a GET of one frame, as stored or rendered,
or of metadata that are kept, by somebody known, of something within sight. Anything else, and
whatever goes wrong here, goes the long way, which decides and says what is to be said. Decides
nothing that the long way would decide otherwise: a test compares the two.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Sequence
from functools import lru_cache
from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple

from flask import Flask
from werkzeug.http import parse_cookie
from werkzeug.sansio.utils import host_is_trusted

from casework.access import scope_of
from casework.model import Actor
from storage.rows import InstanceRow
from viewer import cors, headers, metrics
from viewer.dicomweb import accept
from viewer.dicomweb.accept import Wanted
from viewer.dicomweb.addresses import FRAMES_NOTED, root_in
from viewer.dicomweb.bodies import boundary_of, caching
from viewer.dicomweb.dicom_json import MEDIA_TYPE
from viewer.dicomweb.frames import tag_of_frames
from viewer.dicomweb.kept import Address, Conditions, KeptMetadata
from viewer.dicomweb.metadata import KEPT, note_metadata
from viewer.dicomweb.model_answers import form_of_many
from viewer.dicomweb.multipart import around
from viewer.dicomweb.negotiation import form_of_frames
from viewer.dicomweb.noting import note_once
from viewer.dicomweb.rendered import tag_of_picture, takes_jpeg_first
from viewer.dicomweb.wado import FRAMES_ENDPOINT, RENDERED_ENDPOINT
from viewer.guard import session_cookie_name
from viewer.imaging import imaging
from viewer.picture import JPEG, Asked
from viewer.services import Services
from viewer.sight import Sight

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_UID = r"([0-9.]{1,64})"
_PATH = re.compile(
    f"/dicom-web/studies/{_UID}/series/{_UID}/instances/{_UID}/frames/([1-9][0-9]{{0,8}})"
    "(/rendered)?"
)
_METADATA = re.compile(f"/dicom-web/studies/{_UID}(?:/series/{_UID})?/metadata")
_ELSEWHERE = ("HTTP_RANGE", "HTTP_IF_RANGE", "HTTP_IF_MATCH", "HTTP_IF_MODIFIED_SINCE")
_Answer = tuple[list[tuple[str, str]], list[bytes]]
"""The headers and the body of an answer."""


class _Short(NamedTuple):
    """What is answered without Flask."""

    status: int
    headers: list[tuple[str, str]]
    body: list[bytes]
    endpoint: str


class FrameLane:
    """Stands before the application and answers the plain requests for a frame itself."""

    def __init__(self, app: Flask, known: Services) -> None:
        self._long_way: WSGIApplication = app.wsgi_app
        self._app = app
        self._services = known
        self._sight = Sight(known)
        self._kept: KeptMetadata = app.extensions[KEPT]
        self._cookie = session_cookie_name(https=known.settings.https)
        fixed = headers.of_every_answer(https=known.settings.https)
        self._fixed = [header for header in fixed if header[0] != "Cache-Control"]
        self._trusts = lru_cache(maxsize=64)(self._is_trusted)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a frame or metadata, or hand the request on."""
        path = environ.get("PATH_INFO", "")
        if path.startswith("/dicom-web/") and environ["REQUEST_METHOD"] == "GET":
            started = time.perf_counter()
            try:
                short = self._answer(environ, path)
            except Exception:  # noqa: BLE001 - the long way meets it again, and tells of it
                short = None
            if short is not None:
                origin = environ.get("HTTP_ORIGIN", "")
                shared = cors.headers_for(origin, path, self._services.settings.cors_origins)
                status = f"{short.status} {HTTPStatus(short.status).phrase}"
                start_response(status, cors.added_to(short.headers, shared))
                taken_s = time.perf_counter() - started
                metrics.count(self._app.extensions, short.endpoint, short.status, taken_s)
                return short.body
        return self._long_way(environ, start_response)

    def _answer(self, environ: WSGIEnvironment, path: str) -> _Short | None:
        found = _PATH.fullmatch(path)
        if found is not None and "HTTP_IF_NONE_MATCH" not in environ:
            return self._frame(environ, *found.groups())
        found = _METADATA.fullmatch(path)
        return self._metadata(environ, *found.groups()) if found is not None else None

    def _frame(
        self,
        environ: WSGIEnvironment,
        study: str,
        series: str,
        instance: str,
        number: str,
        rendered: str | None,
    ) -> _Short | None:
        actor = self._caller(environ)
        if actor is None:
            return None
        row = self._sight.instance(actor, study, series, instance)
        if row is None:
            return None
        ranges = _ranges(environ)
        answer = (self._rendered if rendered else self._stored)(row, int(number), ranges)
        if answer is None:
            return None
        note_once(self._app.extensions, self._services, actor, FRAMES_NOTED, study, series)
        told, body = answer
        length = ("Content-Length", str(sum(map(len, body))))
        endpoint = RENDERED_ENDPOINT if rendered else FRAMES_ENDPOINT
        return _Short(200, [*told, length, *self._fixed], body, endpoint)

    def _metadata(self, environ: WSGIEnvironment, study: str, series: str | None) -> _Short | None:
        actor = self._caller(environ, is_anew=True)
        if actor is None or form_of_many(_ranges(environ)) != MEDIA_TYPE:
            return None
        address = Address(scope_of(actor), study, series, root=root_in(environ))
        answer = self._kept.find(address, Conditions.of(environ))
        if answer is None:
            return None
        note_metadata(self._app.extensions, self._services, actor, address)
        about = [*answer.headers, *self._fixed]
        body: list[bytes] = []
        if answer.status != HTTPStatus.NOT_MODIFIED:
            about.append(("Content-Length", str(len(answer.body))))
            body.append(answer.body)
        return _Short(
            answer.status, about, body, f"dicomweb.metadata_{'series' if series else 'study'}"
        )

    def _stored(self, row: InstanceRow, number: int, ranges: Sequence[Wanted]) -> _Answer | None:
        form = form_of_frames(row, ranges, may_be_single=True)
        if form.is_made or form.media_type.startswith("video/"):
            return None
        read = self._services.archive.read_frame(row, number)
        if read.transfer_syntax_uid != row.transfer_syntax_uid:
            return None
        tag = tag_of_frames(row, [number], form)
        if form.is_single:
            whole = [("Content-Type", form.content_type), ("Accept-Ranges", "bytes")]
            return whole + caching(tag), [read.data]
        boundary = boundary_of(tag)
        before, behind = around(boundary, f"Content-Type: {form.content_type}")
        content_type = f'multipart/related; type="{form.media_type}"; boundary={boundary}'
        return [("Content-Type", content_type), *caching(tag)], [before, read.data, behind]

    def _rendered(self, row: InstanceRow, number: int, ranges: Sequence[Wanted]) -> _Answer | None:
        if not takes_jpeg_first(ranges):
            return None
        with self._app.app_context():
            renderer = imaging().renderer
        told = [("Content-Type", JPEG), ("Accept-Ranges", "bytes")]
        tag = tag_of_picture(row, number, Asked(), JPEG)
        return told + caching(tag), [renderer.rendered(row, number)]

    def _caller(self, environ: WSGIEnvironment, *, is_anew: bool = False) -> Actor | None:
        """Return who asks plainly, or None; as of now, or of a moment ago."""
        if environ.get("QUERY_STRING") or environ.get("SCRIPT_NAME"):
            return None
        if any(name in environ for name in _ELSEWHERE) or not self._trusts(_host(environ)):
            return None
        scheme, _, token = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
        if scheme.lower() == "bearer":
            return self._sight.actor(bearer=token.strip(), is_anew=is_anew)
        session = parse_cookie(environ.get("HTTP_COOKIE", "")).get(self._cookie)
        return self._sight.actor(session=session, is_anew=is_anew) if session else None

    def _is_trusted(self, host: str) -> bool:
        hosts = self._services.settings.trusted_hosts
        return not hosts or host_is_trusted(host, list(hosts))


def _ranges(environ: WSGIEnvironment) -> Sequence[Wanted]:
    return accept.ranges_of(environ.get("HTTP_ACCEPT") or accept.ANY)


def _host(environ: WSGIEnvironment) -> str:
    return str(environ.get("HTTP_HOST", ""))
