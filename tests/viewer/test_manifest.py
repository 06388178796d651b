"""The manifest says what the first image needs, small, in reading order, and honestly of scales."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.viewer.images import dossier, row
from viewer.manifest import build_manifest, in_reading_order, kind_of
from viewer.manifest_columns import folded, unfolded
from viewer.pixels import JPEG_BASELINE
from viewer.spacing import regions_of, spacing_of

AT_DETECTOR = {"ImagerPixelSpacing": [0.2, 0.2]}
BY_RULER = {"PixelSpacingCalibrationType": "FIDUCIAL"}
AS_JPEG = {"transfer_syntax_uid": JPEG_BASELINE}
COLOUR = {"SamplesPerPixel": 3}
AXIAL = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0]


def slice_at(z: float, number: int, **attributes: Any) -> Any:
    place = {"ImagePositionPatient": [0.0, 0.0, z], "ImageOrientationPatient": AXIAL}
    return row(f"1.2.3.{number}", number=number, attributes=place | attributes)


whole = unfolded


def test_what_slices_have_alike_is_said_once() -> None:
    manifest = build_manifest(dossier(), [slice_at(i, i + 1) for i in range(20)])
    (series,) = manifest["series"]
    assert series["frames"] == 20
    assert series["common"]["windows"] == [[40.0, 80.0, ""]]
    assert series["columns"].keys() == {"uid", "number", "position"}
    first = whole(series)[0]
    assert (first["rows"], first["columns"], first["intercept"]) == (16, 24, -1024.0)
    assert first["spacing"] == [0.5, 0.5, "patient"]
    assert manifest["hanging"] == {"layout": "stack", "first": series["key"]}


def test_the_manifest_of_a_large_study_is_as_small_as_that_of_a_small_one() -> None:
    uid = "1.2.826.0.1.3680043.8.498.45787841905188114249811."

    def size_of(count: int) -> int:
        rows = [
            row(f"{uid}{i}", number=i, sha256=f"{i:064x}", size_bytes=500_000 + i, attributes={
                "ImagePositionPatient": [-120.5, -98.25, round(i * 1.2, 3)],
                "ImageOrientationPatient": AXIAL})
            for i in range(1, count + 1)
        ]  # fmt: skip
        manifest = build_manifest(dossier(), rows)
        told = unfolded(manifest["series"][0])
        assert [each["uid"] for each in told] == [each.sop_instance_uid for each in rows]
        assert [each["position"] for each in told] == [
            each.attributes["ImagePositionPatient"] for each in rows
        ]
        return len(json.dumps(manifest))

    assert size_of(2000) - size_of(20) < 100


@pytest.mark.parametrize(
    "uids",
    [
        ["1.2.3.9", "1.2.3.10", "1.2.3.11"],
        ["1.2.3.100", "1.2.3.77", "1.2.99.5"],
        ["1.2.3.4", "1.2.3.4.1"],
        ["1.2.300", "1.2.301.5"],
        ["1.2.3.01", "1.2.3.02"],
        ["1.2.3.90071992547409921", "1.2.3.90071992547409922"],
        ["2.25.7"],
    ],
)
def test_uids_come_back_as_they_were(uids: list[str]) -> None:
    told = json.loads(json.dumps(folded([{"uid": uid} for uid in uids])))
    assert [each["uid"] for each in unfolded(told)] == uids


def test_what_some_instances_do_not_say_stays_unsaid() -> None:
    told = [{"uid": "1.1", "view": "A", "rows": 5}, {"uid": "1.2", "rows": 5}, {"uid": "1.7"}]
    assert unfolded(folded(told)) == told
    uneven = [{"uid": "1", "at": [0, 0]}, {"uid": "2", "at": [1, 5]}, {"uid": "3", "at": [2, 4]}]
    assert unfolded(folded(uneven)) == uneven


def test_slices_come_along_their_normal_in_the_senders_direction() -> None:
    up = [slice_at(z, n) for n, z in enumerate([10.0, 0.0, 5.0], 1)]
    assert [r.number for r in in_reading_order(up)] == [1, 3, 2]
    assert [r.number for r in in_reading_order([slice_at(5, 1), slice_at(0, 2)])] == [1, 2]


def test_slices_without_a_clear_order_stay_by_number() -> None:
    same_place = [slice_at(0, 1), slice_at(0, 2)]
    assert in_reading_order(same_place) == same_place
    crossed = [slice_at(9, 1), slice_at(0, 2, ImageOrientationPatient=[0, 1, 0, 0, 0, -1])]
    assert in_reading_order(crossed) == crossed


def test_frames_of_one_object_are_counted() -> None:
    manifest = build_manifest(dossier(), [row(frames=12), row("1.2.3.2")])
    (series,) = manifest["series"]
    assert series["frames"] == 13


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({}, "stack"),
        ({**AS_JPEG, "attributes": COLOUR | {"Modality": "XC"}}, "photo"),
        ({"attributes": {"Modality": "DMS", "SamplesPerPixel": 3}}, "photo"),
        ({**AS_JPEG, "attributes": COLOUR | {"Modality": "US"}}, "stack"),
        ({"sop_class_uid": "1.2.840.10008.5.1.4.1.1.104.1", "pixel": None}, "document"),
        ({"sop_class_uid": "1.2.840.10008.5.1.4.1.1.88.22", "pixel": None}, "text"),
        ({"sop_class_uid": "1.2.840.10008.5.1.4.1.1.11.1", "pixel": None}, "other"),
        ({"transfer_syntax_uid": "1.2.840.10008.1.2.4.102"}, "video"),
        ({"transfer_syntax_uid": "1.2.840.10008.1.2.4.100"}, "other"),
    ],
)  # fmt: skip
def test_an_object_is_of_the_kind_that_can_be_looked_at(changes: dict[str, Any], kind: str) -> None:
    found = row(**changes)
    assert kind_of(found) == kind
    (series,) = build_manifest(dossier(), [found])["series"]
    assert series["kind"] == kind


def test_what_has_no_pixels_is_listed_with_what_it_is() -> None:
    video = row(transfer_syntax_uid="1.2.840.10008.1.2.4.100")
    (series,) = build_manifest(dossier(), [video])["series"]
    assert whole(series)[0]["what"] == "video"


def test_a_case_without_images_has_an_empty_manifest() -> None:
    manifest = build_manifest(dossier(), [])
    assert manifest["series"] == []
    assert manifest["hanging"]["layout"] == "list"


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"Modality": "CT", "PixelSpacing": [0.7, 0.8]}, (0.7, 0.8, "patient")),
        ({"Modality": "DX", **AT_DETECTOR}, (0.2, 0.2, "detector")),
        ({"Modality": "DX", **AT_DETECTOR, "PixelSpacing": [0.2, 0.2]}, (0.2, 0.2, "detector")),
        ({"Modality": "DX", **AT_DETECTOR, "PixelSpacing": [0.1, 0.1]}, (0.1, 0.1, "calibrated")),
        ({"Modality": "CR", "PixelSpacing": [0.2, 0.2], **BY_RULER}, (0.2, 0.2, "calibrated")),
        ({"Modality": "CR", "PixelSpacing": [0.2, 0.2]}, (0.2, 0.2, "unstated")),
        ({"Modality": "XC"}, (0.0, 0.0, "none")),
        ({"Modality": "CT", "PixelSpacing": [0, 0]}, (0.0, 0.0, "none")),
    ],
)
def test_a_spacing_says_who_vouches_for_it(
    attributes: dict[str, Any], expected: tuple[float, float, str]
) -> None:
    spacing = spacing_of(attributes)
    assert (spacing.row_mm, spacing.column_mm, spacing.source) == expected


def test_ultrasound_measures_within_its_regions_only() -> None:
    item = {
        "RegionLocationMinX0": 10, "RegionLocationMinY0": 20, "RegionLocationMaxX1": 110,
        "RegionLocationMaxY1": 220, "PhysicalUnitsXDirection": 3, "PhysicalUnitsYDirection": 3,
        "PhysicalDeltaX": 0.02, "PhysicalDeltaY": -0.02,
    }  # fmt: skip
    seconds = item | {"PhysicalUnitsXDirection": 4}
    (region,) = regions_of({"SequenceOfUltrasoundRegions": [item, seconds]})
    assert (region.left, region.bottom, region.x_mm, region.y_mm) == (10, 220, 0.2, 0.2)
