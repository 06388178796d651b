"""Decides which pictures a signed reply has, in their order, and what stands beneath each.

First the views that its sentences point to, then key images and measured frames that no sentence
has. Makes them by `crops`; who may see them is asked by the one who finds the objects.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from casework.anchors import anchors_of, mark_of
from casework.errors import Invalid, NotFound, TooLarge
from casework.model import Report
from storage.index import InstanceRow
from viewer import crops
from viewer.attributes import first, is_recognizable
from viewer.crops import View
from viewer.display import Window
from viewer.drawn_marks import value_of
from viewer.frame_source import FrameSource
from viewer.plain_words import calibration_text
from viewer.render import can_be_shown, is_photograph
from viewer.texts import mark, translate

MOST = 24
"""So many pictures a reply has at most."""

AS_SENT = View()
_WIDEST = 1e9

FindRow = Callable[[str], InstanceRow | None]
"""Gives the object of a UID where there is one and it may be seen."""


@dataclass(frozen=True)
class Pointed:
    """One view that a report points to."""

    instance_uid: str
    frame: int
    numbers: tuple[int, ...] = ()  # of the anchors that mean it
    view: View = AS_SENT
    mark_at: int | None = None  # of the measurement that it is about
    note: str = ""
    image: int | None = None  # which of its series it was, as the reader saw it


@dataclass(frozen=True)
class Printed:
    """One picture as it is printed: its bytes, its caption, the anchors that lead to it."""

    jpeg: bytes
    caption: str
    anchors: tuple[str, ...] = ()
    is_close: bool = False


def pointed_of(content: Mapping[str, Any]) -> Sequence[Pointed]:
    """Return the views of findings: those of its anchors, then frames that none of them shows."""
    found: dict[Pointed, tuple[int, ...]] = {}
    for anchor in anchors_of(content):
        view = Pointed(
            instance_uid=str(anchor["instance_uid"]),
            frame=int(anchor.get("frame") or 1),
            view=_view(anchor),
            mark_at=mark_of(anchor, content),
            image=anchor.get("image"),
        )
        found[view] = (*found.get(view, ()), int(anchor["number"]))
    anchored = [_with_numbers(view, numbers) for view, numbers in found.items()]
    shown = {(each.instance_uid, each.frame) for each in anchored}
    others: dict[tuple[str, int], Pointed] = {}
    for part in ("key_images", "measurements"):
        for key in content.get(part) or ():
            place = str(key.get("instance_uid") or ""), int(key.get("frame") or 1)
            if place[0] and place not in shown:
                others.setdefault(place, Pointed(*place, note=str(key.get("note") or "")))
    return [*anchored, *others.values()][:MOST]


def marks_on(content: Mapping[str, Any], pointed: Pointed) -> Sequence[Mapping[str, Any]]:
    """Return the marks of findings that lie on the frame of a view."""
    return [
        each
        for each in content.get("measurements") or ()
        if each.get("instance_uid") == pointed.instance_uid
        and int(each.get("frame") or 1) == pointed.frame
    ]


def caption_of(
    content: Mapping[str, Any], pointed: Pointed, row: InstanceRow, language: str
) -> str:
    """Return what stands beneath a picture: `[1] CT head, image 11. Length 1: 42.1 mm`."""
    numbers = "".join(f"[{number}]" for number in pointed.numbers)
    title = _title(row, language)
    if not is_photograph(row):
        of_object = pointed.frame if (row.frames or 1) > 1 else row.number or pointed.frame
        at = pointed.image or of_object
        title = translate("{title}, image {n}", language, title=title, n=at)
    parts = [f"{numbers} {title}".strip()]
    if pointed.mark_at is None:
        marks = marks_on(content, pointed)
    else:
        marks = [content["measurements"][pointed.mark_at]]
    parts += [said for each in marks if (said := _said(each, language))]
    return ". ".join([*parts, *filter(None, [pointed.note])])


def can_be_printed(row: InstanceRow) -> bool:
    """Tell whether an object has a still picture that can be made here."""
    return can_be_shown(row)


def made(
    source: FrameSource,
    content: Mapping[str, Any],
    pointed: Pointed,
    row: InstanceRow,
    *,
    is_close: bool,
    is_blurred: bool = False,
) -> bytes:
    """Return a picture of a view as a JPEG: the whole frame, or what is around its mark."""
    marks = marks_on(content, pointed)
    if is_close and pointed.mark_at is not None:
        of = content["measurements"][pointed.mark_at]
        return crops.close(source, row, pointed.frame, pointed.view, marks, of)
    return crops.whole(source, row, pointed.frame, pointed.view, marks, is_blurred=is_blurred)


def printed_of(
    reports: Sequence[Report], find: FindRow, source: FrameSource, *, language: str
) -> Sequence[Printed]:
    """Return the pictures of a reply to print.

    One in which somebody can be recognised is blurred, since paper has nothing to press. An object
    that is gone, or cannot be decoded, has none; one that cannot be read now raises.
    """
    found: list[Printed] = []
    for report in reports:
        for pointed in pointed_of(report.content):
            row = find(pointed.instance_uid)
            if row is None or not can_be_printed(row):
                continue
            try:
                found += _printed(source, report, pointed, row, language)
            except (NotFound, Invalid, TooLarge):
                continue
    return found[:MOST]


def anchor_name(version: int, number: int) -> str:
    """Return what a link to the picture of an anchor leads to."""
    return f"picture-{version}-{number}"


def _printed(
    source: FrameSource, report: Report, pointed: Pointed, row: InstanceRow, language: str
) -> Sequence[Printed]:
    is_blurred = is_recognizable(row.attributes)
    content = report.content
    caption = caption_of(content, pointed, row, language)
    if is_blurred:
        blurred = mark("Somebody can be recognised, so it is blurred here.")
        caption = f"{caption}. {translate(blurred, language)}"
    anchors = tuple(anchor_name(report.version, number) for number in pointed.numbers)
    jpeg = made(source, content, pointed, row, is_close=False, is_blurred=is_blurred)
    pictures = [Printed(jpeg, caption, anchors)]
    if pointed.mark_at is not None and not is_blurred:
        near = made(source, content, pointed, row, is_close=True)
        numbers = "".join(f"[{number}]" for number in pointed.numbers)
        said = f"{numbers} {translate(mark('closer'), language)}".strip()
        pictures.append(Printed(near, said, is_close=True))
    return pictures


def _with_numbers(view: Pointed, numbers: tuple[int, ...]) -> Pointed:
    return replace(view, numbers=numbers)


def _view(anchor: Mapping[str, Any]) -> View:
    window, place = anchor.get("window"), anchor.get("place") or {}
    return View(
        window=None if window is None else _window(float(window[0]), float(window[1])),
        is_inverted=anchor.get("is_inverted") is True,
        is_mirrored=place.get("is_mirrored") is True,
        quarter_turns=int(place.get("quarter_turns") or 0),
    )


def _window(center: float, width: float) -> Window:
    """Return a window within what values can be."""
    return Window(min(max(center, -_WIDEST), _WIDEST), min(max(width, 1e-3), _WIDEST))


def _title(row: InstanceRow, language: str) -> str:
    attributes = row.attributes
    for keyword in ("SeriesDescription", "BodyPartExamined"):
        words = str(first(attributes.get(keyword), "") or "").strip()
        if words:
            modality = str(attributes.get("Modality") or "")
            is_named = is_photograph(row) or words.upper().startswith(modality.upper())
            return words if is_named else f"{modality} {words}".strip()
    if is_photograph(row):
        return translate(mark("Photograph"), language)
    return str(attributes.get("Modality") or translate(mark("Image"), language))


def _said(each: Mapping[str, Any], language: str) -> str:
    label, value = str(each.get("label") or each.get("kind") or ""), value_of(each)
    if not value or value == label:
        return label
    scale = calibration_text(str(each.get("calibration") or ""), language)
    return f"{label}: {value}" + (f" ({scale})" if scale else "")
