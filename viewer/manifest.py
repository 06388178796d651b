"""Puts together what the reading room must know of a case's images before the first pixel comes.

Pure: from the dossier and the rows of the index; no object is opened.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from casework.model import CaseDossier
from storage.index import InstanceRow
from viewer.attributes import first, is_recognizable
from viewer.display import Window, display_of
from viewer.hanging import Hung, default_window, hang, presets_of
from viewer.manifest_columns import folded
from viewer.render import can_be_shown, is_photograph
from viewer.spacing import regions_of
from viewer.waveforms import is_recording

_DOCUMENTS = "1.2.840.10008.5.1.4.1.1.104."
_STRUCTURED = "1.2.840.10008.5.1.4.1.1.88."
_FILES = {f"{_DOCUMENTS}{n}": what for n, what in enumerate(("pdf", "cda", "stl", "obj", "mtl"), 1)}
_VIDEO = tuple(f"1.2.840.10008.1.2.4.{n}" for n in range(100, 109))
_PLAYED = tuple(f"1.2.840.10008.1.2.4.{n}" for n in range(102, 109))  # MP4, which browsers play
_POSTER = 16  # the picture that stands for a film: the first ones are often not sharp yet
_OWN = frozenset(
    {"SOPInstanceUID", "InstanceNumber", "ImagePositionPatient", "SliceLocation", "ContentTime",
     "AcquisitionDateTime"}
)  # fmt: skip
"""What differs from image to image of a series, and decides of nothing but `_own`."""


def build_manifest(dossier: CaseDossier, instances: Iterable[InstanceRow]) -> dict[str, Any]:
    """Return the manifest of a case from the instances of its studies."""
    case = dossier.case
    series = [
        {"key": str(number), **_series(rows, kind)}
        for number, ((_site, _uid, kind), rows) in enumerate(_grouped(instances))
    ]
    hanging = hang([_hung(each) for each in series])
    return {
        "case": {
            "id": case.id,
            "state": case.state.value,
            "specialty": case.specialty.value,
            "version": case.version,
            "draft_version": case.draft_version,
        },
        "hanging": {"layout": hanging.layout, "first": hanging.first},
        "series": series,
        "addresses": {
            "pixels": "/api/instances/{uid}/frames/{frame}?site={site}",
            "preview": "/api/instances/{uid}/frames/{frame}/preview?site={site}",
            "photo": "/api/instances/{uid}/photo?site={site}",
            "document": "/api/instances/{uid}/document?site={site}",
            "video": "/api/instances/{uid}/video?site={site}",
            "text": "/api/instances/{uid}/text?site={site}",
            "report": "/api/instances/{uid}/report?site={site}",
            "waveform": "/api/instances/{uid}/waveform?site={site}",
        },
    }


def kind_of(ref: InstanceRow) -> str:
    """Return how an object is looked at: stack, photo, video, waveform, document, text, other."""
    if is_photograph(ref) and can_be_shown(ref):
        return "photo"
    if can_be_shown(ref):
        return "stack"
    if ref.pixel is not None and ref.rows and ref.transfer_syntax_uid.startswith(_PLAYED):
        return "video"
    if ref.sop_class_uid.startswith(_DOCUMENTS):
        return "document"
    if is_recording(ref.sop_class_uid):
        return "waveform"
    return "text" if ref.sop_class_uid.startswith(_STRUCTURED) else "other"


def poster_of(ref: InstanceRow) -> int:
    """Return which picture stands for a film."""
    return max(min((ref.frames or 1) // 2, _POSTER), 1)


def in_reading_order(rows: Sequence[InstanceRow]) -> list[InstanceRow]:
    """Return single slices of one orientation along their normal, anything else by number."""
    places = [_along_normal(row) for row in rows]
    known = [place for place in places if place is not None]
    if len(known) == len(rows) and len({axis for axis, _ in known}) == 1:
        distances = [distance for _, distance in known]
        if len(set(distances)) == len(distances):
            by_place = sorted(zip(distances, range(len(rows)), strict=True))
            ordered = [rows[i] for _, i in by_place]
            return ordered if _runs_up(ordered) else ordered[::-1]
    return list(rows)


def distances_of(rows: Iterable[InstanceRow]) -> tuple[tuple[float, ...], ...]:
    """Return how far along their normal single slices lie, a stack for each orientation."""
    stacks: dict[tuple[float, ...], list[float]] = {}
    for row in rows:
        if (place := _along_normal(row)) is not None:
            stacks.setdefault(place[0], []).append(place[1])
    return tuple(tuple(stack) for stack in stacks.values())


def _runs_up(rows: Sequence[InstanceRow]) -> bool:
    """Tell whether the numbers rise with the places; the sender's own direction is kept."""
    numbers = [row.number for row in rows if row.number is not None]
    return len(numbers) < 2 or numbers[0] <= numbers[-1]


def _grouped(
    instances: Iterable[InstanceRow],
) -> Iterable[tuple[tuple[str, str, str], list[InstanceRow]]]:
    keyed = [((row.site, row.series_uid, kind_of(row)), row) for row in instances]
    order = {key: i for i, key in reversed(list(enumerate(key for key, _ in keyed)))}
    keyed.sort(key=lambda pair: order[pair[0]])
    for key, pairs in groupby(keyed, key=lambda pair: pair[0]):
        yield key, [row for _, row in pairs]


