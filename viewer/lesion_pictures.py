"""Reads the pictures of a lesion for what compares and measures them, within sight of the asker."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from casework.errors import NotFound
from casework.lesion_sizes import OUTLINE, Size, measured_lengths, one_a_day
from casework.lesions import KnownLesion, LesionPicture
from casework.model import Case, Specialty
from storage.rows import InstanceRow
from viewer.guard import current_scope
from viewer.imaging import imaging
from viewer.lesion_door import Seen
from viewer.services import lesion_desk, services

_MOST_MEASURED = 16


def row_of(picture: LesionPicture) -> InstanceRow:
    """Return the object of a picture, or raise NotFound."""
    return services().index.instance(current_scope(), picture.sop_instance_uid, picture.site)


def seen(row: InstanceRow) -> Seen:
    """Return a photograph as what compares it wants it."""
    source = imaging().source
    return Seen(row.bytes_sha256, lambda: source.photograph(row).data)


def lesions_over_time(case: Case) -> Sequence[KnownLesion]:
    """Return the lesions that a case shows and that were seen at another visit too."""
    if services().lesions is None or case.specialty is not Specialty.DERMATOLOGY:
        return ()
    found = lesion_desk().register.of_case(current_scope(), case.id)
    return [
        each
        for each in found
        if each.visits > 1 and any(picture.case_id == case.id for picture in each.pictures)
    ]


def sizes_of(lesion: KnownLesion) -> list[Size]:
    """Return how long a lesion was, one size a day: as read where that was, else by its outline."""
    days = {p.sop_instance_uid: p.day for p in lesion.pictures if p.day is not None}
    return one_a_day([*_read(lesion, days), *_found(lesion)])


def _read(lesion: KnownLesion, days: dict[str, date]) -> list[Size]:
    """Return what the signed reports of its cases measured."""
    sizes: list[Size] = []
    for case_id in {p.case_id: None for p in lesion.pictures if p.case_id}:
        try:
            reports = services().casebook.dossier(current_scope(), case_id).reports
        except NotFound:
            continue
        if reports:
            newest = max(reports, key=lambda report: report.version)
            sizes += measured_lengths(newest.content.get("measurements", []), days)
    return sizes


def _found(lesion: KnownLesion) -> list[Size]:
    near = [p for p in lesion.pictures if p.mm_per_pixel and p.day and p.kind != "overview"]
    sizes = []
    for picture in near[-_MOST_MEASURED:]:
        if picture.mm_per_pixel is None or picture.day is None:
            continue
        row = row_of(picture)
        found = lesion_desk().eye.extent(seen(row), mm_per_pixel=picture.mm_per_pixel)
        if found is not None:
            sizes.append(
                Size(
                    picture.day,
                    found["longest_mm"],
                    found["off_by_mm"],
                    OUTLINE,
                    picture.sop_instance_uid,
                )
            )
    return sizes
