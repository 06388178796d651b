"""Judges whether the images of a case are fit to be read, from what is known of them.

Pure: facts in, remarks out, the gravest first. The words are for the pages; nothing is kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from casework import photo_checks, slices


class Weight(IntEnum):
    """How much a remark matters to the one who reads."""

    ACT = 2  # the images may mislead, or are not all there
    NOTE = 1  # worth knowing


@dataclass(frozen=True)
class Remark:
    """One thing that is worth knowing of the images: what, how grave, and the values to say it."""

    code: str
    weight: Weight
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class SeriesFacts:
    """What is known of one series."""

    title: str
    kind: str  # as the manifest has it
    images: int
    stacks: tuple[tuple[float, ...], ...] = ()  # distances along the normal, by orientation
    without_scale: int = 0  # images in which nothing can be measured in millimetres
    lossy: int = 0
    lossy_ratio: float | None = None  # the greatest
    lossy_method: str = ""
    sides: frozenset[str] = frozenset()  # L, R, B
    is_paired: bool = False  # of a part of the body that there is twice
    view: str = ""  # of photographs: overview, closeup, dermoscopic


@dataclass(frozen=True)
class Person:
    """Who images or an order say that they are of."""

    id: str
    name: str  # DICOM form
    birth_date: str  # YYYYMMDD or empty


@dataclass(frozen=True, kw_only=True)
class Known:
    """What is known of a case's images."""

    is_skin: bool = False
    person: Person = field(default_factory=lambda: Person("", "", ""))  # of the case
    others: tuple[Person, ...] = ()  # whom the objects and the order name
    series: tuple[SeriesFacts, ...] = ()
    missing: int = 0
    is_arriving: bool = False
    conflicts: int = 0
    side: str = ""  # L, R or B: of what was asked
    warned: tuple[str, ...] = ()  # checks that warned of photographs, one for each picture
    kept_anyway: int = 0


def remarks_of(known: Known) -> tuple[Remark, ...]:
    """Return what there is to remark on a case's images, the gravest first."""
    found = [*_person(known), *_counts(known), *_sides(known)]
    if known.is_skin:
        found += _photographs(known)
    for series in known.series:
        found += _of_series(series)
    found += _scale(known) + _lossy(known) + _unseen(known)
    return tuple(sorted(found, key=lambda remark: -remark.weight))


def _person(known: Known) -> list[Remark]:
    """Remark on objects or an order that are of somebody else, going by what both of them say."""
    found: dict[str, None] = {}
    for other in known.others:
        for what, ours, theirs in (
            ("number", known.person.id, other.id),
            ("name", _plain_name(known.person.name), _plain_name(other.name)),
            ("birth-date", known.person.birth_date, other.birth_date),
        ):
            if ours and theirs and ours != theirs:
                found[what] = None
    return [Remark(f"other-{what}", Weight.ACT) for what in found]


def _plain_name(name: str) -> str:
    """Return a name without what differs between systems: case, marks, order of given names."""
    parts = name.partition("=")[0].replace("^", " ").replace(",", " ").replace("-", " ").split()
    return " ".join(sorted(part.casefold() for part in parts))


def _counts(known: Known) -> list[Remark]:
    found = []
    if known.missing:
        found.append(Remark("missing", Weight.ACT, {"n": known.missing}))
    elif known.is_arriving:
        found.append(Remark("arriving", Weight.NOTE))
    if known.conflicts:
        found.append(Remark("conflicts", Weight.ACT, {"n": known.conflicts}))
    return found


def _sides(known: Known) -> list[Remark]:
    told = frozenset().union(*(series.sides for series in known.series)) - {"", "U"}
    found = []
    if known.side in {"L", "R"} and told and known.side not in told and "B" not in told:
        found.append(Remark("other-side", Weight.ACT, {"asked": known.side, "side": min(told)}))
    silent = [s for s in known.series if s.is_paired and not s.sides - {"", "U"}]
    if silent:
        found.append(Remark("no-side", Weight.NOTE, {"series": silent[0].title, "n": len(silent)}))
    return found


def _photographs(known: Known) -> list[Remark]:
    found = []
    if known.warned:
        values = {"n": len(known.warned), "kept": known.kept_anyway}
        found.append(Remark("warned", Weight.ACT, values))
    kinds = {series.view for series in known.series if series.kind == "photo"}
    for reason in sorted(photo_checks.lacking(kinds)):
        found.append(Remark(reason, Weight.NOTE))
    return found


def _of_series(series: SeriesFacts) -> Iterable[Remark]:
    if series.kind != "stack":
        return
    missing, twice, is_uneven = 0, 0, False
    after: int | None = None
    for stack in series.stacks:
        judged = slices.judge(stack)
        missing, twice = missing + judged.missing, twice + judged.twice
        is_uneven = is_uneven or judged.is_uneven
        after = after or next((gap.after for gap in judged.gaps), None)
    named = {"series": series.title}
    if missing:
        yield Remark("gaps", Weight.ACT, named | {"n": missing, "after": after})
    if is_uneven:
        yield Remark("uneven", Weight.NOTE, named)
    if twice:
        yield Remark("twice", Weight.NOTE, named | {"n": twice})


def _scale(known: Known) -> list[Remark]:
    n = sum(series.without_scale for series in known.series)
    of = sum(series.images for series in known.series if series.kind in {"stack", "photo"})
    return [Remark("no-scale", Weight.NOTE, {"n": n, "of": of})] if n else []


def _lossy(known: Known) -> list[Remark]:
    lossy: Sequence[SeriesFacts] = [s for s in known.series if s.lossy and s.kind == "stack"]
    if not lossy:
        return []
    ratios = [s.lossy_ratio for s in lossy if s.lossy_ratio]
    values = {
        "n": sum(s.lossy for s in lossy),
        "ratio": max(ratios, default=None),
        "method": next((s.lossy_method for s in lossy if s.lossy_method), ""),
    }
    return [Remark("lossy", Weight.NOTE, values)]


def _unseen(known: Known) -> list[Remark]:
    unseen = [series for series in known.series if series.kind == "other"]
    titles = ", ".join(dict.fromkeys(series.title for series in unseen))
    return [Remark("not-shown", Weight.ACT, {"n": len(unseen), "what": titles})] if unseen else []
