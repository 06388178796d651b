"""Says in which unit values are, and what else they mean: SUV, or what the sender maps them to.

PS3.3 C.8.9.1 (PET), C.7.6.16.2.11 (real world values). Applies nothing to pixels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pydicom.dataset import Dataset

from viewer.attributes import first
from viewer.groups import group_with, items_of, numbers_of

_PET_UNITS = {"BQML": "Bq/ml", "CNTS": "counts", "GML": "g/ml", "PROPCNTS": "counts", "CPS": "cps"}
_PLAIN_UNITS = {"1": "", "[hnsf'U]": "HU", "{SUVbw}g/ml": "SUVbw", "um2/s": "µm²/s"}
_LONGEST_WAIT = timedelta(days=1)


@dataclass(frozen=True)
class Scale:
    """A second meaning of stored values: slope, intercept and the unit."""

    slope: float
    intercept: float
    unit: str


def unit_of(attributes: Mapping[str, Any], header: Dataset | None = None) -> str:
    """Return the unit of rescaled values, or nothing where nobody says it."""
    if attributes.get("Modality") == "CT":
        return "HU"
    if header is not None and header.get("Units"):
        return _PET_UNITS.get(str(header.Units), str(header.Units))
    said = str(first(attributes.get("RescaleType"), ""))
    return "" if said == "US" else said


def scales_of(header: Dataset, frame: int) -> tuple[Scale, ...]:
    """Return what stored values of a frame mean beside their rescaled values."""
    found = _real_world(header, frame)
    uptake = suv_bw(header)
    if uptake is not None:
        slope = _number(header, "RescaleSlope", frame) or 1.0
        intercept = _number(header, "RescaleIntercept", frame) or 0.0
        found.append(Scale(slope * uptake, intercept * uptake, "SUVbw"))
    return tuple(found)


def suv_bw(header: Dataset) -> float | None:
    """Return what makes a standardised uptake value by body weight of a PET value, or None.

    Only where all that decides it is told: dose, its time, half-life, weight, decay and attenuation
    corrected. Values in g/ml are taken for what their SUV type says.
    """
    if header.get("Modality") != "PT":
        return None
    units = str(header.get("Units", ""))
    if units == "GML":
        return 1.0 if str(header.get("SUVType", "BW")) == "BW" else None
    corrected = header.get("CorrectedImage") or ()
    corrections = {corrected} if isinstance(corrected, str) else {str(each) for each in corrected}
    if units != "BQML" or not {"ATTN", "DECY"} <= corrections:
        return None
    doses = items_of(header, "RadiopharmaceuticalInformationSequence")
    weight = numbers_of(header, "PatientWeight", 1)
    if len(doses) != 1 or weight is None or weight[0] <= 0:
        return None
    dose = numbers_of(doses[0], "RadionuclideTotalDose", 1)
    if dose is None or dose[0] <= 0:
        return None
    left = _left_of(header, doses[0])
    return None if left is None else weight[0] * 1000 / (dose[0] * left)


def _left_of(header: Dataset, dose: Dataset) -> float | None:
    """Return the part of the dose that had not decayed when the values hold."""
    correction = str(header.get("DecayCorrection", ""))
    if correction == "ADMIN":
        return 1.0
    half_life = numbers_of(dose, "RadionuclideHalfLife", 1)
    scanned = _moment(header.get("SeriesDate"), header.get("SeriesTime"))
    acquired = _moment(header.get("AcquisitionDate"), header.get("AcquisitionTime"))
    if correction != "START" or half_life is None or half_life[0] <= 0 or scanned is None:
        return None
    if acquired is not None and scanned > acquired:  # the series was made anew, later
        return None
    given = _given(header, dose)
    if given is None:
        return None
    waited = scanned - given
    if not timedelta(0) <= waited <= _LONGEST_WAIT:
        return None
    return float(2 ** (-waited.total_seconds() / half_life[0]))


def _given(header: Dataset, dose: Dataset) -> datetime | None:
    whole = str(dose.get("RadiopharmaceuticalStartDateTime", "") or "")
    if len(whole) >= 14:
        return _moment(whole[:8], whole[8:].split("+", maxsplit=1)[0].split("-", maxsplit=1)[0])
    return _moment(header.get("SeriesDate"), dose.get("RadiopharmaceuticalStartTime"))


def _moment(day: Any, time: Any) -> datetime | None:
    if not day or not time:
        return None
    digits = f"{day or ''}{str(time or '').split('.')[0]:0<6}"
    try:
        return datetime.strptime(digits, "%Y%m%d%H%M%S")
    except ValueError:
        return None


def _real_world(header: Dataset, frame: int) -> list[Scale]:
    group = group_with(header, frame, "RealWorldValueMappingSequence")
    items = list(items_of(group, "RealWorldValueMappingSequence"))
    shared = group_with(header, frame, "RealWorldValueSlope")
    if shared is not None and shared is not header:
        items.append(shared)
    found = []
    for item in items:
        slope = numbers_of(item, "RealWorldValueSlope", 1)
        intercept = numbers_of(item, "RealWorldValueIntercept", 1)
        units = items_of(item, "MeasurementUnitsCodeSequence")
        if slope is None or intercept is None or not units:
            continue
        code = str(units[0].get("CodeValue", ""))
        found.append(Scale(slope[0], intercept[0], _PLAIN_UNITS.get(code, code)))
    return found


def _number(header: Dataset, keyword: str, frame: int) -> float | None:
    found = numbers_of(group_with(header, frame, keyword), keyword, 1)
    return None if found is None else found[0]
