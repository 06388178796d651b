"""What the calls on lesions take and answer."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from casework.lesion_sizes import Size
from casework.lesions import LABEL_LENGTH, KnownLesion, LesionPicture
from viewer.api.bodies import PatientBody, plain
from viewer.api.calls import Answer, Body


class LookupBody(Body):
    """Whose lesions are asked for. In the body: an address ends up in logs."""

    patient: PatientBody


class LabelBody(Body):
    """What a lesion is called."""

    label: Annotated[str, Field(min_length=1, max_length=LABEL_LENGTH), AfterValidator(plain)]


class LesionPictureShape(Answer):
    """A photograph of a lesion."""

    sop_instance_uid: str
    site: str
    study_uid: str
    case_id: str
    kind: str
    date: date | None
    rows: int
    columns: int
    mm_per_pixel: float | None

    @classmethod
    def of(cls, picture: LesionPicture) -> LesionPictureShape:
        """Return the shape of a picture."""
        return cls(
            sop_instance_uid=picture.sop_instance_uid,
            site=picture.site,
            study_uid=picture.study_uid,
            case_id=picture.case_id,
            kind=picture.kind,
            date=picture.day,
            rows=picture.rows,
            columns=picture.columns,
            mm_per_pixel=picture.mm_per_pixel,
        )


class LesionShape(Answer):
    """A lesion with its pictures within sight, the oldest first."""

    uid: str
    label: str
    site: str
    site_code: str
    laterality: str
    map: dict[str, Any] | None
    first_seen: date | None
    last_seen: date | None
    visits: int
    pictures: list[LesionPictureShape]

    @classmethod
    def of(cls, lesion: KnownLesion) -> LesionShape:
        """Return the shape of a lesion."""
        return cls(
            uid=lesion.uid,
            label=lesion.label,
            site=lesion.site,
            site_code=lesion.site_code,
            laterality=lesion.laterality,
            map=None if lesion.spot is None else dict(lesion.spot),
            first_seen=lesion.first_seen,
            last_seen=lesion.last_seen,
            visits=lesion.visits,
            pictures=[LesionPictureShape.of(each) for each in lesion.pictures],
        )


class LesionsShape(Answer):
    """The lesions of a patient, those seen last first."""

    lesions: list[LesionShape]


class LookupShape(LesionsShape):
    """The lesions of a patient at one's own site, and the name that a new one gets."""

    next_label: str


class LesionSetShape(Answer):
    """Which lesion a draft is of."""

    case_id: str
    label: str
    uid: str


class LesionNamedShape(Answer):
    """What a lesion is called now."""

    uid: str
    label: str


class FullSize(Answer):
    """The pixels of a photograph."""

    rows: int
    columns: int


class AlignmentShape(Answer):
    """How one photograph lies on another; without a matrix it could not be told."""

    aligned: bool
    matrix: list[float] | None = Field(
        description="3 x 3, rows first: full pixels of `from` to full pixels of `to`"
    )
    points: int
    residual_px: float | None
    agreement: float | None
    model: str
    from_size: FullSize
    to_size: FullSize


class SizeShape(Answer):
    """How long the lesion was on a day."""

    date: date
    longest_mm: float
    off_by_mm: float
    by: str
    sop_instance_uid: str

    @classmethod
    def of(cls, size: Size) -> SizeShape:
        """Return the shape of a size."""
        return cls(
            date=size.day,
            longest_mm=round(size.longest_mm, 2),
            off_by_mm=round(size.off_by_mm, 2),
            by=size.by,
            sop_instance_uid=size.sop_instance_uid,
        )


class SizesShape(Answer):
    """Sizes of a lesion over time, where a scale was in the picture."""

    sizes: list[SizeShape]
