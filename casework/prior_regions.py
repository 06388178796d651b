"""Which part of the body a text speaks of, in English or Norwegian words. A table; reads no object.

Body Part Examined is often left out or wrong, so descriptions are looked at as well. A text that
names nothing known is of an unknown part, which is another thing than of a different one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum


class Region(StrEnum):
    """A part of the body that is imaged and compared as one."""

    HEAD = "head"
    NECK = "neck"
    CHEST = "chest"
    BREAST = "breast"
    ABDOMEN = "abdomen"
    PELVIS = "pelvis"
    SPINE = "spine"
    ARM = "arm"
    LEG = "leg"
    SKIN = "skin"
    BODY = "body"


_STEMS: Mapping[Region, tuple[str, ...]] = {
    Region.HEAD: (
        "head", "brain", "skull", "cerebr", "cranium", "sinus", "orbit", "face", "facial", "mandib",
        "jaw", "dental", "teeth", "temporal", "hode", "hjerne", "caput", "kranie", "ansikt",
        "bihule", "kjeve", "tenner",
    ),
    Region.NECK: ("neck", "carotid", "thyroid", "larynx", "pharynx", "hals", "collum", "tyreoid"),
    Region.CHEST: (
        "chest", "thorax", "thorac", "lung", "heart", "cardiac", "cardio", "coronary", "rib",
        "stern", "mediastin", "pulmon", "toraks", "lunge", "hjerte", "bryst", "ribben", "koronar",
    ),
    Region.BREAST: ("breast", "mammo", "mamma", "mammae"),
    Region.ABDOMEN: (
        "abdom", "liver", "kidney", "renal", "pancrea", "spleen", "gallbladder", "biliary", "bowel",
        "colon", "stomach", "aorta", "adrenal", "urinary", "ureter", "lever", "nyre", "bukspytt",
        "milt", "galle", "tarm", "mage", "buk", "buken", "urinvei", "binyre",
    ),
    Region.PELVIS: (
        "pelvi", "hip", "bladder", "prostat", "uterus", "ovar", "sacr", "rectum", "bekken", "hofte",
        "blære", "livmor", "sakr", "rektum",
    ),
    Region.SPINE: (
        "spine", "spinal", "cspine", "tspine", "lspine", "lumbar", "cervical", "vertebr", "columna",
        "ryggrad", "rygg", "nakke", "lumbal", "virvel", "totalcolumna",
    ),
    Region.ARM: (
        "arm", "shoulder", "humer", "elbow", "forearm", "wrist", "hand", "finger", "clavic",
        "scapul", "radius", "ulna", "thumb", "skulder", "albue", "underarm", "håndledd", "hånd",
        "kragebe", "overarm", "tommel",
    ),
    Region.LEG: (
        "leg", "femur", "thigh", "knee", "tibia", "fibula", "ankle", "foot", "calcan", "heel",
        "toe", "patella", "lår", "kne", "legg", "ankel", "fot", "foten", "hæl", "tå",
        "underekstremitet",
    ),
    Region.SKIN: ("skin", "naev", "nev", "mole", "lesion", "dermat", "hud", "føflekk"),
    Region.BODY: ("wholebody", "whole", "body", "helkropp", "skeleton", "skjelett"),
}  # fmt: skip

_SHORT = {"rib", "hip", "arm", "leg", "toe", "jaw", "kne", "fot", "tå", "buk", "lår", "nev", "mole"}
"""Stems that begin other words: these count as a whole word, or with one letter more."""

_FIRST = ("mamma", "mammae", "mammo", "breast")
_WORDS = re.compile(r"[^\W\d_]+")


def regions_in(*texts: str) -> frozenset[Region]:
    """Return the parts of the body that texts name; none when they name nothing known."""
    words = [word for text in texts for word in _WORDS.findall(text.casefold())]
    found = {region for word in words if (region := _region_of(word)) is not None}
    return frozenset(found)


def region_named(text: str) -> Region | None:
    """Return the one part of the body that a word names: of a rule, or of Body Part Examined."""
    found = regions_in(text)
    return next(iter(sorted(found)), None)


def _region_of(word: str) -> Region | None:
    if word.startswith(_FIRST):
        return Region.BREAST
    for region, stems in _STEMS.items():
        for stem in stems:
            if word.startswith(stem) and (stem not in _SHORT or len(word) <= len(stem) + 1):
                return region
    return None
