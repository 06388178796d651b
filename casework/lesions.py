"""A lesion over its visits: which pictures are of it, what it is called, and what may be compared.

Pure. Who may see which picture is decided elsewhere, before anything comes here.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from string import ascii_uppercase
from typing import Any

from casework.model import CaseState

LABEL_LENGTH = 64
_FIDUCIAL = "FIDUCIAL"
_KINDS = ("overview", "closeup", "dermoscopic")
_SEVERAL = re.compile(r"\s+")


@dataclass(frozen=True)
class LesionPicture:
    """One photograph of a lesion, as the index knows it."""

    sop_instance_uid: str
    site: str
    study_uid: str
    case_id: str  # empty: of none
    kind: str  # overview | closeup | dermoscopic, or empty
    day: date | None
    rows: int
    columns: int
    mm_per_pixel: float | None  # by a scale card alone; other sizes are not believed here
    site_code: str = ""
    laterality: str = ""
    spot: Mapping[str, Any] | None = None  # on the body map: view, x, y


@dataclass(frozen=True)
class KnownLesion:
    """A lesion of a patient, with the pictures of it that the one who asks may see."""

    uid: str
    label: str
    pictures: tuple[LesionPicture, ...] = field(default_factory=tuple)  # the oldest first

    @property
    def visits(self) -> int:
        """Return at how many visits it was photographed: each has a study of its own."""
        return len({(each.site, each.study_uid) for each in self.pictures})

    @property
    def first_seen(self) -> date | None:
        """Return the day of its first picture."""
        return min((p.day for p in self.pictures if p.day), default=None)

    @property
    def last_seen(self) -> date | None:
        """Return the day of its newest picture."""
        return max((p.day for p in self.pictures if p.day), default=None)

    @property
    def site(self) -> str:
        """Return which site photographed it last."""
        return self.pictures[-1].site if self.pictures else ""

    @property
    def site_code(self) -> str:
        """Return where on the body it is, as it was last said."""
        return next((p.site_code for p in reversed(self.pictures) if p.site_code), "")

    @property
    def laterality(self) -> str:
        """Return on which side it is, as it was said with where."""
        return next((p.laterality for p in reversed(self.pictures) if p.site_code), "")

    @property
    def spot(self) -> Mapping[str, Any] | None:
        """Return where on the body map it is, as it was last shown."""
        return next((p.spot for p in reversed(self.pictures) if p.spot), None)

    def newest(self, kind: str) -> LesionPicture | None:
        """Return the newest picture of a kind."""
        return next((p for p in reversed(self.pictures) if p.kind == kind), None)


def grouped(
    found: Iterable[tuple[str, str, LesionPicture]], labels: Mapping[str, str]
) -> list[KnownLesion]:
    """Return lesions from (UID, the object's own label, picture); what has a kept label bears it.

    No two are called the same. Those that were seen last come first; pictures of one day stay by
    study as they are given.
    """
    pictures: dict[str, list[LesionPicture]] = {}
    own: dict[str, str] = {}
    for uid, label, picture in found:
        pictures.setdefault(uid, []).append(picture)
        own[uid] = label or own.get(uid, "")
    names = {uid: labels[uid] for uid in pictures if uid in labels}
    for uid in sorted(pictures.keys() - names.keys()):
        names[uid] = _apart(normal_label(own[uid]) or "?", names.values())
    lesions = [
        KnownLesion(uid, names[uid], tuple(_by_visit(each))) for uid, each in pictures.items()
    ]
    lesions.sort(key=lambda lesion: lesion.label.casefold())
    lesions.sort(key=lambda lesion: lesion.last_seen or date.min, reverse=True)
    return lesions


def next_label(taken: Collection[str]) -> str:
    """Return the next letter that no lesion of the patient bears: A to Z, then A2 and on."""
    used = {label.strip().casefold() for label in taken}
    number = 1
    while True:
        for letter in ascii_uppercase:
            label = letter if number == 1 else f"{letter}{number}"
            if label.casefold() not in used:
                return label
        number += 1


def normal_label(text: str) -> str:
    """Return a label without what cannot be seen in it."""
    return _SEVERAL.sub(" ", text).strip()[:LABEL_LENGTH]


def kind_of_picture(attributes: Mapping[str, Any]) -> str:
    """Return which kind of photograph an object is: value 4 of Image Type says so."""
    values = [str(each).lower() for each in attributes.get("ImageType") or ()]
    named = values[3] if len(values) > 3 else ""
    if named in _KINDS:
        return named
    return "dermoscopic" if attributes.get("Modality") == "DMS" else ""


def mm_per_pixel_of(attributes: Mapping[str, Any]) -> float | None:
    """Return the size of a pixel where a marker in the picture gave it (PS3.3 section 10.7)."""
    spacing: Sequence[Any] = attributes.get("PixelSpacing") or ()
    if attributes.get("PixelSpacingCalibrationType") != _FIDUCIAL or len(spacing) != 2:
        return None
    try:
        down, across = float(spacing[0]), float(spacing[1])
    except (TypeError, ValueError):
        return None
    is_square = 0 < across < 10 and abs(down - across) < 0.01 * across
    return across if is_square else None


def may_be_compared(
    *, state: CaseState | None, is_submitted: bool, consent: Mapping[str, Any] | None
) -> bool:
    """Tell whether an earlier visit's pictures may stand beside later ones.

    Not when the referral was withdrawn, nor when the patient does not agree to be assessed by them.
    A draft has not asked yet.
    """
    if state is CaseState.WITHDRAWN:
        return False
    return not (is_submitted and consent is not None and consent.get("care") is False)


def _apart(label: str, taken: Collection[str]) -> str:
    """Return a label that none of these is: the same with a number where it is one."""
    if label not in taken:
        return label
    number = 2
    while f"{label} ({number})" in taken:
        number += 1
    return f"{label} ({number})"


def _by_visit(pictures: Sequence[LesionPicture]) -> list[LesionPicture]:
    visits = list(dict.fromkeys((each.site, each.study_uid) for each in pictures))

    def place(picture: LesionPicture) -> tuple[date, int, int]:
        kind = _KINDS.index(picture.kind) if picture.kind in _KINDS else len(_KINDS)
        visit = visits.index((picture.site, picture.study_uid))
        return picture.day or date.min, visit, kind

    return sorted(pictures, key=place)
