"""Kinds, places, devices, answers and references together: every pair of them is sound.

A covering selection, made here: each pair of values stands in one object at least, and each object
is held against `dciodvfy` and the own check.
"""

from __future__ import annotations

from itertools import combinations, product
from typing import Any

import pytest

from casework.photo_links import Link, Purpose
from casework.questions import QUESTIONS
from derm_capture import acquisition, validate
from derm_capture.context import Device, Kind, Lesion
from derm_capture.dicomize import DERMOSCOPIC_PHOTOGRAPHY, VL_PHOTOGRAPHIC
from tests.derm_capture import pictures
from tests.derm_capture.wrapping import CHIN, FOREARM, dciodvfy, wrapped

NAIL, TONGUE = "770822006", "8001006"
EVERYTHING = {
    q.key: [o.value for o in q.options if o.value != "none"]
    for q in QUESTIONS
    if q.kind == "choices"
} | {"skin_type": "6", "melanomas": 3, "relatives_with_melanoma": 0, "family_skin_cancer": "no"}
LOCALIZER = Link("2.25.99", VL_PHOTOGRAPHIC, "2.25.98", Purpose.LOCALIZER)
DETAILS = (
    Link("2.25.97", VL_PHOTOGRAPHIC, "2.25.98", Purpose.DETAIL),
    Link("2.25.96", DERMOSCOPIC_PHOTOGRAPHY, "2.25.95", Purpose.DETAIL),
)
CHOICES: dict[str, tuple[Any, ...]] = {
    "kind": tuple(kind for kind in Kind if kind is not Kind.CLIP),
    "where": ((CHIN, ""), (FOREARM, "L"), (NAIL, "R"), (TONGUE, ""), (FOREARM, "")),
    "device": (
        Device(),
        Device("Dermlite", "DL5", "A-17", "none", "POLARIZED", "CONTACT", "ALCOHOL", 10),
        Device("Heine", "Delta 30", "Ø-2", "3.1", "NON_POLARIZED", "NON_CONTACT"),
        Device("Nordcam", "Fjellfone 9", "S-1", "1.0", is_camera=True),
    ),
    "said": ({}, {"skin_type": "1", "symptoms": ["pain"]}, EVERYTHING),
    "lesion": (None, Lesion("føflekk på håndleddet", "2.25.7")),
    "links": ((), (LOCALIZER,), DETAILS),
    "data": (pictures.jpeg(pictures.skin()), pictures.encoded(pictures.skin(), "PNG")),
}


def pairwise() -> list[tuple[int, ...]]:
    """Return rows of indices, so that every pair of values of two columns stands in one row."""
    sizes = [len(values) for values in CHOICES.values()]
    open_pairs = {
        (a, i, b, j)
        for a, b in combinations(range(len(sizes)), 2)
        for i, j in product(range(sizes[a]), range(sizes[b]))
    }
    candidates = list(product(*map(range, sizes)))
    rows = []
    while open_pairs:
        best = max(candidates[:: max(1, len(candidates) // 700)], key=lambda r: new(r, open_pairs))
        if not new(best, open_pairs):
            best = max(candidates, key=lambda row: new(row, open_pairs))
        open_pairs -= pairs_of(best)
        rows.append(best)
    return rows


def pairs_of(row: tuple[int, ...]) -> set[tuple[int, int, int, int]]:
    return {(a, row[a], b, row[b]) for a, b in combinations(range(len(row)), 2)}


def new(row: tuple[int, ...], open_pairs: set[tuple[int, int, int, int]]) -> int:
    return len(pairs_of(row) & open_pairs)


@pytest.mark.peers
def test_pairs_when_checked_then_no_object_has_an_error(tmp_path):
    rows = pairwise()
    assert len(rows) < 40
    for row in rows:
        given = {name: CHOICES[name][i] for name, i in zip(CHOICES, row, strict=True)}
        site, side = given.pop("where")
        data, said = given.pop("data"), given.pop("said")
        made = wrapped(
            data, site_code=site, laterality=side, acquisition=acquisition.items_of(said), **given
        )
        known = {link.sop_instance_uid for link in given["links"]}
        assert validate.check(made.part10, known=known) == (), row
        told = dciodvfy(made, tmp_path)
        assert [line for line in told if line.startswith("Error")] == [], row
