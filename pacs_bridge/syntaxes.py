"""Lists the SOP classes and transfer syntaxes that Lysbro takes, and chooses among those proposed.

Knows nothing of associations.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydicom.uid import UID_dictionary  # type: ignore[attr-defined]
from pynetdicom import sop_class

VERIFICATION = "1.2.840.10008.1.1"
PATIENT_ROOT_FIND = "1.2.840.10008.5.1.4.1.2.1.1"
STUDY_ROOT_FIND = "1.2.840.10008.5.1.4.1.2.2.1"
MODALITY_WORKLIST = "1.2.840.10008.5.1.4.31"
FIND_CLASSES = frozenset({PATIENT_ROOT_FIND, STUDY_ROOT_FIND})
PATIENT_ROOT_MOVE = "1.2.840.10008.5.1.4.1.2.1.2"
STUDY_ROOT_MOVE = "1.2.840.10008.5.1.4.1.2.2.2"
MOVE_CLASSES = frozenset({PATIENT_ROOT_MOVE, STUDY_ROOT_MOVE})
PATIENT_ROOT_GET = "1.2.840.10008.5.1.4.1.2.1.3"
STUDY_ROOT_GET = "1.2.840.10008.5.1.4.1.2.2.3"
GET_CLASSES = frozenset({PATIENT_ROOT_GET, STUDY_ROOT_GET})
RETRIEVE_CLASSES = MOVE_CLASSES | GET_CLASSES
QUERY_RETRIEVE_ROOT = "1.2.840.10008.5.1.4.1.2."
COMMITMENT = "1.2.840.10008.1.20.1"
COMMITMENT_INSTANCE = "1.2.840.10008.1.20.1.1"  # well-known (PS3.4 J.3.5)
PERFORMED_STEP = "1.2.840.10008.3.1.2.3.3"
STORAGE_SERVICE = "1.2.840.10008.4.2"

IMPLICIT_LE = "1.2.840.10008.1.2"
EXPLICIT_LE = "1.2.840.10008.1.2.1"
DEFLATED_LE = "1.2.840.10008.1.2.1.99"
EXPLICIT_BE = "1.2.840.10008.1.2.2"
ENCAPSULATED_UNCOMPRESSED = "1.2.840.10008.1.2.1.98"

UNCOMPRESSED: tuple[str, ...] = (EXPLICIT_LE, IMPLICIT_LE, DEFLATED_LE, EXPLICIT_BE)
"""Uncompressed transfer syntaxes, the best first: explicit VR keeps private elements' types."""

