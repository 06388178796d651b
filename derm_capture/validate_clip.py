"""Checks a wrapped film against its own stream: what the header says, and that nothing lies in the
file that is no picture.
"""

from __future__ import annotations

from collections.abc import Iterator

from pydicom.dataset import Dataset

from casework.errors import Invalid
from derm_capture import h264
from derm_capture.clip_track import read_track
from derm_capture.mp4 import Bytes, places

SYNTAXES = frozenset({h264.LEVEL_4_1, h264.LEVEL_4_2_FOR_2D})
_HOLDING = frozenset(
    {b"moov", b"trak", b"edts", b"mdia", b"minf", b"dinf", b"stbl"}
)  # boxes that hold boxes
_KNOWN = _HOLDING | frozenset(
    {b"ftyp", b"free", b"mdat", b"mvhd", b"tkhd", b"elst", b"mdhd", b"hdlr", b"vmhd", b"dref"}
    | {b"stsd", b"stts", b"ctts", b"stss", b"stsc", b"stsz", b"stco"}
)
_TIMED = frozenset({b"mvhd", b"tkhd", b"mdhd"})
_TOLERANCE = 0.01


def problems(ds: Dataset, stream: bytes) -> Iterator[str]:
    """Yield what is wrong with a film, in words."""
    try:
        kinds = list(_walk(stream))
        track = read_track(stream)
        pictures = [
            sum(
                map(
                    len,
                    h264.pictures_of(stream[s.offset : s.offset + s.size], track.configuration),
                )
            )
            for s in track.samples
        ]
        syntax = h264.syntax_of(track.configuration.coding)
    except Invalid as error:
        yield f"the stream is no whole film: {error.message}"
        return
    yield from kinds
    coding = track.configuration.coding
    if sum(pictures) != sum(each.size for each in track.samples):
        yield "the stream holds user data"
    if ds.file_meta.TransferSyntaxUID != syntax:
        yield f"the stream is of {syntax}, the header says {ds.file_meta.TransferSyntaxUID}"
    if (coding.rows, coding.columns) != (ds.Rows, ds.Columns):
        size = f"{coding.columns}x{coding.rows}"
        yield f"the stream has {size} pixels, the header {ds.Columns}x{ds.Rows}"
    if len(track.samples) != ds.NumberOfFrames:
        yield f"the stream has {len(track.samples)} pictures, the header {ds.NumberOfFrames}"
    if ds.PhotometricInterpretation != "YBR_PARTIAL_420" or ds.SamplesPerPixel != 3:
        yield f"a film is YBR_PARTIAL_420, the header says {ds.PhotometricInterpretation}"
    yield from _times(ds, track.duration / track.timescale)
    yield from _loss(ds, coding.rows * coding.columns * 3 * len(pictures) / len(stream))


def _times(ds: Dataset, seconds: float) -> Iterator[str]:
    if "FrameTime" in ds:
        told = float(ds.FrameTime) * ds.NumberOfFrames / 1000
    elif "FrameTimeVector" in ds:
        if len(ds.FrameTimeVector) != ds.NumberOfFrames:
            yield "not as many times as pictures"
        told = float(ds.get("EffectiveDuration", 0))
    else:
        yield "nothing says how long a picture is shown"
        return
    if abs(told - seconds) > _TOLERANCE * seconds:
        yield f"the stream plays {seconds:.3g} s, the header says {told:.3g} s"


def _loss(ds: Dataset, ratio: float) -> Iterator[str]:
    if ds.get("LossyImageCompression") != "01":
        yield "H.264, but not said to be lossy"
        return
    told = float(ds.LossyImageCompressionRatio)
    if abs(told - ratio) > _TOLERANCE * ratio:
        yield f"compression ratio {told}, but it is {ratio:.4g}"


def _walk(stream: Bytes) -> Iterator[str]:
    """Yield what a clean file does not have: other boxes, times, names, a movie behind its data."""
    view, seen = memoryview(stream), list[bytes]()
    for kind, _start, content, end in places(view):
        seen.append(kind)
        yield from _box(kind, view[content:end])
    if seen not in ([b"ftyp", b"moov", b"free", b"mdat"],):
        yield "the boxes of the file are not those of a clean one"


def _box(kind: bytes, content: memoryview) -> Iterator[str]:
    if kind not in _KNOWN:
        yield f"the file holds a box {kind.decode('latin-1')}"
    if kind in _HOLDING:
        for inner, _start, begins, end in places(content):
            yield from _box(inner, content[begins:end])
    if kind in _TIMED and any(content[4 : 20 if content[0] else 12]):
        yield f"{kind.decode()} tells when the film was made"
    if kind == b"free" and any(content):
        yield "there is something in the free space of the file"
