"""A presentation state says what its author wants, within bounds, and never raises on nonsense."""

from __future__ import annotations

import base64
from pathlib import Path

import numpy as np
import pydicom
import pytest

from casework.errors import Invalid
from tests.viewer.layered import STUDY, graphic, item, overlay_bits, state, with_overlay
from viewer.cielab import srgb_of
from viewer.overlays import needs_words, overlays_of
from viewer.presentation import state_of
from viewer.shutters import Shutter

FIRST, SECOND = f"{STUDY}.1.1", f"{STUDY}.1.2"


def test_a_state_says_who_wants_what_of_which_images() -> None:
    found = state_of(state())
    assert (found.kind, found.label, found.creator) == ("grayscale", "LUNG", "Berg Kari")
    assert found.images == {FIRST: [], SECOND: []}
    assert found.rescale == (1.0, -1024.0)
    assert found.is_inverse
    assert (found.quarter_turns, found.is_mirrored) == (1, True)
    first, every = found.vois
    assert (first.on, first.center, first.width) == ({FIRST: []}, -600.0, 1500.0)
    assert (every.on, every.function) == ({}, "SIGMOID")
    (area,) = found.areas
    assert (area.left, area.top, area.right, area.bottom) == (8.0, 4.0, 40.0, 28.0)
    assert area.column_mm == 0.5


def test_shutters_count_from_the_corner_of_the_first_pixel() -> None:
    found = state_of(state()).shutters
    assert found.colour == (255, 255, 255)
    assert found.shapes == (
        Shutter("rectangle", ((4.0, 2.0), (44.0, 30.0))),
        Shutter("circle", ((23.5, 15.5),), 14.0),
    )
    polygon = item(ShutterShape="POLYGONAL", VerticesOfThePolygonalShutter=[1, 1, 1, 9, 9, 9])
    assert state_of(state_like(polygon)).shutters.shapes == (
        Shutter("polygon", ((0.5, 0.5), (8.5, 0.5), (8.5, 8.5))),
    )


def state_like(more: pydicom.Dataset) -> pydicom.Dataset:
    made = state()
    made.update(more)
    return made


def test_graphics_and_texts_keep_their_units_layer_and_colour() -> None:
    found = state_of(state())
    line, circle = found.graphics
    assert line.points == ((8.0, 6.0), (20.0, 6.0), (20.0, 20.0))
    assert (circle.kind, circle.layer, circle.on) == ("CIRCLE", "NOTES", {FIRST: []})
    (text,) = found.texts
    assert text.text == "Nodule\nsecond line"
    assert (text.box_units, text.anchor_units, text.has_line) == ("DISPLAY", "PIXEL", True)
    assert text.align == "CENTER"
    assert found.layers[0].colour == srgb_of((34885, 53485, 50171))


def test_nonsense_in_a_state_is_left_out() -> None:
    annotation = item(GraphicObjectSequence=[
        graphic("ELLIPSE", [1.0, 2.0]), graphic("POLYLINE", [1.0, 2.0, 3.0]),
        graphic("STAR", [1.0, 1.0]), graphic("POINT", [1.0, 2.0]),
    ], TextObjectSequence=[item(UnformattedTextValue="nowhere")])  # fmt: skip
    found = state_of(state(
        GraphicAnnotationSequence=[annotation], ImageRotation=None, RescaleSlope=0,
        SoftcopyVOILUTSequence=[item(WindowCenter=1), item(WindowCenter=5, WindowWidth=-3)],
        DisplayedAreaSelectionSequence=[item(PresentationSizeMode="MAGNIFY")],
        ShutterShape=["RECTANGULAR", "OVAL"], ShutterLeftVerticalEdge=None,
    ))  # fmt: skip
    assert [each.kind for each in found.graphics] == ["POINT"]
    assert (found.texts, found.vois, found.areas, found.rescale) == ((), (), (), None)
    assert found.shutters.shapes == ()


def test_a_drawing_without_end_is_cut_short() -> None:
    many = item(GraphicObjectSequence=[graphic("POINT", [1.0, 2.0])] * 6000)
    assert len(state_of(state(GraphicAnnotationSequence=[many])).graphics) == 5000


def test_another_object_is_no_state() -> None:
    with pytest.raises(Invalid, match="no presentation state"):
        state_of(item(SOPClassUID="1.2.840.10008.5.1.4.1.1.2"))


