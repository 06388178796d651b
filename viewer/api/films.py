"""The call that plays a film: its stream as it is kept, whole or in parts, for a player."""

from __future__ import annotations

from functools import partial

from flask import Blueprint, Response, request

from casework.errors import NotFound
from viewer.api.calls import describe
from viewer.dicomweb import video
from viewer.dicomweb.bodies import single, tag_of
from viewer.guard import current_scope
from viewer.manifest import kind_of
from viewer.services import services

bp = Blueprint("api_films", __name__, url_prefix="/api")

_MP4 = "video/mp4"


@bp.get("/instances/<uid>/video")
@describe(
    "A film as it is kept (MP4)",
    answers={200: _MP4, 206: _MP4},
    request_headers={"Range": "a part of the bytes"},
)
def film(uid: str) -> Response:
    """Give the stream of a film, or the part that the player asks for; no browser keeps it."""
    row = services().index.instance(current_scope(), uid, request.args.get("site") or None)
    if kind_of(row) != "video":
        raise NotFound("The object is no film that can be played.", code="no-video")
    archive = services().archive
    spans = video.spans_of(archive, row)
    response = single(
        _MP4,
        partial(video.stream, archive, row, spans),
        length=sum(size for _, size in spans),
        tag=tag_of(row, "film"),
    )
    response.headers["Cache-Control"] = "no-store"
    return response
