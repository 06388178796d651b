"""The diagnoses that are found by a few letters, with their codes: SNOMED CT, ICD-10, ICPC-2.

Those that are common in radiology and teledermatology. An empty code is one that nobody is sure of.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType

from casework.codings import Coding
from casework.templates import Words

_SPECIALTIES: Mapping[str, str] = {"d": "dermatology", "r": "radiology"}


@dataclass(frozen=True)
class KnownDiagnosis:
    """One diagnosis: its name, its codes, and by which other words people look for it."""

    key: str
    name: Words
    codes: tuple[Coding, ...]
    specialty: str
    also: tuple[str, ...] = ()


@cache
def known_diagnoses() -> Mapping[str, KnownDiagnosis]:
    """Return every known diagnosis by its key."""
    text = files("casework").joinpath("data", "diagnoses.tsv").read_text("utf-8")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    found = [_read(line) for line in lines]
    return MappingProxyType({each.key: each for each in found})


def _read(line: str) -> KnownDiagnosis:
    key, english, norwegian, sct, icd, icpc, specialty, also = line.split("\t")
    codes = (("sct", sct), ("icd-10", icd), ("icpc-2", icpc))
    return KnownDiagnosis(
        key=key,
        name=Words(english, norwegian),
        codes=tuple(Coding(system, code) for system, code in codes if code),
        specialty=_SPECIALTIES[specialty],
        also=tuple(word.strip() for word in also.split(",") if word.strip()),
    )
