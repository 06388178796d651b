"""Brings what metadata says of an image and what its stream says together (PS3.18 section 10.5.2).

What the metadata leaves out is taken from the stream, what both say must agree. Works on DICOM
JSON, touches no bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from casework.errors import Invalid
from viewer.dicomweb.dicom_json import tag_of, to_json
from viewer.dicomweb.stream_facts import Facts

Dataset = dict[str, Any]
_FRAME_TIME_TAG = "00181063"


def value(dataset: Mapping[str, Any], keyword: str) -> Any:
    """Return the first value of an element, or None."""
    element = dataset.get(tag_of(keyword))
    values = element.get("Value") if isinstance(element, dict) else None
    return values[0] if isinstance(values, list) and values else None


def number(dataset: Mapping[str, Any], keyword: str) -> int:
    """Return the value of an element that is a whole number, 0 when there is none."""
    given = value(dataset, keyword)
    try:
        return int(given) if given is not None else 0
    except (TypeError, ValueError, OverflowError) as error:
        raise Invalid(f"{keyword} is no number.", code="not-dicom") from error


def completed(dataset: Dataset, facts: Facts, *, frames: int) -> Dataset:
    """Return the data set with what the stream says, or raise Invalid where they differ.

    `frames` is how many streams there are; a video is one, and says itself how many it has.
    """
    said = _image(facts) | _lossy(facts) | _time(facts, frames)
    for keyword in ("Rows", "Columns", "SamplesPerPixel"):
        _require(
            number(dataset, keyword) in {0, said.get(keyword, 0)} or not facts.samples, keyword
        )
    if facts.samples:
        given = value(dataset, "PhotometricInterpretation")
        _require(given is None or given in facts.photometric, "PhotometricInterpretation")
        allocated = number(dataset, "BitsAllocated")
        _require(not allocated or allocated >= facts.bits, "BitsAllocated")
    else:
        _require(
            all(number(dataset, each) for each in ("Rows", "Columns", "BitsAllocated")), "Rows"
        )
    _require(value(dataset, "LossyImageCompression") != "00" or not facts.lossy_method,
             "LossyImageCompression")  # fmt: skip
    if not facts.frames and not facts.frame_time_ms:
        _require(number(dataset, "NumberOfFrames") in {0, frames}, "NumberOfFrames")
    elif not facts.frames:
        _require(number(dataset, "NumberOfFrames") > 0, "NumberOfFrames")
    return _filled(dataset, said)


def native_bytes(dataset: Mapping[str, Any]) -> int:
    """Return how many bytes the native pixel data of an image has, or raise Invalid."""
    rows, columns = number(dataset, "Rows"), number(dataset, "Columns")
    samples, bits = number(dataset, "SamplesPerPixel"), number(dataset, "BitsAllocated")
    if min(rows, columns, samples, bits) < 1:
        raise Invalid(
            "Native pixel data needs Rows, Columns, Samples per Pixel and Bits Allocated.",
            code="not-dicom",
        )
    if value(dataset, "PhotometricInterpretation") == "YBR_FULL_422":
        samples = 2
    frames = max(1, number(dataset, "NumberOfFrames"))
    return (rows * columns * samples * bits * frames + 7) // 8


def _image(facts: Facts) -> dict[str, Any]:
    if not facts.samples:
        return {}
    said: dict[str, Any] = {
        "Rows": facts.rows,
        "Columns": facts.columns,
        "SamplesPerPixel": facts.samples,
        "PhotometricInterpretation": facts.likely,
        "BitsAllocated": 8 if facts.bits <= 8 else 16,
        "BitsStored": facts.bits,
        "HighBit": facts.bits - 1,
        "PixelRepresentation": int(facts.is_signed),
    }
    return said | ({"PlanarConfiguration": 0} if facts.samples > 1 else {})


def _lossy(facts: Facts) -> dict[str, Any]:
    if not facts.lossy_method:
        return {}
    return {"LossyImageCompression": "01", "LossyImageCompressionMethod": facts.lossy_method}


def _time(facts: Facts, frames: int) -> dict[str, Any]:
    count = facts.frames or (frames if frames > 1 else 0)
    said: dict[str, Any] = {"NumberOfFrames": count} if count else {}
    if facts.frame_time_ms:
        said |= {
            "FrameTime": round(facts.frame_time_ms, 6),
            "CineRate": round(1000 / facts.frame_time_ms),
            "FrameIncrementPointer": _FRAME_TIME_TAG,
        }
    return said


def _filled(dataset: Dataset, said: Mapping[str, Any]) -> Dataset:
    missing = {keyword: given for keyword, given in said.items() if value(dataset, keyword) is None}
    if "BitsAllocated" not in missing:  # depth is said as a whole, or not at all
        missing = {k: v for k, v in missing.items() if k not in {"BitsStored", "HighBit"}}
    return dataset | to_json(missing)


def _require(holds: bool, keyword: str) -> None:
    if not holds:
        raise Invalid(
            f"{keyword} of the metadata is missing, or is not that of the pixel data.",
            code="does-not-match",
        )
