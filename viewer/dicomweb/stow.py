"""STOW-RS (PS3.18 section 10.5): objects come in through the same intake as C-STORE.

An object is named as stored only once it is durable. What was whole before a body broke off is kept
and told.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

import structlog
from flask import Blueprint, Response, current_app, request
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge
from werkzeug.http import parse_options_header

from casework.custody import Door, Origin
from casework.errors import Invalid, LysbroError, TooLarge, Unavailable
from storage.commit import no_room
from storage.disk import is_out_of_room
from storage.part10 import FileMeta, FileSource, read_file_meta, walk
from storage.set_aside import set_aside
from viewer.dicomweb import dicom_json, dicom_xml, model_answers, stow_model
from viewer.dicomweb.methods import BASE
from viewer.dicomweb.multipart import Part, read_parts, read_single
from viewer.dicomweb.silence import Body, SilenceWatch
from viewer.dicomweb.steady import SteadyStream
from viewer.dicomweb.stow_result import (
    NOT_UNDERSTOOD,
    OTHER_STUDY,
    OUT_OF_RESOURCES,
    Result,
    reason_of,
)
from viewer.guard import current_actor
from viewer.problems import LengthRequired, TooSlow, UnsupportedMedia
from viewer.services import services

log = structlog.get_logger()

_WATCH = "lysbro-silence"
_DICOM = "application/dicom"
_MULTIPART = "multipart/related"
_KINDS = frozenset({_DICOM, dicom_json.MEDIA_TYPE, dicom_xml.MEDIA_TYPE})


def add_to(bp: Blueprint) -> None:
    """Add the store routes."""
    bp.add_url_rule("/studies", "store", store, methods=["POST"])
    bp.add_url_rule("/studies/<study>", "store_in_study", store, methods=["POST"])


def store(study: str | None = None) -> Response:
    """Store the objects of the body and say of each what became of it."""
    answer_type = model_answers.chosen_type()
    kind, boundary = _form()
    archive = services().archive
    archive.spool.admit()
    origin, result = _origin(), Result(base=f"{request.url_root.rstrip('/')}{BASE}")
    with _body() as body, _until_it_breaks(result):
        if kind == _DICOM:
            folder = archive.data
            parts = (
                read_parts(body, boundary, folder=folder)
                if boundary
                else read_single(body, _DICOM, folder=folder)
            )
            for part in parts:
                _take(part, origin, study, result)
        else:
            stow_model.take(
                body, boundary, kind, origin=origin, study=study, result=result, base=request.url
            )
    if result.is_empty:
        raise Invalid("The body holds no object.", code="bad-request")
    archive.settle()
    aside = set_aside(archive.database, origin.site, result.received)
    _note(origin, result)
    return result.response(answer_type, set_aside=aside)


def _form() -> tuple[str, str]:
    """Return the media type of what is sent and its boundary, which a single object has not."""
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise UnsupportedMedia("Send the body without a content encoding.", code="encoded")
    media_type, options = parse_options_header(request.headers.get("Content-Type", ""))
    if media_type.lower() == _DICOM:
        if request.content_length is None:
            raise LengthRequired(
                "Send a single object with its Content-Length, or as multipart/related.",
                code="length-required",
            )
        return _DICOM, ""
    kind = options.get("type", _DICOM).lower()
    if media_type.lower() != _MULTIPART or kind not in _KINDS or not options.get("boundary"):
        raise UnsupportedMedia(
            'Send multipart/related; type="application/dicom" with a boundary, the same with '
            '"application/dicom+json" or "application/dicom+xml", or application/dicom.',
            code="unsupported-media",
        )
    return kind, options["boundary"]


@contextmanager
def _body() -> Iterator[SteadyStream]:
    settings = services().settings
    request.max_content_length = settings.max_stow_bytes
    original = request.environ.get("werkzeug.proxy_fix.orig", {})
    body = Body(
        address=str(original.get("REMOTE_ADDR") or request.remote_addr or ""),
        port=int(request.environ.get("SERVER_PORT") or 0),
        pause_s=settings.stow_pause_s,
        floor_rate=settings.stow_floor_rate,
    )
    watch: SilenceWatch = current_app.extensions.setdefault(_WATCH, SilenceWatch())
    stream = request.stream
    with watch.over(body):
        yield SteadyStream(stream, body, length=request.content_length)


@contextmanager
def _until_it_breaks(result: Result) -> Iterator[None]:
    """Keep what is stored when the rest cannot be; raise the reason when nothing was."""
    try:
        yield
    except OSError as error:
        if not is_out_of_room(error):
            raise
        _broke_off(result, no_room(), OUT_OF_RESOURCES)
    except TooSlow as error:
        _broke_off(result, error, OUT_OF_RESOURCES)
    except (Invalid, Unavailable) as error:
        _broke_off(result, error, reason_of(error))
    except HTTPException as error:
        if not result.has_stored:
            raise
        is_large = isinstance(error, RequestEntityTooLarge)
        result.broke_off(
            OUT_OF_RESOURCES if is_large else NOT_UNDERSTOOD,
            "The body is too large." if is_large else "The body is cut short.",
        )


def _broke_off(result: Result, error: LysbroError, reason: int) -> None:
    if not result.has_stored:
        raise error
    log.warning("store broke off", door="stow", code=error.code)
    result.broke_off(reason, error.message)


def _origin() -> Origin:
    actor = current_actor()
    return Origin(
        site=actor.site,
        door=Door.STOW,
        peer=request.remote_addr or "",
        association=secrets.token_hex(8),
        actor=actor.id,
    )


def _take(part: Part, origin: Origin, study: str | None, result: Result) -> None:
    """Store one Part 10 file, or note why not; no room ends a request."""
    if part.media_type != _DICOM or part.is_encoded:
        result.failed(NOT_UNDERSTOOD)
        return
    meta = _named(part.file)
    who = {} if meta is None else {
        "sop_class_uid": meta.sop_class_uid, "sop_instance_uid": meta.sop_instance_uid,
    }  # fmt: skip
    try:
        if study is not None and _study_of(part.file) != study:
            result.failed(OTHER_STUDY, **who)
            return
        result.stored(services().archive.receive_part10(part.file, origin))
    except TooLarge as error:
        result.failed(reason_of(error), **who)
    except Unavailable as error:
        if not result.has_stored:
            raise
        result.failed(OUT_OF_RESOURCES, **who)
        log.warning("object not stored", door="stow", code=error.code)
    except Invalid as error:
        result.failed(reason_of(error), **who)
        log.info("object refused", door="stow", code=error.code, site=origin.site)


def _note(origin: Origin, result: Result) -> None:
    services().ledger.append(
        None,
        actor=current_actor(),
        action="images-stored",
        subject=origin.association,
        site=origin.site,
        detail=result.counts(),
    )


def _named(file: BinaryIO) -> FileMeta | None:
    """Return what a file says it is, or None when it is no DICOM file."""
    try:
        return read_file_meta(_source(file))
    except Invalid:
        return None


def _study_of(file: BinaryIO) -> str:
    meta = read_file_meta(_source(file))
    dataset = _source(file, offset=meta.dataset_offset)
    return walk(dataset, transfer_syntax_uid=meta.transfer_syntax_uid).study_uid


def _source(file: BinaryIO, *, offset: int = 0) -> FileSource:
    size = os.fstat(file.fileno()).st_size
    return FileSource(file.fileno(), offset=offset, size=size - offset)
