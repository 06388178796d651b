import pytest

from casework.errors import Invalid
from casework.findings import (
    FINDINGS_KEYS,
    canonical_json,
    content_hash,
    normal_findings,
    require_signable,
)

MEASURED = {
    "instance_uid": "1.2.3",
    "frame": 2,
    "kind": "length",
    "points": [[1, 2], [3.5, 4]],
    "value": 12,
    "unit": "mm",
    "calibration": "PixelSpacing",
    "label": "nodule",
}


def test_nothing_becomes_findings_with_every_key():
    found = normal_findings({})
    assert tuple(found) == FINDINGS_KEYS
    assert found["urgency"] == "none"
    assert found["assessable"] == "yes"
    assert found["measurements"] == found["key_images"] == found["diagnoses"] == []


def test_normal_findings_are_normal_already():
    once = normal_findings(
        {
            "findings": " Two\r\nlines ",
            "impression": "Naevus.",
            "diagnoses": [{"text": "Naevus", "code": "D22", "system": "ICD-10", "certainty": 4}],
            "urgency": "routine",
            "measurements": [MEASURED],
            "key_images": [{"instance_uid": "1.2.3", "frame": 1}],
            "displayed": {"window": [40, 400]},
        }
    )
    assert once["findings"] == "Two\nlines"
    assert once["diagnoses"][0]["certainty"] == "4"
    assert once["measurements"][0]["points"] == [[1.0, 2.0], [3.5, 4.0]]
    assert normal_findings(once) == once
    assert content_hash(normal_findings(once)) == content_hash(once)


def test_markup_is_kept_as_text():
    assert normal_findings({"findings": "<b>x</b>"})["findings"] == "<b>x</b>"


REFUSED = [
    ({"conclusion": "x"}, "conclusion"),
    ({"findings": 3}, "findings"),
    ({"findings": "x" * 20_001}, "findings"),
    ({"urgency": "soon"}, "urgency"),
    ({"assessable": True}, "assessable"),
    ({"diagnoses": "naevus"}, "diagnoses"),
    ({"diagnoses": [{"code": "D22"}]}, "diagnoses[0].text"),
    ({"diagnoses": [{"text": "x", "icd": "D22"}]}, "icd"),
    ({"diagnoses": [{"text": "x", "codes": [{"system": "sct"}]}]}, "diagnoses[0].codes[0].code"),
    ({"malignancy": "some"}, "malignancy"),
    ({"fields": ["a"]}, "fields"),
    ({"fields": {"a": [1]}}, "fields.a"),
    ({"fields": {"a": float("inf")}}, "fields.a"),
    ({"template_version": -1}, "template_version"),
    ({"template_version": True}, "template_version"),
    ({"language": "de"}, "language"),
    ({"follow_up_interval": "soon"}, "follow_up_interval"),
    ({"key_images": [{"instance_uid": "abc"}]}, "key_images[0].instance_uid"),
    ({"key_images": [{"instance_uid": "1.2", "frame": 0}]}, "key_images[0].frame"),
    ({"key_images": [{}] * 201}, "key_images"),
    ({"measurements": [{**MEASURED, "points": []}]}, "measurements[0].points"),
    ({"measurements": [{**MEASURED, "points": [[1]]}]}, "measurements[0].points"),
    ({"measurements": [{**MEASURED, "value": float("nan")}]}, "measurements[0].value"),
    ({"measurements": [{**MEASURED, "colour": "red"}]}, "colour"),
    ({"displayed": [1]}, "displayed"),
    ({"displayed": {"x": float("inf")}}, "displayed"),
]


@pytest.mark.parametrize(("body", "named"), REFUSED)
def test_what_has_not_its_form_is_refused_by_name(body, named):
    with pytest.raises(Invalid) as refused:
        normal_findings(body)
    assert named in refused.value.message


@pytest.mark.parametrize("impression", ["", "  ", "\n"])
def test_without_an_impression_nothing_is_signed(impression):
    with pytest.raises(Invalid, match="impression"):
        require_signable(normal_findings({"impression": impression, "findings": "x"}))
    require_signable(normal_findings({"impression": "Benign."}))


def test_canonical_json_does_not_depend_on_order_and_keeps_letters():
    assert canonical_json({"b": 1, "a": "ø"}) == '{"a":"ø","b":1}'.encode()
    assert content_hash({"b": [1, 2], "a": None}) == content_hash({"a": None, "b": [1, 2]})
    assert content_hash({"a": 1}) != content_hash({"a": 2})
