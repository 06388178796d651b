"""Finds the functional groups that are in force for a frame of a multi-frame object.

PS3.3 C.7.6.16: what all frames share stands before what each has for itself. Interprets nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

from pydicom.dataset import Dataset
from pydicom.tag import BaseTag, Tag


def groups_of(header: Dataset, frame: int) -> Sequence[Dataset]:
    """Return the items of the macros that are in force for a frame, shared before its own."""
    found: list[Dataset] = []
    for keyword, index in (
        ("SharedFunctionalGroupsSequence", 0),
        ("PerFrameFunctionalGroupsSequence", frame - 1),
    ):
        items = header.get(keyword) or ()
        if 0 <= index < len(items):
            found.extend(_macros(items[index]))
    return found


def group_with(header: Dataset, frame: int, keyword: str) -> Dataset | None:
    """Return the last macro item in force for a frame that has an element; itself as a last way."""
    found = [each for each in groups_of(header, frame) if keyword in each]
    if found:
        return found[-1]
    return header if keyword in header else None


class Macros:
    """The functional groups of an object by the names of their macros, for reading many frames."""

    def __init__(self, header: Dataset) -> None:
        shared = items_of(header, "SharedFunctionalGroupsSequence")
        self._shared = shared[0] if shared else None
        self._each = items_of(header, "PerFrameFunctionalGroupsSequence")

    def of(self, frame: int, keyword: str) -> Dataset | None:
        """Return the item of a macro that is in force for a frame, its own before that of all."""
        own = self._each[frame - 1] if 0 < frame <= len(self._each) else None
        for group in (own, self._shared):
            found = items_of(group, keyword)
            if found:
                return found[0]
        return None


def items_of(dataset: Dataset | None, keyword: str) -> Sequence[Dataset]:
    """Return the items of a sequence; none where it is missing, empty or no sequence."""
    tag = _tag_of(keyword)
    if dataset is None or tag not in dataset:
        return ()
    element = dataset[tag]
    return element.value if element.VR == "SQ" and element.value else ()


def plain(value: Any) -> Any:
    """Return a value as the index would have it."""
    if isinstance(value, str | int | float):
        return value
    if hasattr(value, "__iter__"):
        return [float(each) if isinstance(each, float) else each for each in value]
    return value


def numbers_of(dataset: Dataset | None, keyword: str, count: int) -> tuple[float, ...] | None:
    """Return so many finite numbers of an element, or None."""
    tag = _tag_of(keyword)
    if dataset is None or tag not in dataset:
        return None
    try:
        value = dataset[tag].value
        values = value if hasattr(value, "__iter__") and not isinstance(value, str) else [value]
        found = tuple(float(each) for each in values)
    except (TypeError, ValueError):
        return None
    is_sane = len(found) == count and all(abs(each) < 1e12 for each in found)
    return found if is_sane else None


@lru_cache(maxsize=256)
def _tag_of(keyword: str) -> BaseTag:
    """Return the tag of a keyword; pydicom looks it up anew each time."""
    return Tag(keyword)


def _macros(item: Dataset) -> Iterator[Dataset]:
    for element in item:
        if element.VR == "SQ" and element.value:
            yield element.value[0]
