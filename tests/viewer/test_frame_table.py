"""Each frame of an object of several has its own place, thickness, window and time."""

from __future__ import annotations

from typing import Any

import pytest

from tests.viewer.images import dossier, row
from tests.viewer.layered import AXIAL, item
from viewer.frame_table import frame_places, frame_table
from viewer.manifest import build_manifest
from viewer.manifest_columns import unfolded


def group(z: float, *indices: int, window: tuple[float, float] = (40, 400)) -> Any:
    return item(
        PlanePositionSequence=[item(ImagePositionPatient=[1.0, 2.0, z])],
        FrameContentSequence=[item(DimensionIndexValues=list(indices))],
        FrameVOILUTSequence=[item(WindowCenter=window[0], WindowWidth=window[1])],
    )


def enhanced(*groups: Any) -> Any:
    shared = item(
        PlaneOrientationSequence=[item(ImageOrientationPatient=AXIAL)],
        PixelMeasuresSequence=[item(PixelSpacing=[0.4, 0.5], SliceThickness=3.0)],
    )
    return item(
        SharedFunctionalGroupsSequence=[shared], PerFrameFunctionalGroupsSequence=list(groups)
    )


def test_even_places_stand_as_start_and_step() -> None:
    header = enhanced(*(group(5.0 + 2.5 * at, 1, at + 1) for at in range(4)))
    table = frame_table(frame_places(header, 4))
    assert table == {
        "position": {"start": [1.0, 2.0, 5.0], "step": [0.0, 0.0, 2.5]},
        "orientation": {"all": tuple(AXIAL)},
        "spacing": {"all": (0.4, 0.5)},
        "thickness_mm": {"all": 3.0},
        "windows": {"all": ((40.0, 400.0),)},
    }


def test_frames_are_read_in_the_order_of_their_dimensions() -> None:
    header = enhanced(group(4, 1, 2), group(0, 1, 1), group(4, 2, 2), group(0, 2, 1))
    table = frame_table(frame_places(header, 4))
    assert table["order"] == [2, 1, 4, 3]
    assert table["position"]["each"][0] == [1.0, 2.0, 4.0]


def test_windows_of_their_own_stand_one_by_one() -> None:
    header = enhanced(group(0, 1, window=(10, 20)), group(1, 2, window=(30, 40)))
    assert frame_table(frame_places(header, 2))["windows"] == {
        "each": [[[10.0, 20.0]], [[30.0, 40.0]]]
    }


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"FrameTimeVector": [0, 30, 50, 40]}, {"each": [30.0, 50.0, 40.0, 40.0]}),
        ({"FrameTime": 33.3}, {"all": 33.3}),
        ({"RecommendedDisplayFrameRate": 25}, {"all": 40.0}),
        ({"CineRate": 50}, {"all": 20.0}),
        ({"FrameTimeVector": [0, 30]}, None),
        ({}, None),
    ],
)  # fmt: skip
def test_a_frame_is_shown_as_long_as_its_object_says(told: Any, expected: Any) -> None:
    assert frame_table(frame_places(item(Modality="US", **told), 4)).get("time_ms") == expected


def test_slices_of_a_reconstructed_nm_object_lie_along_its_detectors_normal() -> None:
    header = item(
        Modality="NM", ImageType=["ORIGINAL", "PRIMARY", "RECON TOMO", "EMISSION"],
        SpacingBetweenSlices=4.0, PixelSpacing=[4.0, 4.0],
        DetectorInformationSequence=[
            item(ImagePositionPatient=[0.0, 0.0, 10.0], ImageOrientationPatient=AXIAL)
        ],
    )  # fmt: skip
    table = frame_table(frame_places(header, 3))
    assert table["position"] == {"start": [0.0, 0.0, 10.0], "step": [0.0, 0.0, 4.0]}


def test_nothing_is_said_where_nothing_is_known() -> None:
    assert frame_table(frame_places(item(Modality="XA"), 3)) == {}
    assert frame_table(frame_places(enhanced(group(0, 1)), 1)) == {}


def test_the_manifest_has_the_table_of_objects_of_several_frames_only() -> None:
    asked = []

    def table(ref: Any) -> dict[str, Any]:
        asked.append(ref.sop_instance_uid)
        return {"order": [2, 1]}

    rows = [row("1.2.3.1", frames=2), row("1.2.3.2"),
            row("1.2.3.3", frames=2, attributes={"FrameTime": 40.0})]  # fmt: skip
    (series,) = build_manifest(dossier(), rows, tables=table)["series"]
    assert asked == ["1.2.3.1"]
    told = [each.get("per_frame") for each in unfolded(series)]
    assert told == [{"order": [2, 1]}, None, None]
