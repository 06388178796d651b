"""The calls that bring images: frames, previews, photographs, documents, the manifest of a case.

Which objects are within sight is decided by the index with the scope of the one who asks.
"""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from functools import partial
from urllib.parse import quote

import numpy as np
from flask import Blueprint, Response, jsonify, request
from pydantic import Field

from casework.errors import Invalid, NotFound
from storage.index import InstanceRow
from viewer import headers
from viewer.api.calls import Answer, answer, describe
from viewer.dicomweb import video
from viewer.frame_source import Shown
from viewer.guard import current_scope
from viewer.imaging import imaging
from viewer.manifest import kind_of
from viewer.photo_bytes import profile_name
from viewer.pixel_coding import packed, residuals
from viewer.pixels import JPEG_BASELINE
from viewer.planes import Pixels
from viewer.problems import NotAcceptable
from viewer.reading import manifest_of
from viewer.services import services
from viewer.structured import lines_of, title_of
from viewer.syntaxes import is_video

bp = Blueprint("api_frames", __name__, url_prefix="/api")

PIXELS = "application/vnd.lysbro.pixels"
"""Values that need a window only, little endian; the headers Lysbro-* say how they lie.

`coding=plain` leaves them as they are, for fast networks; `coding=median` sends them as small
differences; without either they are packed as any other answer.
"""

_OCTETS = "application/octet-stream"
_EXPLICIT_LE = "1.2.840.10008.1.2.1"
_MEDIA_TYPES = {
    JPEG_BASELINE: "image/jpeg",
    "1.2.840.10008.1.2.4.51": "image/jpeg",
    "1.2.840.10008.1.2.4.57": "image/jpeg",
    "1.2.840.10008.1.2.4.70": "image/jpeg",
    "1.2.840.10008.1.2.4.80": "image/jls",
    "1.2.840.10008.1.2.4.81": "image/jls",
    "1.2.840.10008.1.2.4.90": "image/jp2",
    "1.2.840.10008.1.2.4.91": "image/jp2",
    "1.2.840.10008.1.2.4.201": "image/jphc",
    "1.2.840.10008.1.2.4.202": "image/jphc",
    "1.2.840.10008.1.2.4.203": "image/jphc",
    "1.2.840.10008.1.2.5": "image/dicom-rle",
}
_DOCUMENT_LIMIT_BYTES = 64 << 20
_PACK_FROM_BYTES = 4096
_CODINGS = {"plain", "median"}


class TextLine(Answer):
    """One line of a structured report."""

    depth: int
    name: str
    value: str


class TextAnswer(Answer):
    """A structured report as text."""

    title: str
    lines: list[TextLine] = Field(description="in reading order")


@bp.get("/cases/<case_id>/manifest")
@describe("What the reading room must know of a case's images", answers={200: "application/json"})
def manifest(case_id: str) -> Response:
    """Give the manifest that the reading room has inlined, for a case that is to be read next."""
    return jsonify(manifest_of(services().casebook.dossier(current_scope(), case_id)))


@bp.get("/instances/<uid>/frames/<int:frame>")
@describe(
    "One frame",
    answers={200: _OCTETS, 206: _OCTETS},
    request_headers={
        "Accept": f"as stored without one; `{_OCTETS}; transfer-syntax={_EXPLICIT_LE}` decoded;"
        f" `{PIXELS}` decoded, with palette and modality table applied"
        " (`; coding=plain` as they are, `; coding=median` as differences from their neighbours)",
        "Range": "a part of the bytes",
    },
)
def frame(uid: str, frame: int) -> Response:
    """Give one frame as it is stored, decoded, or ready for a window."""
    ref = _instance(uid)
    form = _wanted_form(ref)
    if form.startswith("pixels"):
        return _pixels(ref, frame, coding=form.partition("-")[2])
    if form == "decoded":
        decoded = imaging().source.decoded(ref, frame)
        body, syntax = _little_endian(decoded.pixels), _EXPLICIT_LE
    else:
        read = services().archive.read_frame(ref, frame)
        body, syntax = read.data, read.transfer_syntax_uid
    media = _MEDIA_TYPES.get(syntax, _OCTETS)
    return _bytes(body, f"{media}; transfer-syntax={syntax}", tag=_tag(ref, frame, form))


@bp.get("/instances/<uid>/frames/<int:frame>/preview")
@describe("A small JPEG of one frame, not for diagnosis", answers={200: "image/jpeg"})
def preview(uid: str, frame: int) -> Response:
    """Give a frame in its default window."""
    ref = _instance(uid)
    stills = partial(video.still, ref) if is_video(ref.transfer_syntax_uid) else None
    made = imaging().renderer.preview(ref, frame, stills=stills)
    return _bytes(made, "image/jpeg", tag=_tag(ref, frame, "preview"))


@bp.get("/instances/<uid>/photo")
@describe("A photograph with its colour profile, as JPEG or PNG", answers={200: "image/jpeg"})
def photo(uid: str) -> Response:
    """Give a photograph as it was taken in; a profile that only the object has is put into it."""
    ref = _instance(uid)
    if kind_of(ref) != "photo":
        raise NotFound("The object is no photograph.", code="no-photo")
    found = imaging().source.photograph(ref)
    response = _bytes(found.data, found.media_type, tag=_tag(ref, 1, "photo"))
    response.headers["Lysbro-Profile"] = quote(profile_name(found.profile))
    return response


