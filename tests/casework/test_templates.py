"""Templates: their text is read line by line, their answers become sentences, one suits a case."""

from __future__ import annotations

import pytest

from casework.diagnosis_table import known_diagnoses
from casework.errors import Invalid
from casework.shipped_templates import NAMES, shipped, shipped_text
from casework.template_choice import Subject, best_template
from casework.template_text import parsed
from casework.templates import all_normal, missing, read_answers, text_of

TEXT = """
# Chest | Brystkasse
specialty: radiology
modality: CT, MR
body: chest, thorax
diagnoses: pneumonia, lung-cancer
require: diagnoses, malignancy
advice [pneumonia]: Treat. | Behandle.
follow-up: P3M CT again. | Ny CT.
safety-net: Come back. | Kom igjen.
measure: Nodule | Knute
// a remark

## Lungs | Lunger
normal: Clear. | Klare.
- dense! (choice): Density | Fortetning
  * none = none | ingen -> No density. | Ingen fortetning.
  + lobe = a lobe | en lapp -> Density of a lobe. | Fortetning i en lapp.
- fluid (checkbox): Fluid | Væske -> Fluid. | Væske. -> No fluid. | Ingen væske.
- size (number mm 1..300): Size | Mål -> It measures {value} mm. | Den måler {value} mm.
- more (text): More | Mer
"""
CHOICE = "# T | T\n## S | S\n- a (choice): A | B\n"


@pytest.fixture(scope="module")
def chest():
    return parsed("chest", TEXT, version=3)


def test_a_text_becomes_a_template(chest):
    assert (chest.title.nb, chest.version) == ("Brystkasse", 3)
    assert chest.suits.modalities == ("CT", "MR")
    assert [field.key for field in chest.fields] == ["dense", "fluid", "size", "more"]
    dense, _fluid, size, _more = chest.fields
    assert (dense.normal, dense.is_required, size.unit, size.high) == ("none", True, "mm", 300.0)
    assert (chest.follow_ups[0].interval, chest.advice[0].diagnosis) == ("P3M", "pneumonia")
    assert chest.required == ("diagnoses", "malignancy")


@pytest.mark.parametrize(
    ("answers", "english", "norwegian"),
    [
        ({}, "", ""),
        ({"dense": "none", "fluid": False}, "Lungs: Clear.", "Lunger: Klare."),
        ({"fluid": False}, "Lungs: No fluid.", "Lunger: Ingen væske."),
        (
            {"dense": "lobe", "fluid": True, "size": 8.5},
            "Lungs: Density of a lobe. Fluid. It measures 8.5 mm.",
            "Lunger: Fortetning i en lapp. Væske. Den måler 8,5 mm.",
        ),
        ({"more": "Scar"}, "Lungs: More: Scar.", "Lunger: Mer: Scar."),
        (
            {"dense": "none", "fluid": False, "size": 4},
            "Lungs: No density. No fluid. It measures 4 mm.",
            "Lunger: Ingen fortetning. Ingen væske. Den måler 4 mm.",
        ),
    ],
)
def test_answers_become_sentences_when_they_are_given(chest, answers, english, norwegian):
    read = read_answers(chest, answers)
    assert (text_of(chest, read, "en"), text_of(chest, read, "nb")) == (english, norwegian)


