"""Opens what a person gives as a short film, or refuses it with a code and what to set.

The pictures are never coded anew: a clean file is made around them. A few are decoded, to see that
they can be and to judge them.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from casework.errors import Invalid, TooLarge
from derm_capture import quality
from derm_capture.clip_file import CleanFile, write_file
from derm_capture.clip_samples import Sample
from derm_capture.clip_track import Track, read_track, shown_samples
from derm_capture.context import Kind
from derm_capture.exif import Camera
from derm_capture.h264 import Coding, syntax_of
from derm_capture.mp4 import Bytes, damaged, need, unpack
from derm_capture.photo import Format, Photo
from derm_capture.quality import Advice
from derm_capture.raster import Pixels

JUDGED = 3  # pictures of a film whose focus and light are looked at
_STARTS = frozenset({b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"})
_PICTURES = frozenset({b"heic", b"heix", b"heim", b"heis", b"mif1", b"avif", b"hevc", b"msf1"})
_EPOCH = datetime(1904, 1, 1, tzinfo=UTC)  # of the times in a file (ISO 14496-12 8.2.2)
_EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
_DECODED_PIXELS = (
    200_000_000  # from the start; the same for every machine, so that verdicts are too
)
_CHECKS = frozenset({"focus", "motion", "exposure"})  # what a moving picture can be judged by
_UNEVEN = 0.1  # of the mean time of a picture: beyond it the times are told one by one


@dataclass(frozen=True)
class ClipLimits:
    """What a film may be, at most."""

    max_bytes: int = 96 << 20
    max_seconds: float = 30.0


@dataclass(frozen=True, eq=False)
class Clip:
    """A film that opens, with the clean file that is made of it."""

    data: bytes
    file: CleanFile
    coding: Coding
    transfer_syntax_uid: str
    frame_times_ms: tuple[float, ...]
    turn: int  # degrees clockwise that a player turns the pictures by
    pixel_aspect: tuple[int, int]
    camera: Camera
    judged: tuple[Pixels, ...]  # upright RGB
    changes: tuple[str, ...]  # pictures that were left out
    steps: tuple[str, ...]

    @property
    def seconds(self) -> float:
        """Return how long it plays."""
        return sum(self.frame_times_ms) / 1000

    @property
    def frames(self) -> int:
        """Return how many pictures it has."""
        return len(self.frame_times_ms)

    @property
    def is_even(self) -> bool:
        """Tell whether every picture is shown for about the same time."""
        mean = sum(self.frame_times_ms) / self.frames
        return all(abs(each - mean) <= _UNEVEN * mean for each in self.frame_times_ms)


def open_clip(data: bytes, *, limits: ClipLimits | None = None) -> Clip:
    """Return the film, or raise Invalid (TooLarge) with a code and what to do."""
    limits = limits or ClipLimits()
    if len(data) > limits.max_bytes:
        raise TooLarge(
            f"The film has {len(data) / 1e6:.0f} MB; {limits.max_bytes / 1e6:.0f} MB is the most."
            " Record a shorter one, at 1080p and 30 frames a second.",
            code="clip-large",
        )
    _require_film(data)
    track = read_track(data)
    syntax, samples = syntax_of(track.configuration.coding), shown_samples(track)
    seconds = sum(each.duration for each in samples) / track.timescale
    if seconds > limits.max_seconds:
        raise TooLarge(
            f"The film is {seconds:.0f} seconds long; {limits.max_seconds:g} seconds is the most."
            " Record a shorter one.",
            code="clip-long",
        )
    file = write_file(data, track, samples)
    left_out = len(track.samples) - len(samples)
    steps = ["sound, place, names and times of the file removed, pictures not coded anew"]
    if file.dropped_bytes:
        steps.append(f"{file.dropped_bytes} bytes of user data in the stream removed")
    if track.turn:
        steps.append(f"shown turned by {track.turn} degrees clockwise, as its file says")
    return Clip(
        data=data,
        file=file,
        coding=track.configuration.coding,
        transfer_syntax_uid=syntax,
        frame_times_ms=tuple(1000 * each.duration / track.timescale for each in samples),
        turn=track.turn,
        pixel_aspect=track.pixel_aspect,
        camera=Camera(taken_at=_taken_at(data)),
        judged=_look(data, track, samples, file),
        changes=(f"{left_out} pictures left out that were cut away",) if left_out else (),
        steps=tuple(steps),
    )


def assess(clip: Clip) -> tuple[Advice, ...]:
    """Return the advice on focus and light: that of the best of a few pictures, check by check."""
    rows: list[dict[str, Advice]] = []
    for pixels in clip.judged:
        photo = Photo(
            data=b"",
            format=Format.PNG,
            rows=pixels.shape[0],
            columns=pixels.shape[1],
            camera=Camera(),
            icc=b"",
            _decoded=pixels,
        )
        rows.append({a.check: a for a in quality.assess(photo, kind=Kind.OVERVIEW)})
    order = list(quality.Verdict)
    names = [name for name in rows[0] if name in _CHECKS]
    found = [
        min((row[name] for row in rows if name in row), key=lambda a: order.index(a.verdict))
        for name in names
    ]
    return tuple(found)


def is_film(data: bytes) -> bool:
    """Tell whether a file claims to be a film in MP4 or QuickTime."""
    return data[4:8] in _STARTS and data[8:12] not in _PICTURES


def _require_film(data: bytes) -> None:
    if data.startswith(b"\x1a\x45\xdf\xa3"):
        raise Invalid(
            "The film is WebM; MP4 with H.264 is taken. Film with the phone's own camera.",
            code="clip-coding",
        )
    if not is_film(data):
        raise Invalid(
            "The file is no film that can be used. Film with the phone's camera (MP4 or MOV).",
            code="not-a-clip",
        )


def _taken_at(data: Bytes) -> datetime | None:
    """Return when the film was taken, where its file has a time that can be."""
    header = need(data, b"moov", b"mvhd")
    (seconds,) = unpack("Q" if header[0] else "I", header, 4)
    if not 0 < seconds < 2**33:
        return None
    taken = _EPOCH + timedelta(seconds=seconds)
    return taken if taken >= _EARLIEST else None


def _look(
    data: bytes, track: Track, samples: Sequence[Sample], file: CleanFile
) -> tuple[Pixels, ...]:
    """Decode the start, and single pictures of the rest; return those to judge."""
    coding = track.configuration.coding
    count = min(len(samples), max(_DECODED_PIXELS // (coding.rows * coding.columns), 1))
    wanted = {count * (2 * i + 1) // (2 * JUDGED) for i in range(JUDGED)}
    start = _decoded(file, count, wanted)
    alone = [each for each in samples[count:] if each.is_sync]
    if len(alone) < JUDGED:
        return start
    chosen = [
        replace(alone[len(alone) * (2 * i + 1) // (2 * JUDGED)], duration=track.timescale, shift=0)
        for i in range(JUDGED)
    ]
    return _decoded(write_file(data, track, chosen), JUDGED, set(range(JUDGED)))


def _decoded(file: CleanFile, count: int, wanted: set[int]) -> tuple[Pixels, ...]:
    """Return some of the first pictures of a file, upright; Invalid when one cannot be decoded."""
    with tempfile.TemporaryDirectory(prefix="lysbro-clip-") as folder:
        path = Path(folder) / "clip.mp4"
        with path.open("wb") as stream:
            stream.writelines(file.pieces)
        capture: Any = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
        try:
            if not capture.isOpened():
                raise damaged("it cannot be decoded")
            found: list[Pixels] = []
            for number in range(count):
                if not capture.grab():
                    raise damaged(f"picture {number + 1} cannot be decoded")
                if number in wanted:
                    is_read, picture = capture.retrieve()
                    if not is_read:
                        raise damaged(f"picture {number + 1} cannot be decoded")
                    found.append(np.ascontiguousarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)))
            return tuple(found)
        except cv2.error as error:
            raise damaged("it cannot be decoded") from error
        finally:
            capture.release()
