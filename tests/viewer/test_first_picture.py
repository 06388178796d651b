"""The page of a case names the preview that its script will want first."""

from __future__ import annotations

from typing import Any

from viewer.first_picture import first_preview
from viewer.manifest_columns import folded

ADDRESS = "/api/instances/{uid}/frames/{frame}/preview?site={site}"


def manifest_of(*instances: dict[str, Any], kind: str = "stack", **place: Any) -> dict[str, Any]:
    series = {"key": "3", "kind": kind, "site": "hammer", **folded(instances)}
    return {
        "hanging": {"steps": [{"panes": [{"series": "3", **place}]}]},
        "series": [{"key": "1", "kind": "photo", "site": "hammer"}, series],
        "addresses": {"preview": ADDRESS},
    }


def slices(count: int) -> list[dict[str, Any]]:
    return [{"uid": f"1.2.{number}", "frames": 1} for number in range(1, count + 1)]


def test_the_middle_image_of_the_first_pane_is_named() -> None:
    found = {count: first_preview(manifest_of(*slices(count))) for count in (1, 2, 3, 12)}
    assert found == {
        1: "/api/instances/1.2.1/frames/1/preview?site=hammer",
        2: "/api/instances/1.2.1/frames/1/preview?site=hammer",
        3: "/api/instances/1.2.2/frames/1/preview?site=hammer",
        12: "/api/instances/1.2.6/frames/1/preview?site=hammer",
    }


def test_where_its_reader_left_such_cases_is_named() -> None:
    assert "/1.2.8/frames/1/" in first_preview(manifest_of(*slices(12), image=7))


def test_frames_of_an_object_are_counted_in_the_order_in_which_they_are_read() -> None:
    plain = {"uid": "1.9", "frames": 4}
    turned = {"uid": "1.9", "frames": 4, "per_frame": {"order": [4, 3, 2, 1]}}
    assert "/1.9/frames/2/" in first_preview(manifest_of(plain))
    assert "/1.9/frames/3/" in first_preview(manifest_of(turned))
    assert "/1.9/frames/1/" in first_preview(manifest_of({"uid": "1.8", "frames": 2}, plain))


def test_nothing_is_named_where_no_stack_comes_first() -> None:
    assert first_preview(manifest_of(*slices(3), kind="photo")) == ""
    assert first_preview(manifest_of(*slices(3)) | {"hanging": {"steps": []}}) == ""
