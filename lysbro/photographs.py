"""Wires the photograph intake to the web application, whose `PhotoDoor` it is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, replace
from typing import Any

from casework.custody import Door, Origin
from casework.devices import DeviceKind
from casework.errors import Invalid
from casework.identifiers import derived_uid
from casework.model import Actor, Case
from casework.photo_facts import PhotoFacts
from casework.photo_links import Pictured
from casework.photo_notes import judged
from derm_capture import acquisition, anatomy, clip, dicomize, intake, photo, quality
from derm_capture.camera_clock import clock_advice
from derm_capture.context import CaptureContext, Device, Kind, Lesion
from derm_capture.exif import Camera
from derm_capture.scale_card import scale_card
from lysbro import attachments
from lysbro.wiring import Parts

_REGION_NAMES = {region.key: {"en": region.en, "nb": region.nb} for region in anatomy.REGIONS}


class PhotoIntake:
    """Judges and takes photographs for the capture pages."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        settings = parts.settings
        self._limits = photo.PhotoLimits(settings.max_photo_bytes, settings.max_photo_pixels)
        self._clips = clip.ClipLimits(settings.max_clip_bytes, settings.max_clip_seconds)

    def assess(
        self, data: bytes, kind: str = "", *, size: tuple[int, int] | None = None
    ) -> list[dict[str, Any]]:
        """Return the advice on a photograph or film, or on a small copy of a photograph of that
        many rows and columns; raise Invalid when it is none.
        """
        if kind == Kind.CLIP:
            return [asdict(a) for a in clip.assess(clip.open_clip(data, limits=self._clips))]
        opened = photo.open_photo(data, limits=self._limits)
        if size is not None:
            opened = opened.as_copy_of(*size)
        advice = quality.assess(opened, kind=_kind(kind or "closeup"))
        return self._told(advice, opened.camera)

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
        device = self._device(case, facts.device_id)
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
            timezone=self._parts.settings.timezone,
        )
        context = self._placed(case, data, context, facts, device)
        origin = Origin(
            site=case.site, door=Door.CAPTURE, actor=actor.id, association=f"capture-{case.id}"
        )
        archive, seen = self._parts.archive, facts.recognizable
        if context.kind is Kind.CLIP:
            taken = intake.take_clip(archive, data, context, origin, limits=self._clips)
        else:
            taken = intake.take_photo(
                archive, data, context, origin, limits=self._limits, recognizable=seen
            )
        self._parts.archive.settle()
        advice = self._told(taken.advice, taken.camera)
        uid = self._parts.casebook.note_capture(
            case.id,
            capture_id,
            taken.wrapped.sop_instance_uid,
            kind=facts.kind,
            lesion_uid=lesion.uid if lesion else "",
            site_code=facts.site_code,
            laterality=facts.laterality,
            judged=judged(facts.kind, advice, kept_anyway=facts.kept_anyway),
        )
        return _taken(uid, study_uid, advice)

    def attach(
        self, actor: Actor, case: Case, data: bytes, *, title: str, attachment_id: str
    ) -> dict[str, Any]:
        """Store a document or another picture in its case."""
        origin = Origin(
            site=case.site, door=Door.CAPTURE, actor=actor.id, association=f"capture-{case.id}"
        )
        return attachments.attach(
            self._parts,
            case,
            data,
            origin=origin,
            title=title,
            attachment_id=attachment_id,
            limits=self._limits,
        )

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
                "is_face": anatomy.is_of_face(site),
            }
            for site in anatomy.SITES
        ]

    def scale_card(self) -> bytes:
        """Return the scale card as a page to print (PDF)."""
        return scale_card()

    def _placed(
        self,
        case: Case,
        data: bytes,
        context: CaptureContext,
        facts: PhotoFacts,
        device: Device,
    ) -> CaptureContext:
        """Return the context with what the case gives a photograph once: numbers, references, and
        the answers as they stood when it was first handed in.
        """
        names = dicomize.names_of(data, context)
        picture = Pictured(
            sop_instance_uid=names.sop_instance_uid,
            sop_class_uid=names.sop_class_uid,
            series_uid=names.series_uid,
            kind=context.kind.value,
            site_code=context.site_code,
            laterality=context.laterality,
            lesion_uid=context.lesion.uid if context.lesion else "",
        )
        said = {
            "clinical": dict(case.referral.clinical),
            "question": case.referral.question,
            "device": asdict(device),
        }
        place = self._parts.photographs.place(
            case.id, facts.capture_id, picture, said=said, device_id=facts.device_id
        )
        return replace(
            context,
            links=place.links,
            series_number=place.series_number,
            instance_number=place.number,
            question=place.said["question"],
            device=Device(**place.said["device"]),
            acquisition=acquisition.items_of(place.said["clinical"]),
        )

    def _told(self, advice: Iterable[quality.Advice], camera: Camera) -> list[dict[str, Any]]:
        """Return advice as the web gives it, with a note when the camera's clock is far off."""
        noted = clock_advice(
            camera, received_at=self._parts.clock(), zone=self._parts.settings.timezone
        )
        return [asdict(each) for each in (*advice, *noted)]

    def _device(self, case: Case, device_id: int | None) -> Device:
        """Return an enrolled device of the case's site as an object names it."""
        if device_id is None:
            return Device()
        found = self._parts.devices.in_use(device_id, site=case.site)
        return Device(
            manufacturer=found.manufacturer,
            model=found.model,
            serial=found.serial,
            software=found.software,
            polarization=found.polarization,
            contact=found.contact,
            immersion=found.immersion,
            magnification=found.magnification,
            is_camera=found.kind is DeviceKind.CAMERA,
        )

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
