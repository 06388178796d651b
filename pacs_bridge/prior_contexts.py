"""Chooses which SOP classes and transfer syntaxes a C-GET proposes, by what a study holds.

A context has one transfer syntax, so that a node can send each object as it has it. An association
has 128 contexts at most: what is rare comes last and may be left out, and is fetched by C-MOVE.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from pacs_bridge.plan import Pair
from pacs_bridge.syntaxes import EXPLICIT_LE, IMPLICIT_LE, is_storage_class

_MOST = 126  # of the 128 two are for C-GET and C-MOVE
_ROOT = "1.2.840.10008.5.1.4.1.1."
_JPEG = "1.2.840.10008.1.2.4."

_BY_MODALITY: Mapping[str, tuple[str, ...]] = {
    "CT": ("2", "2.1", "2.2"),
    "MR": ("4", "4.1", "4.2", "4.4"),
    "CR": ("1", "1.1"),
    "DX": ("1.1", "1", "1.1.1"),
    "MG": ("1.2", "13.1.3", "1.2.1"),
    "IO": ("1.3",),
    "PX": ("1.1", "7"),
    "US": ("6.1", "3.1"),
    "XA": ("12.1", "12.1.1"),
    "RF": ("12.2", "12.1"),
    "NM": ("20",),
    "PT": ("128", "130"),
    "XC": ("77.1.4", "77.1.4.1"),
    "DMS": ("77.1.7", "77.1.4"),
    "ES": ("77.1.1", "77.1.1.1"),
    "GM": ("77.1.2",),
    "SM": ("77.1.6",),
    "OP": ("77.1.5.1", "77.1.5.2"),
    "OPT": ("77.1.5.4",),
    "SEG": ("66.4",),
    "DOC": ("104.1",),
}
"""Storage classes of a modality, below their common root."""

_WITH_ANY = ("7", "88.11", "88.22", "88.33", "88.67", "88.59", "11.1", "104.1")
"""What may lie beside the images: secondary captures, reports, doses, key images, presentations."""

_SYNTAXES = (
    EXPLICIT_LE, IMPLICIT_LE, _JPEG + "70", _JPEG + "50", _JPEG + "90", _JPEG + "80", _JPEG + "91",
    _JPEG + "51", _JPEG + "57", "1.2.840.10008.1.2.5", _JPEG + "201", _JPEG + "81", _JPEG + "203",
    _JPEG + "202",
)  # fmt: skip
"""In the order in which they are given up where there is no room for all."""

_PLAIN = frozenset({EXPLICIT_LE, IMPLICIT_LE})
_WITHOUT_PIXELS = tuple(_ROOT + part for part in ("88.", "11.", "104."))


def pairs_to_get(modalities: Collection[str], told: Collection[str] = ()) -> list[Pair]:
    """Return what to propose for a study of these modalities; `told` are its SOP classes.

    A node that tells the classes (0008,0062) is taken at its word.
    """
    known = [uid for uid in told if is_storage_class(uid, service_classes={}, private_classes=True)]
    parts = [part for each in sorted(modalities) for part in _BY_MODALITY.get(each, ())]
    classes = list(dict.fromkeys(known or [_ROOT + part for part in (*parts, *_WITH_ANY)]))
    wanted = [
        (sop_class, syntax)
        for syntax in _SYNTAXES
        for sop_class in classes
        if syntax in _PLAIN or not sop_class.startswith(_WITHOUT_PIXELS)
    ]
    return wanted[:_MOST]