ENCAPSULATED: Mapping[str, str] = {
    ENCAPSULATED_UNCOMPRESSED: "Encapsulated Uncompressed Explicit VR Little Endian",
    "1.2.840.10008.1.2.4.50": "JPEG Baseline (Process 1)",
    "1.2.840.10008.1.2.4.51": "JPEG Extended (Process 2 and 4)",
    "1.2.840.10008.1.2.4.52": "JPEG Extended (Process 3 and 5), retired",
    "1.2.840.10008.1.2.4.53": "JPEG Spectral Selection (Process 6 and 8), retired",
    "1.2.840.10008.1.2.4.54": "JPEG Spectral Selection (Process 7 and 9), retired",
    "1.2.840.10008.1.2.4.55": "JPEG Full Progression (Process 10 and 12), retired",
    "1.2.840.10008.1.2.4.56": "JPEG Full Progression (Process 11 and 13), retired",
    "1.2.840.10008.1.2.4.57": "JPEG Lossless (Process 14)",
    "1.2.840.10008.1.2.4.58": "JPEG Lossless (Process 15), retired",
    "1.2.840.10008.1.2.4.70": "JPEG Lossless, First-Order Prediction (Process 14 SV1)",
    "1.2.840.10008.1.2.4.80": "JPEG-LS Lossless",
    "1.2.840.10008.1.2.4.81": "JPEG-LS Lossy (Near-Lossless)",
    "1.2.840.10008.1.2.4.90": "JPEG 2000 (Lossless Only)",
    "1.2.840.10008.1.2.4.91": "JPEG 2000",
    "1.2.840.10008.1.2.4.92": "JPEG 2000 Part 2 Multi-component (Lossless Only)",
    "1.2.840.10008.1.2.4.93": "JPEG 2000 Part 2 Multi-component",
    "1.2.840.10008.1.2.4.100": "MPEG2 Main Profile / Main Level",
    "1.2.840.10008.1.2.4.100.1": "Fragmentable MPEG2 Main Profile / Main Level",
    "1.2.840.10008.1.2.4.101": "MPEG2 Main Profile / High Level",
    "1.2.840.10008.1.2.4.101.1": "Fragmentable MPEG2 Main Profile / High Level",
    "1.2.840.10008.1.2.4.102": "MPEG-4 AVC/H.264 High Profile / Level 4.1",
    "1.2.840.10008.1.2.4.102.1": "Fragmentable MPEG-4 AVC/H.264 High Profile / Level 4.1",
    "1.2.840.10008.1.2.4.103": "MPEG-4 AVC/H.264 BD-compatible High Profile / Level 4.1",
    "1.2.840.10008.1.2.4.103.1": "Fragmentable MPEG-4 AVC/H.264 BD-compatible / Level 4.1",
    "1.2.840.10008.1.2.4.104": "MPEG-4 AVC/H.264 High Profile / Level 4.2 For 2D Video",
    "1.2.840.10008.1.2.4.104.1": "Fragmentable MPEG-4 AVC/H.264 / Level 4.2 For 2D Video",
    "1.2.840.10008.1.2.4.105": "MPEG-4 AVC/H.264 High Profile / Level 4.2 For 3D Video",
    "1.2.840.10008.1.2.4.105.1": "Fragmentable MPEG-4 AVC/H.264 / Level 4.2 For 3D Video",
    "1.2.840.10008.1.2.4.106": "MPEG-4 AVC/H.264 Stereo High Profile / Level 4.2",
    "1.2.840.10008.1.2.4.106.1": "Fragmentable MPEG-4 AVC/H.264 Stereo / Level 4.2",
    "1.2.840.10008.1.2.4.107": "HEVC/H.265 Main Profile / Level 5.1",
    "1.2.840.10008.1.2.4.108": "HEVC/H.265 Main 10 Profile / Level 5.1",
    "1.2.840.10008.1.2.4.110": "JPEG XL Lossless",
    "1.2.840.10008.1.2.4.111": "JPEG XL JPEG Recompression",
    "1.2.840.10008.1.2.4.112": "JPEG XL",
    "1.2.840.10008.1.2.4.201": "High-Throughput JPEG 2000 (Lossless Only)",
    "1.2.840.10008.1.2.4.202": "High-Throughput JPEG 2000 with RPCL Options (Lossless Only)",
    "1.2.840.10008.1.2.4.203": "High-Throughput JPEG 2000",
    "1.2.840.10008.1.2.5": "RLE Lossless",
    "1.2.840.10008.1.2.8.1": "Deflated Image Frame Compression",
}
"""Transfer syntaxes whose pixel data lies in fragments, with their names."""

TRANSFER_SYNTAXES = frozenset(UNCOMPRESSED) | frozenset(ENCAPSULATED)
"""Every transfer syntax that is accepted for storage; none that refers to pixel data elsewhere."""

KNOWN_PRIVATE_CLASSES: Mapping[str, str] = {
    "1.3.12.2.1107.5.9.1": "Siemens CSA Non-Image Storage",
    "1.3.12.2.1107.5.99.3.10": "Siemens AX Frame Sets Storage",
    "1.2.840.113619.4.2": "GE DLX Image Modules Storage",
    "1.2.840.113619.4.26": "GE 3D Model Storage",
    "1.2.840.113619.4.27": "GE eNTEGRA Protocol Storage",
    "1.3.46.670589.2.3.1.1": "Philips Specialised XA Storage",
    "1.3.46.670589.5.0.1": "Philips 3D Volume Storage",
    "1.3.46.670589.5.0.2": "Philips 3D Object Storage",
    "1.3.46.670589.11.0.0.12.1": "Philips MR Spectrum Storage",
    "1.3.46.670589.11.0.0.12.2": "Philips MR Series Data Storage",
    "1.3.46.670589.11.0.0.12.4": "Philips MR Examcard Storage",
    "1.2.392.200036.9116.7.8.1.1.1": "Toshiba Private Data Storage",
}
"""Private storage SOP classes that are met in the wild without an extended negotiation item."""

