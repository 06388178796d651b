"""Takes one photograph into the archive: opens, judges, wraps, checks, stores.

Every repeat is harmless.
"""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from casework.custody import Origin, Receipt
from derm_capture import quality, validate
from derm_capture.context import CaptureContext
from derm_capture.dicomize import Wrapped, wrap
from derm_capture.exif import Camera
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


def take_photo(
    archive: Archive,
    data: bytes,
    context: CaptureContext,
    origin: Origin,
    *,
    limits: PhotoLimits | None = None,
) -> Taken:
    """Store a photograph as a DICOM object; the same bytes in the same context are the same object
    again.
    """
    photo = open_photo(data, limits=limits)
    advice = quality.assess(photo, kind=context.kind)
    wrapped = wrap(photo, context, scale=photo.scale)
    problems = validate.check(wrapped.part10)
    if problems:
        raise RuntimeError(
            f"a photograph of format {photo.format.value} was wrapped wrongly: {problems}"
        )
    receipt = archive.receive(
        wrapped.dataset,
        origin,
        sop_class_uid=wrapped.sop_class_uid,
        sop_instance_uid=wrapped.sop_instance_uid,
        transfer_syntax_uid=wrapped.transfer_syntax_uid,
    )
    log.info(
        "photographed",
        sop=wrapped.sop_instance_uid,
        site=origin.site,
        kind=context.kind.value,
        format=photo.format.value,
        bytes=len(data),
        verdict=quality.worst(advice).value,
    )
    return Taken(receipt, advice, wrapped, photo.camera)
