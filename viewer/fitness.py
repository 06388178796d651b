"""Gathers what is known of a case's images, for `casework.fitness` to say if they are fit to read.

Opens no object; what is remarked stands in the room and before the sender alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

from flask import Blueprint

from casework.fitness import Known, Person, SeriesFacts, remarks_of
from casework.model import CaseDossier, Specialty
from casework.orders import Order
from casework.photo_notes import PhotoNote
from storage.rows import InstanceRow
from viewer.attributes import first
from viewer.fitness_words import FitnessWords, words_of
from viewer.guard import current_scope
from viewer.i18n import _
from viewer.manifest import distances_of, kind_of
from viewer.services import services
from viewer.spacing import regions_of, spacing_of

bp = Blueprint("fitness", __name__)

_MEASURED = frozenset({"CT", "MR", "PT", "NM", "CR", "DX", "MG", "XA", "RF", "US", "XC", "DMS"})
_PAIRED = (
    "BREAST", "HAND", "FINGER", "WRIST", "FOREARM", "ELBOW", "HUMERUS", "SHOULDER", "CLAVICLE",
    "HIP", "FEMUR", "KNEE", "LEG", "TIBIA", "ANKLE", "FOOT", "TOE", "CALCANEUS", "ARM", "EXTREMITY",
)  # fmt: skip
_NO_PICTURE = frozenset({"PR", "KO", "SR", "REG", "RWV", "AU", "SEG", "RTSTRUCT", "RTDOSE",
                         "RTPLAN", "PLAN"})  # fmt: skip


@bp.app_template_global()
def fitness_of(
    dossier: CaseDossier, instances: Sequence[InstanceRow] | None = None
) -> FitnessWords:
    """Return in words whether a case's images are fit to be read."""
    scope, index = current_scope(), services().index
    if instances is None:
        instances = [
            row
            for study in dossier.studies
            for row in index.instances_of(scope, study.study_uid, site=study.site)
        ]
    orders = services().orders
    known = known_of(
        dossier,
        instances,
        orders=() if orders is None else orders.of_case(scope, dossier.case.id),
        notes=services().casebook.photo_notes(dossier.case.id),
        conflicts=sum(index.conflicts_of(study.study_uid, study.site) for study in dossier.studies),
    )
    return words_of(remarks_of(known), is_empty=not instances)


def known_of(
    dossier: CaseDossier,
    instances: Sequence[InstanceRow],
    *,
    orders: Sequence[Order] = (),
    notes: Sequence[PhotoNote] = (),
    conflicts: int = 0,
) -> Known:
    """Return what is known of a case's images."""
    case = dossier.case
    born = case.patient.birth_date
    named = {_person(row.attributes) for row in instances}
    named |= {
        Person(
            each.request.patient.id,
            each.request.patient.name,
            f"{each.request.patient.birth_date:%Y%m%d}" if each.request.patient.birth_date else "",
        )
        for each in orders
    }
    studies = [study for study in dossier.studies if study.instance_count]
    sides = {str(o.request.clinical.get("laterality") or "") for o in orders}
    asked = {str(case.referral.clinical.get("laterality") or ""), *sides} - {""}
    return Known(
        is_skin=case.specialty is Specialty.DERMATOLOGY,
        person=Person(case.patient.id, case.patient.name, f"{born:%Y%m%d}" if born else ""),
        others=tuple(sorted(named, key=lambda each: (each.id, each.name, each.birth_date))),
        series=tuple(_series(rows, kind) for kind, rows in _grouped(instances)),
        missing=sum(study.missing_instances for study in studies),
        is_arriving=case.specialty is Specialty.RADIOLOGY
        and any(study.completeness == "arriving" for study in studies),
        conflicts=conflicts,
        side=next(iter(asked)) if len(asked) == 1 else "",
        warned=tuple(note.kind for note in notes),
        kept_anyway=sum(note.kept_anyway for note in notes),
    )


def _grouped(instances: Iterable[InstanceRow]) -> Iterable[tuple[str, list[InstanceRow]]]:
    def key(row: InstanceRow) -> tuple[str, str, str]:
        return row.site, row.series_uid, kind_of(row)

    for (_site, _uid, kind), rows in groupby(sorted(instances, key=key), key=key):
        yield kind, list(rows)


def _series(rows: list[InstanceRow], kind: str) -> SeriesFacts:
    lead = rows[0].attributes
    modality = str(lead.get("Modality", ""))
    image_type = [str(each) for each in lead.get("ImageType") or ()]
    is_scout = "LOCALIZER" in image_type
    if kind == "other" and modality in _NO_PICTURE:
        kind = "aside"  # what is shown upon images, or is none to be shown
    ratios = [ratio for row in rows if (ratio := _ratio(row.attributes)) is not None]
    return SeriesFacts(
        title=str(lead.get("SeriesDescription") or modality or _("Object")),
        kind=kind,
        images=len(rows),
        stacks=() if is_scout or kind != "stack" else distances_of(rows),
        without_scale=sum(_lacks_scale(row) for row in rows) if kind in {"stack", "photo"} else 0,
        lossy=sum(row.attributes.get("LossyImageCompression") == "01" for row in rows),
        lossy_ratio=max(ratios, default=None),
        lossy_method=str(first(lead.get("LossyImageCompressionMethod"), "")),
        sides=frozenset(
            str(row.attributes.get("ImageLaterality") or row.attributes.get("Laterality") or "")
            for row in rows
        )
        - {""},
        is_paired=kind == "stack"
        and modality in {"CR", "DX", "MG", "IO"}
        and str(lead.get("BodyPartExamined", "")).upper().startswith(_PAIRED),
        view=image_type[3].lower() if kind == "photo" and len(image_type) > 3 else "",
    )


def _lacks_scale(row: InstanceRow) -> bool:
    """Tell whether nothing of an image of a kind that has a scale can be measured."""
    attributes = row.attributes
    if attributes.get("Modality") not in _MEASURED or (row.frames or 1) > 1:
        return False
    return spacing_of(attributes).source == "none" and not regions_of(attributes)


def _ratio(attributes: Mapping[str, Any]) -> float | None:
    value = attributes.get("LossyImageCompressionRatio")
    several = value if isinstance(value, list) else [value]
    whole = 1.0
    for each in several:  # one for each time it was compressed
        if not isinstance(each, int | float) or each <= 0:
            return None
        whole *= each
    return whole


def _person(attributes: Mapping[str, Any]) -> Person:
    return Person(
        str(attributes.get("PatientID") or ""),
        str(attributes.get("PatientName") or ""),
        str(attributes.get("PatientBirthDate") or ""),
    )
