"""Checks what the header of a wrapped photograph says, where general checkers are silent.

Reads no pixel data: `validate` holds the header against the stream.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from pydicom.dataset import Dataset

from derm_capture import anatomy
from derm_capture.acquisition import CONTEXT_GROUPS, COUNTS
from derm_capture.anatomy import Code
from derm_capture.references import PURPOSES

_DERMOSCOPIC = "1.2.840.10008.5.1.4.1.1.77.1.7"
_MODALITIES = {
    _DERMOSCOPIC: "DMS",
    "1.2.840.10008.5.1.4.1.1.77.1.4": "XC",
    "1.2.840.10008.5.1.4.1.1.77.1.4.1": "XC",
}
_SIDES = ("L", "R", "B", "U")
_EQUIPMENT = ("Manufacturer", "ManufacturerModelName", "DeviceSerialNumber", "SoftwareVersions")
_OPTICS = (
    "LightSourcePolarization", "EmitterColorTemperature", "ContactMethod",
    "OpticalMagnificationFactor",
)  # fmt: skip
_DATE_TIME = re.compile(r"\d{14}(\.\d{1,6})?[+-]\d{4}")


def header_problems(ds: Dataset, *, known: Collection[str] | None = None) -> Iterator[str]:
    """Yield what is wrong; `known` are the instances of the study, where the caller knows them."""
    yield from _general(ds)
    yield from _place(ds)
    yield from _lesion(ds)
    yield from _context(ds)
    yield from _references(ds, known)
    if ds.get("SOPClassUID") == _DERMOSCOPIC:
        yield from _dermoscopic(ds)


def _general(ds: Dataset) -> Iterator[str]:
    if ds.get("Modality") != _MODALITIES.get(str(ds.get("SOPClassUID"))):
        yield f"modality {ds.get('Modality')} is not that of the SOP class"
    if ds.get("SpecificCharacterSet") != "ISO_IR 192":
        yield "texts are not said to be UTF-8"
    if not ds.get("TimezoneOffsetFromUTC"):
        yield "times without an offset from UTC"
    if not _DATE_TIME.fullmatch(str(ds.get("AcquisitionDateTime", ""))):
        yield "no acquisition time with its offset"
    for keyword in ("StudyID", "SeriesNumber", "InstanceNumber", "RecognizableVisualFeatures"):
        if ds.get(keyword) in (None, ""):
            yield f"no {keyword}"


def _place(ds: Dataset) -> Iterator[str]:
    regions = ds.get("AnatomicRegionSequence") or []
    if not regions and list(ds.get("ImageType", ()))[3:] == ["OTHER"]:
        return  # a picture of something else lies nowhere on the body
    if len(regions) != 1:
        yield f"{len(regions)} anatomic regions where a photograph has one"
        return
    code = _code(regions[0])
    site = next((each for each in anatomy.SITES if each.code == code.value), None)
    if site is None or (site.scheme, site.meaning) != (code.scheme, code.meaning):
        yield f"{code.value} is no site of CID 4029 as the standard words it"
    if "ImageLaterality" not in ds and "Laterality" not in ds:
        yield "nothing is said of the side"
    elif ds.get("ImageLaterality", "U") not in _SIDES:
        yield f"side {ds.ImageLaterality}"
    modifiers = [_code(item) for item in regions[0].get("AnatomicRegionModifierSequence") or []]
    side = anatomy.LATERALITIES.get(str(ds.get("ImageLaterality", "")))
    if modifiers != ([side] if side else []):
        yield "the region's modifier is another side than the image's"


def _lesion(ds: Dataset) -> Iterator[str]:
    if bool(ds.get("TrackingID")) != bool(ds.get("TrackingUID")):
        yield "a tracking ID without its UID, or the other way round"


def _context(ds: Dataset) -> Iterator[str]:
    """Yield items of the acquisition context that are not of TID 8300."""
    if "AcquisitionContextSequence" not in ds:
        yield "no acquisition context, which may be empty and must be there"
    for item in ds.get("AcquisitionContextSequence") or []:
        concept = _code(item.ConceptNameCodeSequence[0])
        if concept in COUNTS:
            if item.get("ValueType") != "NUMERIC" or item.get("NumericValue") is None:
                yield f"{concept.meaning}: no number"
            continue
        if concept not in CONTEXT_GROUPS:
            yield f"{concept.value} ({concept.meaning}) is no question of TID 8300"
            continue
        cid, answers = CONTEXT_GROUPS[concept]
        if item.get("ValueType") != "CODE" or not item.get("ConceptCodeSequence"):
            yield f"{concept.meaning}: no code"
        elif (value := _code(item.ConceptCodeSequence[0])) not in answers:
            yield f"{concept.meaning}: {value.value} is not of CID {cid}"


def _references(ds: Dataset, known: Collection[str] | None) -> Iterator[str]:
    images = ds.get("ReferencedImageSequence") or []
    named = [str(item.ReferencedSOPInstanceUID) for item in images]
    listed = [
        str(item.ReferencedSOPInstanceUID)
        for series in ds.get("ReferencedSeriesSequence") or []
        for item in series.ReferencedInstanceSequence
    ]
    if sorted(named) != sorted(listed):
        yield "what is referred to is not what the common instance reference lists"
    if str(ds.get("SOPInstanceUID")) in named:
        yield "it refers to itself"
    for item in images:
        purposes = [_code(each) for each in item.get("PurposeOfReferenceCodeSequence") or []]
        if len(purposes) != 1 or purposes[0] not in PURPOSES.values():
            yield f"{item.ReferencedSOPInstanceUID} is referred to without its purpose"
    if known is not None:
        yield from (f"{uid} is not in this study" for uid in named if uid not in known)


def _dermoscopic(ds: Dataset) -> Iterator[str]:
    for keyword in _EQUIPMENT:
        if not ds.get(keyword):
            yield f"no {keyword}, which a dermoscopic photograph must have"
    for keyword in _OPTICS:
        if keyword not in ds:
            yield f"no {keyword}, which may be empty and must be there"
    if ("ImmersionMedia" in ds) != (ds.get("ContactMethod") == "CONTACT"):
        yield "an immersion fluid belongs to contact, and to nothing else"


def _code(item: Dataset) -> Code:
    return Code(
        str(item.get("CodeValue", "")),
        str(item.get("CodingSchemeDesignator", "")),
        str(item.get("CodeMeaning", "")),
    )
