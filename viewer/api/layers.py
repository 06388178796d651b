"""The calls that bring what lies over images: overlays, shutters, states, segments, structures.

Which objects are within sight is decided by the index with the scope of the one who asks.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import numpy as np
from flask import Blueprint, Response, request
from pydantic import Field

from casework.errors import Invalid, NotFound
from storage.index import InstanceRow
from viewer.api.calls import Body, describe, read_query
from viewer.guard import current_scope
from viewer.image_planes import planes_of, sizes_of
from viewer.imaging import imaging
from viewer.layer_kinds import layer_kind
from viewer.lying import Plane
from viewer.overlays import Overlay
from viewer.planes import Pixels
from viewer.presentation import state_of
from viewer.segments import segmentation_of
from viewer.services import services
from viewer.structures import structures_of
from viewer.syntaxes import is_video

bp = Blueprint("api_layers", __name__, url_prefix="/api/instances")

_JSON = "application/json"
_MOST_MASKS = 64
_MOST_PIXELS = 120_000_000
_PACK_FROM_BYTES = 512
_UNREADABLE = (ValueError, TypeError, AttributeError, KeyError, IndexError, OverflowError)
"""What pydicom raises when it reads a value of a header that is none."""


class MaskQuery(Body):
    """Which frames of a segmentation are wanted."""

    frames: str = Field(description="numbers from 1, with commas between, at most 64")
    site: str = ""


@bp.get("/<uid>/frames/<int:frame>/layers")
@describe("Overlays and shutters of a frame", answers={200: _JSON})
def layers(uid: str, frame: int) -> Response:
    """Give the bitmaps that lie over a frame, one bit a pixel, and what of it is to be covered."""
    ref = _instance(uid)
    if ref.pixel is None or not 1 <= frame <= (ref.frames or 1):
        raise NotFound("There is no such frame.", code="no-frame")
    with _readable():
        over = imaging().source.over(ref, frame)
    return _packed(
        {
            "overlays": [_bitmap(each) for each in over.overlays],
            "shutters": asdict(over.shutters),
        }
    )


@bp.get("/<uid>/state")
@describe("A presentation state as a page draws it", answers={200: _JSON})
def state(uid: str) -> Response:
    """Give what a presentation state says of the images that it refers to."""
    ref = _of_kind(uid, "state")
    with _readable():
        found = state_of(imaging().source.header(ref))
    return _packed(asdict(found) | {"overlays": [_bitmap(each) for each in found.overlays]})


@bp.get("/<uid>/segmentation")
@describe("The segments of a segmentation, and where its frames lie", answers={200: _JSON})
def segmentation(uid: str) -> Response:
    """Give names and colours of segments, and which masks lie on which images of the study."""
    ref = _of_kind(uid, "segmentation")
    header = imaging().source.header(ref)
    images = _images(ref)
    with _readable():
        found = segmentation_of(
            header, _planes(images, header.get("FrameOfReferenceUID")), sizes_of(images)
        )
    return _packed(asdict(found))


@bp.get("/<uid>/structures")
@describe("The contours of a structure set on the images of its study", answers={200: _JSON})
def structures(uid: str) -> Response:
    """Give names and colours of structures, and their contours in pixels of images."""
    ref = _of_kind(uid, "structures")
    header = imaging().source.header(ref)
    frames_of_reference = [
        header.get("FrameOfReferenceUID"),
        *(
            each.get("FrameOfReferenceUID")
            for each in header.get("ReferencedFrameOfReferenceSequence") or ()
        ),
    ]
    images = _images(ref)
    planes = [
        plane
        for name in sorted({str(each) for each in frames_of_reference if each})
        for plane in _planes(images, name)
    ]
    with _readable():
        found = structures_of(header, planes)
    return _packed(asdict(found))


@bp.get("/<uid>/masks")
@describe("Frames of a segmentation as bitmaps", query=MaskQuery, answers={200: _JSON})
def masks(uid: str) -> Response:
    """Give masks: one bit a pixel where that is enough, else 8 or 16 bits, little endian."""
    ref = _of_kind(uid, "segmentation")
    frames = _numbers(read_query(MaskQuery).frames)
    if len(frames) * (ref.rows or 1) * (ref.columns or 1) > _MOST_PIXELS:
        raise Invalid("These are too many masks at once. Ask for fewer.", code="bad-request")
    return _packed({"masks": [_mask(ref, frame) for frame in frames]})


@contextmanager
def _readable() -> Iterator[None]:
    try:
        yield
    except _UNREADABLE as error:
        raise Invalid("The object's header cannot be read.", code="bad-structure") from error


def _instance(uid: str) -> InstanceRow:
    ref = services().index.instance(current_scope(), uid, request.args.get("site") or None)
    if is_video(ref.transfer_syntax_uid):
        raise NotFound("The object is a film.", code="no-layer")
    return ref


def _of_kind(uid: str, kind: str) -> InstanceRow:
    ref = _instance(uid)
    if layer_kind(ref.sop_class_uid) != kind:
        raise NotFound("The object is nothing that lies over images so.", code="no-layer")
    return ref


def _images(ref: InstanceRow) -> list[InstanceRow]:
    return services().index.instances_of(current_scope(), ref.study_uid, site=ref.site)


def _planes(images: list[InstanceRow], frame_of_reference: Any) -> list[Plane]:
    return planes_of(images, imaging().tables, str(frame_of_reference or ""))


def _numbers(text: str) -> list[int]:
    words = [each.strip() for each in text.split(",") if each.strip()]
    if not words or len(words) > _MOST_MASKS or not all(each.isdigit() for each in words):
        raise Invalid(
            f"Ask for 1 to {_MOST_MASKS} frames by their numbers, with commas between.",
            code="bad-request",
        )
    return [int(each) for each in words]


def _mask(ref: InstanceRow, frame: int) -> Mapping[str, Any]:
    pixels: Pixels = imaging().source.decoded(ref, frame).pixels
    is_binary = ref.attributes.get("BitsAllocated") == 1 or not pixels.any() or pixels.max() == 1
    if is_binary:
        depth, data = 1, np.packbits(pixels.astype(bool), bitorder="little").tobytes()
    else:
        depth = 8 * pixels.dtype.itemsize
        data = pixels.astype(pixels.dtype.newbyteorder("<"), copy=False).tobytes()
    return {
        "frame": frame,
        "rows": pixels.shape[0],
        "columns": pixels.shape[1],
        "depth": depth,
        "bits": base64.b64encode(data).decode("ascii"),
    }


def _bitmap(overlay: Overlay) -> Mapping[str, Any]:
    return asdict(overlay) | {"bits": base64.b64encode(overlay.bits).decode("ascii")}


def _packed(value: Mapping[str, Any]) -> Response:
    body = json.dumps(value, separators=(",", ":")).encode()
    is_packed = request.accept_encodings.quality("gzip") > 0 and len(body) >= _PACK_FROM_BYTES
    response = Response(
        gzip.compress(body, compresslevel=4, mtime=0) if is_packed else body, mimetype=_JSON
    )
    if is_packed:
        response.headers["Content-Encoding"] = "gzip"
    response.vary.add("Accept-Encoding")
    return response
