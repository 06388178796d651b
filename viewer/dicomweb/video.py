"""Gives a video as it is kept: one stream, any part of it, in little memory (PS3.5 section 8.2.5).

Only its still pictures are decoded here, for who wants one.
"""

from __future__ import annotations

import struct
import tempfile
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from flask import Response

from casework.errors import Invalid, TooLarge
from storage.archive import Archive
from storage.header import Span
from storage.rows import InstanceRow
from viewer.dicomweb.bodies import multipart, single, tag_of
from viewer.dicomweb.negotiation import FrameForm
from viewer.pixels import LIMITS
from viewer.planes import Pixels
from viewer.services import services

_CHUNK_BYTES = 1 << 20
_ITEM = 0xFFFEE000
_MOST_FRAGMENTS = 100_000
_LARGEST_DECODED = 1 << 30


def answer(row: InstanceRow, form: FrameForm) -> Response:
    """Return the stream of a video, or the part of it that is asked for."""
    archive = services().archive
    spans = spans_of(archive, row)
    length = sum(size for _, size in spans)
    tag = tag_of(row, "video", form.is_single)
    if form.is_single:
        return single(
            form.content_type,
            lambda start, stop: stream(archive, row, spans, start, stop),
            length=length,
            tag=tag,
        )
    head = f"Content-Type: {form.content_type}"
    parts = iter([(head, stream(archive, row, spans, 0, length))])
    return multipart(form.media_type, parts, lengths=[(head, length)], tag=tag)


def spans_of(archive: Archive, row: InstanceRow) -> list[Span]:
    """Return where the fragments of encapsulated pixel data lie, the offset table left out."""
    pixel = row.pixel
    if pixel is None or not pixel.encapsulated:
        raise Invalid("The object holds no video.", code="no-pixels")
    if pixel.frame_table is not None:
        return [span for frame in pixel.frame_table for span in frame]
    spans: list[Span] = []
    at, end = pixel.offset, pixel.offset + pixel.length
    while at + 8 <= end and len(spans) <= _MOST_FRAGMENTS:
        head = archive.read_stretch(row, row.location.dataset_offset + at, 8)
        group, number, length = struct.unpack("<HHL", head)
        if group << 16 | number != _ITEM or at + 8 + length > end:
            raise Invalid("The fragments of the video do not follow each other.", code="header")
        spans.append((at + 8, length))
        at += 8 + length
    return spans[1:]


def stream(
    archive: Archive, row: InstanceRow, spans: list[Span], start: int, stop: int
) -> Iterator[bytes]:
    """Yield the bytes of fragments put together, from one place up to another."""
    before = 0
    for offset, length in spans:
        at, end = max(start - before, 0), min(stop - before, length)
        while at < end:
            size = min(end - at, _CHUNK_BYTES)
            yield archive.read_stretch(row, row.location.dataset_offset + offset + at, size)
            at += size
        before += length


def still(row: InstanceRow, number: int) -> Pixels:
    """Return one frame of a video as RGB, counted from 1, or raise Invalid."""
    archive = services().archive
    spans = spans_of(archive, row)
    length = sum(size for _, size in spans)
    if length > _LARGEST_DECODED:
        raise TooLarge("The video is larger than is decoded here.", code="image-too-large")
    with tempfile.TemporaryDirectory(prefix="lysbro-video-") as folder:
        path = Path(folder) / "video"
        with path.open("wb") as file:
            for chunk in stream(archive, row, spans, 0, length):
                file.write(chunk)
        return _decoded(path, number)


def _decoded(path: Path, number: int) -> Pixels:
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    try:
        size = capture.get(cv2.CAP_PROP_FRAME_WIDTH) * capture.get(cv2.CAP_PROP_FRAME_HEIGHT)
        if not capture.isOpened() or not 0 < size <= LIMITS.max_pixels:
            raise Invalid("The video cannot be decoded here.", code="undecodable")
        for _ in range(number - 1):  # a jump lands on the frames that some streams have wrong
            if not capture.grab():
                raise Invalid("The video ends before this frame.", code="undecodable")
        is_read, picture = capture.read()
        if not is_read:
            raise Invalid("The video cannot be decoded here.", code="undecodable")
        return np.ascontiguousarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB))
    finally:
        capture.release()
