"""Reads segmentations: what their segments are, and which of their frames lie on which images.

PS3.3 C.8.20: binary, fractional and label maps. Pure; decodes nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydicom.dataset import Dataset

from casework.errors import Invalid
from viewer.cielab import Colour, srgb_of
from viewer.frame_table import frame_places
from viewer.groups import Macros, items_of, numbers_of
from viewer.lying import IDENTITY, Affine, Plane, images_under, map_onto, stacked
from viewer.references import frames_of

SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.4"
LABEL_MAP = "1.2.840.10008.5.1.4.1.1.66.7"
_MOST_SEGMENTS, _MOST_FRAMES = 2000, 20_000
_COLOURS: tuple[Colour, ...] = (
    (230, 90, 80), (80, 180, 240), (120, 210, 110), (240, 190, 70), (190, 130, 240),
    (80, 220, 200), (240, 130, 190), (180, 200, 80), (120, 150, 250), (240, 150, 90),
)  # fmt: skip


@dataclass(frozen=True)
class Segment:
    """One segment, with its name and the colour that its author wants."""

    number: int
    label: str
    kind: str  # its type in words
    algorithm: str
    colour: Colour


@dataclass(frozen=True)
class Mask:
    """A frame of a segmentation that lies on an image; segment 0 is all of a label map."""

    frame: int
    segment: int
    uid: str
    image_frame: int  # 0: every frame of the image
    lies: Affine | None = None  # None: stretched over the whole image


@dataclass(frozen=True)
class Segmentation:
    """What a page needs to lay segments over images."""

    label: str
    kind: str  # BINARY | FRACTIONAL | LABELMAP
    most: int  # the value that is all of a fraction
    segments: tuple[Segment, ...]
    masks: tuple[Mask, ...]


def segmentation_of(header: Dataset, images: Sequence[Plane], sizes: Sizes) -> Segmentation:
    """Return a segmentation over images whose places, and sizes by UID, are given."""
    kind = str(header.get("SegmentationType", ""))
    if kind not in {"BINARY", "FRACTIONAL", "LABELMAP"}:
        raise Invalid("The object is no segmentation.", code="no-segmentation")
    most = numbers_of(header, "MaximumFractionalValue", 1) if kind == "FRACTIONAL" else None
    return Segmentation(
        label=str(header.get("SeriesDescription") or header.get("ContentLabel") or ""),
        kind=kind,
        most=int(most[0]) if most else 1,
        segments=tuple(_segments(header)),
        masks=tuple(_masks(header, kind, images, sizes)),
    )


Sizes = Mapping[str, tuple[int, int, int]]
"""Rows, columns and frames of images by their UIDs."""


def _segments(header: Dataset) -> list[Segment]:
    found = []
    for at, item in enumerate(items_of(header, "SegmentSequence")[:_MOST_SEGMENTS]):
        number = numbers_of(item, "SegmentNumber", 1)
        lab = numbers_of(item, "RecommendedDisplayCIELabValue", 3)
        types = items_of(item, "SegmentedPropertyTypeCodeSequence")
        if number is None or number[0] == 0:  # 0 is what lies outside all segments
            continue
        found.append(
            Segment(
                number=int(number[0]),
                label=str(item.get("SegmentLabel", "") or f"{int(number[0])}"),
                kind=str(types[0].get("CodeMeaning", "") or "") if types else "",
                algorithm=str(item.get("SegmentAlgorithmType", "") or ""),
                colour=srgb_of(lab) if lab else _COLOURS[at % len(_COLOURS)],
            )
        )
    return found


def _masks(header: Dataset, kind: str, images: Sequence[Plane], sizes: Sizes) -> list[Mask]:
    frames = int((numbers_of(header, "NumberOfFrames", 1) or (1,))[0])
    is_tiled = str(header.get("DimensionOrganizationType", "")) == "TILED_FULL"
    if is_tiled or not 0 < frames <= _MOST_FRAMES:  # tiles of a slide lie in another way
        return []
    places = frame_places(header, max(frames, 2))
    by_image: dict[tuple[str, int], Plane] = {(each.uid, each.frame): each for each in images}
    stacks, macros = stacked(images), Macros(header)
    of_uid: dict[str, list[Plane]] = defaultdict(list)
    for image in images:
        of_uid[image.uid].append(image)
    only = _only_one(header, sizes)
    rows, columns = (numbers_of(header, each, 1) or (0,) for each in ("Rows", "Columns"))
    size = (int(rows[0]), int(columns[0]))
    found = []
    for frame in range(1, frames + 1):
        segment = 0 if kind == "LABELMAP" else _segment_of(macros, frame)
        place = places[frame - 1] if places else None
        plane = None
        if place and place.position and place.orientation and place.spacing:
            plane = Plane(
                "", frame, place.position, place.orientation, place.spacing,
                place.thickness_mm or 0.0,
            )  # fmt: skip
        source = _source_of(macros.of(frame, "DerivationImageSequence"), sizes) or only
        if source is not None:
            uid, number = source
            below = by_image.get((uid, number)) or next(iter(of_uid.get(uid, ())), None)
            found.append(
                Mask(frame, segment, uid, number, _lies(plane, below, size, sizes[uid][:2]))
            )
        elif plane is not None:
            found.extend(
                Mask(frame, segment, image.uid, image.frame, map_onto(plane, image))
                for image in images_under(plane, stacks)
            )
    return found


def _lies(
    plane: Plane | None, image: Plane | None, size: tuple[int, int], of_image: tuple[int, int]
) -> Affine | None:
    if size == of_image:
        return IDENTITY
    return None if plane is None or image is None else map_onto(plane, image)


def _segment_of(macros: Macros, frame: int) -> int:
    group = macros.of(frame, "SegmentIdentificationSequence")
    number = numbers_of(group, "ReferencedSegmentNumber", 1)
    return int(number[0]) if number else 1


def _source_of(derivation: Dataset | None, sizes: Sizes) -> tuple[str, int] | None:
    """Return the image that a frame was made of, with its frame, when there is just one here."""
    found: list[tuple[str, int]] = []
    for source in items_of(derivation, "SourceImageSequence"):
        uid = str(source.get("ReferencedSOPInstanceUID", "") or "")
        if uid in sizes:
            numbers = frames_of(source) or ([0] if sizes[uid][2] == 1 else [])
            found.extend((uid, number) for number in numbers)
        if len(found) > 1:
            return None
    return found[0] if len(found) == 1 else None


def _only_one(header: Dataset, sizes: Sizes) -> tuple[str, int] | None:
    """Return the one image of one frame that all is about, where frames say nothing themselves."""
    uids = [
        str(reference.get("ReferencedSOPInstanceUID", ""))
        for series in items_of(header, "ReferencedSeriesSequence")
        for reference in items_of(series, "ReferencedInstanceSequence")
    ]
    is_clear = len(uids) == 1 and uids[0] in sizes and sizes[uids[0]][2] == 1
    return (uids[0], 0) if is_clear else None
