"""Segments and contours lie on the images that they were drawn on, by reference or by place."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from pydicom.dataset import Dataset

from tests.viewer.layered import (
    AXIAL,
    COLUMNS,
    ROWS,
    STUDY,
    image,
    item,
    segmentation,
    structure_set,
)
from viewer.cielab import srgb_of
from viewer.lying import IDENTITY, Plane, map_onto, point_in
from viewer.segments import Mask, segmentation_of
from viewer.structures import structures_of

FIRST, SECOND = f"{STUDY}.1.1", f"{STUDY}.1.2"
SIZES = {f"{STUDY}.1.{n}": (ROWS, COLUMNS, 1) for n in range(1, 4)}


def planes() -> list[Plane]:
    return [
        Plane(
            str(told["SOPInstanceUID"]), 1, tuple(told["ImagePositionPatient"]), tuple(AXIAL),
            (0.5, 0.5), 2.0,
        )
        for told in map(image, range(1, 4))
    ]  # fmt: skip


@pytest.mark.parametrize("by_reference", [True, False])
def test_masks_lie_on_their_images(by_reference: bool) -> None:
    header, _ = segmentation(by_reference=by_reference)
    found = segmentation_of(header, planes(), SIZES)
    number = 0 if by_reference else 1
    assert found.masks == (
        Mask(1, 1, FIRST, number, IDENTITY),
        Mask(2, 1, SECOND, number, IDENTITY),
        Mask(3, 2, SECOND, number, IDENTITY),
    )


def test_segments_have_their_authors_names_and_colours() -> None:
    header, _ = segmentation(by_reference=True)
    liver, lesion = segmentation_of(header, planes(), SIZES).segments
    assert (liver.label, liver.kind, liver.algorithm) == ("Liver", "Liver", "MANUAL")
    assert liver.colour == srgb_of((34885, 53485, 50171)) == (250, 0, 6)
    assert lesion.kind == "Neoplasm"
    assert lesion.colour != liver.colour


def test_a_coarser_grid_is_stretched_over_its_image() -> None:
    header, _ = segmentation(by_reference=False, size=(16, 24))
    found = segmentation_of(header, planes(), SIZES)
    assert found.masks[0].lies == pytest.approx((2.0, 0.0, 0.0, 2.0, 0.0, 0.0))
    header, _ = segmentation(by_reference=True, size=(16, 24))
    assert segmentation_of(header, planes(), SIZES).masks[0].lies == pytest.approx(
        (2.0, 0.0, 0.0, 2.0, 0.0, 0.0)
    )
    assert segmentation_of(header, [], SIZES).masks[0].lies is None  # over the whole image


def test_a_plane_between_images_or_aslant_lies_on_none() -> None:
    header, _ = segmentation(by_reference=False)
    far = [Plane(p.uid, 1, (*p.position[:2], p.position[2] + 40), p.orientation, p.spacing, 2.0)
           for p in planes()]  # fmt: skip
    assert segmentation_of(header, far, SIZES).masks == ()
    aslant = [Plane(p.uid, 1, p.position, (1, 0, 0, 0, 0, -1), p.spacing, 2.0) for p in planes()]
    assert segmentation_of(header, aslant, SIZES).masks == ()


def test_an_image_of_many_frames_takes_no_mask_that_names_no_frame() -> None:
    header, _ = segmentation(by_reference=True)
    sizes = dict.fromkeys(SIZES, (ROWS, COLUMNS, 5))
    assert segmentation_of(header, [], sizes).masks == ()


def test_a_map_takes_each_pixel_to_its_place_in_the_other_image() -> None:
    turned = (0.0, 1.0, 0.0, -1.0, 0.0, 0.0)
    for spacing, axes in product(((0.5, 0.5), (1.0, 0.7)), (tuple(AXIAL), turned)):
        plane = Plane("s", 1, (3.0, -4.0, 2.0), axes, spacing)
        below = Plane("i", 1, (-10.0, -20.0, 2.0), tuple(AXIAL), (0.5, 0.8))
        a, b, c, d, e, f = map_onto(plane, below)
        for x, y in ((0.5, 0.5), (7.5, 3.5), (0.0, 12.0)):
            place = np.array(plane.position) + (x - 0.5) * spacing[1] * np.array(axes[:3])
            place += (y - 0.5) * spacing[0] * np.array(axes[3:])
            expected = point_in(below, place.tolist())
            assert (a * x + c * y + e, b * x + d * y + f) == pytest.approx(expected)


def test_contours_come_in_the_pixels_of_their_image() -> None:
    found = structures_of(structure_set(), planes())
    (structure,) = found.structures
    assert (structure.label, structure.colour) == ("GTV", (255, 0, 0))
    square, point = found.contours
    assert (square.uid, square.is_closed) == (SECOND, True)
    assert square.points[0] == pytest.approx((4.5, 4.5))
    assert square.points[2] == pytest.approx((14.5, 14.5))
    assert (point.uid, point.points[0]) == (FIRST, pytest.approx((20.5, 40.5)))


def test_a_contour_by_reference_needs_no_near_image() -> None:
    header = structure_set()
    contour: Dataset = header.ROIContourSequence[0].ContourSequence[0]
    contour.ContourImageSequence = [item(ReferencedSOPInstanceUID=FIRST)]
    assert structures_of(header, planes()).contours[0].uid == FIRST
    contour.ContourImageSequence = [item(ReferencedSOPInstanceUID="1.2.3")]
    assert structures_of(header, planes()).contours[0].uid == SECOND
