"""The table of diagnoses: codes have their form, nothing is there twice."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from pydicom.sr._concepts_dict import concepts

from casework.codings import Coding, codes_text, codings_of
from casework.diagnosis_table import known_diagnoses

_FORMS = {"sct": r"[1-9]\d{5,17}", "icd-10": r"[A-Z]\d\d(\.\d)?", "icpc-2": r"[A-Z][0-9]{2}"}
_DIHEDRAL = (
    "0123456789", "1234067895", "2340178956", "3401289567", "4012395678",
    "5987604321", "6598710432", "7659821043", "8765932104", "9876543210",
)  # fmt: skip
_TURNS = (
    "0123456789", "1576283094", "5803796142", "8916043527",
    "9453126870", "4286573901", "2793806415", "7046913258",
)  # fmt: skip


def has_check_digit(code: str) -> bool:
    """Tell whether the last digit of a SNOMED CT identifier is that of Verhoeff's scheme."""
    check = 0
    for place, digit in enumerate(reversed(code)):
        check = int(_DIHEDRAL[check][int(_TURNS[place % 8][int(digit)])])
    return check == 0


def codes_of(system: str) -> list[str]:
    found = known_diagnoses().values()
    return [c.code for each in found for c in each.codes if c.system == system]


@pytest.mark.parametrize("system", _FORMS)
def test_every_code_has_the_form_of_its_system(system):
    codes = codes_of(system)
    assert len(codes) > 120
    assert [code for code in codes if not re.fullmatch(_FORMS[system], code)] == []


def test_a_snomed_code_ends_with_its_check_digit_and_is_one_diagnosis():
    codes = codes_of("sct")
    assert [code for code in codes if not has_check_digit(code)] == []
    assert [code for code, times in Counter(codes).items() if times > 1] == []


def test_a_diagnosis_is_there_once_in_each_language():
    known = list(known_diagnoses().values())
    assert len(known) >= 150
    for names in ([each.name.en for each in known], [each.name.nb for each in known]):
        assert [name for name, times in Counter(names).items() if times > 1] == []
    assert Counter(each.specialty for each in known)["dermatology"] > 90


def test_codes_that_dicom_lists_too_mean_the_same():
    listed = {code: meaning for named in concepts["SCT"].values() for code, (meaning, _) in
              named.items()}  # fmt: skip
    both = {each.key: listed[c.code] for each in known_diagnoses().values() for c in each.codes
            if c.system == "sct" and c.code in listed}  # fmt: skip
    assert len(both) > 20
    assert both["psoriasis"] == "Psoriasis"
    assert both["thyroid-nodule"] == "Thyroid Nodule"


def test_all_codes_are_said_those_of_the_referrer_first():
    melanoma = {
        "text": "Melanom", "system": "http://snomed.info/sct", "code": "93655004",
        "codes": [{"system": "sct", "code": "93655004"}, {"system": "ICD-10", "code": "C43.9"},
                  {"system": "icpc-2", "code": "S77"}, {"system": "local", "code": "M1"}],
    }  # fmt: skip
    assert codes_text(melanoma) == "ICPC-2 S77, ICD-10 C43.9, SNOMED CT 93655004, local M1"
    assert codings_of({"text": "Free words"}) == []
    assert codings_of({"code": "D22", "system": ""}) == [Coding("", "D22")]
