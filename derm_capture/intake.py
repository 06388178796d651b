"""Takes one photograph, film or document into the archive: opens, judges, wraps, checks, stores.

Every repeat is harmless.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import structlog

from casework.custody import Origin, Receipt
from derm_capture import clip, quality, validate
from derm_capture.clip import ClipLimits
from derm_capture.clip_object import wrap_clip
from derm_capture.context import CaptureContext, Kind
from derm_capture.dicomize import Wrapped, wrap
from derm_capture.document_object import wrap_pdf
from derm_capture.exif import Camera
from derm_capture.pdf import DocumentLimits, open_pdf
from derm_capture.photo import PhotoLimits, open_photo
from derm_capture.quality import Advice
from storage.archive import Archive

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Taken:
    """A photograph that is on stable storage, and what its quality check said."""

    receipt: Receipt
    advice: tuple[Advice, ...]
    wrapped: Wrapped
    camera: Camera


@dataclass(frozen=True)
class Came:
    """As what a picture came in."""

    form: str
    size_bytes: int
    camera: Camera


def take_photo(
    archive: Archive,
    data: bytes,
    context: CaptureContext,
    origin: Origin,
    *,
    limits: PhotoLimits | None = None,
    recognizable: str = "",
) -> Taken:
    """Store a photograph as a DICOM object; the same bytes in the same context are the same object
    again. Whether somebody can be recognised is what was said (`yes`, `no`), else what was found.
    """
    photo = open_photo(data, limits=limits)
    advice = quality.assess(photo, kind=context.kind)
    if recognizable or quality.shows_a_face(photo, kind=context.kind):
        context = replace(context, recognizable=recognizable != "no")
    card = None if context.kind is Kind.DERMOSCOPIC else photo.colour_card
    wrapped = wrap(photo, context, scale=photo.scale, card=card)
    came = Came(photo.format.value, len(data), photo.camera)
    return _keep(archive, wrapped, origin, advice, context, came)


def take_clip(
    archive: Archive,
    data: bytes,
    context: CaptureContext,
    origin: Origin,
    *,
    limits: ClipLimits | None = None,
) -> Taken:
    """Store a film as a DICOM object; the same bytes in the same context are the same object
    again.
    """
    opened = clip.open_clip(data, limits=limits)
    advice, wrapped = clip.assess(opened), wrap_clip(opened, context)
    came = Came("h264", len(data), opened.camera)
    return _keep(archive, wrapped, origin, advice, context, came)


def take_document(
    archive: Archive,
    data: bytes,
    context: CaptureContext,
    origin: Origin,
    *,
    limits: DocumentLimits | None = None,
) -> Taken:
    """Store a document as a DICOM object; the same context gives the same object again."""
    wrapped = wrap_pdf(open_pdf(data, limits=limits), context)
    receipt = _receive(archive, wrapped, origin)
    log.info("documented", sop=wrapped.sop_instance_uid, site=origin.site, bytes=len(data))
    return Taken(receipt, (), wrapped, Camera())


def _receive(archive: Archive, wrapped: Wrapped, origin: Origin) -> Receipt:
    return archive.receive(
        wrapped.dataset,
        origin,
        sop_class_uid=wrapped.sop_class_uid,
        sop_instance_uid=wrapped.sop_instance_uid,
        transfer_syntax_uid=wrapped.transfer_syntax_uid,
    )


def _keep(
    archive: Archive,
    wrapped: Wrapped,
    origin: Origin,
    advice: tuple[Advice, ...],
    context: CaptureContext,
    came: Came,
) -> Taken:
    problems = validate.check(wrapped.part10)
    if problems:
        raise RuntimeError(f"a photograph of format {came.form} was wrapped wrongly: {problems}")
    receipt = _receive(archive, wrapped, origin)
    log.info(
        "photographed",
        sop=wrapped.sop_instance_uid,
        site=origin.site,
        kind=context.kind.value,
        format=came.form,
        bytes=came.size_bytes,
        verdict=quality.worst(advice).value,
    )
    return Taken(receipt, advice, wrapped, came.camera)
