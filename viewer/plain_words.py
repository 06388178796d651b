"""Words for a reply's coded values in a given language: the page and the PDF say the same."""

from __future__ import annotations

from collections.abc import Mapping

from viewer.texts import mark, translate

_URGENCY: Mapping[str, str] = {
    "none": mark("No further action needed"),
    "routine": mark("Routine referral advised"),
    "priority": mark("Priority: act on this soon"),
    "cancer-pathway": mark("Suspected cancer: refer to the cancer pathway now"),
}
_CERTAINTY: Mapping[int, str] = {
    1: mark("unlikely"),
    2: mark("less likely"),
    3: mark("possible"),
    4: mark("likely"),
    5: mark("very likely"),
}
_SEX: Mapping[str, str] = {"M": mark("male"), "F": mark("female"), "O": mark("other sex")}
_CALIBRATION: Mapping[str, str] = {
    "calibrated": mark("calibrated"),
    "detector": mark("measured at the detector"),
    "unstated": mark("scale not stated"),
    "ultrasound": mark("ultrasound scale"),
}


def urgency_text(urgency: str, language: str) -> str:
    """Return what an urgency asks of the referrer."""
    return translate(_URGENCY.get(urgency, urgency), language)


def certainty_text(certainty: int | None, language: str) -> str:
    """Return how sure the reader is, in words; empty when nothing is said."""
    said = _CERTAINTY.get(certainty or 0)
    return translate(said, language) if said else ""


def calibration_text(calibration: str, language: str) -> str:
    """Return what a measurement's scale rests on, in words; empty where nothing need be said."""
    if calibration in {"patient", "none"}:
        return ""
    said = _CALIBRATION.get(calibration)
    return translate(said, language) if said else calibration


def sex_text(sex: str, language: str) -> str:
    """Return a patient's sex in words; empty when it is not known."""
    return translate(_SEX[sex], language) if sex in _SEX else ""


def name_text(dicom_name: str) -> str:
    """Return a name of DICOM form (PS3.5 section 6.2.1.1, VR PN) as people write it."""
    alphabetic = dicom_name.partition("=")[0]
    family, given, middle, prefix, suffix = (alphabetic.split("^") + [""] * 5)[:5]
    parts = [part.strip() for part in (prefix, given, middle, family, suffix)]
    return " ".join(part for part in parts if part)