@pytest.mark.fixtures
def test_tables_before_and_after_become_one(fixtures_dir: Path) -> None:
    header = pydicom.dcmread(next(fixtures_dir.rglob("prLUTs.dcm")))
    found = state_of(header)
    (voi,) = found.vois
    greys = np.frombuffer(base64.b64decode(voi.table), np.uint8)
    modality, window = header.ModalityLUTSequence[0], header.SoftcopyVOILUTSequence[0]
    values = np.frombuffer(np.asarray(modality.LUTData, "<u2").tobytes(), "<u2")
    table = window.VOILUTSequence[0]
    entries = np.asarray(table.LUTData)
    count, first, bits = table.LUTDescriptor
    at = np.clip(values.astype(int) - first, 0, (count or 65536) - 1)
    expected = entries[at] * 255 / ((1 << bits) - 1)
    assert voi.of_stored
    assert np.abs(greys - expected).max() <= 0.5
    assert len(base64.b64decode(found.greys)) == 256


def test_a_pseudo_color_state_brings_its_palette() -> None:
    channels = {}
    for at, name in enumerate(("Red", "Green", "Blue")):
        entries = np.arange(256, dtype="<u2") * (at + 1) % 256 << 8
        channels[f"{name}PaletteColorLookupTableDescriptor"] = [256, 0, 16]
        channels[f"{name}PaletteColorLookupTableData"] = entries.tobytes()
    found = state_of(state(SOPClassUID="1.2.840.10008.5.1.4.1.1.11.3", **channels))
    palette = np.frombuffer(base64.b64decode(found.palette), np.uint8).reshape(256, 3)
    assert palette[200].tolist() == [200, 400 % 256, 600 % 256]


def test_blending_is_said_to_be_lacking() -> None:
    found = state_of(state(SOPClassUID="1.2.840.10008.5.1.4.1.1.11.4"))
    assert (found.kind, found.lacking) == ("blending", ("blending",))


def test_an_overlay_lies_where_its_origin_says() -> None:
    bits = overlay_bits()
    (found,) = overlays_of(with_overlay(item(Rows=32), bits), 1)
    assert (found.rows, found.columns, found.left, found.top) == (10, 13, 4, 2)
    assert found.label == "Contour"
    unpacked = np.unpackbits(np.frombuffer(found.bits, np.uint8), bitorder="little")[:130]
    np.testing.assert_array_equal(unpacked.reshape(10, 13), bits)


def test_each_frame_has_its_own_part_of_an_overlay() -> None:
    bits = np.stack([overlay_bits(), 1 - overlay_bits(), overlay_bits()])
    header = with_overlay(item(Rows=32), bits)
    header.add_new((0x6000, 0x0051), "US", 2)  # of the image's frames, the second is its first
    assert overlays_of(header, 1) == ()
    (found,) = overlays_of(header, 3)
    unpacked = np.unpackbits(np.frombuffer(found.bits, np.uint8), bitorder="little")[:130]
    np.testing.assert_array_equal(unpacked.reshape(10, 13), bits[1])
    assert overlays_of(header, 5) == ()


def test_an_overlay_in_unused_bits_comes_out_of_the_words() -> None:
    bits = np.arange(12).reshape(3, 4) % 2
    header = item(Rows=3)
    for element, value in ((0x10, 3), (0x11, 4), (0x100, 16), (0x102, 13)):
        header.add_new((0x6002, element), "US", value)
    assert needs_words(header)
    words = (np.arange(12).reshape(3, 4) | bits << 13).astype("<u2").tobytes()
    (found,) = overlays_of(header, 1, words)
    unpacked = np.unpackbits(np.frombuffer(found.bits, np.uint8), bitorder="little")[:12]
    np.testing.assert_array_equal(unpacked.reshape(3, 4), bits)
    assert overlays_of(header, 1) == ()


@pytest.mark.fixtures
def test_an_overlay_of_a_scanner_is_what_pydicom_has(fixtures_dir: Path) -> None:
    ds = pydicom.dcmread(next(fixtures_dir.rglob("examples_overlay.dcm")))
    (found,) = overlays_of(ds, 1)
    size = found.rows * found.columns
    unpacked = np.unpackbits(np.frombuffer(found.bits, np.uint8), bitorder="little")[:size]
    np.testing.assert_array_equal(unpacked.reshape(found.rows, -1), ds.overlay_array(0x6000))
