"""The call for the diagnoses that are found by a few letters, each with its codes."""

from __future__ import annotations

from flask import Blueprint, Response

from casework.diagnosis_table import KnownDiagnosis, known_diagnoses
from viewer.api.calls import Answer, answer, describe

bp = Blueprint("api_diagnoses", __name__, url_prefix="/api/diagnoses")


class CodeShape(Answer):
    """A code of a system: sct, icd-10 or icpc-2."""

    system: str
    code: str


class DiagnosisShape(Answer):
    """A diagnosis with its codes, and other words by which people look for it."""

    key: str
    en: str
    nb: str
    codes: list[CodeShape]
    specialty: str
    also: list[str]

    @classmethod
    def of(cls, known: KnownDiagnosis) -> DiagnosisShape:
        """Return the shape of a diagnosis."""
        return cls(
            key=known.key,
            en=known.name.en,
            nb=known.name.nb,
            codes=[CodeShape(system=c.system, code=c.code) for c in known.codes],
            specialty=known.specialty,
            also=list(known.also),
        )


class DiagnosisList(Answer):
    """The known diagnoses; any other may be written in words."""

    diagnoses: list[DiagnosisShape]


@bp.get("")
@describe("The diagnoses that are offered, with their codes", answers={200: DiagnosisList})
def list_diagnoses() -> Response:
    """List the known diagnoses; it is short enough to be searched where it is typed."""
    known = known_diagnoses().values()
    return answer(DiagnosisList(diagnoses=[DiagnosisShape.of(each) for each in known]))
