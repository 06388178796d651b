"""Wraps a short film as a Video Photographic object (PS3.3 A.32.7): one stream in one fragment.

The stream is that of the clip, so that a player is given it as it is.
"""

from __future__ import annotations

from pydicom.dataset import Dataset
from pydicom.tag import Tag

from derm_capture import anatomy, attributes
from derm_capture.clip import Clip
from derm_capture.context import CaptureContext
from derm_capture.context_items import put_context
from derm_capture.dicomize import Wrapped, bytes_of, encapsulated, file_meta, names_of
from derm_capture.references import put_references
from derm_capture.stored import Stored
from derm_capture.times import times_of

METHOD = "ISO_14496_10"
_MOST_TIMES = 5000  # told one by one: a DS of explicit VR has 64 kB (PS3.5 7.1.2)
_RAW_BYTES = 3  # of a pixel, which the ratio is counted from


def wrap_clip(clip: Clip, context: CaptureContext) -> Wrapped:
    """Return the object that always belongs to this film in this context."""
    site = anatomy.site_of(context.site_code)
    names, times = names_of(clip.data, context), times_of(clip.camera, context)
    coding = clip.coding
    kept = Stored(
        pieces=clip.file.pieces,
        transfer_syntax_uid=clip.transfer_syntax_uid,
        photometric="YBR_PARTIAL_420",  # PS3.5 8.2.7
        samples=3,
        rows=coding.rows,
        columns=coding.columns,
        icc=b"",
        lossy_method=METHOD,
        ratio=coding.rows * coding.columns * _RAW_BYTES * clip.frames / clip.file.size_bytes,
        changes=clip.changes,
        steps=clip.steps,
    )
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 192"
    attributes.put_identity(ds, context, names, times)
    attributes.put_study(ds, context, times)
    attributes.put_anatomy(ds, context, site)
    attributes.put_equipment(ds, context, clip.camera, kept)
    attributes.put_image(ds, context, kept)
    attributes.put_procedure(ds, context)
    put_context(ds, context.acquisition)
    put_references(ds, context.links)
    _put_movement(ds, clip)
    return Wrapped(
        file_meta=file_meta(names, kept.transfer_syntax_uid),
        pieces=(bytes_of(ds), *encapsulated(kept.pieces)),
        sop_class_uid=names.sop_class_uid,
        sop_instance_uid=names.sop_instance_uid,
        study_uid=names.study_uid,
        series_uid=names.series_uid,
        transfer_syntax_uid=kept.transfer_syntax_uid,
    )


def _put_movement(ds: Dataset, clip: Clip) -> None:
    """Fill the Multi-frame and Cine modules (PS3.3 C.7.6.6, C.7.6.5), and what DICOM has no
    attribute for: that a player turns the pictures.
    """
    mean = sum(clip.frame_times_ms) / clip.frames
    ds.NumberOfFrames = clip.frames
    if clip.is_even or clip.frames > _MOST_TIMES:
        ds.FrameIncrementPointer = Tag("FrameTime")
        ds.FrameTime = f"{mean:.8g}"
    else:
        ds.FrameIncrementPointer = Tag("FrameTimeVector")
        ds.FrameTimeVector = ["0", *(f"{each:.6g}" for each in clip.frame_times_ms[:-1])]
    ds.CineRate = ds.RecommendedDisplayFrameRate = max(round(1000 / mean), 1)
    ds.EffectiveDuration = f"{clip.seconds:.6g}"
    across, down = clip.pixel_aspect
    if across != down:
        ds.PixelAspectRatio = [down, across]
    if clip.turn:
        ds.ImageComments = (
            f"Pictures are coded lying: a player turns them by {clip.turn} degrees clockwise, as"
            " the track header of the MP4 says (ISO 14496-12 8.3.2). Rows and Columns are those of"
            " the coded pictures."
        )
