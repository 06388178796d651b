"""Knows the sites of the body that a photograph of the skin may be of (CID 4029), and how to name
them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from casework.errors import Invalid
from derm_capture.anatomy_table import PLAIN, TABLE

_LINE = re.compile(r"(SCT|FMA|DCM) +(\d+) +([*-])([12]) (.+) \| (.+)")
_BLOCK = re.compile(r"\[(\w+) (\w+) ([\w-]+)\]")


@dataclass(frozen=True)
class Code:
    """A coded concept: code value, coding scheme designator, code meaning (PS3.3 section 8.8)."""

    value: str
    scheme: str
    meaning: str


@dataclass(frozen=True)
class BodySite:
    """A site on the body, with its names and its place in a pick list."""

    code: str
    scheme: str  # SCT, FMA or DCM
    meaning: str  # the standard's words
    en: str  # the short name for people
    nb: str
    body_part: str  # Body Part Examined (0018,0015), PS3.16 annex L; empty where none is right
    paired: bool  # lies on both sides: left or right belongs to it
    region: str  # a key of REGIONS
    view: str  # front | back | side | sole
    common: bool


@dataclass(frozen=True)
class Region:
    """A part of the pick list."""

    key: str
    en: str
    nb: str


REGIONS: tuple[Region, ...] = (
    Region("head", "Head and face", "Hode og ansikt"),
    Region("nose", "Nose", "Nese"),
    Region("eye", "Eye", "Øye"),
    Region("ear", "Ear", "Øre"),
    Region("mouth", "Lips and mouth", "Lepper og munn"),
    Region("neck", "Neck", "Hals og nakke"),
    Region("trunk", "Chest, abdomen and back", "Bryst, mage og rygg"),
    Region("arm", "Arm", "Arm"),
    Region("hand", "Hand", "Hånd"),
    Region("nail", "Nails", "Negler"),
    Region("leg", "Leg", "Ben"),
    Region("foot", "Foot", "Fot"),
    Region("genital", "Genital and anal", "Underliv"),
    Region("general", "Elsewhere", "Annet"),
)

LEFT = Code("7771000", "SCT", "Left")
RIGHT = Code("24028007", "SCT", "Right")
BILATERAL = Code("51440002", "SCT", "Bilateral")

LATERALITIES: Mapping[str, Code] = MappingProxyType({"L": LEFT, "R": RIGHT, "B": BILATERAL})
"""Image Laterality (0020,0062) that is also said as a modifier of the site (CID 244)."""


_BEGINNINGS = (  # of the standard's meaning, and how the short name says it
    ("Skin of dorsal part of ", "{}, top"),
    ("Skin of palmar part of ", "{}, palm side"),
    ("Skin of plantar part of ", "{}, underside"),
    ("Nail unit of ", "Nail of the {}"),
    ("Skin of ", "{}"),
)


def _short(meaning: str) -> str:
    for beginning, form in _BEGINNINGS:
        if meaning.startswith(beginning):
            name = form.format(meaning.removeprefix(beginning).removeprefix("the "))
            return name[0].upper() + name[1:]
    return meaning


def _read(table: str) -> tuple[BodySite, ...]:
    plain = dict(line.split(None, 1) for line in PLAIN.strip().splitlines())
    sites = []
    region = view = body_part = ""
    for line in table.strip().splitlines():
        block = _BLOCK.fullmatch(line)
        if block:
            region, view, body_part = block.groups()
            continue
        found = _LINE.fullmatch(line)
        if found is None:
            raise ValueError(f"anatomy table: {line!r}")
        scheme, code, common, sides, meaning, nb = found.groups()
        sites.append(
            BodySite(
                code=code,
                scheme=scheme,
                meaning=meaning,
                en=plain.get(code) or _short(meaning),
                nb=nb,
                body_part="" if body_part == "-" else body_part,
                paired=sides == "2",
                region=region,
                view=view,
                common=common == "*",
            )
        )
    return tuple(sites)


SITES: tuple[BodySite, ...] = _read(TABLE)
"""All sites of CID 4029, in the order of the pick list."""

_FACE_REGIONS = frozenset({"head", "nose", "eye", "mouth"})
_BY_CODE: Mapping[str, BodySite] = MappingProxyType({site.code: site for site in SITES})


def is_of_face(site: BodySite) -> bool:
    """Tell whether a picture of a site easily shows who it is."""
    return site.region in _FACE_REGIONS and site.view != "back"


def site_of(code: str) -> BodySite:
    """Return the site of a code, or raise Invalid."""
    found = _BY_CODE.get(code)
    if found is None:
        raise Invalid(
            f"{code or 'An empty text'} is no code of a site on the body. "
            "Choose a site from the list (DICOM CID 4029).",
            code="unknown-site",
        )
    return found
