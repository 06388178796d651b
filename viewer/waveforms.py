"""Reads recorded curves out of an object: what each channel is, its samples, what was said of them.

PS3.3 C.10.9 (Waveform). Samples leave as 16-bit counts with the
scale that makes them values; nothing is filtered. Draws nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from casework.errors import Invalid, NotFound
from viewer.waveform_notes import Note, note_of, number_of

MOST_SAMPLES = 2_000_000
"""Samples of all channels together that one answer holds."""

GAP = -32768
"""The count that stands for no value (Waveform Padding Value)."""

_MOST_GROUPS, _MOST_CHANNELS, _MOST_NOTES = 32, 256, 2000
_LOWEST, _HIGHEST = -32767, 32767
_AUDIO = "1.2.840.10008.5.1.4.1.1.9.4."
_WAVEFORMS = "1.2.840.10008.5.1.4.1.1.9."
_KINDS = {
    (8, "SB"): "i1", (8, "UB"): "u1", (16, "SS"): "i2", (16, "US"): "u2",
    (32, "SL"): "i4", (32, "UL"): "u4",
}  # fmt: skip

Counts = NDArray[np.int16]


@dataclass(frozen=True)
class Channel:
    """One curve: a value is its count times `scale` plus `baseline`, in `unit`."""

    name: str
    unit: str  # UCUM, as sent; empty when nothing is calibrated
    scale: float
    baseline: float
    skew_ms: float = 0.0
    low_hz: float | None = None  # what the recorder let through
    high_hz: float | None = None
    notch_hz: float | None = None


@dataclass(frozen=True)
class Group:
    """Channels that were sampled together."""

    label: str
    rate_hz: float
    samples: int
    offset_ms: float
    is_derived: bool
    channels: tuple[Channel, ...]


@dataclass(frozen=True)
class Recording:
    """A waveform object without its samples."""

    groups: tuple[Group, ...]
    notes: tuple[Note, ...]


def is_recording(sop_class_uid: str) -> bool:
    """Tell whether objects of a class are curves to look at; sound is none."""
    return sop_class_uid.startswith(_WAVEFORMS) and not sop_class_uid.startswith(_AUDIO)


def recording_of(ds: Dataset) -> Recording:
    """Return what an object records, or raise Invalid when it cannot be read."""
    items = ds.get("WaveformSequence") or ()
    if not items:
        raise NotFound("The object holds no recorded curves.", code="no-waveform")
    is_big = _is_big_endian(ds)
    groups = tuple(_group(item, is_big=is_big) for item in list(items)[:_MOST_GROUPS])
    rates_hz = [group.rate_hz for group in groups]
    notes = tuple(
        note
        for item, _ in zip(
            ds.get("WaveformAnnotationSequence") or (), range(_MOST_NOTES), strict=False
        )
        if (note := note_of(item, rates_hz)) is not None
    )
    return Recording(groups, notes)


def samples_of(ds: Dataset, number: int, *, first: int = 0, count: int | None = None) -> Counts:
    """Return samples of a group as counts, one row for each channel, cut to what there is."""
    items = ds.get("WaveformSequence") or ()
    if not 1 <= number <= min(len(items), _MOST_GROUPS):
        raise NotFound("The object has no such group of channels.", code="no-such-group")
    item = items[number - 1]
    raw = _raw(item, is_big=_is_big_endian(ds))
    channels, samples = raw.shape[1], raw.shape[0]
    first = min(max(first, 0), samples)
    most = MOST_SAMPLES // max(channels, 1)
    wanted = samples - first if count is None else max(count, 0)
    part = raw[first : first + min(wanted, most)]
    counts = np.empty((channels, len(part)), np.int16)
    for channel in range(channels):
        low, step = _grid(raw, channel)
        scaled = (part[:, channel].astype(np.int64) - low) // step
        counts[channel] = np.clip(scaled, _LOWEST, _HIGHEST).astype(np.int16)
    padding = _padding(item, raw.dtype)
    if padding is not None:
        counts[padding == part.T] = GAP
    return counts


def _raw(item: Dataset, *, is_big: bool) -> NDArray[Any]:
    """Return the samples of a group as they are stored, one row for each moment."""
    channels, samples = _whole(item, "NumberOfWaveformChannels"), _samples(item)
    kind = _KINDS.get(
        (_whole(item, "WaveformBitsAllocated"), str(item.get("WaveformSampleInterpretation", "")))
    )
    if kind is None:
        raise Invalid("The curves are coded in a way that is not shown here.", code="no-waveform")
    if not 1 <= channels <= _MOST_CHANNELS:
        raise Invalid("The object has too many channels, or none.", code="bad-structure")
    dtype = np.dtype(f"{'>' if is_big else '<'}{kind}")
    data = bytes(item.get("WaveformData") or b"")
    whole = min(samples, len(data) // (dtype.itemsize * channels))
    if whole == 0:
        raise Invalid("The object names curves and holds none.", code="bad-structure")
    return np.frombuffer(data, dtype, count=whole * channels).reshape(whole, channels)


def _grid(raw: NDArray[Any], channel: int) -> tuple[int, int]:
    """Return which stored value is count 0, and how many stored values one count stands for.

    8 and 16 bits lose nothing; 32 bits lose nothing where they range over no more than 16.
    """
    if raw.dtype.itemsize <= 2:
        return (32768, 1) if raw.dtype == np.uint16 else (0, 1)
    column = raw[:, channel]
    lowest, highest = int(column.min()), int(column.max())
    if lowest >= _LOWEST and highest <= _HIGHEST:
        return 0, 1
    return (lowest + highest) // 2, max(1, -(-(highest - lowest) // (2 * _HIGHEST)))


def _group(item: Dataset, *, is_big: bool) -> Group:
    raw = _raw(item, is_big=is_big)
    defined = list(item.get("ChannelDefinitionSequence") or ())
    defined += [Dataset()] * (raw.shape[1] - len(defined))
    rate_hz = number_of(item.get("SamplingFrequency"))
    if rate_hz is None or not 0 < rate_hz < 1e6:
        raise Invalid("The object does not say how often it was sampled.", code="bad-structure")
    return Group(
        label=str(item.get("MultiplexGroupLabel", "") or ""),
        rate_hz=rate_hz,
        samples=raw.shape[0],
        offset_ms=number_of(item.get("MultiplexGroupTimeOffset")) or 0.0,
        is_derived=item.get("WaveformOriginality") == "DERIVED",
        channels=tuple(
            _channel(defined[n], n + 1, _grid(raw, n), rate_hz) for n in range(raw.shape[1])
        ),
    )


def _channel(item: Dataset, number: int, grid: tuple[int, int], rate_hz: float) -> Channel:
    zero, step = grid
    sensitivity = number_of(item.get("ChannelSensitivity"))
    factor = (sensitivity or 1.0) * (
        number_of(item.get("ChannelSensitivityCorrectionFactor")) or 1.0
    )
    units = item.get("ChannelSensitivityUnitsSequence")
    skew_s = number_of(item.get("ChannelTimeSkew"))
    if skew_s is None:
        skew_s = (number_of(item.get("ChannelSampleSkew")) or 0.0) / rate_hz
    return Channel(
        name=_name(item) or str(number),
        unit=str(units[0].get("CodeValue", "")) if units and sensitivity is not None else "",
        scale=factor * step,
        baseline=(number_of(item.get("ChannelBaseline")) or 0.0) + zero * factor,
        skew_ms=skew_s * 1000,
        low_hz=number_of(item.get("FilterLowFrequency")),
        high_hz=number_of(item.get("FilterHighFrequency")),
        notch_hz=number_of(item.get("NotchFilterFrequency")),
    )


def _name(item: Dataset) -> str:
    """Return what a channel is called in short: `aVR` of `Lead aVR, augmented limb lead`."""
    source = item.get("ChannelSourceSequence")
    meaning = str(source[0].get("CodeMeaning", "") or "") if source else ""
    short = meaning.removeprefix("Lead ").removeprefix("lead ")
    for mark in (",", "("):
        short = short.partition(mark)[0].strip()
    return short or str(item.get("ChannelLabel", "") or "")


def _padding(item: Dataset, dtype: np.dtype[Any]) -> int | None:
    """Return the stored value that means none; it is coded as the samples are."""
    value = item.get("WaveformPaddingValue")
    if isinstance(value, bytes):
        if len(value) < dtype.itemsize:
            return None
        return int(np.frombuffer(value, dtype, count=1)[0])
    return int(value) if isinstance(value, int) else None


def _samples(item: Dataset) -> int:
    return max(0, _whole(item, "NumberOfWaveformSamples"))


def _whole(item: Dataset, keyword: str) -> int:
    value = item.get(keyword)
    return value if isinstance(value, int) else 0


def _is_big_endian(ds: Dataset) -> bool:
    return ds.original_encoding[1] is False
