"""Tables of greys come out as they stand in headers, and go to the page in few words."""

from __future__ import annotations

import numpy as np
import pytest
from pydicom.pixels.processing import apply_modality_lut, apply_voi_lut

from tests.viewer.layered import item
from viewer.display import Display
from viewer.frame_meaning import meaning_of
from viewer.voi_tables import VoiTable, lookup_of, modality_table, voi_tables


def lut(count: int, first: int, bits: int, entries: list[int], **more: str) -> object:
    made = item(LUTExplanation="Curve", **more)
    made.add_new(0x00283002, "SS" if first < 0 else "US", [count, first, bits])
    made.add_new(0x00283006, "US", entries)
    return made


def unpacked(runs: str) -> list[int]:
    greys = []
    for run in runs.split(","):
        grey, _, times = run.partition("*")
        greys += [int(grey, 16)] * int(times or "1", 16)
    return greys


@pytest.mark.parametrize(("first", "bits"), [(0, 12), (-200, 12), (-200, 16), (100, 10)])
def test_a_voi_table_gives_pydicoms_greys(first: int, bits: int) -> None:
    top = (1 << bits) - 1
    entries = np.linspace(0, top, 500).astype(int).tolist()
    signed = first < 0
    header = item(
        VOILUTSequence=[lut(500, first, bits, entries)], PixelRepresentation=int(signed),
        BitsStored=16, BitsAllocated=16, PhotometricInterpretation="MONOCHROME2",
    )  # fmt: skip
    (table,) = voi_tables(header, 1)
    values = np.arange(-300 if signed else 0, 900).astype(np.int16 if signed else np.uint16)
    expected = apply_voi_lut(values, header).astype(float) * 255 / top
    greys = np.frombuffer(table.greys, np.uint8)
    found = greys[np.clip(values.astype(int) - table.first, 0, greys.size - 1)]
    assert np.abs(found - expected).max() <= 0.5
    assert (table.first, table.label) == (first, "Curve")


def test_greys_go_to_the_page_as_runs() -> None:
    greys = bytes([0] * 300 + [7] + list(range(20, 200)) + [255] * 40)
    assert unpacked(VoiTable(0, greys).runs) == list(greys)
    display = Display(tables=(VoiTable(-5, greys, "Ben; hud"),))
    first, label, runs = meaning_of(display)["Table"].split(";")
    assert (first, label) == ("-5", "Ben%3B%20hud")
    assert unpacked(runs) == list(greys)


def test_a_table_without_any_order_is_left_to_its_window() -> None:
    noise = np.random.default_rng(1).integers(0, 256, 60_000).astype(np.uint8).tobytes()
    assert VoiTable(0, noise).runs == ""
    assert "Table" not in meaning_of(Display(tables=(VoiTable(0, noise),)))


def test_a_table_that_does_not_fit_its_descriptor_is_none() -> None:
    assert lookup_of(lut(500, 0, 12, [1, 2, 3]), signed=False) is None
    assert lookup_of(item(LUTExplanation="x"), signed=False) is None
    assert lookup_of(lut(3, 0, 40, [1, 2, 3]), signed=False) is None


def test_a_modality_table_gives_pydicoms_values() -> None:
    table = lut(4, 10, 16, [5, 50, 500, 5000], ModalityLUTType="US")
    header = item(ModalityLUTSequence=[table], PixelRepresentation=0)
    values = np.arange(0, 30).astype(np.uint16)
    found = modality_table(header)
    assert found is not None
    np.testing.assert_array_equal(found.applied(values), apply_modality_lut(values, header))
