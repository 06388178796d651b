"""Wires the photograph intake to the web application, whose `PhotoDoor` it is."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from casework.custody import Door, Origin
from casework.errors import Invalid
from casework.identifiers import derived_uid
from casework.model import Actor, Case
from casework.photo_facts import PhotoFacts
from derm_capture import acquisition, anatomy, intake, photo, quality
from derm_capture.context import CaptureContext, Kind, Lesion
from derm_capture.scale_card import scale_card
from lysbro.wiring import Parts

_REGION_NAMES = {region.key: {"en": region.en, "nb": region.nb} for region in anatomy.REGIONS}


class PhotoIntake:
    """Judges and takes photographs for the capture pages."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        settings = parts.settings
        self._limits = photo.PhotoLimits(settings.max_photo_bytes, settings.max_photo_pixels)

    def assess(self, data: bytes, kind: str = "") -> list[dict[str, Any]]:
        """Return the advice on a photograph; raise Invalid when it is none."""
        opened = photo.open_photo(data, limits=self._limits)
        return [asdict(advice) for advice in quality.assess(opened, kind=_kind(kind or "closeup"))]

    def take(
        self,
        actor: Actor,
        case: Case,
        data: bytes,
        facts: PhotoFacts,
    ) -> dict[str, Any]:
        """Store a photograph in its case; the same capture_id again gives the same object."""
        study_uid = derived_uid("study", case.id)
        capture_id = facts.capture_id
        known = self._parts.casebook.capture(case.id, capture_id) if capture_id else None
        if known is not None:
            return _taken(known, study_uid, self.assess(data, facts.kind))
        lesion = self._lesion(case, facts.lesion)
        context = CaptureContext(
            patient=case.patient,
            kind=_kind(facts.kind),
            site_code=facts.site_code,
            laterality=facts.laterality,
            lesion=lesion,
            capture_id=f"{case.id}/{capture_id}" if capture_id else "",
            study_uid=study_uid,
            study_at=case.created_at,
            case_id=case.id,
            referrer=case.referral.referrer,
            institution=case.site_name,
            question=case.referral.question,
            timezone=self._parts.settings.timezone,
            acquisition=acquisition.items_of(case.referral.clinical),
        )
        origin = Origin(
            site=case.site, door=Door.CAPTURE, actor=actor.id, association=f"capture-{case.id}"
        )
        taken = intake.take_photo(self._parts.archive, data, context, origin, limits=self._limits)
        self._parts.archive.settle()
        uid = self._parts.casebook.note_capture(
            case.id,
            capture_id,
            taken.wrapped.sop_instance_uid,
            lesion_uid=lesion.uid if lesion else "",
            site_code=facts.site_code,
            laterality=facts.laterality,
        )
        return _taken(uid, study_uid, [asdict(advice) for advice in taken.advice])

    def sites(self) -> list[dict[str, Any]]:
        """Return the sites on the body in the order of the pick list."""
        return [
            {
                "code": site.code,
                "scheme": site.scheme,
                "meaning": site.meaning,
                "en": site.en,
                "nb": site.nb,
                "region": site.region,
                "region_name": _REGION_NAMES[site.region],
                "view": site.view,
                "paired": site.paired,
                "common": site.common,
            }
            for site in anatomy.SITES
        ]

    def scale_card(self) -> bytes:
        """Return the scale card as a page to print (PDF)."""
        return scale_card()

    def _lesion(self, case: Case, label: str) -> Lesion | None:
        return Lesion(label, self._parts.casebook.lesion_uid(case, label)) if label else None


def _kind(name: str) -> Kind:
    try:
        return Kind(name)
    except ValueError as error:
        kinds = ", ".join(k.value for k in Kind)
        raise Invalid(
            f"There is no kind of photograph '{name}'. Use {kinds}.", code="unknown-kind"
        ) from error


def _taken(uid: str, study_uid: str, advice: list[dict[str, Any]]) -> dict[str, Any]:
    return {"sop_instance_uid": uid, "study_instance_uid": study_uid, "advice": advice}
