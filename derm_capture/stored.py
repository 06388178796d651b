"""Decides how the pixels of a photograph are stored: which bytes, under which transfer syntax, how
labelled.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import imagecodecs

from casework.errors import Invalid
from derm_capture import jpeg, jpeg_dct
from derm_capture.jpeg import Colour, Jpeg
from derm_capture.photo import Photo
from derm_capture.raster import JPEG_METHOD
from derm_capture.srgb import SRGB

JPEG_BASELINE = "1.2.840.10008.1.2.4.50"
JPEG_LS_LOSSLESS = "1.2.840.10008.1.2.4.80"

_TURNED = {
    2: "mirrored",
    3: "turned by 180 degrees",
    4: "mirrored and turned by 180 degrees",
    5: "mirrored and turned by 270 degrees",
    6: "turned by 90 degrees",
    7: "mirrored and turned by 90 degrees",
    8: "turned by 270 degrees",
}


@dataclass(frozen=True)
class Stored:
    """The pixel data of an object with the attributes that must agree with them."""

    pieces: Sequence[bytes | memoryview]  # of the pixel data, in their order
    transfer_syntax_uid: str
    photometric: str
    samples: int
    rows: int
    columns: int
    icc: bytes  # empty for greyscale
    lossy_method: str  # empty: never lossy
    ratio: float | None  # of the lossy compression, wherever it was done
    changes: tuple[str, ...]  # what differs from the pixels that came in
    steps: tuple[str, ...]  # what was done without a change of any pixel

    @property
    def data(self) -> bytes:
        """Return the pixel data whole."""
        return b"".join(self.pieces)


def store(photo: Photo) -> Stored:
    """Return the photograph as it is stored: its own JPEG coefficients where that can be, else
    lossless JPEG-LS.
    """
    stream = photo.stream
    if stream is not None:
        kept = _kept(stream, photo.camera.orientation)
        if kept is not None:
            return _as_jpeg(photo, stream, *kept)
    return _as_jpeg_ls(photo)


def _kept(stream: Jpeg, orientation: int) -> tuple[Jpeg, tuple[str, ...]] | None:
    """Return the stream to keep and what was done to it, or None when it must be decoded."""
    if not jpeg.is_usual(stream):
        return None
    if stream.process == jpeg.SOF_BASELINE and not stream.wide_tables and orientation == 1:
        return stream, ()
    if not jpeg_dct.can_transform(stream, orientation):
        return None
    steps = []
    if stream.process != jpeg.SOF_BASELINE:
        steps.append("progressive coding made sequential, coefficients unchanged")
    if orientation != 1:
        steps.append(f"{_TURNED[orientation]} without loss")
    try:
        return jpeg_dct.transform(stream, orientation=orientation), tuple(steps)
    except Invalid:
        return None  # a stream that the transformer does not take is decoded instead, as any other


def _as_jpeg(photo: Photo, source: Jpeg, stream: Jpeg, steps: tuple[str, ...]) -> Stored:
    grey = stream.colour is Colour.GREY
    pieces = jpeg.clean_pieces(stream, icc=b"" if grey else photo.icc)
    steps += ("Exif, XMP, comments and thumbnails removed",) if _says_more(source) else ()
    if source.trailing_bytes:
        steps += (f"{source.trailing_bytes} bytes behind the picture removed",)
    samples = 1 if grey else 3
    return Stored(
        pieces=pieces,
        transfer_syntax_uid=JPEG_BASELINE,
        photometric="MONOCHROME2" if grey else "YBR_FULL_422",
        samples=samples,
        rows=stream.rows,
        columns=stream.columns,
        icc=b"" if grey else photo.icc or SRGB,
        lossy_method=JPEG_METHOD,
        ratio=stream.rows * stream.columns * samples / sum(map(len, pieces)),
        changes=(),
        steps=steps,
    )


def _as_jpeg_ls(photo: Photo) -> Stored:
    pixels = photo.pixels()
    rows, columns = pixels.shape[:2]
    coded = len(photo.data) if photo.stream is None else len(jpeg.without_metadata(photo.stream))
    turned = photo.camera.orientation != 1 and photo.stream is not None
    steps = ("decoded and stored as lossless JPEG-LS",)
    return Stored(
        pieces=(bytes(imagecodecs.jpegls_encode(pixels, level=0)),),
        transfer_syntax_uid=JPEG_LS_LOSSLESS,
        photometric="RGB",
        samples=3,
        rows=rows,
        columns=columns,
        icc=photo.icc or SRGB,
        lossy_method=photo.lossy_method,
        ratio=rows * columns * 3 / coded if photo.lossy_method else None,
        changes=photo.changes,
        steps=steps + ((_TURNED[photo.camera.orientation],) if turned else ()),
    )


def _says_more(stream: Jpeg) -> bool:
    return bool(jpeg.foreign_segments(stream))
