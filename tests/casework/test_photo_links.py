"""Which photographs a new one refers to: of its own lesion, the newest of each other kind."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest

from casework.photo_links import Pictured, Purpose, links_of

CHIN, ARM = "23747009", "41550009"
_numbers = count(1)


def picture(kind: str, **given: Any) -> Pictured:
    uid = f"2.25.{next(_numbers)}"
    fields = {"site_code": ARM, "laterality": "L", "sop_class_uid": "1.2", "series_uid": "2.25.9"}
    return Pictured(sop_instance_uid=uid, kind=kind, **fields | given)


def referred(new: Pictured, *kept: Pictured) -> list[tuple[str, Purpose]]:
    return [(link.sop_instance_uid, link.purpose) for link in links_of(new, kept)]


@pytest.mark.parametrize("kind", ["closeup", "dermoscopic"])
def test_links_when_the_overview_is_there_then_a_near_picture_refers_to_it(kind):
    overview = picture("overview")
    expected = [(overview.sop_instance_uid, Purpose.LOCALIZER)]
    assert referred(picture(kind), overview, picture("closeup"), picture("dermoscopic")) == expected


def test_links_when_the_overview_comes_later_then_it_refers_to_the_near_ones():
    near, nearest = picture("closeup"), picture("dermoscopic")
    assert referred(picture("overview"), nearest, near) == [
        (near.sop_instance_uid, Purpose.DETAIL), (nearest.sop_instance_uid, Purpose.DETAIL),
    ]  # fmt: skip


def test_links_when_one_was_taken_again_then_the_newest_counts():
    first, second = picture("overview"), picture("overview")
    assert referred(picture("closeup"), first, second) == [
        (second.sop_instance_uid, Purpose.LOCALIZER)
    ]


@pytest.mark.parametrize(
    "other",
    [
        {"lesion_uid": "2.25.77"},
        {"lesion_uid": ""},
        {"lesion_uid": "", "site_code": CHIN},
    ],
)
def test_links_when_the_overview_is_of_another_lesion_then_there_is_none(other):
    mine = picture("closeup", lesion_uid="2.25.1000")
    assert referred(mine, picture("overview", **other)) == []


@pytest.mark.parametrize("other", [{"site_code": CHIN}, {"laterality": "R"}, {"laterality": ""}])
def test_links_when_no_lesion_is_named_then_the_place_and_the_side_must_be_the_same(other):
    assert referred(picture("closeup"), picture("overview", **other)) == []


def test_links_when_the_lesion_is_named_then_the_place_may_be_said_more_closely():
    overview = picture("overview", lesion_uid="2.25.5", site_code=ARM)
    near = picture("closeup", lesion_uid="2.25.5", site_code="281642007")
    assert referred(near, overview) == [(overview.sop_instance_uid, Purpose.LOCALIZER)]


def test_links_when_nothing_is_kept_then_there_are_none():
    assert referred(picture("overview")) == []
