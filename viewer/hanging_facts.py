"""Reads from the indexed attributes of a series what hanging and linked scrolling go by.

Pure; opens no object.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from casework.model import CaseDossier
from viewer.attributes import first
from viewer.hanging import Asked, Hanging, Hung, Place
from viewer.hanging_rules import RADIOGRAPHS

_PLANES = ("sagittal", "coronal", "axial")  # by the axis of the patient that the normal is nearest
_NEAR = 0.75  # the cosine of about 41 degrees: further off it is oblique, and called nothing
_MOST_VIEWS = 16


def facts_of(attributes: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return plane, frame of reference and views of a series, as the manifest says them."""
    lead = attributes[len(attributes) // 2]
    found: dict[str, Any] = {
        "plane": plane_of(lead.get("ImageOrientationPatient")),
        "frame_of_reference": str(first(lead.get("FrameOfReferenceUID"), "") or ""),
    }
    if lead.get("Modality") in RADIOGRAPHS and len(attributes) <= _MOST_VIEWS:
        found["views"] = [_view(each) for each in attributes]
    return found


def plane_of(axes: object) -> str:
    """Return axial, coronal or sagittal for an orientation (PS3.3 C.7.6.2.1.1), or nothing."""
    if not isinstance(axes, list) or len(axes) != 6:
        return ""
    a, b = axes[:3], axes[3:]
    normal = (a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0])
    largest = max(range(3), key=lambda axis: abs(normal[axis]))
    return _PLANES[largest] if abs(normal[largest]) >= _NEAR else ""


def hung_of(series: Mapping[str, Any]) -> Hung:
    """Return a series of the manifest as hanging wants it."""
    return Hung(
        key=series.get("key", ""),
        kind=series["kind"],
        modality=series["modality"],
        frames=series["frames"],
        text=f"{series['description']} {series['body_part']}",
        is_scout=series["is_scout"],
        plane=series.get("plane", ""),
        views=tuple(series.get("views", ())),
    )


def asked_of(
    dossier: CaseDossier, *, has_prior: bool = False, has_lesion_before: bool = False
) -> Asked:
    """Return what is asked of a case; what its studies are called says of which part it is."""
    case = dossier.case
    said = " ".join(study.description for study in dossier.studies)
    return Asked(
        f"{case.referral.question} {said}", case.specialty.value, has_prior, has_lesion_before
    )


def sent(hanging: Hanging) -> dict[str, Any]:
    """Return a hanging as the manifest says it."""
    return {
        "layout": hanging.layout,
        "first": hanging.first,
        "kind": hanging.kind,
        "steps": [
            {
                "layout": step.layout,
                "is_own": step.is_own,
                "panes": [_place(each) for each in step.places],
            }
            for step in hanging.steps
        ],
    }


def _place(place: Place) -> dict[str, Any]:
    found: dict[str, Any] = {"other": place.other} if place.other else {"series": place.series}
    if place.image is not None:
        found["image"] = place.image
    if place.window is not None:
        found["window"] = [place.window.center, place.window.width, place.window.label]
    return found


def _view(attributes: Mapping[str, Any]) -> str:
    """Return the view of one image with its side: `R CC`, `PA`."""
    side = str(first(attributes.get("ImageLaterality"), "") or "")
    view = str(first(attributes.get("ViewPosition"), "") or "")
    return f"{side} {view}".strip().upper() if side in {"L", "R"} else view.upper()
