"""Anchors: the numbers in brackets that a sentence points to a picture with."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casework.anchors import anchors_of, mark_of, numbers_in, parts_of
from casework.errors import Invalid
from casework.findings import normal_findings

VIEW = {"instance_uid": "1.2.3", "frame": 2}
PLACE = {"scale": 1.5, "middle": [10, 20.5], "quarter_turns": 3, "is_mirrored": True}


def anchor(number, **more):
    return {"number": number, **VIEW, **more}


def test_a_known_number_in_brackets_is_an_anchor_and_others_are_words():
    assert list(parts_of("A [2] b [7] c [1].", {1, 2})) == [
        ("A ", None), ("[2]", 2), (" b [7] c ", None), ("[1]", 1), (".", None),
    ]  # fmt: skip


@given(st.text(alphabet="a[]123 \n", max_size=60), st.sets(st.integers(1, 123)))
def test_the_pieces_of_a_text_are_the_text(text, known):
    pieces = list(parts_of(text, known))
    assert "".join(piece for piece, _ in pieces) == text
    assert {number for _, number in pieces if number} == known & numbers_in({"findings": text})


def test_an_anchor_keeps_its_window_and_place_and_is_normal_once():
    said = {"anchors": [anchor(1, measurement=0, window=[40, 400], place=PLACE)]}
    found = normal_findings(said)
    assert found["anchors"][0]["place"]["middle"] == [10.0, 20.5]
    assert found["anchors"][0]["is_inverted"] is False
    assert normal_findings(found) == found


@pytest.mark.parametrize(
    "wrong",
    [
        {"number": 0, **VIEW}, {"number": True, **VIEW}, {"number": 1, "instance_uid": "x"},
        anchor(1, window=[1]), anchor(1, window="x"), anchor(1, measurement=-1),
        anchor(1, place={"scale": 0, "middle": [1, 1]}), anchor(1, place={"scale": 1}),
        anchor(1, place={**PLACE, "quarter_turns": 4}), anchor(1, colour="red"),
    ],
)  # fmt: skip
def test_an_anchor_without_its_form_is_refused(wrong):
    with pytest.raises(Invalid, match="anchors"):
        normal_findings({"anchors": [wrong]})


def test_two_anchors_of_one_number_are_refused():
    with pytest.raises(Invalid, match="different numbers"):
        normal_findings({"anchors": [anchor(1), anchor(1, frame=3)]})


def test_only_anchors_that_a_text_mentions_count_in_their_order():
    said = {"impression": "See [3].", "findings": "[1] and [9]",
            "anchors": [anchor(3), anchor(2), anchor(1)]}  # fmt: skip
    assert [each["number"] for each in anchors_of(said)] == [1, 3]


def test_a_mark_is_meant_only_where_it_lies_on_the_frame():
    content = {"measurements": [{**VIEW, "kind": "length"}, {**VIEW, "frame": 5}]}
    assert mark_of(anchor(1, measurement=0), content) == 0
    assert mark_of(anchor(1, measurement=1), content) is None
    assert mark_of(anchor(1, measurement=9), content) is None
    assert mark_of(anchor(1), content) is None
