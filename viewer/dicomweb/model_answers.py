"""Answers with data sets and reads one from a body: DICOM JSON, or XML, by the media type."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from flask import Response, json, request

from casework.errors import Invalid, TooLarge
from viewer.dicomweb import accept, dicom_json, dicom_xml, native_xml
from viewer.dicomweb.accept import Wanted
from viewer.dicomweb.bodies import multipart
from viewer.problems import NotAcceptable, UnsupportedMedia

_JSON_TYPES = (dicom_json.MEDIA_TYPE, "application/json")


def chosen_type() -> str:
    """Return the media type that the answer is to have, or raise NotAcceptable."""
    for wanted in accept.wanted():
        for ours in (*_JSON_TYPES, dicom_xml.MEDIA_TYPE):
            if wanted.takes(ours):
                return dicom_json.MEDIA_TYPE if ours in _JSON_TYPES else ours
    raise NotAcceptable(
        f"The answer is {dicom_json.MEDIA_TYPE} or {dicom_xml.MEDIA_TYPE}.", code="not-acceptable"
    )


def form_of_many(ranges: Sequence[Wanted]) -> str | None:
    """Return the media type of data sets that a client takes first, or None: it takes none.

    Many are one array in JSON, and a part each in XML (PS3.18 section 8.7.3.2).
    """
    for wanted in ranges:
        if wanted.multipart and wanted.takes(dicom_xml.MEDIA_TYPE):
            return dicom_xml.MEDIA_TYPE
        if not wanted.multipart and any(wanted.takes(each) for each in _JSON_TYPES):
            return dicom_json.MEDIA_TYPE
    return None


def chosen_for_many(what: str) -> str:
    """Return the media type that the answer is to have, or raise NotAcceptable."""
    found = form_of_many(accept.wanted())
    if found is None:
        raise NotAcceptable(
            f"{what} as {dicom_json.MEDIA_TYPE}, or as multipart/related; "
            f'type="{dicom_xml.MEDIA_TYPE}".',
            code="not-acceptable",
        )
    return found


def answer_many(
    datasets: Sequence[Mapping[str, Any]], *, status: int = 200, media_type: str
) -> Response:
    """Return an answer with data sets that are DICOM JSON; none of them in XML is 204."""
    if media_type == dicom_json.MEDIA_TYPE:
        return Response(json.dumps(datasets), status=status, content_type=media_type)
    if not datasets:
        return Response(status=204)
    response = parts_of_xml(datasets)
    response.status_code = status
    return response


def parts_of_xml(datasets: Iterable[Mapping[str, Any]]) -> Response:
    """Return data sets that are DICOM JSON, each a document in a part of its own, as they come."""
    head = f"Content-Type: {dicom_xml.MEDIA_TYPE}"
    return multipart(
        dicom_xml.MEDIA_TYPE, ((head, (dicom_xml.document(each),)) for each in datasets)
    )


def answer(values: Mapping[str, Any], *, status: int, media_type: str) -> Response:
    """Return an answer with a data set of keywords and values."""
    dataset = dicom_json.to_json(values)
    body: str | bytes = json.dumps(dataset)
    if media_type == dicom_xml.MEDIA_TYPE:
        body = dicom_xml.document(dataset)
    return Response(body, status=status, content_type=media_type)


def read_dataset(*, most_bytes: int) -> dict[str, Any]:
    """Return the data set of the body of this request as DICOM JSON, or raise the reason."""
    if request.content_encoding not in {None, "", "identity"}:
        raise UnsupportedMedia("Send the body without a content encoding.", code="encoded")
    body = request.stream.read(most_bytes + 1)
    if len(body) > most_bytes:
        raise TooLarge(f"The body has more than {most_bytes} bytes.", code="too-large")
    media_type = request.mimetype
    if media_type == dicom_xml.MEDIA_TYPE:
        return native_xml.read_xml(body)
    if media_type in _JSON_TYPES:
        found = read_json(body)
        if len(found) == 1:
            return found[0]
        raise Invalid("Send one data set.", code="bad-request")
    raise UnsupportedMedia(
        f"Send {dicom_json.MEDIA_TYPE} or {dicom_xml.MEDIA_TYPE}.", code="unsupported-media"
    )


def read_json(body: bytes) -> list[dict[str, Any]]:
    """Return the data sets of a JSON document, one alone or an array of them."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Invalid("The body is no JSON.", code="bad-request") from error
    listed = found if isinstance(found, list) else [found]
    if not all(isinstance(each, dict) for each in listed):
        raise Invalid("The body is no data set, nor an array of them.", code="bad-request")
    return listed
