"""STOW-RS (PS3.18 section 10.5): objects come in through the same intake as C-STORE.

An object is named as stored only once it is durable.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from typing import Any, BinaryIO

import structlog
from flask import Blueprint, Response, json, request
from werkzeug.http import parse_options_header

from casework.custody import Door, Origin, Receipt
from casework.errors import Invalid, TooLarge, Unavailable
from storage.part10 import FileMeta, FileSource, read_file_meta, walk
from viewer.dicomweb import dicom_json
from viewer.dicomweb.multipart import Part, read_parts, read_single
from viewer.guard import current_actor
from viewer.problems import UnsupportedMedia
from viewer.services import services

log = structlog.get_logger()

_DICOM = "application/dicom"
_OUT_OF_RESOURCES = 0xA700
_DOES_NOT_MATCH = 0xA900
_NOT_UNDERSTOOD = 0xC000
_OTHER_STUDY = 0xC409


def add_to(bp: Blueprint) -> None:
    """Add the store routes."""
    bp.add_url_rule("/studies", "store", store, methods=["POST"])
    bp.add_url_rule("/studies/<study>", "store_in_study", store, methods=["POST"])


def store(study: str | None = None) -> Response:
    """Store the objects of the body and say of each what became of it."""
    request.max_content_length = services().settings.max_stow_bytes
    origin = _origin()
    result = _Result(study)
    for part in _parts():
        result.take(part, origin)
    if result.empty:
        raise Invalid("The body holds no object.", code="bad-request")
    services().archive.settle()
    _note(origin, result)
    return result.response()


def _origin() -> Origin:
    actor = current_actor()
    return Origin(
        site=actor.site,
        door=Door.STOW,
        peer=request.remote_addr or "",
        association=secrets.token_hex(8),
        actor=actor.id,
    )


def _parts() -> Iterator[Part]:
    media_type, options = parse_options_header(request.headers.get("Content-Type", ""))
    if media_type == _DICOM:
        return read_single(request.stream, _DICOM)
    kind = options.get("type", _DICOM).lower()
    if media_type != "multipart/related" or kind != _DICOM or not options.get("boundary"):
        raise UnsupportedMedia(
            'Send multipart/related; type="application/dicom" with a boundary, or '
            "application/dicom.",
            code="unsupported-media",
        )
    return read_parts(request.stream, options["boundary"])


class _Result:
    """What became of each object, as PS3.18 table 10.5.3-2 says it."""

    def __init__(self, study: str | None) -> None:
        self._study = study
        self._stored: list[dict[str, Any]] = []
        self._failed: list[dict[str, Any]] = []
        self._unnamed: list[dict[str, Any]] = []
        self._warned = False
        self._studies: set[str] = set()

    @property
    def empty(self) -> bool:
        """Tell whether there was no object at all."""
        return not (self._stored or self._failed or self._unnamed)

    def counts(self) -> dict[str, int]:
        """Return how many objects were stored and how many not."""
        return {"stored": len(self._stored), "failed": len(self._failed) + len(self._unnamed)}

    def take(self, part: Part, origin: Origin) -> None:
        """Store one part, or note why not; a full spool ends a request that stored nothing."""
        if part.media_type != _DICOM:
            self._unnamed.append({"FailureReason": _NOT_UNDERSTOOD})
            return
        named = _named(part.file)
        try:
            if self._study is not None and _study_of(part.file) != self._study:
                self._fail(named, _OTHER_STUDY)
                return
            self._store(services().archive.receive_part10(part.file, origin))
        except Unavailable as error:
            if not self._stored:
                raise
            self._fail(named, _OUT_OF_RESOURCES)
            log.warning("object not stored", door="stow", code=error.code)
        except Invalid as error:
            self._fail(named, _reason(error))
            log.info("object refused", door="stow", code=error.code, site=origin.site)

    def response(self) -> Response:
        """Return 200 when all were stored, 202 for some or with warnings, 409 for none."""
        failed = bool(self._failed or self._unnamed)
        status = 409 if not self._stored else 202 if failed or self._warned else 200
        values: dict[str, Any] = {}
        if len(self._studies) == 1:
            values["RetrieveURL"] = _address(next(iter(self._studies)))
        sequences = (
            ("ReferencedSOPSequence", self._stored),
            ("FailedSOPSequence", self._failed),
            ("OtherFailuresSequence", self._unnamed),
        )
        values |= {keyword: items for keyword, items in sequences if items}
        return Response(
            json.dumps(dicom_json.to_json(values)),
            status=status,
            content_type=dicom_json.MEDIA_TYPE,
        )

    def _store(self, receipt: Receipt) -> None:
        address = (
            f"{_address(receipt.study_uid)}/series/{receipt.series_uid}"
            f"/instances/{receipt.sop_instance_uid}"
        )
        item: dict[str, Any] = {
            "ReferencedSOPClassUID": receipt.sop_class_uid,
            "ReferencedSOPInstanceUID": receipt.sop_instance_uid,
            "RetrieveURL": address,
        }
        if receipt.warning:
            self._warned = True
            item["WarningReason"] = 0xB007
        self._stored.append(item)
        self._studies.add(receipt.study_uid)

    def _fail(self, named: FileMeta | None, reason: int) -> None:
        if named is None or not named.sop_instance_uid:
            self._unnamed.append({"FailureReason": reason})
            return
        self._failed.append(
            {
                "ReferencedSOPClassUID": named.sop_class_uid,
                "ReferencedSOPInstanceUID": named.sop_instance_uid,
                "FailureReason": reason,
            }
        )


def _note(origin: Origin, result: _Result) -> None:
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


def _reason(error: Invalid) -> int:
    if isinstance(error, TooLarge):
        return _OUT_OF_RESOURCES
    return _DOES_NOT_MATCH if error.code == "uid-mismatch" else _NOT_UNDERSTOOD


def _address(study_uid: str) -> str:
    return f"{request.url_root.rstrip('/')}/dicom-web/studies/{study_uid}"
