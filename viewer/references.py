"""Reads which images, and which of their frames, an item of a header refers to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydicom.dataset import Dataset

from viewer.groups import items_of

Images = Mapping[str, Sequence[int]]
"""SOP Instance UIDs with the numbers of their frames; no numbers are all. Empty: not said."""

_MOST = 20_000


def images_of(item: Dataset, keyword: str = "ReferencedImageSequence") -> dict[str, list[int]]:
    """Return the images that an item refers to (PS3.3 table 10-3)."""
    found: dict[str, list[int]] = {}
    for reference in items_of(item, keyword)[:_MOST]:
        uid = str(reference.get("ReferencedSOPInstanceUID", "") or "")
        if uid:
            found.setdefault(uid, []).extend(frames_of(reference))
    return found


def frames_of(reference: Dataset) -> list[int]:
    """Return the numbers of the frames of a reference; none for all."""
    value = reference.get("ReferencedFrameNumber")
    if value is None or value == "":
        return []
    values = value if hasattr(value, "__iter__") and not isinstance(value, str) else [value]
    try:
        return [int(each) for each in list(values)[:_MOST]]
    except (TypeError, ValueError):
        return []