def test_all_normal_answers_what_can_be_normal_and_nothing_else(chest):
    assert all_normal(chest) == {"dense": "none", "fluid": False}
    assert [field.key for field in missing(chest, {"fluid": False})] == ["dense"]


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ({"dense": "many"}, "Density must be one of none, lobe"),
        ({"fluid": "yes"}, "Fluid must be true or false"),
        ({"size": 900}, "Size must be from 1 to 300"),
        ({"size": "8"}, "Size must be a number"),
        ({"more": 4}, "More must be a text"),
        ({"colour": "red"}, "no field colour"),
    ],
)
def test_an_answer_that_does_not_fit_is_refused_by_its_name(chest, answers, said):
    with pytest.raises(Invalid, match=said):
        read_answers(chest, answers)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("## Lungs | Lunger\n- a (text): A | B", "no title"),
        ("# T | T\nspeciality: radiology", "Line 2: write"),
        ("# T | T\n## S | S\n- a (colour): A | B", "Line 3: a field is one of choice"),
        ("# T | T\n## S | S\n- a (text): A | B\n- a (text): A | B", "Line 4: there are two fields"),
        ("# T | T\n## S | S\n- a (choice): A | B\n  * x = X | X", "at least two answers"),
        (f"{CHOICE}  * x = X | X\n  * y = Y | Y", "Line 5: only one"),
        (f"{CHOICE}  + x = X | X\n  + x = Y | Y", "Line 5: there are"),
        ("# T | T\n## S | S\n* x = X | X", "Line 3: an answer is"),
        ("# T | T\nfollow-up: soon CT | CT", "Line 2: a follow-up begins"),
        ("# T | T\nrequire: luck", "Line 2: luck cannot be required"),
        ("# T |\n", "Line 1: a text is missing"),
        ("# T | T\n- a (text): A | B", "Line 2: a section comes first"),
        ("# T | T\n## S | S\nwhat is this", "Line 3: a section has"),
        ("# T | T\n## S | S", "no field"),
    ],
)
def test_a_wrong_line_is_told_with_its_number(wrong, said):
    with pytest.raises(Invalid, match=said) as refused:
        parsed("wrong", wrong)
    assert refused.value.code == "invalid-template"


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_template_has_both_languages_and_says_normal_in_each(name):
    template = shipped()[name]
    for said in (text_of(template, all_normal(template), each) for each in ("en", "nb")):
        assert said.count("\n") >= 1
    offers = (*template.advice, *template.follow_ups, *template.safety_nets)
    known = known_diagnoses()
    assert template.diagnoses
    assert all(offer.diagnosis in known for offer in offers if offer.diagnosis)
    assert all(key in known for key in template.diagnoses)
    assert template.safety_nets
    assert all(" | " in line for line in (shipped_text(name) or "").splitlines() if "##" in line)


@pytest.mark.parametrize(
    ("subject", "chosen"),
    [
        (Subject("radiology", frozenset({"CT"}), "HEAD CT head, trauma"), "ct-head"),
        (Subject("radiology", frozenset({"CT"}), "", question="Fall, GCS 14, hodepine. Blødning?"),
         "ct-head"),
        (Subject("radiology", frozenset({"CT"}), "", question="Head injury. Bleeding?"), "ct-head"),
        (Subject("radiology", frozenset({"CT"}), "CT thorax med kontrast"), "ct-chest"),
        (Subject("radiology", frozenset({"CT", "SR"}), "CHEST"), "ct-chest"),
        (Subject("radiology", frozenset({"DX"}), "Røntgen thorax"), "chest-xray"),
        (Subject("radiology", frozenset({"CR"}), "CHEST"), "chest-xray"),
        (Subject("radiology", frozenset({"MR"}), "MR høyre kne"), "mr-msk"),
        (Subject("radiology", frozenset({"MR"}), "BRAIN"), None),
        (Subject("radiology", frozenset({"US"}), "ABDOMEN"), "us-abdomen"),
        (Subject("radiology", frozenset({"MG"}), "BREAST"), None),
        (Subject("radiology"), None),
        (Subject("dermatology", frozenset({"XC", "DMS"}), category="mole"), "pigmented-lesion"),
        (Subject("dermatology", category="rash"), "rash"),
        (Subject("dermatology", category="nails"), "rash"),
        (Subject("dermatology", category="wound"), "wound"),
        (Subject("dermatology", question="Et sår som ikke gror"), "wound"),
        (Subject("dermatology", question="Is this mole benign?"), "pigmented-lesion"),
    ],
)  # fmt: skip
def test_a_case_opens_with_the_template_that_suits_it(subject, chosen):
    found = best_template(list(shipped().values()), subject)
    assert (found.name if found else None) == chosen
