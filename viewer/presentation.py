"""Reads presentation states: how their author wants images to be seen, and what is drawn on them.

PS3.3 A.33: grayscale, color and pseudo-color softcopy. Pure and bounded; changes no pixel.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydicom.dataset import Dataset

from casework.errors import Invalid
from viewer.cielab import Colour, grey_of, srgb_of
from viewer.drawn import Graphic, Text, graphics_of, texts_of
from viewer.groups import items_of, numbers_of
from viewer.overlays import FIRST_GROUP, LAST_GROUP, Overlay, overlays_of
from viewer.references import Images, images_of
from viewer.shutters import Shutters, shutters_of
from viewer.voi_tables import Lookup, lookup_of

STATES = "1.2.840.10008.5.1.4.1.1.11."
_KINDS = {"1": "grayscale", "2": "color", "3": "pseudo-color", "4": "blending"}
_MOST_ITEMS, _MOST_LAYERS = 2000, 200


@dataclass(frozen=True)
class Voi:
    """A window or a table, for some images or for all."""

    on: Images
    center: float = 0.0
    width: float = 0.0
    function: str = "LINEAR"
    table: str = ""  # greys in base 64
    first: int = 0
    label: str = ""
    of_stored: bool = False  # the table is of stored values, not of rescaled ones


@dataclass(frozen=True)
class Area:
    """The part that is to be seen, in pixels from the corner of the first, and how large."""

    on: Images
    left: float
    top: float
    right: float
    bottom: float
    mode: str  # SCALE TO FIT | TRUE SIZE | MAGNIFY
    column_mm: float = 0.0
    magnified: float = 0.0


@dataclass(frozen=True)
class Layer:
    """A layer that graphics lie on."""

    name: str
    order: int
    colour: Colour | None


@dataclass(frozen=True)
class State:
    """A presentation state as a page draws it."""

    kind: str  # grayscale | color | pseudo-color | blending | other
    label: str
    description: str
    creator: str
    created: str
    images: Images
    rescale: tuple[float, float] | None
    vois: tuple[Voi, ...]
    is_inverse: bool | None  # None: as the images say
    greys: str  # the presentation table: 256 greys in base 64
    palette: str  # 256 colours in base 64
    areas: tuple[Area, ...]
    quarter_turns: int
    is_mirrored: bool
    shutters: Shutters
    layers: tuple[Layer, ...]
    graphics: tuple[Graphic, ...]
    texts: tuple[Text, ...]
    overlays: tuple[Overlay, ...]  # its own
    active: Mapping[int, str]  # groups of the images' overlays, with their layers
    lacking: tuple[str, ...]  # what of it is not shown here, in words


def state_of(header: Dataset) -> State:
    """Return what a presentation state says, or raise Invalid when it is none."""
    sop_class = str(header.get("SOPClassUID", ""))
    if not sop_class.startswith(STATES):
        raise Invalid("The object is no presentation state.", code="no-state")
    kind = _KINDS.get(sop_class.removeprefix(STATES), "other")
    vois, lacking = _vois(header)
    if kind in {"blending", "other"}:
        lacking = (*lacking, "blending")
    return State(
        kind=kind,
        label=_text(header, "ContentLabel"),
        description=_text(header, "ContentDescription"),
        creator=_text(header, "ContentCreatorName").replace("^", " ").strip(),
        created=_text(header, "PresentationCreationDate"),
        images=_all_images(header),
        rescale=_rescale(header),
        vois=vois,
        is_inverse={"INVERSE": True, "IDENTITY": False}.get(_text(header, "PresentationLUTShape")),
        greys=_presentation_table(header),
        palette=_palette(header) if kind == "pseudo-color" else "",
        areas=tuple(_areas(header)),
        quarter_turns=round((numbers_of(header, "ImageRotation", 1) or (0,))[0] / 90) % 4,
        is_mirrored=_text(header, "ImageHorizontalFlip") == "Y",
        shutters=shutters_of(header),
        layers=_layers(header),
        graphics=graphics_of(header),
        texts=texts_of(header),
        overlays=overlays_of(header, 1),
        active=_active(header),
        lacking=lacking,
    )


def _all_images(header: Dataset) -> Images:
    found: dict[str, list[int]] = {}
    holders = [header, *items_of(header, "BlendingSequence")]
    for holder in holders:
        for series in items_of(holder, "ReferencedSeriesSequence")[:_MOST_ITEMS]:
            found.update(images_of(series))
    return found


def _rescale(header: Dataset) -> tuple[float, float] | None:
    slope = numbers_of(header, "RescaleSlope", 1)
    intercept = numbers_of(header, "RescaleIntercept", 1)
    return (slope[0], intercept[0]) if slope and intercept and slope[0] else None


def _vois(header: Dataset) -> tuple[tuple[Voi, ...], tuple[str, ...]]:
    """Return the windows and tables; a modality table is put into them (PS3.3 C.11.1)."""
    modality = items_of(header, "ModalityLUTSequence")
    before = lookup_of(modality[0], signed=False) if modality else None
    found: list[Voi] = []
    for item in items_of(header, "SoftcopyVOILUTSequence")[:_MOST_ITEMS]:
        found.extend(_voi(item, before))
    if before is not None and not found:
        found.append(_composed(before, None, {}))
    unread = ("modality table",) if modality and before is None else ()
    return tuple(found), unread


def _voi(item: Dataset, before: Lookup | None) -> Iterable[Voi]:
    on = images_of(item)
    for table in items_of(item, "VOILUTSequence")[:1]:
        lookup = lookup_of(table, signed=True)
        if lookup is None:
            continue
        if before is not None:
            yield _composed(before, lookup, on)
            return
        yield Voi(on, table=_base64(lookup.greys), first=lookup.first, label=lookup.label)
        return
    center, width = _first_number(item, "WindowCenter"), _first_number(item, "WindowWidth")
    if center is None or width is None or width <= 0:
        return
    window = Voi(
        on, center, width, str(item.get("VOILUTFunction", "") or "LINEAR"), label=_named(item)
    )
    yield window if before is None else _composed(before, window, on)


def _composed(before: Lookup, after: Lookup | Voi | None, on: Images) -> Voi:
    """Return one table of stored values for a modality table and what comes after it."""
    values = before.entries.astype(np.float64)
    if isinstance(after, Lookup):
        greys = np.frombuffer(after.greys, np.uint8)[
            np.clip(values.astype(np.int64) - after.first, 0, after.entries.size - 1)
        ]
    else:
        low, high = values.min(), max(values.max(), values.min() + 1)
        if isinstance(after, Voi):
            low, high = after.center - after.width / 2, after.center + after.width / 2
        greys = np.clip(np.rint((values - low) / (high - low) * 255), 0, 255).astype(np.uint8)
    label = after.label if after is not None else ""
    return Voi(on, table=_base64(greys.tobytes()), first=before.first, label=label, of_stored=True)


def _presentation_table(header: Dataset) -> str:
    items = items_of(header, "PresentationLUTSequence")
    lookup = lookup_of(items[0], signed=False) if items else None
    if lookup is None:
        return ""
    greys = np.frombuffer(lookup.greys, np.uint8)
    return _base64(greys[_steps(greys.size)].tobytes())


def _palette(header: Dataset) -> str:
    channels = []
    for name in ("Red", "Green", "Blue"):
        descriptor = numbers_of(header, f"{name}PaletteColorLookupTableDescriptor", 3)
        data = header.get(f"{name}PaletteColorLookupTableData")
        if descriptor is None or not isinstance(data, bytes):
            return ""
        is_wide = descriptor[2] == 16
        entries = np.frombuffer(data, "<u2" if is_wide and len(data) % 2 == 0 else np.uint8)
        if not entries.size:
            return ""
        eight = (entries >> 8 if entries.dtype.itemsize == 2 else entries).astype(np.uint8)
        channels.append(eight[_steps(eight.size)])
    return _base64(np.stack(channels, axis=1).tobytes())


def _steps(size: int) -> Any:
    return np.rint(np.arange(256) * (size - 1) / 255).astype(np.int64)


def _areas(header: Dataset) -> Iterable[Area]:
    for item in items_of(header, "DisplayedAreaSelectionSequence")[:_MOST_ITEMS]:
        one = numbers_of(item, "DisplayedAreaTopLeftHandCorner", 2)
        other = numbers_of(item, "DisplayedAreaBottomRightHandCorner", 2)
        if one is None or other is None:
            continue
        spacing = numbers_of(item, "PresentationPixelSpacing", 2)
        magnified = numbers_of(item, "PresentationPixelMagnificationRatio", 1)
        yield Area(
            on=images_of(item),
            left=min(one[0], other[0]) - 1,
            top=min(one[1], other[1]) - 1,
            right=max(one[0], other[0]),
            bottom=max(one[1], other[1]),
            mode=_text(item, "PresentationSizeMode") or "SCALE TO FIT",
            column_mm=spacing[1] if spacing else 0.0,
            magnified=magnified[0] if magnified else 0.0,
        )


def _layers(header: Dataset) -> tuple[Layer, ...]:
    found = []
    for item in items_of(header, "GraphicLayerSequence")[:_MOST_LAYERS]:
        lab = numbers_of(item, "GraphicLayerRecommendedDisplayCIELabValue", 3)
        grey = numbers_of(item, "GraphicLayerRecommendedDisplayGrayscaleValue", 1)
        colour = srgb_of(lab) if lab else grey_of(grey[0]) if grey else None
        order = numbers_of(item, "GraphicLayerOrder", 1) or (0,)
        found.append(Layer(_text(item, "GraphicLayer"), int(order[0]), colour))
    return tuple(sorted(found, key=lambda each: each.order))


def _active(header: Dataset) -> Mapping[int, str]:
    """Return which overlays of the images are to be seen (PS3.3 C.11.7)."""
    found = {}
    for group in range(FIRST_GROUP, LAST_GROUP + 1, 2):
        element = header.get((group, 0x1001))
        if element is not None and element.value:
            found[group] = str(element.value)
    return found


def _named(item: Dataset) -> str:
    value = item.get("WindowCenterWidthExplanation") or ""
    return str(value if isinstance(value, str) else next(iter(value), ""))


def _first_number(item: Dataset, keyword: str) -> float | None:
    value = item.get(keyword)
    if value is not None and hasattr(value, "__iter__") and not isinstance(value, str):
        value = next(iter(value), None)
    try:
        return None if value is None else float(value)
    except (TypeError, ValueError):
        return None


def _text(item: Dataset, keyword: str) -> str:
    return str(item.get(keyword, "") or "").strip()


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
