"""Says which pictures each kind of skin change is asked for, and how each is taken. Data only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class View:
    """One picture that is asked for; what is not wanted is taken if one can."""

    kind: str  # overview | closeup | dermoscopic
    label_en: str  # how to take it
    label_nb: str
    is_wanted: bool = True


_MOLE = (
    View(
        "overview", "About 30 cm away, so that one sees where it is.",
        "Omtrent 30 cm unna, så man ser hvor det er.",
    ),
    View(
        "closeup", "About 10 cm away, sharp, with a scale card or a ruler beside it if you can.",
        "Omtrent 10 cm unna, skarpt, med målekort eller linjal ved siden av hvis du kan.",
    ),
    View(
        "dermoscopic", "Through the dermatoscope, if you have one.",
        "Gjennom dermatoskopet, hvis du har et.", is_wanted=False,
    ),
)  # fmt: skip

_VIEWS: Mapping[str, tuple[View, ...]] = MappingProxyType(
    {
        "mole": _MOLE,
        "rash": (
            View(
                "overview", "From far enough that the whole rash is seen, and both sides of the "
                "body where it is on both.",
                "Så langt unna at hele utslettet synes, og begge sider der det er på begge.",
            ),
            View(
                "closeup", "About 10 cm away, a fresh spot with its edge, sharp.",
                "Omtrent 10 cm unna, et ferskt sted med kanten, skarpt.",
            ),
        ),
        "wound": (
            View(
                "overview", "With the dressing off and the wound clean: the limb, or the part of "
                "the body, whole.",
                "Uten bandasje og med rent sår: hele lemmet eller kroppsdelen.",
            ),
            View(
                "closeup", "About 20 cm away, straight from above, with a scale card in the plane "
                "of the wound, its edge all in the picture.",
                "Omtrent 20 cm unna, rett ovenfra, med målekort i sårets plan og hele kanten i "
                "bildet.",
            ),
        ),
        "nails": (
            View(
                "overview", "All nails of both hands, or of both feet, without varnish.",
                "Alle neglene på begge hender eller begge føtter, uten neglelakk.",
            ),
            View(
                "closeup", "The nail from straight above, with the fold of skin around it.",
                "Neglen rett ovenfra, med neglevollen rundt.",
            ),
            View(
                "dermoscopic", "Through the dermatoscope, with gel, if you have one: a dark streak "
                "above all.",
                "Gjennom dermatoskopet, med gel, hvis du har et: framfor alt en mørk stripe.",
                is_wanted=False,
            ),
        ),
        "hair": (
            View(
                "overview", "The head from above, the hair parted, so that the pattern is seen.",
                "Hodet ovenfra med skill i håret, så man ser mønsteret.",
            ),
            View(
                "closeup", "The edge of the thin patch, the hair held aside, sharp.",
                "Kanten av det tynne området, med håret holdt til side, skarpt.",
            ),
            View(
                "dermoscopic", "The scalp through the dermatoscope, if you have one.",
                "Hodebunnen gjennom dermatoskopet, hvis du har et.", is_wanted=False,
            ),
        ),
        "mucosa": (
            View(
                "overview", "The whole lip, tongue or area, with a light from the side.",
                "Hele leppen, tungen eller området, med lys fra siden.",
            ),
            View(
                "closeup", "The change itself, dried with gauze, without a flash in the wet.",
                "Selve forandringen, tørket med kompress, uten blits i det våte.",
            ),
        ),
    }
)  # fmt: skip


def views_of(category: str) -> tuple[View, ...]:
    """Return the pictures of a kind of skin change; of one that is not known, those of a mole."""
    return _VIEWS.get(category, _MOLE)
