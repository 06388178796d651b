"""A case opens with what is read first; the keys have the windows of its modality."""

from __future__ import annotations

from typing import Any

import pytest

from viewer.display import Window
from viewer.hanging import CT_WINDOWS, Hung, default_window, hang, presets_of


def series(key: str, **changes: Any) -> Hung:
    return Hung(**({"key": key, "kind": "stack", "modality": "CT", "frames": 20} | changes))


@pytest.mark.parametrize(
    ("of", "layout", "first"),
    [
        ([series("0", frames=3), series("1", frames=200)], "stack", "1"),
        ([series("0", frames=90, is_scout=True), series("1", frames=3)], "stack", "1"),
        ([series("0", kind="photo"), series("1", kind="photo")], "photos", "0"),
        ([series("0", kind="document"), series("1", kind="photo")], "photos", "1"),
        ([series("0", kind="document")], "list", "0"),
        ([], "list", ""),
    ],
)
def test_the_fullest_series_opens_first(of: list[Hung], layout: str, first: str) -> None:
    hanging = hang(of)
    assert (hanging.layout, hanging.first) == (layout, first)


def test_the_window_that_was_sent_comes_first() -> None:
    assert default_window(series("0"), [Window(35, 85), Window(1, 2)]) == Window(35, 85)


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("CT Head w/o", "Brain"),
        ("HODE", "Brain"),
        ("Lunge tynne", "Lung"),
        ("ABDOMEN", "Soft tissue"),
        ("", "Soft tissue"),
    ],
)
def test_a_ct_without_a_window_opens_by_what_it_shows(text: str, label: str) -> None:
    window = default_window(series("0", text=text), [])
    assert window is not None
    assert window.label == label


def test_values_that_mean_nothing_fixed_have_no_fixed_windows() -> None:
    assert default_window(series("0", modality="MR"), []) is None
    assert presets_of("MR") == ()
    assert presets_of("CT") == CT_WINDOWS
    assert len(CT_WINDOWS) <= 8  # key 9 is the window as sent
