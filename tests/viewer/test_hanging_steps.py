"""A case is hung by its question, part of the body, modality and series; a table of cases."""

from __future__ import annotations

import random
from typing import Any

import pytest

from viewer.hanging import KIND_OF_CASE, LAYOUTS, Asked, Hung, Step, hang
from viewer.hanging_facts import facts_of, plane_of, sent

HEAD = [
    Hung("scout", "stack", "CT", 2, "Scout HEAD", is_scout=True, plane="sagittal"),
    Hung("thick", "stack", "CT", 40, "Axial 5 mm HEAD", plane="axial"),
    Hung("bone", "stack", "CT", 40, "Axial bone HEAD", plane="axial"),
    Hung("cor", "stack", "CT", 60, "Cor 3 mm HEAD", plane="coronal"),
]
CHEST = [
    Hung("soft", "stack", "CT", 90, "Thorax 3 mm Br40 CHEST", plane="axial"),
    Hung("lung", "stack", "CT", 80, "Thorax lunge CHEST", plane="axial"),
]
BRAIN_MR = [
    Hung(key, "stack", "MR", 24, f"{text} BRAIN", plane="axial")
    for key, text in (
        ("t1", "T1 SE"), ("t2", "T2 TSE"), ("flair", "T2 FLAIR"), ("dwi", "DWI b1000"),
        ("adc", "ADC"),
    )
]  # fmt: skip
SPINE = [
    Hung("ax", "stack", "MR", 30, "T2 ax LSPINE", plane="axial"),
    Hung("t2", "stack", "MR", 15, "T2 sag LSPINE", plane="sagittal"),
    Hung("t1", "stack", "MR", 15, "T1 sag LSPINE", plane="sagittal"),
]
XRAY = [Hung("c", "stack", "DX", 2, "CHEST", views=("LL", "PA"))]
BREASTS = [
    Hung(side + view, "stack", "MG", 1, "BREAST", views=(f"{side} {view}",))
    for side, view in (("L", "MLO"), ("R", "CC"), ("L", "CC"), ("R", "MLO"))
]
PHOTOS = [Hung("p", "photo", "XC", 3, "Photographs"), Hung("q", "photo", "XC", 1)]


def said(step: Step) -> str:
    """Return a step in a line: `1x2 thick/Brain bone/Bone`."""
    return " ".join(
        [step.layout]
        + [
            (place.other or place.series)
            + ("" if place.image is None else f"#{place.image}")
            + ("" if place.window is None else f"/{place.window.label}")
            for place in step.places
        ]
    )


@pytest.mark.parametrize(
    ("series", "question", "kind", "steps"),
    [
        (HEAD, "Fall from ladder, on warfarin. Bleeding?", "CT-head", [
            "1x2 thick/Brain bone/Bone", "1x2 thick/Brain thick/Subdural",
            "1x2 thick/Brain cor/Brain"]),
        (HEAD, "Subduralhematom?", "CT-head", ["1x2 thick/Brain thick/Subdural", "1x1 bone/Bone"]),
        (HEAD, "Hjerneslag, afasi siden kl. 9", "CT-head", ["1x2 thick/Brain thick/Stroke"]),
        (HEAD, "I tilfelle av tumor?", "CT-head", ["1x1 thick/Brain", "1x2 thick/Brain bone/Bone"]),
        (CHEST, "Tumor?", "CT-chest", ["1x2 lung/Lung soft/Soft tissue", "1x1 soft/Bone"]),
        (CHEST, "Lungeemboli?", "CT-chest", ["1x1 soft/Angiography"]),
        (BRAIN_MR, "MS?", "MR-head", ["2x2 flair dwi t2 t1", "1x2 dwi adc"]),
        (SPINE, "Prolapse?", "MR-spine", ["2x2 t2 t1 ax", "1x2 ax t2"]),
        (XRAY, "Pneumonia?", "DX-chest", ["1x2 c#1 c#0"]),
        (BREASTS, "", "MG-breast", ["2x2 RCC LCC RMLO LMLO"]),
        (PHOTOS, "Mole?", "XC-skin", ["1x1 p"]),
        ([Hung("u", "stack", "US", 60, "")], "Gallstones?", "US-any", ["1x1 u"]),
        ([Hung("d", "document", "OT", 1)], "", "", ["1x1 d"]),
        ([], "", "", []),
    ],
)  # fmt: skip
def test_a_case_is_hung_by_what_is_asked_of_which_images(
    series: list[Hung], question: str, kind: str, steps: list[str]
) -> None:
    found = hang(series, Asked(question))
    assert [said(step) for step in found.steps][: len(steps)] == steps
    assert found.kind == kind


