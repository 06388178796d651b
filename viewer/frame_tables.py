"""Keeps what the headers of multi-frame objects say of their frames, so that each is read once.

Reads headers through the frame source; what is kept can be thrown away at any time.
"""

from __future__ import annotations

import json
from dataclasses import astuple
from typing import Any

from casework.errors import Invalid, NotFound, Unavailable
from storage.index import InstanceRow
from viewer.frame_source import FrameSource
from viewer.frame_table import FramePlace, frame_places, frame_table
from viewer.preview_cache import PreviewCache
from viewer.spacing import PROJECTIONS

_VERSION = "frames-1"
_LONGEST_HEADER = 64 << 20


class FrameTables:
    """Gives the table of the frames of an object, or None for an object of one frame."""

    def __init__(self, source: FrameSource, cache: PreviewCache) -> None:
        self._source = source
        self._cache = cache

    def table(self, ref: InstanceRow) -> dict[str, Any] | None:
        """Return what the page is told of the frames of an object."""
        table = frame_table(self.places(ref))
        if ref.attributes.get("Modality") in PROJECTIONS:  # whose spacing needs its provenance
            table.pop("spacing", None)
        return table or None

    def places(self, ref: InstanceRow) -> list[FramePlace]:
        """Return what is known of each frame; nothing where the header cannot be read."""
        frames = ref.frames or 1
        if frames < 2 or (ref.pixel is not None and ref.pixel.offset > _LONGEST_HEADER):
            return []
        key = f"{ref.sha256}-{_VERSION}"
        kept = self._cache.get(key)
        if kept is not None:
            return [_place(each) for each in json.loads(kept)]
        try:
            places = frame_places(self._source.header(ref), frames)
        except (Invalid, NotFound, Unavailable):
            return []
        self._cache.put(key, json.dumps([astuple(each) for each in places]).encode())
        return places


def _place(kept: list[Any]) -> FramePlace:
    position, orientation, spacing, thickness, windows, time, indices = kept
    return FramePlace(
        position=_vector(position),
        orientation=_vector(orientation),
        spacing=_vector(spacing),
        thickness_mm=thickness,
        windows=tuple(tuple(each) for each in windows),
        time_ms=time,
        indices=tuple(indices),
    )


def _vector(kept: list[float] | None) -> tuple[float, ...] | None:
    return None if kept is None else tuple(kept)
