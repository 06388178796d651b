"""Puts statistics into a table of figures under names that stay, and that table into CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from casework.histories import History
from casework.statistics import Share, Spread, Statistics, by, count

HEAD = ("specialty", "site", "measure", "value", "unit", "of")
ALL = "all"


@dataclass(frozen=True)
class Figure:
    """One counted number, as it stands in a table: `of` is what it is a share of."""

    measure: str
    value: float | None
    unit: str  # cases | s | percent | km
    of: int | None = None


def figures(statistics: Statistics) -> Sequence[Figure]:
    """Return every number of some statistics, under names that stay."""
    s = statistics
    found = [
        Figure(name, getattr(s, name), "cases")
        for name in ("submitted", "signed", "declined", "withdrawn", "unread")
    ]
    for name in ("to_claim", "to_sign", "turnaround", "working", "waiting", "to_read"):
        spread: Spread = getattr(s, name)
        found += [
            Figure(f"{name}_{part}", getattr(spread, f"{part}_s"), "s", spread.count)
            for part in ("lower", "median", "upper", "longest")
        ]
    found += [_figure(f"within_target_{p.value}", share) for p, share in s.within_target.items()]
    for name in (
        "waited", "not_assessable", "in_primary_care", "journeys_avoided", "agreement",
        "malignant_missed", "read_twice", "differed", "differed_major", "differed_blinded",
        "decided_by_third",
    ):  # fmt: skip
        found.append(_figure(name, getattr(s, name)))
    found.append(Figure("km_avoided", s.km_avoided, "km"))
    for name in ("wait_reasons", "not_assessable_reasons"):
        reasons: Mapping[str, int] = getattr(s, name)
        found += [Figure(f"{name}_{code}", n, "cases") for code, n in reasons.items()]
    for each in s.gate:
        found.append(Figure(f"gate_warned_{each.code}", each.warned, "cases"))
        found.append(Figure(f"gate_asked_{each.code}", each.asked, "cases"))
        found.append(_figure(f"gate_foreseen_{each.code}", each.foreseen))
        found.append(_figure(f"gate_confirmed_{each.code}", each.confirmed))
    found += [_figure(f"agreement: {a.diagnosis}", a.agreed) for a in s.agreements]
    return found


def _figure(measure: str, share: Share) -> Figure:
    return Figure(measure, share.percent, "percent", share.whole)


def groups_of(histories: Sequence[History]) -> Sequence[tuple[str, str, Sequence[History]]]:
    """Return all cases, those of each specialty, and of each of its sites, with both names."""
    groups: list[tuple[str, str, Sequence[History]]] = [(ALL, ALL, histories)]
    for specialty, of_it in by(histories, lambda h: h.specialty.value).items():
        groups.append((specialty, ALL, of_it))
        sites = by(of_it, lambda h: h.site)
        groups += [(specialty, site, here) for site, here in sites.items()]
    return groups


def as_csv(histories: Sequence[History]) -> str:
    """Return every figure of every group as CSV (RFC 4180), its head first."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(HEAD)
    for specialty, site, some in groups_of(histories):
        for each in figures(count(some)):
            value = "" if each.value is None else f"{each.value:.6g}"
            of = "" if each.of is None else each.of
            writer.writerow((specialty, site, each.measure, value, each.unit, of))
    return out.getvalue()
