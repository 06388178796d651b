"""What lies over images comes over HTTP, to those who may see the images, and only when asked."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

import numpy as np
import pytest

from casework.custody import Door, Origin
from tests.viewer.conftest import ct_slice, part10
from tests.viewer.layered import (
    STUDY,
    image,
    item,
    overlay_bits,
    plain,
    segmentation,
    state,
    structure_set,
    with_overlay,
)
from viewer.manifest_columns import unfolded

pytestmark = pytest.mark.slow

READER = "radiologist@centre"
STATE, SEG, PLAN = f"{STUDY}.2.1", f"{STUDY}.3.1", f"{STUDY}.4.1"
COVERED = f"{STUDY}.1.2"
CINE = f"{STUDY}.5.1"


def receive(world: Any, ds: Any) -> None:
    origin = Origin(site="hammer", door=Door.IMPORT, association="test")
    world.parts.archive.receive_part10(part10(ds), origin)


@pytest.fixture(scope="module")
def study(shared_world: Any) -> Any:
    """Return a world with three slices, and a state, segments and contours over them."""
    for number in (1, 2, 3):
        ds = ct_slice(**image(number))
        receive(shared_world, with_overlay(ds, overlay_bits()) if number == 2 else ds)
    named = {"StudyInstanceUID": STUDY, "SOPInstanceUID": STATE, "SeriesInstanceUID": STUDY + ".2"}
    about = {"PatientID": "hammer-1", "StudyDate": "20260102"}
    receive(shared_world, item(**plain(state()), Modality="PR", **named, **about))
    header, frames = segmentation(by_reference=True)
    receive(shared_world, item(**plain(header), **about))
    receive(shared_world, item(**plain(structure_set()), **about))
    cine = image(9) | {
        "SOPInstanceUID": CINE, "SeriesInstanceUID": STUDY + ".5", "NumberOfFrames": 3,
        "Modality": "XA", "FrameTimeVector": [0, 40, 80],
    }  # fmt: skip
    receive(shared_world, ct_slice(**(cine | {"PixelData": cine["PixelData"] * 3})))
    shared_world.parts.archive.settle()
    return shared_world, shared_world.case_of("hammer", STUDY), frames


def get(world: Any, path: str, who: str = READER) -> Any:
    answer = world.client(who).get(path)
    assert answer.status_code == 200, answer.text
    return answer.get_json()


def test_the_manifest_says_what_lies_over_images_and_where_there_is_something(study: Any) -> None:
    world, case, _ = study
    manifest = get(world, f"/api/cases/{case}/manifest")
    found = {(each["what"], each["uid"]) for each in manifest["layers"]}
    assert found == {("state", STATE), ("segmentation", SEG), ("structures", PLAN)}
    by_uid = {each["uid"]: each for each in manifest["series"]}
    slices = unfolded(by_uid[STUDY + ".1"])
    assert [each.get("is_covered") for each in slices] == [None, True, None]
    (cine,) = unfolded(by_uid[STUDY + ".5"])
    assert cine["per_frame"]["time_ms"] == {"each": [40.0, 80.0, 80.0]}
    assert get(world, f"/api/cases/{case}/manifest") == manifest, "also from what is kept of frames"
    assert manifest["hanging"]["first"] != by_uid[STUDY + ".3"]["key"]


def test_the_overlay_of_a_slice_comes_as_bits(study: Any) -> None:
    world, _, _ = study
    found = get(world, f"/api/instances/{COVERED}/frames/1/layers")
    (overlay,) = found["overlays"]
    bits = np.unpackbits(
        np.frombuffer(base64.b64decode(overlay["bits"]), np.uint8), bitorder="little"
    )[:130]
    np.testing.assert_array_equal(bits.reshape(10, 13), overlay_bits())
    assert (overlay["left"], overlay["top"]) == (4, 2)
    assert get(world, f"/api/instances/{STUDY}.1.1/frames/1/layers")["overlays"] == []


def test_a_state_comes_with_what_it_wants(study: Any) -> None:
    world, _, _ = study
    found = get(world, f"/api/instances/{STATE}/state")
    assert found["images"] == {f"{STUDY}.1.1": [], f"{STUDY}.1.2": []}
    assert found["shutters"]["shapes"][0]["shape"] == "rectangle"
    assert found["texts"][0]["text"].startswith("Nodule")


def test_segments_come_with_their_masks(study: Any) -> None:
    world, _, frames = study
    found = get(world, f"/api/instances/{SEG}/segmentation")
    assert [each["label"] for each in found["segments"]] == ["Liver", "Lesion"]
    assert [each["uid"] for each in found["masks"]] == [f"{STUDY}.1.{n}" for n in (1, 2, 2)]
    masks = get(world, f"/api/instances/{SEG}/masks?frames=1,3")["masks"]
    for mask, frame in zip(masks, (1, 3), strict=True):
        assert (mask["frame"], mask["depth"]) == (frame, 1)
        bits = np.unpackbits(
            np.frombuffer(base64.b64decode(mask["bits"]), np.uint8), bitorder="little"
        )
        np.testing.assert_array_equal(
            bits[: frames[0].size].reshape(frames[0].shape), frames[frame - 1]
        )


def test_contours_come_in_pixels_of_their_images(study: Any) -> None:
    world, _, _ = study
    found = get(world, f"/api/instances/{PLAN}/structures")
    assert [each["uid"] for each in found["contours"]] == [f"{STUDY}.1.2", f"{STUDY}.1.1"]
    assert found["contours"][0]["points"][0] == pytest.approx([4.5, 4.5])


def test_layers_are_packed_for_those_who_can_unpack(study: Any) -> None:
    world, _, _ = study
    answer = world.client(READER).get(
        f"/api/instances/{STATE}/state", headers={"Accept-Encoding": "gzip"}
    )
    assert answer.headers["Content-Encoding"] == "gzip"
    assert json.loads(gzip.decompress(answer.data))["label"] == "LUNG"
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    "path",
    [f"{STATE}/state", f"{SEG}/segmentation", f"{SEG}/masks?frames=1", f"{PLAN}/structures",
     f"{COVERED}/frames/1/layers"],
)  # fmt: skip
def test_another_site_never_gets_what_lies_over_images(study: Any, path: str) -> None:
    world, _, _ = study
    assert world.client("referrer@berg").get(f"/api/instances/{path}").status_code == 404
    assert world.anonymous().get(f"/api/instances/{path}").status_code == 401


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"{COVERED}/state", 404), (f"{COVERED}/segmentation", 404),
        (f"{COVERED}/structures", 404), (f"{COVERED}/masks?frames=1", 404),
        (f"{COVERED}/frames/2/layers", 404), (f"{STATE}/frames/1/layers", 404),
        (f"{SEG}/masks?frames=9", 404), (f"{SEG}/masks?frames=", 400),
        (f"{SEG}/masks?frames=1,x", 400), (f"{SEG}/masks", 422),
        (f"{SEG}/masks?frames=" + ",".join(["1"] * 65), 400),
    ],
)  # fmt: skip
def test_what_is_not_there_is_said_in_words(study: Any, path: str, status: int) -> None:
    world, _, _ = study
    answer = world.client(READER).get(f"/api/instances/{path}")
    assert answer.status_code == status, answer.text
    assert answer.get_json()["detail"]
