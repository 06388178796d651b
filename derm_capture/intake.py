"""Takes one photograph into the archive: opens, judges, wraps, checks, stores.

Every repeat is harmless.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import structlog

from casework.custody import Origin, Receipt
from derm_capture import quality, validate
from derm_capture.context import CaptureContext, Kind
from derm_capture.dicomize import Wrapped, wrap
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
    return Taken(receipt, advice, wrapped)
