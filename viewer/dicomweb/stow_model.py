"""Objects that come as metadata and bulk data (PS3.18 section 10.5.2): each made whole, and stored.

The parts lie in one file until all have come, since metadata stands before what it refers to.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

import structlog

from casework.custody import Origin
from casework.errors import Invalid, TooLarge, Unavailable
from viewer.dicomweb import dicom_json, model_answers, native_xml
from viewer.dicomweb.assemble import Named, assemble, named
from viewer.dicomweb.bulk import Shelf
from viewer.dicomweb.multipart import Piece, Readable, read_onto
from viewer.dicomweb.stow_result import (
    NOT_UNDERSTOOD,
    OTHER_STUDY,
    OUT_OF_RESOURCES,
    Result,
    reason_of,
)
from viewer.services import services

log = structlog.get_logger()

MAX_METADATA_BYTES = 16 << 20
"""The largest part of metadata: it is read whole."""


def take(
    body: Readable,
    boundary: str,
    metadata_type: str,
    *,
    origin: Origin,
    study: str | None,
    result: Result,
    base: str,
) -> None:
    """Store each object of the body, or note why not; a body that breaks off is raised at the end.

    An object of which all parts have come before that is stored.
    """
    with tempfile.TemporaryFile(dir=services().archive.data) as file:
        shelf, broken = Shelf(file, base=base), None
        metadata: list[Piece] = []
        try:
            for piece in read_onto(body, boundary, file):
                if piece.head.media_type == metadata_type:
                    metadata.append(piece)
                else:
                    shelf.put(piece)
        except Exception as error:  # noqa: BLE001 - raised again, once what has come is stored
            broken = error
        file.flush()
        if metadata and not isinstance(broken, OSError):
            _take_each(metadata, metadata_type, shelf, origin=origin, study=study, result=result)
        if broken is not None:
            raise broken
        if not metadata:
            raise Invalid(f"No part of the body is {metadata_type}.", code="bad-request")
        for _ in range(shelf.unasked()):
            result.failed(NOT_UNDERSTOOD)


def _take_each(
    metadata: list[Piece],
    metadata_type: str,
    shelf: Shelf,
    *,
    origin: Origin,
    study: str | None,
    result: Result,
) -> None:
    for piece in metadata:
        try:
            datasets = list(_datasets(piece, metadata_type, shelf))
        except Invalid as error:
            if len(metadata) == 1:
                raise
            result.failed(reason_of(error))
            continue
        for dataset in datasets:
            _take_one(dataset, shelf, origin=origin, study=study, result=result)


def _datasets(piece: Piece, metadata_type: str, shelf: Shelf) -> Iterator[Mapping[str, Any]]:
    if piece.length > MAX_METADATA_BYTES:
        raise TooLarge(
            f"A part of metadata has more than {MAX_METADATA_BYTES >> 20} MiB. Send large values "
            "as bulk data.",
            code="too-large",
        )
    if piece.head.is_encoded:
        raise Invalid("Send metadata without a content encoding.", code="bad-request")
    text = shelf.source(piece).read_at(0, piece.length)
    if metadata_type == dicom_json.MEDIA_TYPE:
        yield from model_answers.read_json(text)
    else:
        yield native_xml.read_xml(text)


def _take_one(
    dataset: Mapping[str, Any], shelf: Shelf, *, origin: Origin, study: str | None, result: Result
) -> None:
    who = named(dataset)
    names = {"sop_class_uid": who.sop_class_uid, "sop_instance_uid": who.sop_instance_uid}
    try:
        with tempfile.TemporaryFile(dir=services().archive.data) as file:
            syntax = assemble(dataset, shelf, file)
            if study is not None and who.study_uid != study:
                result.failed(OTHER_STUDY, **names)
                return
            file.seek(0)
            _store(file, who, syntax, origin=origin, result=result)
    except Unavailable as error:
        if not result.has_stored:
            raise
        result.failed(OUT_OF_RESOURCES, **names)
        log.warning("object not stored", door="stow", code=error.code)
    except Invalid as error:
        result.failed(reason_of(error), **names)
        log.info("object refused", door="stow", code=error.code, site=origin.site)


def _store(file: BinaryIO, who: Named, syntax: str, *, origin: Origin, result: Result) -> None:
    receipt = services().archive.receive(
        file,
        origin,
        sop_class_uid=who.sop_class_uid,
        sop_instance_uid=who.sop_instance_uid,
        transfer_syntax_uid=syntax,
    )
    result.stored(receipt)