_STORAGE_ROOT = "1.2.840.10008.5.1.4.1.1."
_ELSEWHERE = ("1.2.840.10008.5.1.4.34.1", "1.2.840.10008.5.1.1.29", "1.2.840.10008.5.1.1.30")
_WITHOUT_PATIENT = frozenset(  # protocols and inventories (PS3.4 annex GG)
    _STORAGE_ROOT + end for end in ("200.1", "200.3", "200.7", "201.1")
)


def _storage_classes() -> dict[str, str]:
    """Return UID and name of the standard's storage SOP classes whose objects are of a patient."""
    names = {
        uid: entry[0] + (" (retired)" if entry[3] else "")
        for uid, entry in UID_dictionary.items()
        if entry[1] == "SOP Class"
        and "Storage" in entry[0]
        and (uid.startswith(_STORAGE_ROOT) or uid in _ELSEWHERE)
    }
    for keyword, uid in sop_class._STORAGE_CLASSES.items():
        names.setdefault(uid, keyword)
    return {uid: name for uid, name in sorted(names.items()) if uid not in _WITHOUT_PATIENT}


STORAGE_CLASSES: Mapping[str, str] = _storage_classes()
"""The standard's storage SOP classes, retired ones too, with their names."""


def is_storage_class(
    uid: str, *, service_classes: Mapping[str, str], private_classes: bool
) -> bool:
    """Tell whether objects of a class are taken.

    `service_classes` holds what the requester said in SOP Class Common Extended Negotiation
    (PS3.7 D.3.3.6): the service class of a class that it knows better than we do.
    """
    if uid in STORAGE_CLASSES:
        return True
    if not private_classes or uid in _WITHOUT_PATIENT:
        return False
    return (
        uid in KNOWN_PRIVATE_CLASSES
        or uid.startswith(_STORAGE_ROOT)
        or service_classes.get(uid) == STORAGE_SERVICE
    )


def is_class_taken(uid: str) -> bool:
    """Tell whether objects of a class may have been taken; only the standard's own are ruled out.

    A private class may have been declared as storage by the one who sent its objects.
    """
    return not uid.startswith("1.2.840.10008.") or is_storage_class(
        uid, service_classes={}, private_classes=True
    )


def choose_for_storage(proposed: Sequence[str]) -> str | None:
    """Return the transfer syntax to accept for a storage context, or None.

    What is proposed first is taken for what the objects are in, so a compressed syntax in first
    place is accepted and nothing needs to be changed; else the best uncompressed one, and only
    then a compressed one from further down, which would make the sender compress.
    """
    known = [syntax for syntax in proposed if syntax in TRANSFER_SYNTAXES]
    if not known:
        return None
    if known[0] == proposed[0] and known[0] in ENCAPSULATED:
        return known[0]
    return next((plain for plain in UNCOMPRESSED if plain in known), known[0])


_VIDEO_CLASSES = frozenset(_STORAGE_ROOT + f"77.1.{n}.1" for n in (1, 2, 4))


def choose_for_retrieval(abstract_syntax: str, proposed: Sequence[str]) -> str | None:
    """Return the transfer syntax to accept of a context over which we may store by C-GET, or None.

    An uncompressed one takes whatever can be decoded, and a compressed one only what is stored in
    it: a peer that can take both proposes each in a context of its own. Video is never decoded.
    """
    known = [syntax for syntax in proposed if syntax in TRANSFER_SYNTAXES]
    plain = next((syntax for syntax in (EXPLICIT_LE, IMPLICIT_LE) if syntax in known), None)
    coded = next((syntax for syntax in known if syntax in ENCAPSULATED), None)
    if abstract_syntax in _VIDEO_CLASSES:
        return coded or plain or next(iter(known), None)
    return plain or next(iter(known), None)


def is_query_class(abstract_syntax: str) -> bool:
    """Tell whether a SOP class is of the query/retrieve service (PS3.4 annex C)."""
    return abstract_syntax.startswith(QUERY_RETRIEVE_ROOT)


def choose_for_messages(proposed: Sequence[str]) -> str | None:
    """Return the transfer syntax to accept for identifiers: little endian, never deflated."""
    return next((plain for plain in (EXPLICIT_LE, IMPLICIT_LE) if plain in proposed), None)


def syntax_name(uid: str) -> str:
    """Return the name of a transfer syntax, or its UID where it has none."""
    return ENCAPSULATED.get(uid) or (UID_dictionary[uid][0] if uid in UID_dictionary else uid)