@bp.get("/instances/<uid>/document")
@describe("The document inside an object", answers={200: "application/pdf"})
def document(uid: str) -> Response:
    """Give an encapsulated document; a PDF opens in the browser, anything else is downloaded."""
    ref = _instance(uid)
    if kind_of(ref) != "document":
        raise NotFound("The object holds no document.", code="no-document")
    if ref.size_bytes > _DOCUMENT_LIMIT_BYTES:
        raise Invalid("The document is too large to show. Export the case.", code="too-large")
    content = imaging().source.header(ref).get("EncapsulatedDocument")
    if not content:
        raise NotFound("The object holds no document.", code="no-document")
    is_pdf = bytes(content).startswith(b"%PDF")
    response = _bytes(
        bytes(content), "application/pdf" if is_pdf else _OCTETS, tag=_tag(ref, 1, "document")
    )
    name = "document.pdf" if is_pdf else "document.bin"
    way = "inline" if is_pdf else "attachment"
    if is_pdf:
        headers.let_be_framed(response)
    response.headers["Content-Disposition"] = f'{way}; filename="{name}"'
    return response


@bp.get("/instances/<uid>/text")
@describe("A structured report as text", answers={200: TextAnswer})
def text(uid: str) -> Response:
    """Give the lines of a structured report."""
    ref = _instance(uid)
    if kind_of(ref) != "text":
        raise NotFound("The object is no structured report.", code="no-text")
    report = imaging().source.header(ref)
    return answer(
        TextAnswer(
            title=title_of(report),
            lines=[
                TextLine(depth=line.depth, name=line.name, value=line.value)
                for line in lines_of(report)
            ],
        )
    )


@bp.app_template_global()
def viewer_cache_mb() -> int:
    """Return how many megabytes of images a reader's browser may keep in its memory."""
    return services().settings.viewer_cache_mb


def _instance(uid: str) -> InstanceRow:
    return services().index.instance(current_scope(), uid, request.args.get("site") or None)


def _wanted_form(ref: InstanceRow) -> str:
    """Return stored, decoded, pixels or pixels with their coding, as Accept says."""
    if not request.accept_mimetypes or request.accept_mimetypes.best == "*/*":
        return "stored"
    for media, _quality in request.accept_mimetypes:
        kind, _, parameter = media.partition(";")
        syntax = parameter.partition("=")[2].strip(' "')
        kind = kind.strip().lower()
        if kind == PIXELS:
            return f"pixels-{syntax}" if syntax in _CODINGS else "pixels"
        if kind not in {_OCTETS, "*/*", _MEDIA_TYPES.get(ref.transfer_syntax_uid, _OCTETS)}:
            continue
        if syntax in {"", "*", ref.transfer_syntax_uid}:
            return "stored"
        if syntax == _EXPLICIT_LE:
            return "decoded"
    raise NotAcceptable(
        f"A frame is given as {ref.transfer_syntax_uid}, as {_EXPLICIT_LE} or as {PIXELS}.",
        code="not-acceptable",
    )


def _pixels(ref: InstanceRow, frame: int, *, coding: str) -> Response:
    shown = imaging().source.shown(ref, frame)
    body = residuals(shown.pixels) if coding == "median" else _little_endian(shown.pixels)
    is_packed = (
        coding != "plain"
        and request.accept_encodings.quality("gzip") > 0
        and "Range" not in request.headers
        and len(body) >= _PACK_FROM_BYTES
    )
    tag = _tag(ref, frame, "-".join(("pixels", coding, "gzip" if is_packed else "")))
    if is_packed:
        body = packed(body) if coding == "median" else gzip.compress(body, 1, mtime=0)
    response = _bytes(body, PIXELS, tag=tag)
    if is_packed:
        response.headers["Content-Encoding"] = "gzip"
    response.vary.update(("Accept", "Accept-Encoding"))
    for name, value in _described(shown).items():
        response.headers[f"Lysbro-{name}"] = value
    response.headers["Lysbro-Coding"] = coding or "plain"
    return response


def _described(shown: Shown) -> Mapping[str, str]:
    """Say how the values lie and what they mean; what the manifest could not know is here too."""
    pixels, display = shown.pixels, shown.display
    window, spacing = display.windows[0] if display.windows else None, display.spacing
    return {
        "Size": f"{pixels.shape[1]}x{pixels.shape[0]}",
        "Samples": "3" if shown.is_colour else "1",
        "Type": f"{'int' if pixels.dtype.kind == 'i' else 'uint'}{pixels.dtype.itemsize * 8}",
        "Rescale": f"{display.slope!r},{display.intercept!r}",
        "Window": f"{window.center!r},{window.width!r}" if window else "",
        "Spacing": f"{spacing.row_mm!r},{spacing.column_mm!r},{spacing.source}",
        "Reduced": "1" if shown.is_reduced else "0",
    }


def _little_endian(pixels: Pixels) -> bytes:
    kind = pixels.dtype
    return np.ascontiguousarray(pixels.astype(kind.newbyteorder("<"), copy=False)).tobytes()


def _tag(ref: InstanceRow, frame: int, form: str) -> str:
    return f"{ref.bytes_sha256[:32]}-{frame}-{form}"


def _bytes(body: bytes, media_type: str, *, tag: str) -> Response:
    """Return bytes that a client may ask for in parts (RFC 9110 section 14)."""
    response = Response(body, content_type=media_type)
    response.set_etag(tag)
    response.headers["Accept-Ranges"] = "bytes"
    response.make_conditional(request, accept_ranges=True, complete_length=len(body))
    return response
