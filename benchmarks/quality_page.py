"""Writes the page about the quality checks from what was measured; measures nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_INTRODUCTION = """# How photographs are judged

A photograph is judged while the patient is still there. Each check is a pure function of the
pixels of a small upright copy (long side 1024 pixels) and gives one number; two thresholds make
it good, doubtful or poor. It warns and never blocks. The codes in the first column are those that
the API gives as `check`.

This page is written by `python -m benchmarks quality --fit --write`, which fits the thresholds
(`derm_capture/thresholds.py`) and counts what comes of them.

## What it was measured on

{count} photographs of skin with a licence that allows it: clinical ones of PAD-UFES-20 (CC BY
4.0) and dermoscopic ones of the ISIC archive (CC0 and CC BY). Each was spoiled in the ways below,
written as JPEG of quality 88 and judged as at the door. Blur is a Gaussian of so many pixels of
the small copy, shake a movement of so many pixels, each photograph in another direction.

## What is found

AUC is the share of pairs (untouched, spoiled) that the number tells apart; 0.5 is chance.

| check | spoiled by | AUC | found | called poor |
|---|---|---:|---:|---:|
"""

_ALARMS = """
## False alarms

Untouched photographs that a check warns of. The last column fits the threshold on four fifths of
the photographs and counts the alarms in the fifth that it has not seen.

| check | doubtful from | poor from | false alarms | called poor | false alarms, fitted elsewhere |
|---|---:|---:|---:|---:|---:|
"""

_TONES = """
## By the lightness of the skin

The collections do not say whose skin is of which type, so this goes by the colour of the picture
(individual typology angle), which the light shifts as well. An alarm is one of any check above.

| skin in the picture | photographs | with a false alarm | AUC of blur 1.5 |
|---|---:|---:|---:|
"""

_LIMITS = """
![What each check measures](images/photo-quality.svg)

Each dot is a photograph, the lines are the thresholds.

## Its limits

- {count} photographs are few, and most of them are dermoscopic: a share of 2 % is one photograph.
  What is written above of false alarms is no better known than that.
- Four thresholds are bounded by what these photographs do not show: `dark` at 52, since brown and
  dark skin in good light measures little more; `bright` from 0.15, since a white card beside the
  lesion is burnt out as well; `colour` from 8; `distance` at 0.01, since a small mole fills
  little even of a good picture.
- The defects are made, not taken: a real photograph out of focus is blurred in depth, a real lamp
  has a shape. Nobody has labelled real bad photographs here, so how many of those are found is
  not known.
- Brown and dark skin is hardly in the collections; whether the checks serve it as well cannot be
  said from them.
- `distance` and `framing` speak only where the lesion stands out clearly in colour. Of a rash
  without an edge they say nothing.
- `resolution` follows a published rule (768 pixels on the short side, 600 at least; American
  Telemedicine Association) and is not fitted: the collections hold reduced pictures, which it
  rightly warns of.
- `scale` speaks of the printed card only.

A JPEG of 12 megapixels was opened and judged in {seconds:.2f} s ({machine}).
"""


@dataclass(frozen=True)
class Row:
    """What was found of one check."""

    name: str
    doubtful: float
    poor: float
    false_alarms: float
    false_poor: float
    false_alarms_elsewhere: float
    ways: Sequence[tuple[str, bool, float, float, float]]  # name, strong, AUC, found, poor


def page(
    rows: Sequence[Row],
    *,
    count: int,
    tones: Mapping[str, tuple[int, float, float]],
    machine: str,
    seconds: float,
) -> str:
    """Return the page in Markdown."""
    parts = [_INTRODUCTION.format(count=count)]
    for row in rows:
        for name, is_strong, area, found, poor in row.ways:
            strong = " (strong)" if is_strong else ""
            parts.append(
                f"| {row.name} | {name}{strong} | {area:.3f} | {found:.0%} | {poor:.0%} |\n"
            )
    parts.append(_ALARMS)
    for row in rows:
        poor_from = "never" if row.poor in (0.0, float("inf")) else f"{row.poor:g}"
        parts.append(
            f"| {row.name} | {row.doubtful:g} | {poor_from} | {row.false_alarms:.1%} "
            f"| {row.false_poor:.1%} | {row.false_alarms_elsewhere:.1%} |\n"
        )
    parts.append(_TONES)
    for tone, (number, alarms, area) in tones.items():
        parts.append(f"| {tone} | {number} | {alarms:.1%} | {area:.3f} |\n")
    parts.append(_LIMITS.format(count=count, seconds=seconds, machine=machine))
    return "".join(parts)
