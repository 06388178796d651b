"""Reads graphics and texts that are drawn on images. PS3.3 C.10.5. Bounded; draws nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pydicom.dataset import Dataset

from viewer.cielab import Colour, srgb_of
from viewer.groups import items_of, numbers_of
from viewer.references import Images, images_of

_KINDS = frozenset({"POINT", "POLYLINE", "INTERPOLATED", "CIRCLE", "ELLIPSE"})
_FEWEST = {"POINT": 1, "POLYLINE": 2, "INTERPOLATED": 2, "CIRCLE": 2, "ELLIPSE": 4}
_MOST_GRAPHICS, _MOST_POINTS, _LONGEST_TEXT = 5000, 200_000, 4096
Point = tuple[float, float]


@dataclass(frozen=True)
class Graphic:
    """A shape: its points in pixels from the corner of the first, or in parts of what is seen."""

    on: Images
    layer: str
    kind: str  # POINT | POLYLINE | INTERPOLATED | CIRCLE | ELLIPSE
    units: str  # PIXEL | DISPLAY
    points: tuple[Point, ...]
    is_filled: bool
    colour: Colour | None


@dataclass(frozen=True)
class Text:
    """Words in a box, at an anchor, or both; each with its own units."""

    on: Images
    layer: str
    text: str
    box: tuple[Point, Point] | None
    box_units: str
    align: str  # LEFT | CENTER | RIGHT
    anchor: Point | None
    anchor_units: str
    has_line: bool  # from the box to the anchor
    colour: Colour | None


def graphics_of(header: Dataset) -> tuple[Graphic, ...]:
    """Return the graphics of all annotations, at most some thousand."""
    found: list[Graphic] = []
    points = 0
    for graphic in _graphics(header):
        points += len(graphic.points)
        if points > _MOST_POINTS or len(found) >= _MOST_GRAPHICS:
            break
        found.append(graphic)
    return tuple(found)


def texts_of(header: Dataset) -> tuple[Text, ...]:
    """Return the texts of all annotations, at most some thousand."""
    return tuple(text for text, _ in zip(_texts(header), range(_MOST_GRAPHICS), strict=False))


def _graphics(header: Dataset) -> Iterator[Graphic]:
    for annotation in items_of(header, "GraphicAnnotationSequence"):
        on, layer = images_of(annotation), str(annotation.get("GraphicLayer", "") or "")
        for item in items_of(annotation, "GraphicObjectSequence"):
            kind = str(item.get("GraphicType", ""))
            points = _points(item)
            if kind not in _KINDS or len(points) < _FEWEST[kind]:
                continue
            yield Graphic(
                on=on,
                layer=layer,
                kind=kind,
                units=_units(item, "GraphicAnnotationUnits"),
                points=points,
                is_filled=str(item.get("GraphicFilled", "N")) == "Y",
                colour=_colour(item, "LineStyleSequence", "PatternOnColorCIELabValue"),
            )


def _texts(header: Dataset) -> Iterator[Text]:
    for annotation in items_of(header, "GraphicAnnotationSequence"):
        on, layer = images_of(annotation), str(annotation.get("GraphicLayer", "") or "")
        for item in items_of(annotation, "TextObjectSequence"):
            text = str(item.get("UnformattedTextValue", "") or "")[:_LONGEST_TEXT]
            one = numbers_of(item, "BoundingBoxTopLeftHandCorner", 2)
            other = numbers_of(item, "BoundingBoxBottomRightHandCorner", 2)
            anchor = numbers_of(item, "AnchorPoint", 2)
            if not text.strip() or (anchor is None and (one is None or other is None)):
                continue
            has_box = one is not None and other is not None
            yield Text(
                on=on,
                layer=layer,
                text=text.replace("\r\n", "\n").replace("\r", "\n").strip(),
                box=((one[0], one[1]), (other[0], other[1])) if one and other else None,
                box_units=_units(item, "BoundingBoxAnnotationUnits"),
                align=str(item.get("BoundingBoxTextHorizontalJustification", "") or "LEFT"),
                anchor=(anchor[0], anchor[1]) if anchor else None,
                anchor_units=_units(item, "AnchorPointAnnotationUnits"),
                has_line=has_box and str(item.get("AnchorPointVisibility", "N")) == "Y",
                colour=_colour(item, "TextStyleSequence", "TextColorCIELabValue"),
            )


def _points(item: Dataset) -> tuple[Point, ...]:
    value = item.get("GraphicData")
    count = len(value) if hasattr(value, "__len__") else 0
    if count > 2 * _MOST_POINTS or count % 2:
        return ()
    numbers = numbers_of(item, "GraphicData", count) or ()
    return tuple(zip(numbers[0::2], numbers[1::2], strict=True))


def _units(item: Dataset, keyword: str) -> str:
    return "DISPLAY" if str(item.get(keyword, "PIXEL")) == "DISPLAY" else "PIXEL"


def _colour(item: Dataset, style: str, keyword: str) -> Colour | None:
    styles = items_of(item, style)
    lab = numbers_of(styles[0], keyword, 3) if styles else None
    return srgb_of(lab) if lab else None
