"""Decides whether the coded samples of a JPEG stream are all there, by watching what a decoder
needs of them.

Decoders only warn of a scan that ends too early, and fill what is missing with grey; they read no
further than they must, and that tells of both kinds of damage.
"""

from __future__ import annotations

import io
import itertools

import numpy as np
from numpy.typing import NDArray

from derm_capture import jpeg
from derm_capture.jpeg import Jpeg

_LOOKAHEAD = b"\xff\x00" * 9
"""Bits that a decoder may fetch ahead; all ones are no code (T.81 C.2), so that they last for no
further unit.
"""
_NOISE = bytes(range(0x35, 0xF5, 3)) * 2
_NEAR_END_BYTES, _STEP_BYTES = 512, 1
_FORGIVEN_BYTES = 4  # beside what was fetched ahead: some cameras leave a few before EOI
_SEQUENTIAL = frozenset({jpeg.SOF_BASELINE, jpeg.SOF_EXTENDED})
_HUFFMAN = _SEQUENTIAL | {jpeg.SOF_PROGRESSIVE, jpeg.SOF_LOSSLESS}


class Watched(io.BytesIO):
    """A stream of one scan without its end, of which it is known how much a decoder fetched.

    A decoder that lacks samples asks for more, where at a marker it would go on with none.
    """

    def __init__(self, stream: Jpeg) -> None:
        data = jpeg.without_metadata(stream)
        self._end = data.rindex(b"\xff\xd9")
        super().__init__(data[: self._end] + _LOOKAHEAD)
        scan = next(s for s in stream.segments if s.marker == jpeg.SOS)
        header_bytes = int.from_bytes(stream.data[scan.payload - 2 : scan.payload])
        self._scan = self._end - (scan.end - scan.payload) + header_bytes - 2
        self._near_end = max(self._scan, self._end - _NEAR_END_BYTES)

    def read(self, size: int | None = -1, /) -> bytes:
        """Return the next bytes, fewer than asked for where the end is near."""
        at = self.tell()
        if size is None or size < 0 or (at < self._scan and at + size <= self._scan):
            return super().read(size)
        most = self._near_end - at if at < self._near_end else _STEP_BYTES
        return super().read(min(size, most))

    @property
    def was_needed(self) -> bool:
        """Tell whether the decoder came to the end of the samples, but for padding."""
        left = self.getvalue()[self.tell() : self._end]
        return len(left) <= _FORGIVEN_BYTES or not left.strip(b"\x00\xff")


def can_watch(stream: Jpeg) -> bool:
    """Tell whether a decoder reads the stream in one go, from its first sample to its last."""
    scans = sum(s.marker == jpeg.SOS for s in stream.segments)
    return stream.process in _SEQUENTIAL and stream.precision == 8 and scans == 1


def has_all_scans(stream: Jpeg) -> bool:
    """Tell whether each coefficient of each component is coded to its last bit (T.81 G.1.1.1.1)."""
    if stream.process not in _SEQUENTIAL | {jpeg.SOF_PROGRESSIVE}:
        return True
    is_progressive = stream.process == jpeg.SOF_PROGRESSIVE
    missing = {c.id: np.full(64, 14) for c in stream.components}  # bits that no scan has told yet
    for segment in stream.segments:
        if segment.marker != jpeg.SOS:
            continue
        header = stream.data[segment.payload : segment.end]
        count = header[0] if header else 0
        if not 1 <= count <= 4 or len(header) < 2 * count + 4:
            return False
        first, last, bits = header[2 * count + 1 : 2 * count + 4]
        for at in range(count):
            told = missing.get(header[1 + 2 * at])
            if told is None:
                return False
            if is_progressive:
                told[first : last + 1] = bits & 15
            else:
                told[:] = 0
    return not any(m.any() for m in missing.values())


def has_all_intervals(stream: Jpeg) -> bool:
    """Tell whether the restart markers of a single scan are as many as its rows and columns ask
    for, in their order (T.81 B.2.1, E.1.3).
    """
    interval = _restart_interval(stream)
    if not interval or not can_watch(stream):
        return True
    scan = next(s for s in stream.segments if s.marker == jpeg.SOS)
    width, height = (8, 8) if len(stream.components) == 1 else stream.mcu
    units = -(-stream.columns // width) * -(-stream.rows // height)
    samples = np.frombuffer(stream.data, np.uint8, scan.end - scan.payload, scan.payload)
    found = samples[_restarts(samples) + 1] & 7
    return np.array_equal(found, np.arange(-(-units // interval) - 1) % 8)


def needs_comparing(stream: Jpeg) -> bool:
    """Tell whether samples end at more places than one, so that watching the last tells little."""
    if stream.process not in _HUFFMAN:
        return False  # arithmetic coding leaves zeros at its ends out (T.81 D.1.8)
    return not can_watch(stream) or _restart_interval(stream) > 0


def with_noise(stream: Jpeg) -> bytes:
    """Return the stream with noise behind the samples of each scan and restart interval.

    A decoder that had all samples passes over it; one that lacks some shows it.
    """
    pieces: list[bytes] = [b"\xff\xd8"]
    for segment in stream.segments[1:]:
        piece = stream.data[segment.start : segment.end]
        if segment.marker == jpeg.SOS:
            samples = np.frombuffer(piece, np.uint8)
            cuts = [0, *(int(at) for at in _restarts(samples)), len(piece)]
            parts = [piece[a:b] for a, b in itertools.pairwise(cuts)]
            pieces += [part.rstrip(b"\xff") + _NOISE for part in parts]  # fill bytes (B.1.1.2)
        elif not jpeg.APP1 <= segment.marker < jpeg.APP14 and segment.marker != jpeg.COM:
            pieces.append(piece)
    return b"".join(pieces)


def _restart_interval(stream: Jpeg) -> int:
    told = stream.payloads(jpeg.DRI)
    return int.from_bytes(told[-1][:2]) if told else 0


def _restarts(samples: NDArray[np.uint8]) -> NDArray[np.intp]:
    return np.flatnonzero((samples[:-1] == 0xFF) & (samples[1:] & 0xF8 == 0xD0))
