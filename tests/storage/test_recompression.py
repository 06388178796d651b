"""Images in another lossless form: proven the same, or left as they came."""

from __future__ import annotations

import io
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st
from pydicom import dcmread

from casework.errors import Invalid
from storage import codec as codec_module
from storage.as_received import as_stream, restored_part10
from storage.codec import Codec
from storage.explicit import to_explicit, to_implicit
from storage.filemeta import DEFLATED_LE, EXPLICIT_LE, IMPLICIT_LE
from storage.forms import FrameShape
from storage.part10 import BytesSource, WalkLimits, read_file_meta, walk
from storage.recompressed_file import LeftAlone, recompress, run_through
from storage.recompression import why_not
from tests.storage.building import element, item, part10, sequence
from tests.storage.pictures import NOON, RLE, Picture, dataset_in, recompressed, row_of

CODECS = list(Codec)


@st.composite
def frames(draw: st.DrawFn) -> tuple[FrameShape, bytes]:
    """Any frame that a header can describe, with values over its whole range."""
    allocated = draw(st.sampled_from([8, 16]))
    stored = draw(st.integers(2, allocated))
    samples = draw(st.sampled_from([1, 1, 3]))
    is_signed = samples == 1 and draw(st.booleans())
    rows, columns = draw(st.integers(1, 24)), draw(st.integers(1, 24))
    shape = FrameShape(rows, columns, samples, allocated, stored, is_signed)
    random = np.random.default_rng(draw(st.integers(0, 1 << 30)))
    half = 1 << (stored - 1)
    low, high = (-half, half - 1) if is_signed else (0, 2 * half - 1)
    count = rows * columns * samples
    rough = draw(st.sampled_from([0.0, 0.1, 1.0]))
    smooth = np.linspace(low, high, count).astype(np.int64)
    values = np.where(random.random(count) < rough, random.integers(low, high + 1, count), smooth)
    kind = f"<{'i' if is_signed else 'u'}{allocated // 8}"
    return shape, values.astype(kind).tobytes()


@pytest.mark.parametrize("codec", CODECS)
@settings(max_examples=120, deadline=None)
@given(frame=frames())
def test_every_value_of_a_frame_comes_back_whatever_its_depth_sign_and_colour(
    codec: Codec, frame: tuple[FrameShape, bytes]
) -> None:
    shape, content = frame
    try:
        coded = codec_module.encode(content, shape, codec)
    except Invalid:  # noise grows, and such a frame is not kept so
        assert codec is Codec.JPEG_LS
        return
    assert codec_module.decode(coded, shape, codec) == content
    assert _independently(coded, shape, codec) == content


def _independently(coded: bytes, shape: FrameShape, codec: Codec) -> bytes:
    """Decode HTJ2K with OpenJPEG, which shares nothing with the encoder."""
    kind = np.dtype(f"<{'i' if shape.is_signed else 'u'}{shape.bits_allocated // 8}")
    if codec is Codec.JPEG_LS:  # dcmdjpls is the other decoder, below
        return codec_module.decode(coded, shape, codec)
    return np.asarray(imagecodecs.jpeg2k_decode(coded)).astype(kind).tobytes()


