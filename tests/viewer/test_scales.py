"""Values have their unit, and an uptake value only where all that decides it is told."""

from __future__ import annotations

from typing import Any

import pytest

from tests.viewer.layered import code, item
from viewer.scales import Scale, scales_of, suv_bw, unit_of

DOSE = {
    "RadionuclideTotalDose": 370e6, "RadionuclideHalfLife": 6586.2,
    "RadiopharmaceuticalStartTime": "090000",
}  # fmt: skip


def pet(dose: dict[str, Any] | None = None, **more: Any) -> Any:
    told = {
        "Modality": "PT", "Units": "BQML", "CorrectedImage": ["ATTN", "DECY", "SCAT"],
        "DecayCorrection": "START", "SeriesDate": "20261128", "SeriesTime": "100000",
        "AcquisitionDate": "20261128", "AcquisitionTime": "100000", "PatientWeight": "80",
        "RescaleSlope": "2", "RescaleIntercept": "0",
        "RadiopharmaceuticalInformationSequence": [item(**(dose or DOSE))],
    }  # fmt: skip
    return item(**(told | more))


def test_an_uptake_value_counts_the_decay_until_the_scan() -> None:
    left = 2 ** (-3600 / 6586.2)
    assert suv_bw(pet()) == pytest.approx(80_000 / (370e6 * left))
    (scale,) = scales_of(pet(), 1)
    assert (scale.unit, scale.slope) == ("SUVbw", pytest.approx(2 * 80_000 / (370e6 * left)))
    assert suv_bw(pet(DecayCorrection="ADMIN")) == pytest.approx(80_000 / 370e6)
    assert suv_bw(pet(Units="GML")) == 1.0


@pytest.mark.parametrize(
    "changes",
    [
        {"PatientWeight": None}, {"PatientWeight": "0"}, {"Units": "CNTS"},
        {"DecayCorrection": "NONE"}, {"CorrectedImage": ["ATTN"]},
        {"SeriesTime": "120000"},  # made anew, after the scan
        {"SeriesTime": "080000"},  # before anything was given
        {"dose": {"RadionuclideTotalDose": 370e6, "RadionuclideHalfLife": 6586.2}},
        {"dose": DOSE | {"RadionuclideTotalDose": 0}}, {"Modality": "NM"},
        {"Units": "GML", "SUVType": "LBM"},
    ],
)  # fmt: skip
def test_no_uptake_value_is_made_of_less(changes: dict[str, Any]) -> None:
    assert suv_bw(pet(**changes)) is None


def test_a_unit_is_what_the_header_says() -> None:
    assert unit_of({"Modality": "CT"}) == "HU"
    assert unit_of({"Modality": "PT"}, pet()) == "Bq/ml"
    assert unit_of({"Modality": "MR", "RescaleType": "US"}) == ""
    assert unit_of({"Modality": "OT", "RescaleType": "OD"}) == "OD"


def test_real_world_values_come_from_the_group_of_the_frame() -> None:
    def mapping(slope: float) -> Any:
        return item(RealWorldValueMappingSequence=[item(
            RealWorldValueSlope=slope, RealWorldValueIntercept=1.0,
            MeasurementUnitsCodeSequence=code("um2/s", "um2/s"),
        )])  # fmt: skip

    header = item(PerFrameFunctionalGroupsSequence=[mapping(2.0), mapping(3.0)])
    assert scales_of(header, 2) == (Scale(3.0, 1.0, "µm²/s"),)
