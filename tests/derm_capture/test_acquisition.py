"""The acquisition context: each answer's code is of the CID that the template names for it."""

from __future__ import annotations

import pytest
from pydicom.sr._cid_dict import cid_concepts
from pydicom.sr._concepts_dict import concepts

from casework.clinical import normal_clinical
from casework.questions import QUESTIONS
from derm_capture import acquisition
from derm_capture.acquisition import _CODED, CONTEXT_GROUPS, COUNTS, items_of
from derm_capture.context import Counted
from tests.derm_capture import pictures
from tests.derm_capture.wrapping import read, wrapped

_PYDICOM_SCHEME = {"NCIt": "LN"}  # PS3.16 has NCIt for CID 4401; pydicom prints LN
BY_KEY = {question.key: question for question in QUESTIONS}


def of_cid(cid: int) -> dict[tuple[str, str], str]:
    return {
        (scheme, code): meaning
        for scheme, keywords in cid_concepts[cid].items()
        for keyword in keywords
        for code, (meaning, cids) in concepts[scheme][keyword].items()
        if cid in cids
    }


@pytest.mark.parametrize("concept", CONTEXT_GROUPS, ids=lambda code: code.meaning)
def test_codes_when_compared_with_the_standard_then_each_is_in_its_cid(concept):
    cid, answers = CONTEXT_GROUPS[concept]
    standard = of_cid(cid)
    for code in answers:
        assert standard[_PYDICOM_SCHEME.get(code.scheme, code.scheme), code.value] == code.meaning


def test_questions_of_the_template_when_the_standard_knows_them_then_by_these_words():
    known = {
        (scheme, code): meaning
        for scheme, keywords in concepts.items()
        for keyword in keywords.values()
        for code, (meaning, _) in keyword.items()
    }
    unknown = set()
    for concept in {*CONTEXT_GROUPS, *COUNTS}:
        meaning = known.get((concept.scheme, concept.value))
        if meaning is None:
            unknown.add(concept.meaning)
            continue
        assert meaning.startswith(concept.meaning) or concept.value in {
            "1251000119106",
            "418799008",
        }
    assert unknown == {"Disorder of skin"}  # a code of SNOMED CT that the dictionaries have not


def test_every_cid_of_the_template_when_listed_then_some_question_is_coded_by_it():
    assert {cid for *_, cid in _CODED} == set(range(4401, 4412))


@pytest.mark.parametrize(("key", "codes"), [(key, codes) for key, _, codes, _ in _CODED])
def test_coded_answers_when_compared_with_the_questions_then_each_can_be_given(key, codes):
    assert set(codes) <= {option.value for option in BY_KEY[key].options}


def test_items_when_everything_is_answered_then_each_answer_is_there():
    said = {
        question.key: [o.value for o in question.options if o.value != "none"]
        for question in QUESTIONS
        if question.kind == "choices"
    } | {"skin_type": "3", "melanomas": 2, "melanomas_in_situ": 0, "relatives_with_melanoma": 1}
    items = items_of(normal_clinical(said))
    of_each = dict.fromkeys(range(4401, 4412), 0)
    for item in items:
        if item.concept in CONTEXT_GROUPS:
            of_each[CONTEXT_GROUPS[item.concept][0]] = (
                of_each.get(CONTEXT_GROUPS[item.concept][0], 0) + 1
            )
    assert min(of_each.values()) >= 1
    assert of_each[230] == 3  # what runs in the family
    counts = {item.concept.value: item.value for item in items if item.concept in COUNTS}
    assert counts == {"130483": Counted(2), "130484": Counted(0), "130487": Counted(1)}


@pytest.mark.parametrize(
    ("said", "codes"),
    [
        ({"family_skin_cancer": "no"}, ["373067005"] * 3),
        ({"family_skin_cancer": "yes"}, []),
        ({"family_skin_cancer": "yes", "family_skin_cancer_kinds": ["melanoma"]}, ["373066001"]),
        ({"skin_type": 4}, ["C74572"]),
        ({"skin_type": True, "symptoms": "none", "evolution": ["none"]}, []),
        ({"melanomas": "two", "melanomas_in_situ": 1.5, "relatives_with_melanoma": True}, []),
        ({"topical": ["none", "steroid"], "colours": {"a": 1}}, ["116566001"]),
        ({}, []),
    ],
)
def test_items_when_answers_are_odd_then_only_what_has_a_code_is_said(said, codes):
    assert [item.value.value for item in items_of(said)] == codes


def test_counts_when_written_then_they_are_numbers_with_units():
    ds = read(wrapped(pictures.jpeg(pictures.skin()), acquisition=items_of({"melanomas": 2})))
    (item,) = ds.AcquisitionContextSequence
    assert (item.ValueType, item.NumericValue) == ("NUMERIC", 2)
    assert item.MeasurementUnitsCodeSequence[0].CodeValue == "1"
    assert acquisition.COUNTS
