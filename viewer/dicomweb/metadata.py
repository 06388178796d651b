"""The headers of instances (PS3.18 section 10.4.1.1.2) as DICOM JSON or as the native DICOM model.

Bulk data is named by its address. Nothing of the pixels is read.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import chain
from typing import Any

import structlog
from flask import Response, request, stream_with_context

from casework.errors import Invalid
from storage.dicom_json import dicom_json as dataset_json
from storage.part10 import DEFLATED_LE, BytesSource
from storage.rows import InstanceRow
from viewer.dicomweb import accept, dicom_json, dicom_xml
from viewer.dicomweb.addresses import note_retrieved_once, root_address, rows_of
from viewer.dicomweb.bodies import multipart
from viewer.dicomweb.bulk_addresses import PIXELS, bulk_address
from viewer.pixels import PARAMETRIC_MAP
from viewer.problems import NotAcceptable
from viewer.services import services

log = structlog.get_logger()

_JSON = (dicom_json.MEDIA_TYPE, "application/json")
_FLOATS = {32: ("7FE00008", "OF"), 64: ("7FE00009", "OD")}
_PIXEL_TAGS = frozenset(
    bytes.fromhex(tag) for tag in ("e07f1000", "e07f0800", "e07f0900", "7fe00010")
)


def metadata(study: str, series: str | None = None, instance: str | None = None) -> Response:
    """Return the headers of instances, in the form that is wanted most."""
    media_type = _form()
    rows = rows_of(study, series, instance)
    note_retrieved_once("metadata-retrieved", study, series)
    root = root_address()
    if media_type == dicom_xml.MEDIA_TYPE:
        head = f"Content-Type: {media_type}"
        parts = ((head, (dicom_xml.document(_header(row, root)),)) for row in rows)
        return multipart(media_type, parts)
    headers = _headers(rows, root)
    first = next(headers)
    return Response(stream_with_context(chain([first], headers)), content_type=media_type)


def _form() -> str:
    """Return the media type that is wanted most; both are in UTF-8 (PS3.18 section 8.3.3.2)."""
    charsets = [c.strip().lower() for c in request.args.get("charset", "").split(",") if c.strip()]
    if charsets and not {"utf-8", "utf8", "iso_ir 192", "*"} & set(charsets):
        raise NotAcceptable("Metadata comes in UTF-8.", code="not-acceptable")
    for wanted in accept.wanted():
        if wanted.multipart:
            if wanted.takes(dicom_xml.MEDIA_TYPE):
                return dicom_xml.MEDIA_TYPE
            continue
        for media_type in _JSON:
            if wanted.takes(media_type):
                return dicom_json.MEDIA_TYPE
    raise NotAcceptable(
        'Metadata comes as application/dicom+json, or as multipart/related; type="'
        'application/dicom+xml".',
        code="not-acceptable",
    )


def _headers(rows: Sequence[InstanceRow], root: str) -> Iterator[str]:
    for position, row in enumerate(rows):
        yield ("," if position else "[") + json.dumps(_header(row, root))
    yield "]"


def _header(row: InstanceRow, root: str) -> dict[str, Any]:
    """Return a header as JSON; what cannot be read in it comes from what the index took of it."""
    known = dicom_json.to_json(
        {
            **row.attributes,
            "SOPClassUID": row.sop_class_uid,
            "SOPInstanceUID": row.sop_instance_uid,
            "StudyInstanceUID": row.study_uid,
            "SeriesInstanceUID": row.series_uid,
        }
    )
    try:
        header = dataset_json(
            BytesSource(before_pixels(row)),
            transfer_syntax_uid=row.transfer_syntax_uid,
            limits=services().archive.walk_limits,
            bulk=partial(bulk_address, root, row),
        )
    except Invalid as error:
        log.warning("header not readable", sop=row.sop_instance_uid, site=row.site, code=error.code)
        return known
    empty = {tag for tag, element in header.items() if element.keys() == {"vr"}}
    header |= {tag: element for tag, element in known.items() if tag in empty}
    return header | _pixels(row, root)


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


def before_pixels(row: InstanceRow) -> bytes:
    """Return the data set up to its pixel data.

    Tag, VR and length stand before the value: in 12 bytes, or 8 where the VR is implicit, as it is
    in some elements of odd files whatever their transfer syntax says.
    """
    if row.pixel is None or row.transfer_syntax_uid == DEFLATED_LE:
        return services().archive.read_dataset(row)
    with services().archive.open_part10(row) as source:
        file = source.read(row.location.dataset_offset + row.pixel.offset)
    head_bytes = 12 if file[-12:-8] in _PIXEL_TAGS else 8
    return file[row.location.dataset_offset : -head_bytes]
