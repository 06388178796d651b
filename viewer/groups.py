"""Finds the functional groups that are in force for a frame of a multi-frame object.

PS3.3 C.7.6.16: what all frames share stands before what each has for itself. Interprets nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from pydicom.dataset import Dataset


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


def items_of(dataset: Dataset | None, keyword: str) -> Sequence[Dataset]:
    """Return the items of a sequence; none where it is missing, empty or no sequence."""
    if dataset is None or keyword not in dataset:
        return ()
    value = dataset[keyword].value
    return value if dataset[keyword].VR == "SQ" and value else ()


def plain(value: Any) -> Any:
    """Return a value as the index would have it."""
    if isinstance(value, str | int | float):
        return value
    if hasattr(value, "__iter__"):
        return [float(each) if isinstance(each, float) else each for each in value]
    return value


def numbers_of(dataset: Dataset | None, keyword: str, count: int) -> tuple[float, ...] | None:
    """Return so many finite numbers of an element, or None."""
    if dataset is None or keyword not in dataset:
        return None
    value = dataset[keyword].value
    values = value if hasattr(value, "__iter__") and not isinstance(value, str) else [value]
    try:
        found = tuple(float(each) for each in values)
    except (TypeError, ValueError):
        return None
    is_sane = len(found) == count and all(abs(each) < 1e12 for each in found)
    return found if is_sane else None


def _macros(item: Dataset) -> Iterator[Dataset]:
    for element in item:
        if element.VR == "SQ" and element.value:
            yield element.value[0]
