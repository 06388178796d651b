"""The words of which a made-up region consists: names of Norway, kinds of studies. No rows."""

from __future__ import annotations

import random
from dataclasses import dataclass

SURNAMES = (
    "HANSEN", "JOHANSEN", "OLSEN", "LARSEN", "ANDERSEN", "PEDERSEN", "NILSEN", "KRISTIANSEN",
    "JENSEN", "KARLSEN", "JOHNSEN", "PETTERSEN", "ERIKSEN", "BERG", "HAUGEN", "HAGEN",
    "JOHANNESSEN", "ANDREASSEN", "JACOBSEN", "HALVORSEN", "JØRGENSEN", "DAHL", "LUND",
    "SØRENSEN", "HENRIKSEN",
    "GUNDERSEN", "STRAND", "SOLBERG", "SVENDSEN", "EIDE", "BAKKEN", "KNUTSEN", "MYHRE", "RØNNING",
    "BJERKÅS", "ÅSHEIM", "SÆTHER", "ØSTBY", "NÆSS", "MØLLER", "NGUYEN", "AHMED", "KOWALSKA",
    "MÜLLER", "GARCÍA", "SAARI", "UTSI", "BÅTNES",
)  # fmt: skip
GIVEN = {
    "F": ("ANNE", "INGER", "KARI", "MARIT", "INGRID", "LIV", "EVA", "BERIT", "ASTRID", "BJØRG",
          "HILDE", "RANDI", "SOLVEIG", "MÅRTA", "RAGNHILD", "SIGRID", "TØRIS", "NORA", "EMMA"),
    "M": ("JAN", "PER", "BJØRN", "OLE", "LARS", "KJELL", "KNUT", "SVEIN", "MIKKEL", "ARNE",
          "THOMAS", "HÅKON", "GEIR", "ØYVIND", "TERJE", "MORTEN", "ODD", "TOR", "JAKUB"),
}  # fmt: skip

_FARM_BEGINNINGS = (
    "BREKKE", "GRØN", "HØG", "KVAM", "LAUV", "MEL", "NORD", "RØD", "SEL", "SKÅR", "STEIN", "SØR",
    "TVEIT", "ULV", "VANG", "VEST", "ØVRE", "ÅL", "ELVE", "FJELL", "GJER", "HELLE", "KLEP", "LANGE",
)  # fmt: skip
_FARM_ENDINGS = (
    "LAND", "STAD", "VIK", "NES", "DAL", "HAUG", "RUD", "SETH", "VOLD", "MOEN", "BØ", "LIEN",
    "ÅSEN", "HEIM", "TUN", "ENG", "SKOG", "BAKK", "LØKKEN", "VÅG", "STØL", "MARK", "SUND", "ØY",
)  # fmt: skip


@dataclass(frozen=True)
class Kind:
    """A kind of study: how usual it is, and what its parts are."""

    modality: str
    weight: int
    sop_class: str
    descriptions: tuple[str, ...]


KINDS = (
    Kind("CR", 26, "1.2.840.10008.5.1.4.1.1.1", ("RG Thorax", "RG Hånd", "RG Kne")),
    Kind("CT", 24, "1.2.840.10008.5.1.4.1.1.2", ("CT Caput", "CT Thorax", "CT Abdomen/bekken")),
    Kind("MR", 15, "1.2.840.10008.5.1.4.1.1.4", ("MR Caput", "MR Columna", "MR Kne")),
    Kind("US", 12, "1.2.840.10008.5.1.4.1.1.6.1", ("UL Abdomen", "UL Hals")),
    Kind("DX", 10, "1.2.840.10008.5.1.4.1.1.1.1", ("RG Thorax", "RG Bekken", "RG Skulder")),
    Kind("MG", 6, "1.2.840.10008.5.1.4.1.1.1.2", ("Mammografi",)),
    Kind("NM", 2, "1.2.840.10008.5.1.4.1.1.20", ("Skjelettscintigrafi",)),
    Kind("PT", 2, "1.2.840.10008.5.1.4.1.1.128", ("PET/CT FDG",)),
    Kind("XA", 1, "1.2.840.10008.5.1.4.1.1.12.1", ("Angiografi",)),
    Kind("RF", 1, "1.2.840.10008.5.1.4.1.1.12.2", ("Gjennomlysning",)),
)
PHOTOGRAPH = Kind("XC", 1, "1.2.840.10008.5.1.4.1.1.77.1.4", ("Hudforandring",))
ENDOSCOPY = Kind("ES", 0, "1.2.840.10008.5.1.4.1.1.77.1.1", ("Endoskopi",))


def a_name(chance: random.Random, sex: str) -> str:
    """Return a name; the usual ones are as usual as they are, most are of a farm."""
    if chance.random() < 0.25:
        surname = SURNAMES[min(int(chance.expovariate(0.09)), len(SURNAMES) - 1)]
    else:
        surname = chance.choice(_FARM_BEGINNINGS) + chance.choice(_FARM_ENDINGS)
    given = chance.choice(GIVEN[sex])
    if chance.random() < 0.3:
        given += " " + chance.choice(GIVEN[sex])
    return f"{surname}^{given}"