def test_what_it_is_compared_with_hangs_beside_it() -> None:
    head = hang(HEAD, Asked(has_prior=True))
    assert "1x2 thick/Brain prior" in [said(step) for step in head.steps]
    assert "1x2 thick/Brain scout" in [said(step) for step in head.steps]
    mole = hang(PHOTOS, Asked(has_lesion_before=True))
    assert [said(step) for step in mole.steps] == ["2x1 p lesion", "1x1 p"]


OWN = {
    "layout": "2x1",
    "panes": [
        {"kind": "stack", "modality": "CT", "plane": "coronal", "text": "another name"},
        {"kind": "stack", "modality": "CT", "plane": "axial", "text": "Axial bone HEAD",
         "window": [300, 1500], "image": 900},
    ],
}  # fmt: skip


def test_the_readers_own_arrangement_comes_first_with_the_series_of_this_case() -> None:
    found = hang(HEAD, Asked("Tumor?"), kept={"CT-head": OWN, "CT-chest": {}})
    first = found.steps[0]
    assert (first.is_own, said(first)) == (True, "2x1 cor bone/")
    assert found.first == "cor"
    assert [said(step) for step in found.steps][1] == "1x1 thick/Brain"


@pytest.mark.parametrize(
    "kept",
    [
        {"layout": "9x9", "panes": OWN["panes"]},
        {"layout": "1x1", "panes": []},
        {"layout": "1x1", "panes": [{"other": "prior"}]},
        {"layout": "1x1", "panes": [{"kind": "stack", "modality": "MR", "plane": "axial"}]},
        {},
    ],
)
def test_an_arrangement_that_this_case_cannot_fill_gives_way_to_the_standard(kept: Any) -> None:
    assert not hang(HEAD, kept={"CT-head": kept}).steps[0].is_own


def test_every_mixture_of_series_is_hung_whole() -> None:
    chance = random.Random(7)
    pool = [*HEAD, *CHEST, *BRAIN_MR, *SPINE, *XRAY, *BREASTS, *PHOTOS]
    for _ in range(500):
        series = chance.sample(pool, chance.randint(1, 9))
        found = hang(series, Asked(chance.choice(["fall", "blødning", ""]), has_prior=True))
        keys = {each.key for each in series}
        assert found.first in keys
        assert KIND_OF_CASE.fullmatch(found.kind)
        for step in found.steps:
            rows, columns = map(int, step.layout.split("x"))
            assert step.layout in LAYOUTS
            assert 0 < len(step.places) <= rows * columns
            assert all(place.other or place.series in keys for place in step.places)


@pytest.mark.parametrize(
    ("axes", "plane"),
    [
        ([1, 0, 0, 0, 1, 0], "axial"),
        ([1, 0, 0, 0, 0, -1], "coronal"),
        ([0, 1, 0, 0, 0, -1], "sagittal"),
        ([1, 0, 0, 0, 0.9, 0.43], "axial"),
        ([1, 0, 0, 0, 0.7, 0.7], ""),
        ([1, 0], ""),
        (None, ""),
    ],
)
def test_the_plane_is_that_of_the_nearest_axis(axes: Any, plane: str) -> None:
    assert plane_of(axes) == plane


def test_views_are_told_of_plain_examinations_alone() -> None:
    mammogram = {"Modality": "MG", "ViewPosition": "CC", "ImageLaterality": "R"}
    assert facts_of([mammogram])["views"] == ["R CC"]
    assert "views" not in facts_of([{"Modality": "CT", "ViewPosition": "AP"}])


def test_the_manifest_says_a_hanging_in_full() -> None:
    found = sent(hang(HEAD, Asked("fall", has_prior=True)))
    assert found["steps"][0]["panes"][1] == {"series": "bone", "window": [500, 2500, "Bone"]}
    assert {"other": "prior"} in found["steps"][-1]["panes"]
