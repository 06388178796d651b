"""Headers full of nonsense are read as far as they make sense; nothing but a refusal is raised."""

from __future__ import annotations

import random
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset

from casework.errors import Invalid
from tests.viewer.layered import (
    item,
    overlay_bits,
    segmentation,
    state,
    structure_set,
    with_overlay,
)
from tests.viewer.test_segments import SIZES, planes
from viewer.frame_table import frame_places, frame_table
from viewer.overlays import overlays_of
from viewer.presentation import state_of
from viewer.segments import segmentation_of
from viewer.structures import structures_of

ROUNDS = 60
JUNK: dict[str, tuple[Any, ...]] = {
    "numbers": ([], [-1], [0], [7] * 5, [32767] * 3, None),
    "floats": ([], [0.0], [-1e30] * 6, [float("nan")], [float("inf")] * 2, [1.0] * 7, None),
    "text": ("", "Y", "x" * 300, "\\", "1\\2", None),
    "bytes": (b"", b"\x01", b"\xff" * 7, None),
    "SQ": ([], None, [Dataset()], [Dataset()] * 3),
}
KINDS = {
    **dict.fromkeys(("US", "SS", "UL", "SL", "IS"), "numbers"),
    **dict.fromkeys(("FL", "FD", "DS"), "floats"),
    **dict.fromkeys(("OB", "OW"), "bytes"),
    "SQ": "SQ",
}


def elements_of(ds: Dataset) -> Iterator[tuple[Dataset, DataElement]]:
    for element in ds:
        yield ds, element
        for each in element.value or () if element.VR == "SQ" else ():
            yield from elements_of(each)


def spoiled(ds: Dataset, chance: random.Random) -> Dataset:
    """Return an object in which some elements are empty, too many, or nonsense."""
    places = list(elements_of(ds))
    for _ in range(chance.randint(1, 4)):
        holder, element = chance.choice(places)
        if element.tag not in holder:
            continue
        junk = chance.choice(JUNK[KINDS.get(element.VR, "text")])
        if element.VR in {"DS", "IS"} and junk:
            junk = [each for each in junk if abs(each) < 1e10] or None
        if chance.random() < 0.2:
            del holder[element.tag]
        else:
            holder[element.tag] = DataElement(element.tag, element.VR, junk)
    return ds


READERS: dict[str, tuple[Callable[[], Dataset], Callable[[Dataset], Any]]] = {
    "state": (state, state_of),
    "segments": (
        lambda: segmentation(by_reference=True)[0],
        lambda ds: segmentation_of(ds, planes(), SIZES),
    ),
    "structures": (structure_set, lambda ds: structures_of(ds, planes())),
    "overlays": (
        lambda: with_overlay(item(Rows=32), overlay_bits()),
        lambda ds: overlays_of(ds, 1, b"\0" * 100),
    ),
    "frames": (
        lambda: segmentation(by_reference=False)[0],
        lambda ds: frame_table(frame_places(ds, 3)),
    ),
}


@pytest.mark.parametrize("kind", READERS)
def test_nonsense_in_a_header_raises_nothing_but_a_refusal(kind: str) -> None:
    make, read = READERS[kind]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom's on values that do not fit
        for seed in range(ROUNDS):
            header = spoiled(make(), random.Random(seed))
            try:
                read(header)
            except Invalid:
                continue
            except Exception as error:  # whatever it is, the seed is wanted
                raise AssertionError(f"{kind}, seed {seed}") from error
