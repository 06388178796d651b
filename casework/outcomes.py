"""What a case was in the end: the value, and what may be said of it. Nothing is kept here."""

from __future__ import annotations

from dataclasses import dataclass

BASES = ("histology", "visit")
"""What the knowledge of an outcome may rest on."""

MALIGNANT = ("yes", "no", "unknown")


@dataclass(frozen=True)
class Outcome:
    """What it was in the end, as histology or a later visit has shown."""

    basis: str  # of BASES
    text: str
    code: str = ""
    system: str = ""
    malignant: str = "unknown"  # of MALIGNANT