@pytest.mark.parametrize("codec", CODECS)
@settings(max_examples=40, deadline=None)
@given(
    allocated=st.sampled_from([8, 16]),
    spare=st.integers(0, 6),
    is_signed=st.booleans(),
    frames=st.integers(1, 3),
    colour=st.sampled_from(["", "", "RGB", "YBR_FULL"]),
    syntax=st.sampled_from([EXPLICIT_LE, IMPLICIT_LE, DEFLATED_LE, RLE]),
    columns=st.integers(30, 37),
)
def test_an_object_comes_back_as_it_was_received(
    tmp_path_factory: pytest.TempPathFactory,
    codec: Codec,
    allocated: int,
    spare: int,
    is_signed: bool,
    frames: int,
    colour: str,
    syntax: str,
    columns: int,
) -> None:
    picture = Picture(
        rows=33,
        columns=columns,
        samples=3 if colour else 1,
        allocated=allocated,
        stored=allocated - spare,
        is_signed=is_signed and not colour,
        photometric=colour or "MONOCHROME1",
        frames=frames,
    )
    content = picture.dataset(syntax=syntax)
    path = tmp_path_factory.mktemp("r") / "kept.dcm"
    try:
        kept = recompressed(content, path, codec=codec, syntax=syntax)
    except LeftAlone as left:
        event(left.reason)
        _require_reason(left.reason, path)
        return
    file = path.read_bytes()
    assert kept.received is not None
    restored = as_stream(restored_part10(BytesSource(file), kept)).read()
    if syntax in (EXPLICIT_LE, IMPLICIT_LE):
        assert dataset_in(restored) == content
        assert kept.received.comes_back_whole
    ours, theirs = dcmread(io.BytesIO(restored)), dcmread(io.BytesIO(file))
    pixels = picture.pixels
    assert ours.PixelData == pixels + b"\0" * (len(pixels) % 2)
    del ours.PixelData, theirs.PixelData
    assert [str(e) for e in ours] == [str(e) for e in theirs]
    assert kept.size_bytes < len(content)
    header = walk(dataset_in(file), transfer_syntax_uid=kept.transfer_syntax_uid)
    assert header.pixel == kept.pixel
    assert header.pixel is not None
    assert len(header.pixel.frame_table or ()) == frames


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("syntax", [EXPLICIT_LE, IMPLICIT_LE, DEFLATED_LE, RLE])
def test_a_codec_that_changes_one_pixel_leaves_the_original_in_place(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, codec: Codec, syntax: str
) -> None:
    honest = codec_module.encode

    def wrong(frame: bytes, shape: FrameShape, codec: Codec) -> bytes:
        flipped = bytearray(frame)
        flipped[len(frame) // 2 & ~1] ^= 1
        return honest(bytes(flipped), shape, codec)

    monkeypatch.setattr("storage.recompressed_file.encode", wrong)
    with pytest.raises(LeftAlone) as left:
        recompressed(
            Picture().dataset(syntax=syntax), tmp_path / "kept.dcm", codec=codec, syntax=syntax
        )
    assert left.value.reason == "proof"
    assert list(tmp_path.iterdir()) == []


def test_bits_in_use_that_the_header_calls_unused_leave_an_object_alone(tmp_path: Path) -> None:
    pixels = bytearray(Picture().pixels)
    pixels[101] |= 0x80  # an overlay in bit 15 of a value of 12 bits
    content = Picture().dataset(pixels=bytes(pixels))
    assert _left(content, tmp_path) == "unused-bits"


def test_what_counts_on_the_form_of_the_pixel_data_leaves_an_object_alone(tmp_path: Path) -> None:
    signature = sequence(0xFFFAFFFA, [item(element(0x04000005, "US", b"\1\0"))])
    assert _left(Picture().dataset(after=signature), tmp_path) == "signed"


def test_padding_after_the_pixel_data_is_kept(tmp_path: Path) -> None:
    content = Picture().dataset(after=element(0xFFFCFFFC, "OB", bytes(64)))
    kept = recompressed(content, tmp_path / "kept.dcm", codec=Codec.HTJ2K)
    file = (tmp_path / "kept.dcm").read_bytes()
    assert dataset_in(as_stream(restored_part10(BytesSource(file), kept)).read()) == content
    assert file.endswith(bytes(64))


def test_an_object_whose_bytes_have_rotted_is_left_alone(tmp_path: Path) -> None:
    content = Picture().dataset()
    row = replace(row_of(content), sha256="0" * 64)
    with pytest.raises(LeftAlone) as left:
        run_through(
            recompress(
                BytesSource(content),
                row,
                meta=_meta_of(content),
                codec=Codec.HTJ2K,
                path=tmp_path / "kept.dcm",
                limits=WalkLimits(),
                now=NOON,
            )
        )
    assert left.value.reason == "hash"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"allocated": 32, "stored": 32}, "bits"),
        ({"photometric": "YBR_FULL_422", "samples": 3, "allocated": 8, "stored": 8}, "photometric"),
        (
            {"photometric": "RGB", "samples": 3, "allocated": 8, "stored": 8, "planar": 1},
            "colour-by-plane",
        ),
    ],
)
def test_what_a_codec_cannot_carry_exactly_is_left_alone(change: dict, reason: str) -> None:
    assert why_not(row_of(Picture(**change).dataset())) == reason


