"""Reads a structured report as a document: headings, sentences, measurements, tables, images.

PS3.3 C.17.3 (SR Document Content), whatever the template; a list of key objects is one too. The
words are the report's own, numbers have their units. Makes no HTML; deep or long ones are cut.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import groupby
from typing import Any

from pydicom.dataset import Dataset

from viewer.plain_words import name_text
from viewer.report_items import Item, ReportDocument, Shown, Table
from viewer.texts import day_in

MOST_ITEMS = 4000
MOST_DEPTH = 24
_MOST_CHARACTERS = 20_000
_MOST_SHOWN = 500
_MOST_COLUMNS, _FEWEST_ROWS = 9, 2

_KEY_OBJECTS = "1.2.840.10008.5.1.4.1.1.88.59"
_DOSE = tuple(f"1.2.840.10008.5.1.4.1.1.88.{n}" for n in (67, 68, 73, 76))
_ASIDE = frozenset({"111028"})  # Image Library
_SHOWN = frozenset({"IMAGE", "COMPOSITE", "WAVEFORM"})
_DRAWN = frozenset({"SCOORD", "SCOORD3D", "TCOORD"})
_CONTEXT = frozenset({"HAS OBS CONTEXT", "HAS ACQ CONTEXT"})
_SAYS_MORE = _CONTEXT | {"HAS CONCEPT MOD"}
_KINDS = {"CONTAINER": "heading", "TEXT": "text", "NUM": "number", "UIDREF": "uid"}
_PLAIN_UNITS = {"1": "", "{ratio}": "", "[hnsf'U]": "HU", "{SUVbw}g/ml": "g/ml (SUVbw)"}


@dataclass
class _Reading:
    """How much has been read of a report."""

    root: Dataset
    language: str
    left: int = MOST_ITEMS
    is_cut: bool = False


def document_of(report: Dataset, language: str = "en") -> ReportDocument:
    """Return a report as a document, its dates written as a language has them."""
    reading = _Reading(report, language)
    children = _children(report, 0, reading)
    context = [
        (child.name, child.value)
        for child, relation in children
        if relation in _CONTEXT and child.kind == "value" and child.value
    ]
    modified = [
        (child.name, child.value)
        for child, relation in children
        if relation == "HAS CONCEPT MOD" and child.value
    ]
    said = [child for child, relation in children if relation not in _SAYS_MORE]
    return ReportDocument(
        title=_meaning(report, "ConceptNameCodeSequence") or _text(report, "SeriesDescription"),
        kind=_kind(str(report.get("SOPClassUID", ""))),
        completion=_text(report, "CompletionFlag"),
        verification=_text(report, "VerificationFlag"),
        verified_by=tuple(
            (
                name_text(_text(each, "VerifyingObserverName")),
                moment_text(_text(each, "VerificationDateTime"), language),
            )
            for each in report.get("VerifyingObserverSequence") or ()
        ),
        written_at=moment_text(
            _text(report, "ContentDate") + _text(report, "ContentTime"), language
        ),
        context=(*modified, *context),
        items=_gathered(said),
        is_cut=reading.is_cut,
    )


def _kind(sop_class_uid: str) -> str:
    if sop_class_uid == _KEY_OBJECTS:
        return "key-objects"
    return "dose" if sop_class_uid in _DOSE else "report"


def _children(item: Dataset, depth: int, reading: _Reading) -> list[tuple[Item, str]]:
    """Return what stands under an item, each with its relation to it."""
    found = []
    for child in item.get("ContentSequence") or ():
        if reading.left <= 0 or depth >= MOST_DEPTH:
            reading.is_cut = True
            break
        reading.left -= 1
        found.append((_item(child, depth, reading), _text(child, "RelationshipType")))
    return found


def _item(item: Dataset, depth: int, reading: _Reading) -> Item:
    kind, name = _text(item, "ValueType"), _meaning(item, "ConceptNameCodeSequence")
    children = _children(item, depth + 1, reading)
    details = tuple(
        (child.name, child.value)
        for child, relation in children
        if _modifies(child, relation) and child.kind != "uid"
    )
    below = [child for child, relation in children if not _modifies(child, relation)]
    if "ReferencedContentItemIdentifier" in item:
        return Item("value", "", _pointed_to(item, reading.root))
    if kind in _DRAWN:
        inner = tuple(shown for child in below for shown in child.shown)
        rest = [child for child in below if not child.shown]
        return Item("shape", name, _shape(item), details, inner, _gathered(rest))
    if kind in _SHOWN:
        return Item("images", name, "", details, tuple(_shown(item)), _gathered(below))
    value = _value(item, kind, reading.language)
    is_aside = _code(item, "ConceptNameCodeSequence") in _ASIDE
    named = _KINDS.get(kind, "value")
    made = Item(named, name, value, details, (), _gathered(below), None, is_aside)
    if kind != "CONTAINER":
        return made
    is_flow = _text(item, "ContinuityOfContent") == "CONTINUOUS"
    return replace(made, table=_table(made.items), is_flow=is_flow)


def _modifies(child: Item, relation: str) -> bool:
    """Tell whether an item only says more of the one above it, in a word or two."""
    return relation in _SAYS_MORE and bool(child.value) and not child.items


def _gathered(items: Iterable[Item]) -> tuple[Item, ...]:
    """Return items with images that follow each other, and say no more, as one."""
    found: list[Item] = []
    for is_image, run in groupby(items, key=lambda i: i.kind == "images" and not i.items):
        if not is_image:
            found += run
            continue
        for name, same in groupby(run, key=lambda each: (each.name, each.details)):
            shown = [one for each in same for one in each.shown]
            found.append(Item("images", name[0], "", name[1], tuple(shown[:_MOST_SHOWN])))
    return tuple(found)


def _table(items: Sequence[Item]) -> Table | None:
    """Return containers of one name as a table; None where there are none of which to make one."""
    groups: dict[str, list[Item]] = {}
    for each in items:
        if each.kind == "heading" and each.items:
            groups.setdefault(each.name, []).append(each)
    alike = max(groups.values(), key=len, default=[])
    if len(alike) < _FEWEST_ROWS:
        return None
    rows = [dict(reversed(list(_leaves(each)))) for each in alike]
    order = list(dict.fromkeys(name for each in alike for name, _value in _leaves(each)))
    columns = [name for name in order if name and sum(name in row for row in rows) * 2 >= len(rows)]
    columns = columns[:_MOST_COLUMNS]
    if len(columns) < 2:
        return None
    return Table(
        tuple(columns),
        tuple(tuple(row.get(name, "") for name in columns) for row in rows),
        tuple(tuple(_pointing(each)) for each in alike),
    )


def _pointing(item: Item) -> Iterator[Shown]:
    """Yield what the items under one point to."""
    yield from item.shown
    for child in item.items:
        yield from _pointing(child)


def _leaves(item: Item) -> Iterator[tuple[str, str]]:
    """Yield what an item and those under it say in a few words."""
    yield from item.details
    for child in item.items:
        if child.value and len(child.value) <= 80 and child.kind in {"value", "number", "text"}:
            yield child.name, child.value
        yield from _leaves(child)


def _value(item: Dataset, kind: str, language: str) -> str:
    if kind == "TEXT":
        return _text(item, "TextValue")[:_MOST_CHARACTERS]
    if kind == "CODE":
        return _meaning(item, "ConceptCodeSequence")
    if kind == "NUM":
        return _measured(item)
    if kind == "PNAME":
        return name_text(_text(item, "PersonName"))
    keyword = {"DATE": "Date", "TIME": "Time", "DATETIME": "DateTime", "UIDREF": "UID"}.get(kind)
    said = _text(item, keyword) if keyword else ""
    return moment_text(said, language) if kind in {"DATE", "DATETIME"} else _clock(said, kind)


def moment_text(value: str, language: str) -> str:
    """Return a DICOM DA or DT as `2 Jan 2026, 10:15`; what is none stays as it is."""
    digits = value.partition(".")[0].partition("+")[0].strip()
    try:
        day = day_in(date(int(digits[:4]), int(digits[4:6]), int(digits[6:8])), language)
    except ValueError:
        return value
    return f"{day}, {digits[8:10]}:{digits[10:12]}" if len(digits) >= 12 else day


def _clock(value: str, kind: str) -> str:
    if kind != "TIME" or len(value) < 4 or not value[:4].isdecimal():
        return value
    return f"{value[:2]}:{value[2:4]}"


def _measured(item: Dataset) -> str:
    measured = item.get("MeasuredValueSequence")
    if not measured:
        return _meaning(item, "NumericValueQualifierCodeSequence")
    unit = _code(measured[0], "MeasurementUnitsCodeSequence")
    if unit in _PLAIN_UNITS:
        unit = _PLAIN_UNITS[unit]
    elif unit.startswith("{"):
        unit = _meaning(measured[0], "MeasurementUnitsCodeSequence")
    return f"{_text(measured[0], 'NumericValue')} {unit}".strip()


def _shown(item: Dataset) -> Iterator[Shown]:
    for each in item.get("ReferencedSOPSequence") or ():
        uid = _text(each, "ReferencedSOPInstanceUID")
        if uid:
            yield Shown(uid, _frames(each))


def _frames(item: Dataset) -> tuple[int, ...]:
    value = item.get("ReferencedFrameNumber")
    if value is None:
        return ()
    several = [value] if isinstance(value, str | int | float) else list(value)
    return tuple(int(each) for each in several[:_MOST_SHOWN])


def _shape(item: Dataset) -> str:
    """Return what kind of shape an item draws: POINT, POLYLINE, CIRCLE, ELLIPSE and so on."""
    return _text(item, "GraphicType") or _text(item, "TemporalRangeType")


def _pointed_to(item: Dataset, root: Dataset) -> str:
    """Return what an item is called that another refers to by its place (PS3.3 C.17.3.2.5)."""
    found = root
    for place in list(item.ReferencedContentItemIdentifier)[1:]:
        children = found.get("ContentSequence") or ()
        if not 1 <= int(place) <= len(children):
            return ""
        found = children[int(place) - 1]
    return _meaning(found, "ConceptNameCodeSequence")


def _text(item: Dataset, keyword: str) -> str:
    value = item.get(keyword)
    return "" if value is None else str(value).strip()


def _meaning(item: Dataset, keyword: str) -> str:
    codes: Any = item.get(keyword)
    return _text(codes[0], "CodeMeaning") if codes else ""


def _code(item: Dataset, keyword: str) -> str:
    codes: Any = item.get(keyword)
    return _text(codes[0], "CodeValue") if codes else ""
