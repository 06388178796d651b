"""The headers of instances (PS3.18 section 10.4.1.1.2) as DICOM JSON or as the native DICOM model.

Bulk data is named by its address; nothing of the pixels is read. The JSON of a series is derived
once, and kept (`viewer.dicomweb.kept`).
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, MutableMapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import chain
from typing import Any

import structlog
from flask import Blueprint, Flask, Response, current_app, request, stream_with_context

from casework.errors import Invalid
from casework.model import Actor
from storage.archive import Archive
from storage.dicom_json import dicom_json as dataset_json
from storage.fingerprint import fingerprint_of
from storage.header import INDEXED_KEYWORDS
from storage.objects import is_local
from storage.part10 import DEFLATED_LE, BytesSource
from storage.rows import InstanceRow
from viewer.dicomweb import dicom_json, dicom_xml
from viewer.dicomweb.addresses import LEVELS, note_retrieved_once, root_address, rows_of
from viewer.dicomweb.bulk_addresses import PIXELS, bulk_address
from viewer.dicomweb.kept import Address, Answer, Conditions, KeptMetadata
from viewer.dicomweb.model_answers import chosen_for_many, parts_of_xml
from viewer.dicomweb.noting import note_once
from viewer.guard import current_scope
from viewer.pixels import PARAMETRIC_MAP
from viewer.problems import NotAcceptable
from viewer.services import Services, services

log = structlog.get_logger()

KEPT = "lysbro-metadata"
_NOTED = "metadata-retrieved"
_FLOATS = {32: ("7FE00008", "OF"), 64: ("7FE00009", "OD")}
_HELD_CHARS = 32 << 20
"""The longest answer that is made whole before any of it is sent, and so has a version."""

_PIXEL_TAGS = frozenset(
    bytes.fromhex(tag) for tag in ("e07f1000", "e07f0800", "e07f0900", "7fe00010")
)

_REQUESTS, _AHEAD = 8, 64


def add_to(bp: Blueprint) -> None:
    """Add the routes of metadata."""
    for level, rule in LEVELS:
        bp.add_url_rule(rule + "/metadata", f"metadata_{level}", metadata)


def metadata(study: str, series: str | None = None, instance: str | None = None) -> Response:
    """Return the headers of instances, in the form that is wanted most."""
    _require_utf8()
    media_type = chosen_for_many("Metadata comes")
    address = Address(current_scope(), study, series, instance, root=root_address())
    if media_type == dicom_xml.MEDIA_TYPE:
        return _as_xml(address)
    conditions = Conditions.of(request.environ)
    answer = kept_metadata().find(address, conditions)
    if answer is not None:
        note_retrieved_once(_NOTED, study, series)
        return _response(answer)
    rows = rows_of(study, series, instance)
    note_retrieved_once(_NOTED, study, series)
    begun, following, is_sound = _derived(rows, address.root)
    if following is not None:
        return Response(
            stream_with_context(chain(begun, following)), content_type=dicom_json.MEDIA_TYPE
        )
    body = "".join(begun).encode("ascii")
    if not is_sound:  # another day it may be read
        return Response(body, content_type=dicom_json.MEDIA_TYPE)
    fingerprint = fingerprint_of(rows)
    return _response(kept_metadata().keep(address, conditions, fingerprint, body))


def _require_utf8() -> None:
    """Refuse who takes no UTF-8, in which both forms are (PS3.18 section 8.3.3.2)."""
    charsets = [c.strip().lower() for c in request.args.get("charset", "").split(",") if c.strip()]
    if charsets and not {"utf-8", "utf8", "iso_ir 192", "*"} & set(charsets):
        raise NotAcceptable("Metadata comes in UTF-8.", code="not-acceptable")


def _as_xml(address: Address) -> Response:
    rows = rows_of(address.study_uid, address.series_uid, address.sop_instance_uid)
    note_retrieved_once(_NOTED, address.study_uid, address.series_uid)
    headers = _headers(services().archive, rows, address.root)
    return parts_of_xml(header for header, _ in headers)


def kept_metadata() -> KeptMetadata:
    """Return the kept metadata of the application that serves this request."""
    found: KeptMetadata = current_app.extensions[KEPT]
    return found


def install(app: Flask, known: Services) -> KeptMetadata:
    """Open the kept metadata of an application."""
    kept = app.extensions[KEPT] = KeptMetadata(known)
    return kept


def note_metadata(
    extensions: MutableMapping[str, Any], known: Services, actor: Actor, address: Address
) -> None:
    """Note in the audit who was given metadata, once for a while."""
    series = address.series_uid or ""
    note_once(extensions, known, actor, _NOTED, address.study_uid, series)


def _response(answer: Answer) -> Response:
    return Response(answer.body, answer.status, list(answer.headers))


def _derived(
    rows: Sequence[InstanceRow], root: str
) -> tuple[list[str], Iterator[str] | None, bool]:
    """Return the whole answer in pieces, and whether all could be read as what it is.

    Where it is too long to be held, its beginning, and what gives the rest.
    """
    begun, size, is_sound = [], 0, True
    pieces = _pieces(rows, root)
    for text, can_be_read in pieces:
        begun.append(text)
        size += len(text)
        is_sound = is_sound and can_be_read
        if size > _HELD_CHARS:
            return begun, (text for text, _ in pieces), False
    return begun, None, is_sound


def _pieces(rows: Sequence[InstanceRow], root: str) -> Iterator[tuple[str, bool]]:
    """Yield the pieces of one JSON array, each with whether it could be read."""
    for position, (header, can_be_read) in enumerate(_headers(services().archive, rows, root)):
        yield ("," if position else "[") + json.dumps(header), can_be_read
    yield "]", True


def _headers(
    archive: Archive, rows: Sequence[InstanceRow], root: str
) -> Iterator[tuple[dict[str, Any], bool]]:
    """Yield the headers; from afar several come at a time, for each is a request."""
    if is_local(archive.store):
        yield from (header_of(archive, row, root) for row in rows)
        return
    with ThreadPoolExecutor(_REQUESTS, thread_name_prefix="headers") as pool:
        for start in range(0, len(rows), _AHEAD):
            yield from pool.map(
                partial(header_of, archive, root=root), rows[start : start + _AHEAD]
            )


def header_of(archive: Archive, row: InstanceRow, root: str) -> tuple[dict[str, Any], bool]:
    """Return a header as JSON, and whether it could be read.

    What cannot be read in it comes from what the index took of it. The same bytes always give the
    same; where that changes, `kept.FORM` must.
    """
    known = {
        **{key: value for key, value in row.attributes.items() if key in INDEXED_KEYWORDS},
        "SOPClassUID": row.sop_class_uid,
        "SOPInstanceUID": row.sop_instance_uid,
        "StudyInstanceUID": row.study_uid,
        "SeriesInstanceUID": row.series_uid,
    }
    try:
        header = dataset_json(
            BytesSource(before_pixels(archive, row)),
            transfer_syntax_uid=row.transfer_syntax_uid,
            limits=archive.walk_limits,
            bulk=partial(bulk_address, root, row),
        )
    except Invalid as error:
        log.warning("header not readable", sop=row.sop_instance_uid, site=row.site, code=error.code)
        return dicom_json.to_json(known), False
    empty = {tag for tag, element in header.items() if element.keys() == {"vr"}}
    header |= dicom_json.to_json(_of_tags(known, empty))
    return header | _pixels(row, root), True


def _of_tags(known: Mapping[str, Any], tags: Collection[str]) -> dict[str, Any]:
    return {keyword: v for keyword, v in known.items() if dicom_json.tag_of(keyword) in tags}


def _pixels(row: InstanceRow, root: str) -> dict[str, Any]:
    """Return the pixel data by its address."""
    if row.pixel is None or not row.pixel.length:
        return {}
    tag, vr = PIXELS, "OW"
    bits = row.attributes.get("BitsAllocated", 16)
    if row.sop_class_uid == PARAMETRIC_MAP and bits in _FLOATS:
        tag, vr = _FLOATS[bits]
    elif row.pixel.encapsulated or bits <= 8:
        vr = "OB"
    return {tag: {"vr": vr, "BulkDataURI": bulk_address(root, row, tag)}}


def before_pixels(archive: Archive, row: InstanceRow) -> bytes:
    """Return the data set up to its pixel data.

    Tag, VR and length stand before the value: in 12 bytes, or 8 where the VR is implicit, as it is
    in some elements of odd files whatever their transfer syntax says.
    """
    if row.pixel is None or row.transfer_syntax_uid == DEFLATED_LE:
        return archive.read_dataset(row)
    data = archive.read_stretch(row, row.location.dataset_offset, row.pixel.offset)
    head_bytes = 12 if data[-12:-8] in _PIXEL_TAGS else 8
    return data[:-head_bytes]
