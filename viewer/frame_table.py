"""Says of each frame of a multi-frame object where it lies, how thick it is and how long it lasts.

PS3.3 C.7.6.16 (functional groups), C.7.6.5 (cine), C.8.4 (NM). Pure: from a header; compact.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydicom.dataset import Dataset

from viewer.attributes import as_list
from viewer.groups import Macros, group_with, items_of, numbers_of, plain

Vector = tuple[float, ...]
_MOST_FRAMES = 20_000
_CLOSE_MM = 1e-3


@dataclass(frozen=True)
class FramePlace:
    """What is known of one frame."""

    position: Vector | None = None  # of the middle of its first pixel, in the patient
    orientation: Vector | None = None
    spacing: Vector | None = None
    thickness_mm: float | None = None
    windows: tuple[Vector, ...] = ()
    time_ms: float | None = None  # how long it is shown
    indices: tuple[int, ...] = ()  # of the dimensions, the slowest first


def frame_places(header: Dataset, frames: int) -> list[FramePlace]:
    """Return what a header says of each frame; nothing of an object of too many."""
    if not 1 < frames <= _MOST_FRAMES:
        return []
    times = _times(header, frames)
    detector = _of_detector(header, frames)
    macros = Macros(header)
    return [
        _place(macros, frame, times[frame - 1] if times else None, detector)
        for frame in range(1, frames + 1)
    ]


def frame_table(places: Sequence[FramePlace]) -> dict[str, Any]:
    """Return what frames have, in as few numbers as it takes; empty when nothing is known.

    A value that all share stands once (`all`), places at even steps as `start` and `step`,
    anything else one by one (`each`).
    """
    found: dict[str, Any] = {}
    if not places:
        return found
    for name in ("position", "orientation", "spacing", "thickness_mm", "time_ms"):
        values = [getattr(each, name) for each in places]
        if all(value is not None for value in values):
            found[name] = _compact(values)
    windows = [each.windows for each in places]
    if any(windows):
        found["windows"] = _compact(windows)
    order = reading_order(places)
    if order is not None:
        found["order"] = order
    return found


def reading_order(places: Sequence[FramePlace]) -> list[int] | None:
    """Return the numbers of the frames in the order of their dimensions; None: as stored."""
    indices = [each.indices for each in places]
    if not indices or len({len(each) for each in indices}) != 1 or not indices[0]:
        return None
    order = sorted(range(len(places)), key=lambda at: (indices[at], at))
    return None if order == list(range(len(places))) else [at + 1 for at in order]


def _place(
    macros: Macros,
    frame: int,
    time_ms: float | None,
    detector: tuple[Vector, Vector, Vector] | None,
) -> FramePlace:
    def of(macro: str, keyword: str, count: int) -> Vector | None:
        return numbers_of(macros.of(frame, macro), keyword, count)

    position = of("PlanePositionSequence", "ImagePositionPatient", 3)
    orientation = of("PlaneOrientationSequence", "ImageOrientationPatient", 6)
    if position is None and detector is not None:
        start, step, orientation = detector
        position = tuple(a + (frame - 1) * b for a, b in zip(start, step, strict=True))
    thickness = of("PixelMeasuresSequence", "SliceThickness", 1)
    return FramePlace(
        position=position,
        orientation=orientation,
        spacing=of("PixelMeasuresSequence", "PixelSpacing", 2),
        thickness_mm=thickness[0] if thickness else None,
        windows=_windows(macros.of(frame, "FrameVOILUTSequence")),
        time_ms=time_ms,
        indices=_indices(macros.of(frame, "FrameContentSequence")),
    )


def _windows(group: Dataset | None) -> tuple[Vector, ...]:
    count = len(as_list(plain(group.get("WindowCenter")))) if group is not None else 0
    centers = numbers_of(group, "WindowCenter", count)
    widths = numbers_of(group, "WindowWidth", count)
    if centers is None or widths is None:
        return ()
    return tuple(pair for pair in zip(centers, widths, strict=True) if pair[1] > 0)


def _indices(group: Dataset | None) -> tuple[int, ...]:
    value = None if group is None else group.get("DimensionIndexValues")
    if value is None:
        return ()
    values = value if hasattr(value, "__iter__") else [value]
    return tuple(int(each) for each in values if each is not None)


def _times(header: Dataset, frames: int) -> list[float]:
    """Return how long each frame is shown (PS3.3 C.7.6.5.1.2): the last as long as that before."""
    value = header.get("FrameTimeVector")
    count = len(value) if hasattr(value, "__len__") else 0
    vector = numbers_of(header, "FrameTimeVector", count) if count == frames else None
    if vector is not None:
        return [*vector[1:], vector[-1]]
    time = numbers_of(header, "FrameTime", 1)
    if time and time[0] > 0:
        return [time[0]] * frames
    for keyword in ("RecommendedDisplayFrameRate", "CineRate"):
        rate = numbers_of(header, keyword, 1)
        if rate and rate[0] > 0:
            return [1000 / rate[0]] * frames
    keyword = "FrameAcquisitionDuration"
    lasting = numbers_of(group_with(header, 1, keyword), keyword, 1)
    return [lasting[0]] * frames if lasting and lasting[0] > 0 and _is_film(header) else []


def _is_film(header: Dataset) -> bool:
    return str(header.get("Modality", "")) in {"US", "XA", "RF", "IVUS"}


def _of_detector(header: Dataset, frames: int) -> tuple[Vector, Vector, Vector] | None:
    """Return start, step and orientation of the slices of a reconstructed NM object."""
    detectors = items_of(header, "DetectorInformationSequence")
    between = numbers_of(header, "SpacingBetweenSlices", 1)
    words = header.get("ImageType") or ()
    if len(detectors) != 1 or between is None or "RECON TOMO" not in [str(each) for each in words]:
        return None
    start = numbers_of(detectors[0], "ImagePositionPatient", 3)
    axes = numbers_of(detectors[0], "ImageOrientationPatient", 6)
    if start is None or axes is None:
        return None
    a, b = axes[:3], axes[3:]
    normal = (
        a[1] * b[2] - a[2] * b[1],
        a[2] * b[0] - a[0] * b[2],
        a[0] * b[1] - a[1] * b[0],
    )
    return start, tuple(each * between[0] for each in normal), axes


def _compact(values: Sequence[Any]) -> dict[str, Any]:
    first = values[0]
    if all(value == first for value in values):
        return {"all": first}
    if isinstance(first, tuple) and first and all(isinstance(each, float) for each in first):
        steps = _even_steps(values)
        if steps is not None:
            return {"start": [round(each, 6) for each in first], "step": steps}
    return {"each": [_rounded(value) for value in values]}


def _even_steps(values: Sequence[Vector]) -> list[float] | None:
    count = len(values) - 1
    step = [(b - a) / count for a, b in zip(values[0], values[-1], strict=True)]
    for at, value in enumerate(values):
        for start, each, found in zip(values[0], step, value, strict=True):
            if abs(start + at * each - found) > _CLOSE_MM:
                return None
    return [round(each, 9) for each in step]


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 4)
    return [_rounded(each) for each in value] if isinstance(value, tuple) else value
