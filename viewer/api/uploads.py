"""The calls by which a photograph comes in pieces, over a connection that may break at any byte.

In the manner of the IETF's resumable uploads: `Upload-Offset` says where a piece begins and how
much is here. What is whole is taken in as `POST /api/cases/ID/photos` takes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, request
from werkzeug.wrappers import Response as AnyResponse

from casework.errors import Invalid, TooLarge
from casework.identifiers import derived_uid
from casework.model import Case
from storage.uploads import Announced, Upload, WrongOffset
from viewer.api.bodies import PhotoForm, PieceQuery, UploadBody
from viewer.api.calls import answer, describe, read_body, read_query
from viewer.api.referrals import facts_of, limit_of, taken_of
from viewer.api.shapes import PhotoTaken, UploadShape
from viewer.error_words import error_in
from viewer.guard import current_actor, current_scope
from viewer.languages import language
from viewer.problems import problem
from viewer.services import required_photos, required_uploads, services

bp = Blueprint("api_uploads", __name__, url_prefix="/api")

PIECE = "application/partial-upload"
_OWN = frozenset({"bytes", "sha256"})


@bp.post("/cases/<case_id>/uploads")
@describe(
    "Announce a photograph that will come in pieces",
    body=UploadBody,
    answers={201: UploadShape, 200: UploadShape},
)
def begin_upload(case_id: str) -> Response:
    """Begin an upload; the same capture_id again tells how much of it is here."""
    body, case, actor = read_body(UploadBody), _wanted(case_id), current_actor()
    announced = Announced(
        case_id=case.id,
        actor_id=actor.id,
        capture_id=body.capture_id,
        size_bytes=body.bytes,
        sha256=body.sha256,
        form=body.model_dump(mode="json", exclude=set(_OWN)),
    )
    if (known := services().casebook.capture(case.id, body.capture_id)) is not None:
        return _answer(_taken_before(announced, case, known), 200)
    limit_bytes = limit_of(body.kind)
    if body.bytes > limit_bytes:
        raise TooLarge(
            f"The file is larger than {limit_bytes >> 20} MB. Send a smaller one.", code="too-large"
        )
    begun = required_uploads().begin(announced)
    return _answer(begun, 200 if begun.offset_bytes or begun.made else 201)


@bp.get("/uploads/<upload_id>")
@describe("How much of a photograph is here", answers={200: UploadShape})
def look_at_upload(upload_id: str) -> Response:
    """Tell where the next piece begins."""
    return _answer(required_uploads().find(upload_id, current_actor().id), 200)


@bp.patch("/uploads/<upload_id>")
@bp.put("/uploads/<upload_id>")
@describe(
    "Send a piece of a photograph",
    query=PieceQuery,
    bare=PIECE,
    answers={200: UploadShape, 201: PhotoTaken},
    request_headers={"Upload-Offset": "where the piece begins, if `offset` does not say so"},
)
def send_piece(upload_id: str) -> AnyResponse:
    """Keep a piece; the last one makes the photograph an object of its case."""
    uploads, actor = required_uploads(), current_actor()
    begun = uploads.find(upload_id, actor.id)
    case = _wanted(begun.announced.case_id)
    try:
        found = uploads.append(upload_id, actor.id, _piece(), offset_bytes=_offset())
        if found.offset_bytes < found.announced.size_bytes:
            return _answer(found, 200)
        done = uploads.finish(upload_id, actor.id, lambda data: _take(case, found, data))
    except WrongOffset as error:
        return _misplaced(error)
    return _with_headers(answer(_photo_of(done), 201), done)


@bp.delete("/uploads/<upload_id>")
@describe("Forget what has come of a photograph", answers={204: "text/plain"})
def drop_upload(upload_id: str) -> Response:
    """Forget an upload that is not to be ended."""
    required_uploads().drop(upload_id, current_actor().id)
    return Response(status=204)


def _wanted(case_id: str) -> Case:
    """Return a case that takes photographs of the one who asks."""
    case = services().casebook.dossier(current_scope(), case_id).case
    services().casebook.require_photographs_wanted(current_actor(), case)
    return case


def _offset() -> int:
    said = read_query(PieceQuery).offset
    if said is not None:
        return said
    header = request.headers.get("Upload-Offset", "")
    if not header.isdecimal() or len(header) > 15:
        raise Invalid("Say where the piece begins: ?offset= or Upload-Offset.", code="bad-request")
    return int(header)


def _piece() -> bytes:
    limit_bytes = required_uploads().chunk_bytes
    if (request.content_length or 0) > limit_bytes:
        raise TooLarge(
            f"A piece has at most {limit_bytes} bytes. Send less.", code="piece-too-large"
        )
    request.max_content_length = limit_bytes
    return request.get_data(cache=False)


def _take(case: Case, upload: Upload, data: bytes) -> Mapping[str, Any]:
    form = PhotoForm.model_validate(dict(upload.announced.form))
    taken = required_photos().take(current_actor(), case, data, facts_of(form))
    return taken_of(taken).model_dump(mode="json")


def _taken_before(announced: Announced, case: Case, sop_instance_uid: str) -> Upload:
    """Return the upload of what is an object already, by whichever door it came."""
    made = {
        "sop_instance_uid": sop_instance_uid,
        "study_instance_uid": derived_uid("study", case.id),
        "advice": [],
    }
    now = services().clock()
    return Upload(announced.upload_id, announced, now, announced.size_bytes, made)


def _photo_of(upload: Upload) -> PhotoTaken:
    return PhotoTaken.model_validate(upload.made)


def _answer(upload: Upload, status: int) -> Response:
    shape = UploadShape(
        upload_id=upload.id,
        offset=upload.offset_bytes,
        bytes=upload.announced.size_bytes,
        complete=upload.made is not None,
        chunk_bytes=required_uploads().chunk_bytes,
        photo=None if upload.made is None else _photo_of(upload),
    )
    return _with_headers(answer(shape, status, Location=f"/api/uploads/{upload.id}"), upload)


def _with_headers(response: Response, upload: Upload) -> Response:
    response.headers["Upload-Offset"] = str(upload.offset_bytes)
    response.headers["Upload-Length"] = str(upload.announced.size_bytes)
    response.headers["Upload-Complete"] = "?0" if upload.made is None else "?1"
    response.headers["Upload-Limit"] = f"max-append-size={required_uploads().chunk_bytes}"
    return response


def _misplaced(error: WrongOffset) -> Response:
    said = error_in(error.message, language())
    response = problem(409, said, code=error.code, state="", offset=error.offset_bytes)
    response.headers["Upload-Offset"] = str(error.offset_bytes)
    return response
