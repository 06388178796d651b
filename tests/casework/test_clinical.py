import pytest

from casework.clinical import (
    CONSENTS,
    QUESTIONS,
    RADIOLOGY,
    REASON_CODES,
    SKIN,
    normal_clinical,
    normal_consent,
    reason_label,
)
from casework.errors import Invalid


def test_questions_are_told_apart_and_spoken_in_both_languages():
    assert len({q.key for q in QUESTIONS}) == len(QUESTIONS)
    for question in QUESTIONS:
        assert question.label_en
        assert question.label_nb
        assert question.kind in {"choice", "choices", "text", "number", "duration"}
        assert bool(question.options) is (question.kind in {"choice", "choices"})
        assert set(question.categories) <= {*SKIN, *RADIOLOGY}
        assert len({o.value for o in question.options}) == len(question.options)


def test_the_first_question_is_the_category():
    assert QUESTIONS[0].key == "category"
    assert tuple(o.value for o in QUESTIONS[0].options) == SKIN


def test_both_specialties_are_asked_something():
    for category in (*SKIN, *RADIOLOGY):
        assert sum(category in q.categories for q in QUESTIONS) >= 5


def test_consents_and_reasons_are_those_agreed():
    assert [c.value for c in CONSENTS] == ["care", "teaching", "research"]
    assert [r.value for r in REASON_CODES] == [
        "blurred", "no-overview", "no-closeup", "no-dermoscopy", "need-perpendicular", "cut-off",
        "too-dark", "incomplete", "other",
    ]  # fmt: skip
    assert reason_label("no-closeup", language="nb") == "Nærbilde mangler"
    assert reason_label("something else") == "something else"


ANSWERS = [
    ({"category": "Mole or tumour"}, {"category": "mole"}),
    ({"category": "FØFLEKK eller svulst"}, {"category": "mole"}),
    ({"symptoms": "itch"}, {"symptoms": ["itch"]}),
    ({"symptoms": ["Kløe", "bleeding"]}, {"symptoms": ["itch", "bleeding"]}),
    ({"size_mm": "7,5"}, {"size_mm": 7.5}),
    ({"size_mm": 7}, {"size_mm": 7}),
    ({"size_mm": "about a pea"}, {"size_mm": "about a pea"}),
    ({"duration": "3 uker"}, {"duration": {"value": 3, "unit": "weeks"}}),
    ({"duration": {"value": "2", "unit": "Months"}}, {"duration": {"value": 2, "unit": "months"}}),
    ({"duration": "since school"}, {"duration": "since school"}),
    ({"pregnant": False}, {"pregnant": "no"}),
    ({"medication": "  none  "}, {"medication": "none"}),
    ({"medication": ""}, {}),
    ({"own_question": "kept"}, {"own_question": "kept"}),
    ({"history": "x" * 50_000}, {"history": "x" * 50_000}),
]


@pytest.mark.parametrize(("given", "expected"), ANSWERS, ids=range(len(ANSWERS)))
def test_answers_are_brought_into_form_and_otherwise_left_alone(given, expected):
    assert normal_clinical(given) == expected
    assert normal_clinical(expected) == expected


@pytest.mark.parametrize(
    "body", [{"category": {"a": 1}}, {"medication": ["a"]}, {1: "x"}, ["a"], {"free": {"a": 1}}]
)
def test_answers_of_the_wrong_type_are_refused(body):
    with pytest.raises(Invalid):
        normal_clinical(body)


def test_consents_are_yes_or_no_each_by_itself():
    given = {"care": "ja", "teaching": False, "research": "No", "when": "today"}
    expected = {"care": True, "teaching": False, "research": False, "when": "today"}
    assert normal_consent(given) == expected
    for wrong in (1, "perhaps", None, []):
        with pytest.raises(Invalid, match="care"):
            normal_consent({"care": wrong})
