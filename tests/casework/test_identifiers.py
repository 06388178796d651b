import hashlib

import pytest

from casework.identifiers import (
    derived_case_id,
    derived_uid,
    is_ae_title,
    is_case_id,
    is_slug,
    is_standard_uid,
    new_case_id,
    normal_ae_title,
)


def test_a_derived_uid_belongs_to_its_parts_alone():
    assert derived_uid("study", "a") == derived_uid("study", "a")
    assert derived_uid("study", "a") != derived_uid("series", "a")
    assert derived_uid("a", "bc") != derived_uid("ab", "c")
    assert is_standard_uid(derived_uid("study", "a"))


def test_case_numbers_can_be_read_out():
    assert is_case_id(new_case_id(lambda n: hashlib.sha256(b"x").digest()[:n]))
    assert derived_case_id("hammer", "1.2.3") == derived_case_id("hammer", "1.2.3")
    assert derived_case_id("hammer", "1.2.3") != derived_case_id("fjord", "1.2.3")
    assert not any(is_case_id(text) for text in ("", "7k3m-2qxf", "AAAA-BBBB", "7K3M2QXF"))


@pytest.mark.parametrize(
    ("title", "valid"),
    [("CT", True), ("A" * 16, True), ("A" * 17, False), ("", False), ("A\\B", False), ("Ø", False)],
)
def test_an_ae_title_keeps_the_rules_of_its_vr(title, valid):
    assert is_ae_title(title) is valid
    assert normal_ae_title(f" {title}  ") == title


@pytest.mark.parametrize(
    ("slug", "valid"), [("hammer", True), ("a-1", True), ("-a", False), ("Å", False), ("", False)]
)
def test_a_slug_is_lower_case_letters_digits_and_inner_hyphens(slug, valid):
    assert is_slug(slug) is valid
