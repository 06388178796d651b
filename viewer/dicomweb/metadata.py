"""The metadata of instances (WADO-RS, PS3.18 section 10.4): their headers as DICOM JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

import structlog
from flask import Blueprint, Response, current_app, stream_with_context

from casework.errors import Invalid
from storage.dicom_json import dicom_json as dataset_json
from storage.part10 import DEFLATED_LE, BytesSource
from storage.rows import InstanceRow
from viewer.dicomweb import accept, dicom_json
from viewer.dicomweb.noting import note_once
from viewer.dicomweb.wado import INSTANCE, SERIES, STUDY, rows_of
from viewer.guard import current_actor
from viewer.problems import NotAcceptable
from viewer.services import services

log = structlog.get_logger()

_PIXEL_TAGS = frozenset(
    bytes.fromhex(tag) for tag in ("e07f1000", "e07f0800", "e07f0900", "7fe00010")
)


def add_to(bp: Blueprint) -> None:
    """Add the routes of metadata."""
    for endpoint, rule in (("study", STUDY), ("series", SERIES), ("instance", INSTANCE)):
        bp.add_url_rule(rule + "/metadata", f"metadata_{endpoint}", metadata)


def metadata(study: str, series: str | None = None, instance: str | None = None) -> Response:
    """Return the headers of instances as DICOM JSON, without bulk data."""
    types = ("application/json", dicom_json.MEDIA_TYPE)
    if not any(accept.matches(t, w.media_type) for t in types for w in accept.wanted()):
        raise NotAcceptable("Metadata comes as application/dicom+json.", code="not-acceptable")
    rows = rows_of(study, series, instance)
    note_once(
        current_app.extensions,
        services(),
        current_actor(),
        "metadata-retrieved",
        study,
        series or "",
    )
    headers = headers_of(rows)
    first = next(headers)
    return Response(
        stream_with_context(chain([first], headers)), content_type=dicom_json.MEDIA_TYPE
    )


def headers_of(rows: Sequence[InstanceRow]) -> Iterator[str]:
    """Yield the headers as the pieces of one JSON array."""
    for position, row in enumerate(rows):
        yield ("," if position else "[") + json.dumps(header_of(row))
    yield "]"


def header_of(row: InstanceRow) -> dict[str, Any]:
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
            BytesSource(_before_pixels(row)),
            transfer_syntax_uid=row.transfer_syntax_uid,
            limits=services().archive.walk_limits,
        )
    except Invalid as error:
        log.warning("header not readable", sop=row.sop_instance_uid, site=row.site, code=error.code)
        return known
    empty = {tag for tag, element in header.items() if "Value" not in element}
    return header | {tag: element for tag, element in known.items() if tag in empty}


def _before_pixels(row: InstanceRow) -> bytes:
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
