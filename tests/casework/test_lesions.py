"""What is called how, what is counted, and what a size over time may be said to be."""

from __future__ import annotations

from datetime import date

import pytest

from casework.lesion_sizes import OUTLINE, READER, Size, measured_lengths, one_a_day, trend_of
from casework.lesions import (
    LesionPicture,
    grouped,
    kind_of_picture,
    may_be_compared,
    mm_per_pixel_of,
    next_label,
    normal_label,
)
from casework.model import CaseState


def picture(uid="1", day=date(2026, 3, 1), study="1.2", **more):
    given = {"site": "fjord", "case_id": "c", "kind": "closeup", "rows": 3, "columns": 4} | more
    return LesionPicture(uid, given.pop("site"), study, given.pop("case_id"), day=day,
                         mm_per_pixel=None, **given)  # fmt: skip


@pytest.mark.parametrize(
    ("taken", "following"),
    [((), "A"), (("A",), "B"), (("a ", "B", "D"), "C"), (("left arm",), "A"),
     ([chr(65 + n) for n in range(26)], "A2")],
)  # fmt: skip
def test_next_label_is_the_first_letter_that_is_free(taken, following):
    assert next_label(taken) == following


def test_label_when_written_oddly_then_what_cannot_be_seen_is_gone():
    assert normal_label("  left \t arm ") == "left arm"
    assert len(normal_label("x" * 200)) == 64


def test_lesions_when_grouped_then_visits_are_studies_and_the_newest_comes_first():
    old, new = picture("1", date(2025, 1, 1), "1.1"), picture("2", date(2026, 1, 1), "1.2")
    more = picture("3", date(2026, 1, 1), "1.2", kind="overview", site_code="14", laterality="L")
    other = picture("4", date(2026, 5, 1), "1.3")
    found = grouped(
        [("u1", "A", new), ("u1", "A", old), ("u1", "A", more), ("u2", "x", other)], {"u2": "B"}
    )
    assert [each.label for each in found] == ["B", "A"]
    first = found[1]
    assert [p.sop_instance_uid for p in first.pictures] == ["1", "3", "2"]
    assert (first.visits, first.first_seen, first.last_seen) == (
        2, date(2025, 1, 1), date(2026, 1, 1),
    )  # fmt: skip
    assert (first.site_code, first.laterality) == ("14", "L")
    assert first.newest("overview") == more


def test_lesions_when_two_are_called_the_same_then_they_are_told_apart():
    found = grouped([("u1", "A", picture("1")), ("u2", "A", picture("2"))], {"u2": "A"})
    assert {each.uid: each.label for each in found} == {"u2": "A", "u1": "A (2)"}


def test_kind_is_what_image_type_says_else_the_modality():
    assert kind_of_picture({"ImageType": ["ORIGINAL", "PRIMARY", "", "OVERVIEW"]}) == "overview"
    assert kind_of_picture({"ImageType": ["ORIGINAL", "PRIMARY"], "Modality": "DMS"}) == (
        "dermoscopic"
    )
    assert kind_of_picture({}) == ""


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"PixelSpacing": ["0.05", "0.05"], "PixelSpacingCalibrationType": "FIDUCIAL"}, 0.05),
        ({"PixelSpacing": ["0.05", "0.05"], "PixelSpacingCalibrationType": "GEOMETRY"}, None),
        ({"PixelSpacing": ["0.05", "0.05"]}, None),
        ({"PixelSpacing": ["0.05", "0.09"], "PixelSpacingCalibrationType": "FIDUCIAL"}, None),
        ({"PixelSpacing": ["x", "0.05"], "PixelSpacingCalibrationType": "FIDUCIAL"}, None),
        ({"PixelSpacing": ["0", "0"], "PixelSpacingCalibrationType": "FIDUCIAL"}, None),
        ({}, None),
    ],
)
def test_size_of_a_pixel_is_believed_by_a_marker_alone(attributes, expected):
    assert mm_per_pixel_of(attributes) == expected


@pytest.mark.parametrize(
    ("state", "submitted", "consent", "may"),
    [
        (None, False, None, True),
        (CaseState.SIGNED, True, {"care": True}, True),
        (CaseState.SIGNED, True, {}, True),
        (CaseState.SIGNED, True, {"care": False}, False),
        (CaseState.DRAFT, False, {"care": False}, True),
        (CaseState.WITHDRAWN, True, {"care": True}, False),
        (CaseState.WITHDRAWN, False, {}, False),
    ],
)
def test_pictures_without_consent_or_withdrawn_stand_beside_no_others(
    state, submitted, consent, may
):
    assert may_be_compared(state=state, is_submitted=submitted, consent=consent) is may


def size(day, mm, off=0.2, by=OUTLINE):
    return Size(day, mm, off, by, "1")


def test_size_of_a_day_is_the_readers_longest_else_the_surest_outline():
    day = date(2026, 1, 1)
    assert one_a_day([size(day, 4, 0.5), size(day, 5, 0.2)]) == [size(day, 5, 0.2)]
    readers = [size(day, 3, by=READER), size(day, 4, by=READER), size(day, 9, 0.01)]
    assert one_a_day(readers) == [size(day, 4, by=READER)]
    assert [s.day for s in one_a_day([size(date(2026, 2, 1), 4), size(day, 4)])] == [
        day, date(2026, 2, 1),
    ]  # fmt: skip


def test_trend_when_less_than_measuring_can_tell_then_it_is_not_certain():
    first = size(date(2025, 1, 14), 4.1)
    grown = trend_of([first, size(date(2026, 3, 14), 5.6)])
    assert (grown.months, grown.is_certain) == (14, True)
    assert not trend_of([first, size(date(2026, 3, 14), 4.3)]).is_certain
    assert trend_of([first]) is None


def test_measurements_when_not_lengths_in_millimetres_of_these_pictures_then_they_do_not_count():
    day = date(2026, 1, 1)
    right = {"instance_uid": "1.2", "kind": "length", "value": 4.2, "unit": "mm"}
    wrong = [
        {"unit": "px"}, {"kind": "angle"}, {"instance_uid": "1.3"}, {"value": None}, {"value": -1},
        {"value": True},
    ]  # fmt: skip
    found = measured_lengths([right, *({**right, **each} for each in wrong)], {"1.2": day})
    assert [(s.day, s.longest_mm, s.by) for s in found] == [(day, 4.2, READER)]
    both = {**right, "kind": "bidirectional", "value": 5.1, "stats": {"short": 3.0}}
    assert [s.longest_mm for s in measured_lengths([both], {"1.2": day})] == [5.1]
