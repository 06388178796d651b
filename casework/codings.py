"""What codes a diagnosis has, and what their systems are called by people and on the wire.

Knows no list of diagnoses, and judges no code beyond its form.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class System:
    """A coding system: its name here, for people, in HL7 (table 0396), in DICOM, in FHIR."""

    key: str
    name: str
    hl7: str
    dicom: str  # PS3.16 table 8-1; empty: it has none
    uri: str


SYSTEMS: tuple[System, ...] = (
    System("icpc-2", "ICPC-2", "ICPC2", "", "http://hl7.org/fhir/sid/icpc-2"),
    System("icd-10", "ICD-10", "I10", "I10", "http://hl7.org/fhir/sid/icd-10"),
    System("sct", "SNOMED CT", "SCT", "SCT", "http://snomed.info/sct"),
)
"""The systems that a reply speaks, in the order in which a general practitioner needs them."""

_ALIASES: Mapping[str, str] = {
    "icpc-2e": "icpc-2", "icpc2": "icpc-2", "icpc": "icpc-2", "i10": "icd-10", "icd10": "icd-10",
    "snomed": "sct", "snomed-ct": "sct", "snomed ct": "sct",
    **{system.uri: system.key for system in SYSTEMS},
}  # fmt: skip
_KNOWN: Mapping[str, System] = {system.key: system for system in SYSTEMS}


@dataclass(frozen=True)
class Coding:
    """One code of one system."""

    system: str
    code: str

    @property
    def known(self) -> System | None:
        """Return the system when it is one of ours."""
        return system_of(self.system)

    @property
    def text(self) -> str:
        """Return the code as people read it."""
        known = self.known
        return f"{known.name if known else self.system} {self.code}".strip()


def system_of(name: str) -> System | None:
    """Return a system by any of its names, or None."""
    plain = name.strip().casefold()
    return _KNOWN.get(_ALIASES.get(plain, plain))


def codings_of(diagnosis: Mapping[str, Any]) -> Sequence[Coding]:
    """Return every code of a diagnosis, each once: those that the referrer codes with first."""
    given = [diagnosis, *(diagnosis.get("codes") or ())]
    found: dict[tuple[str, str], Coding] = {}
    for each in given:
        code, system = str(each.get("code") or "").strip(), str(each.get("system") or "").strip()
        if code:
            known = system_of(system)
            found.setdefault((known.key if known else system, code), Coding(system, code))
    order = {system.key: at for at, system in enumerate(SYSTEMS)}
    return sorted(found.values(), key=lambda c: order.get(c.known.key if c.known else "", 9))


def codes_text(diagnosis: Mapping[str, Any]) -> str:
    """Return the codes of a diagnosis in a line; empty where it has none."""
    return ", ".join(coding.text for coding in codings_of(diagnosis))
