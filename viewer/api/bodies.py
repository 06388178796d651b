"""What callers send to the API, checked for form. What it means is decided below, in casework."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints

from casework.errors import Invalid
from casework.model import CaseState, Patient, Priority, Specialty
from viewer.api.calls import Body

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_SEX = {
    "male": "M",
    "female": "F",
    "other": "O",
    "m": "M",
    "f": "F",
    "o": "O",
    "unknown": "",
    "": "",
}
_NAME_GROUP_LENGTH = 64  # PS3.5 section 6.2, VR PN: characters in a component group


def plain(text: str) -> str:
    """Return a text that fits in a line, or raise."""
    if _CONTROL.search(text) or "\\" in text:
        raise ValueError("must not contain control characters or a backslash")
    return text


def _person_name(text: str) -> str:
    groups = plain(text).split("=")
    if len(groups) > 3 or any(len(g) > _NAME_GROUP_LENGTH or g.count("^") > 4 for g in groups):
        raise ValueError("must have the form FAMILY^GIVEN with at most 64 characters (PS3.5 6.2)")
    return text


def _sex(value: object) -> object:
    if not isinstance(value, str):
        return value
    if value.strip().lower() not in _SEX:
        raise ValueError("must be M, F or O")
    return _SEX[value.strip().lower()]


def _iso_date(value: object) -> object:
    if value in {"", None}:
        return None
    if not isinstance(value, str) or not re.fullmatch(r"\d{4}-\d{2}-\d{2}", value):
        raise ValueError("must be a date such as 1954-03-21")
    return value


def _not_future(value: date | None) -> date | None:
    if value is not None and value > datetime.now(UTC).date() + timedelta(days=1):
        raise ValueError("must not lie in the future")
    return value


Short = Annotated[str, Field(max_length=64), AfterValidator(plain)]
LongText = Annotated[str, Field(max_length=20_000)]
Password = Annotated[
    str,
    StringConstraints(strip_whitespace=False),
    Field(max_length=4096, description="of the one who signs, where LYSBRO_SIGN_AGAIN asks for it"),
]
Uid = Annotated[str, Field(pattern=r"^[0-9.]{1,64}$")]


class NameParts(Body):
    """A name in its parts."""

    family: Annotated[str, Field(max_length=64), AfterValidator(plain)] = ""
    given: Annotated[str, Field(max_length=64), AfterValidator(plain)] = ""


class PatientBody(Body):
    """Who the images are of. The name in DICOM form (FAMILY^GIVEN) or in its parts."""

    id: Annotated[str, Field(min_length=1, max_length=64), AfterValidator(plain)]
    issuer: Short = ""
    name: Annotated[str, AfterValidator(_person_name)] | NameParts = ""
    birth_date: Annotated[date | None, BeforeValidator(_iso_date), AfterValidator(_not_future)] = (
        None
    )
    sex: Annotated[Literal["M", "F", "O", ""], BeforeValidator(_sex)] = ""

    def patient(self) -> Patient:
        """Return the patient as casework knows one."""
        name = self.name
        if isinstance(name, NameParts):
            name = _person_name(_in_dicom_form(name))
        return Patient(self.id, self.issuer, name, self.birth_date, self.sex)


class ReferralBody(Body):
    """A question to a specialist."""

    specialty: Specialty
    draft_key: Annotated[str, Field(pattern=r"^[0-9A-Za-z._:-]{0,64}$")] = Field(
        "", description="the caller's name for it: the same again is the same case"
    )
    patient: PatientBody
    question: LongText = ""
    priority: Priority = Priority.ROUTINE
    clinical: dict[str, Any] = Field(
        default_factory=dict,
        description="answers by question; `map`: {view, x, y}, a point of the body map",
    )
    consent: dict[str, Any] = Field(default_factory=dict)


class ReferralEdit(Body):
    """What changes in a referral that is still a draft; what is left out stays."""

    patient: PatientBody | None = None
    question: LongText | None = None
    priority: Priority | None = None
    clinical: dict[str, Any] | None = None
    consent: dict[str, Any] | None = None


class PhotoForm(Body):
    """What is said of a photograph, beside the field `photo` itself."""

    kind: Literal["overview", "closeup", "dermoscopic", "clip"]
    site_code: Annotated[str, Field(pattern=r"^[0-9A-Za-z.-]{1,32}$")]
    laterality: Literal["", "left", "right", "bilateral", "L", "R", "B"] = ""
    lesion: Short = ""
    kept_anyway: bool = False
    recognizable: Literal["", "yes", "no"] = ""
    capture_id: Annotated[str, Field(pattern=r"^[0-9A-Za-z._:-]{0,64}$")] = ""
    device: Annotated[str, Field(pattern=r"^[0-9]{0,18}$", description="its id, as enrolled")] = ""


class ConsentBody(Body):
    """What the patient takes back."""

    purpose: Literal["teaching", "research"]


class UploadBody(PhotoForm):
    """A photograph that will come in pieces: what is said of it, its size and its SHA-256."""

    capture_id: Annotated[str, Field(pattern=r"^[0-9A-Za-z._:-]{1,64}$")]
    bytes: Annotated[int, Field(ge=1)]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class PieceQuery(Body):
    """Where a piece begins; or the header Upload-Offset says so."""

    offset: Annotated[int | None, Field(ge=0)] = None


class CasesQuery(Body):
    """Filters of the worklist."""

    state: Annotated[str, Field(description="states, separated by commas")] = ""
    specialty: Specialty | Literal[""] = ""
    site: Annotated[str, Field(max_length=32)] = ""
    q: Annotated[str, Field(max_length=128, description="part of a name or number")] = ""
    mine: bool = False
    page: Annotated[int, Field(ge=1, le=100_000)] = 1
    limit: Annotated[int, Field(ge=1, le=200)] = 50

    def states(self) -> tuple[CaseState, ...] | None:
        """Return the states that are asked for; None means every one."""
        names = [name.strip() for name in self.state.split(",") if name.strip()]
        known = {s.value for s in CaseState}
        if unknown := [name for name in names if name not in known]:
            raise Invalid(
                f"state: {', '.join(unknown)} is none of {', '.join(sorted(known))}.",
                code="invalid-body",
            )
        return tuple(CaseState(name) for name in names) or None


class AskBody(Body):
    """What the reader needs to know or see, and why."""

    text: LongText = ""
    reason: Short = ""


class TextBody(Body):
    """A turn in the conversation."""

    text: Annotated[str, Field(min_length=1, max_length=20_000)]


class AnswerBody(TextBody):
    """An answer to the reader."""

    join: list[str] = Field(
        default_factory=list,
        max_length=10,
        description="cases of the same patient that came since it was asked, to be part of this",
    )


class ReasonBody(Body):
    """Why a case is not read."""

    reason: Annotated[str, Field(min_length=1, max_length=2_000)]


class SignBody(Body):
    """What the reader had been shown when signing."""

    displayed: dict[str, Any] = Field(default_factory=dict)
    password: Password = ""


class Diagnosis(Body):
    """A diagnosis in words, with its code when it has one."""

    text: str
    code: str = ""
    system: str = ""
    certainty: str = ""
    codes: list[dict[str, str]] = Field(
        default_factory=list, description="every code of it: {system, code}"
    )


class FindingsBody(Body):
    """Findings as they are drafted and signed. Read and judged by `casework.findings`."""

    findings: LongText = ""
    impression: LongText = ""
    advice: LongText = ""
    diagnoses: list[Diagnosis] = Field(default_factory=list)
    urgency: Literal["none", "routine", "priority", "cancer-pathway"] = "none"
    malignancy: Literal["", "none", "low", "moderate", "high"] = ""
    template: str = ""
    template_version: int = Field(0, ge=0, description="0: the present one")
    language: Literal["nb", "en"] = Field("nb", description="of the sentences of the answers")
    fields: dict[str, Any] = Field(
        default_factory=dict, description="answers to the template, by field"
    )
    described: str = Field("", description="the answers in sentences; the exchange writes them")
    assessable: Literal["yes", "partly", "no"] = "yes"
    reason: str = ""
    follow_up: str = ""
    follow_up_interval: str = Field("", description="ISO 8601, as P3M")
    safety_net: str = ""
    measurements: list[dict[str, Any]] = Field(default_factory=list)
    key_images: list[dict[str, Any]] = Field(default_factory=list)
    anchors: list[dict[str, Any]] = Field(
        default_factory=list,
        description="views that `[number]` in a text stands for: number, instance_uid, frame,"
        " measurement, window, is_inverted, place",
    )
    plain_words: LongText = Field("", description="the answer in plain words, for the patient")
    displayed: dict[str, Any] = Field(default_factory=dict)


class AmendBody(FindingsBody):
    """Findings that add to signed ones or correct them."""

    why_corrected: LongText = Field("", description="what was wrong, in a correction")
    password: Password = ""


def _in_dicom_form(name: NameParts) -> str:
    family, given = (part.replace("^", " ").replace("=", " ") for part in (name.family, name.given))
    return f"{family}^{given}" if given else family


class ExpectedBody(Body):
    """How much there is of a study."""

    instances: Annotated[int, Field(ge=1, le=1_000_000)]


class OutcomeBody(Body):
    """What a case was in the end."""

    basis: Literal["histology", "visit"]
    text: Annotated[str, Field(min_length=1, max_length=500)]
    code: Short = ""
    system: Short = ""
    malignant: Literal["yes", "no", "unknown"] = "unknown"
