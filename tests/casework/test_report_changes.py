"""What a correction changed, and whether a version still is what was signed."""

from dataclasses import replace
from datetime import UTC, datetime

from casework.findings import content_hash, normal_findings
from casework.model import Report
from casework.report_changes import changed_parts, corrected_from, findings_of, is_as_signed

NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)


def report(version: int, kind: str, **said: str) -> Report:
    content = normal_findings(said)
    return Report(version, kind, f"1.2.{version}", content, content_hash(content), "Dr", "u", NOW)


def test_the_parts_that_differ_are_named_in_order():
    before = normal_findings({"impression": "Left.", "advice": "Wait.", "findings": "F"})
    after = normal_findings({"impression": "Right.", "findings": "F", "why_corrected": "Side."})
    assert changed_parts(before, after) == ["impression", "advice"]
    assert changed_parts(before, before) == []


def test_a_version_of_before_a_part_was_there_did_not_change_it():
    after = normal_findings({"impression": "Left."})
    before = {key: after[key] for key in after if key not in {"plain_words", "anchors"}}
    assert changed_parts(before, after) == []


def test_a_correction_replaces_the_answer_before_it_not_an_addendum():
    first, more = report(1, "original"), report(2, "addendum", impression="More")
    second = report(3, "correction", impression="No")
    assert corrected_from([first, more, second], second) is first
    assert corrected_from([first], first) is None


def test_what_was_signed_comes_into_the_form_without_what_was_shown_or_why():
    content = {**normal_findings({"impression": "A", "why_corrected": "B"}), "amends": 1}
    found = findings_of(content)
    assert found["impression"] == "A"
    assert not {"amends", "displayed", "why_corrected"} & set(found)
    assert normal_findings(found)["impression"] == "A"


def test_a_version_that_was_changed_is_not_what_was_signed():
    signed = report(1, "original", impression="A")
    assert is_as_signed(signed)
    assert not is_as_signed(replace(signed, content={**signed.content, "impression": "B"}))