def _series(rows: list[InstanceRow], kind: str) -> dict[str, Any]:
    ordered = in_reading_order(rows) if kind == "stack" else rows
    lead = ordered[len(ordered) // 2]
    attributes = lead.attributes
    described = list(_described(ordered, kind))
    found: dict[str, Any] = {
        "uid": lead.series_uid,
        "study_uid": lead.study_uid,
        "site": lead.site,
        "kind": kind,
        "modality": str(attributes.get("Modality", "")),
        "number": first(attributes.get("SeriesNumber"), None),
        "description": _text(attributes, "SeriesDescription", "ProtocolName"),
        "body_part": _text(attributes, "BodyPartExamined"),
        "date": _text(attributes, "SeriesDate", "StudyDate", "ContentDate"),
        "is_scout": _is_scout(attributes),
        "frames": sum(each["frames"] for each in described),
        "bytes": sum(row.size_bytes for row in ordered),
        **folded(described),
    }
    hung = _hung(found)
    window = default_window(hung, display_of(attributes).windows) if kind == "stack" else None
    found["window"] = None if window is None else _window(window)
    found["presets"] = [_window(each) for each in presets_of(hung.modality)]
    return found


def _hung(series: Mapping[str, Any]) -> Hung:
    return Hung(
        key=series.get("key", ""),
        kind=series["kind"],
        modality=series["modality"],
        frames=series["frames"],
        text=f"{series['description']} {series['body_part']}",
        is_scout=series["is_scout"],
    )


def _described(rows: Sequence[InstanceRow], kind: str) -> Iterator[dict[str, Any]]:
    """Give what the page must know of each instance; of one like the last, only its own is new."""
    last: object = None
    alike: dict[str, Any] = {}
    for row in rows:
        said = {name: value for name, value in row.attributes.items() if name not in _OWN}
        like = (said, row.sop_class_uid, row.transfer_syntax_uid, row.rows, row.columns, row.frames)
        if like != last:
            last, alike = like, _instance(row, kind)
        yield _own(row, kind) | alike


def _own(ref: InstanceRow, kind: str) -> dict[str, Any]:
    own = {"uid": ref.sop_instance_uid, "number": ref.number}
    if kind in {"stack", "photo"}:
        own["position"] = ref.attributes.get("ImagePositionPatient")
    return own


def _instance(ref: InstanceRow, kind: str) -> dict[str, Any]:
    attributes = ref.attributes
    found: dict[str, Any] = {"frames": ref.frames or 1, "what": _what(ref, kind)}
    if kind == "video":  # it counts as one image, which is shown when it has been played
        size = {"rows": ref.rows, "columns": ref.columns}
        return found | {"frames": 1, "poster": poster_of(ref)} | size
    if kind not in {"stack", "photo"}:
        return found
    display = display_of(attributes)
    spacing = display.spacing
    image_type = [str(each) for each in attributes.get("ImageType") or ()]
    return found | {
        "rows": ref.rows,
        "columns": ref.columns,
        "samples": first(attributes.get("SamplesPerPixel"), 1),
        "photometric": attributes.get("PhotometricInterpretation", ""),
        "bits": first(attributes.get("BitsStored"), 16),
        "is_signed": attributes.get("PixelRepresentation") == 1,
        "slope": display.slope,
        "intercept": display.intercept,
        "windows": [_window(each) for each in display.windows],
        "function": display.function,
        "is_inverted": display.is_inverted,
        "aspect": display.aspect,
        "unit": "HU" if attributes.get("Modality") == "CT" else _text(attributes, "RescaleType"),
        "spacing": [spacing.row_mm, spacing.column_mm, spacing.source],
        "regions": [
            [r.left, r.top, r.right, r.bottom, r.x_mm, r.y_mm] for r in regions_of(attributes)
        ],
        "orientation": attributes.get("ImageOrientationPatient"),
        "thickness_mm": first(attributes.get("SliceThickness"), None),
        "frame_time_ms": first(attributes.get("FrameTime"), None),
        "is_lossy": attributes.get("LossyImageCompression") == "01",
        "laterality": _text(attributes, "ImageLaterality", "Laterality"),
        "is_recognizable": is_recognizable(attributes) or None,
        "view": image_type[3] if kind == "photo" and len(image_type) > 3 else "",
    }


def _what(ref: InstanceRow, kind: str) -> str:
    """Say what an object without pixels to show is, in a word that the page translates."""
    if kind == "document":
        return _FILES.get(ref.sop_class_uid, "file")
    if kind == "other":
        return "video" if ref.transfer_syntax_uid.startswith(_VIDEO) else "object"
    return kind


def _window(window: Window) -> list[Any]:
    return [window.center, window.width, window.label]


def _along_normal(ref: InstanceRow) -> tuple[tuple[float, ...], float] | None:
    """Return the orientation and the distance along its normal (PS3.3 C.7.6.2.1.1)."""
    position = ref.attributes.get("ImagePositionPatient")
    axes = ref.attributes.get("ImageOrientationPatient")
    if not isinstance(position, list) or not isinstance(axes, list) or (ref.frames or 1) > 1:
        return None
    if len(position) != 3 or len(axes) != 6:
        return None
    a, b = axes[:3], axes[3:]
    normal = (
        a[1] * b[2] - a[2] * b[1],
        a[2] * b[0] - a[0] * b[2],
        a[0] * b[1] - a[1] * b[0],
    )
    distance = sum(n * p for n, p in zip(normal, position, strict=True))
    return tuple(round(each, 3) for each in axes), round(distance, 3)


def _is_scout(attributes: Mapping[str, Any]) -> bool:
    return "LOCALIZER" in [str(each).upper() for each in attributes.get("ImageType") or ()]


def _text(attributes: Mapping[str, Any], *keywords: str) -> str:
    for keyword in keywords:
        value = first(attributes.get(keyword), "")
        if value:
            return str(value)
    return ""
