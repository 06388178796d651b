"""What a draft lacks and where it contradicts itself is noticed; it keeps nobody from signing."""

from __future__ import annotations

import pytest

from casework.describing import interval_text, suspicion_text, with_words
from casework.draft_notices import notices_of
from casework.errors import Invalid
from casework.findings import normal_findings
from casework.shipped_templates import shipped

WHOLE = {
    "impression": "Benign.", "diagnoses": [{"text": "Nevus"}], "malignancy": "low",
    "advice": "None.", "safety_net": "If it grows.", "measurements": [{"unit": "mm", "value": 6.2}],
}  # fmt: skip
MOLE = shipped()["pigmented-lesion"]
CHEST = shipped()["ct-chest"]


def codes(draft, template=None, **more):
    return [each.code for each in notices_of(draft, template, **more)]


def test_a_whole_draft_has_no_notice():
    assert codes(WHOLE, MOLE) == []


@pytest.mark.parametrize(
    ("lacks", "code"),
    [
        ("impression", "no-impression"),
        ("diagnoses", "no-diagnoses"),
        ("malignancy", "no-malignancy"),
        ("advice", "no-advice"),
        ("safety_net", "no-safety-net"),
        ("measurements", "not-measured"),
    ],
)
def test_what_the_template_wants_is_told_when_it_is_not_there(lacks, code):
    assert codes({**WHOLE, lacks: ""}, MOLE) == [code]


def test_without_a_template_only_the_impression_is_missed():
    assert codes({}) == ["no-impression"]


def test_a_required_field_without_an_answer_is_named_in_the_language():
    (found,) = [n for n in notices_of(WHOLE, shipped()["ct-head"]) if n.code == "no-answer"]
    assert found.about == {"field": "Blødning"}


@pytest.mark.parametrize(
    ("text", "sides", "wrong"),
    [
        ("Fracture of the right wrist.", {"L"}, True),
        ("Brudd på høyre side.", {"L"}, True),
        ("Brudd på venstre side.", {"L"}, False),
        ("Right and left compared.", {"L"}, False),
        ("Begge sider, mest høyre.", {"L"}, False),
        ("Refer right away.", {"L"}, False),
        ("Fracture of the right wrist.", {"L", "R"}, False),
        ("Fracture of the right wrist.", set(), False),
    ],
)
def test_another_side_than_the_images_is_noticed(text, sides, wrong):
    found = codes({**WHOLE, "findings": text}, sides=frozenset(sides))
    assert (found == ["other-side"]) is wrong


@pytest.mark.parametrize(
    ("text", "fields", "wrong"),
    [
        ("No pleural effusion.", {"effusion": "right"}, True),
        ("Ingen pleuravæske.", {"effusion": "both"}, True),
        ("Ikke emfysem.", {"emphysema": True}, True),
        ("No emphysema.", {"emphysema": False}, False),
        ("Emphysema.", {"emphysema": True}, False),
        ("No fracture, but emphysema.", {"emphysema": True}, False),
        ("No fracture\nEmphysema.", {"emphysema": True}, False),
    ],
)
def test_a_text_that_denies_what_the_form_says_is_noticed(text, fields, wrong):
    found = codes({**WHOLE, "findings": text, "fields": fields}, CHEST)
    assert (found == ["denied"]) is wrong


@pytest.mark.parametrize(
    ("text", "drawn", "wrong"),
    [
        ("A nodule of 21 mm.", [12.3], True),
        ("A nodule of 1,2 cm.", [12.3], False),
        ("A nodule of 12 mm, earlier 8 mm.", [12.3], False),
        ("A nodule, previously 21 mm.", [12.3], False),
        ("A nodule of 12 mm, another of 30 mm.", [12.3], False),
        ("A nodule of 21 mm.", [], False),
        ("No figure.", [12.3], False),
    ],
)
def test_a_length_that_differs_from_the_drawn_one_is_noticed(text, drawn, wrong):
    measured = [{"unit": "mm", "value": each} for each in drawn]
    found = codes({**WHOLE, "findings": text, "measurements": measured})
    assert (found == ["other-length"]) is wrong


@pytest.mark.parametrize(
    ("malignancy", "urgency", "code"),
    [
        ("high", "none", "suspicion-without-urgency"),
        ("high", "cancer-pathway", None),
        ("none", "cancer-pathway", "urgency-without-suspicion"),
        ("", "cancer-pathway", None),
    ],
)
def test_suspicion_and_hurry_that_do_not_go_together_are_noticed(malignancy, urgency, code):
    found = codes({**WHOLE, "malignancy": malignancy, "urgency": urgency})
    assert found == ([code] if code else [])


def test_answers_and_an_interval_become_words_of_the_reply():
    body = {"template": "ct-chest", "language": "en", "fields": {"effusion": "left"},
            "follow_up_interval": "P3M"}  # fmt: skip
    said = with_words(normal_findings(body), CHEST)
    assert said["described"] == "Pleura: Pleural effusion on the left."
    assert (said["follow_up"], said["template_version"]) == ("Check in 3 months.", 1)
    kept = with_words(normal_findings({**body, "follow_up": "CT in spring."}), CHEST)
    assert kept["follow_up"] == "CT in spring."


def test_answers_without_a_template_are_refused_and_words_of_others_do_not_come_in():
    with pytest.raises(Invalid, match="Choose the template again"):
        with_words(normal_findings({"fields": {"effusion": "left"}}), None)
    assert with_words(normal_findings({"described": "Sneaked in."}), None)["described"] == ""


@pytest.mark.parametrize(
    ("interval", "english", "norwegian"),
    [
        ("P1D", "Check in 1 day.", "Kontroll om 1 dag."),
        ("P6W", "Check in 6 weeks.", "Kontroll om 6 uker."),
        ("P1M", "Check in 1 month.", "Kontroll om 1 måned."),
        ("P2Y", "Check in 2 years.", "Kontroll om 2 år."),
    ],
)
def test_an_interval_is_said_in_words(interval, english, norwegian):
    assert (interval_text(interval, "en"), interval_text(interval, "nb")) == (english, norwegian)


def test_suspicion_is_said_in_the_language_of_the_findings():
    assert suspicion_text({"malignancy": "high"}) == "Høy mistanke om malignitet"
    assert suspicion_text({"malignancy": "low", "language": "en"}) == "Low suspicion of malignancy"
    assert suspicion_text({}) == ""