@pytest.mark.parametrize(
    "syntax", ["1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.201"]
)
def test_what_came_compressed_is_left_alone(syntax: str) -> None:
    row = replace(row_of(Picture().dataset()), transfer_syntax_uid=syntax)
    assert why_not(row) == "compressed"


@pytest.mark.peers
@pytest.mark.skipif(shutil.which("dcmdjpls") is None, reason="dcmtk is not installed")
@pytest.mark.parametrize(
    "picture",
    [
        Picture(frames=2),
        Picture(is_signed=True),
        Picture(stored=16),
        Picture(samples=3, allocated=8, stored=8, photometric="RGB"),
    ],
)
def test_dcmtk_reads_the_same_values_from_what_is_kept_as_jpeg_ls(
    tmp_path: Path, picture: Picture
) -> None:
    recompressed(picture.dataset(), tmp_path / "kept.dcm", codec=Codec.JPEG_LS)
    subprocess.run(
        ["dcmdjpls", "+px", str(tmp_path / "kept.dcm"), str(tmp_path / "plain.dcm")],
        check=True,
        capture_output=True,
    )
    assert dcmread(tmp_path / "plain.dcm").PixelData == picture.pixels


@settings(max_examples=150, deadline=None)
@given(
    values=st.lists(
        st.tuples(
            st.sampled_from(
                [0x00080018, 0x00091001, 0x00280106, 0x00281101, 0x00283006, 0x60003000, 0x00082112]
            ),
            st.binary(max_size=40).map(lambda value: value + b"\0" * (len(value) % 2)),
            st.booleans(),
            st.booleans(),
        ),
        max_size=6,
    ),
    is_signed=st.booleans(),
)
def test_implicit_elements_come_back_from_explicit_ones_to_the_byte(
    values: list[tuple[int, bytes, bool, bool]], is_signed: bool
) -> None:
    inner = element(0x00080100, "SH", "CODE", implicit=True)
    content = b""
    for tag, value, nested, undefined in values:
        each = element(tag, "UN", value, implicit=True)
        if nested:
            each = sequence(
                0x00081140,
                [item(each, undefined=undefined), item(inner)],
                undefined=undefined,
                implicit=True,
            )
        content += each
    try:
        turned = to_explicit(content, is_signed=is_signed)
    except Invalid:  # a sequence whose value is not made of whole items
        return
    assert to_implicit(turned) == content


def test_a_value_that_its_vr_has_no_room_for_is_unknown_in_explicit_vr() -> None:
    content = element(0x00080018, "UI", b"1" * 70000, implicit=True)
    turned = to_explicit(content, is_signed=False)
    assert turned[4:6] == b"UN"
    assert to_implicit(turned) == content


def _require_reason(reason: str, path: Path) -> None:
    """Noise grows: that alone may keep such an object as it came, and nothing is left behind."""
    assert reason in ("not-smaller", "codec")
    assert not path.exists()


def _left(content: bytes, folder: Path) -> str:
    with pytest.raises(LeftAlone) as left:
        recompressed(content, folder / "kept.dcm", codec=Codec.HTJ2K)
    return left.value.reason


def _meta_of(content: bytes) -> bytes:
    file = part10(content)
    return file[: read_file_meta(BytesSource(file)).dataset_offset]
