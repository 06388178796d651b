"""Writes the page about the quality checks from what was measured; measures nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.quality_seen import Cards, Faces
from benchmarks.small_copies import Agreement

Copies = Mapping[str, Agreement]

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
- `scale` speaks of the printed card only. From a colour card no size is taken: the same 24 patches
  are sold from 2 to 28 cm wide.
- `camera` reads what the camera wrote into the file. The photographs here hold next to nothing of
  it ({hinted} of {count} get a hint), so that how often a hint is idle is not known. Flash and long
  exposure are spoken of only where the pixels show glare or blur; a hint is never worse than
  doubtful.
- `recognizable` was tried on few faces, all of them turned to the camera. A profile, a covered
  face, an eye or a mouth by itself is not found, and can be recognised all the same: at sites of
  the face the page asks whatever the check says.
- Tattoos are not looked for. A rule for ink (darker, bluer and less red than the skin around it,
  in one piece) found 30 % of 47 drawn tattoos at a limit that two of five untouched clinical
  photographs passed as well; nothing better that may ship is known to us. The page offers the
  question at every overview.
- Colour cards were drawn onto photographs, not photographed: no gloss, no shadow, no worn patches.

## How long it takes

A JPEG of 12 megapixels was opened and judged in {wall:.2f} s, with {cpu:.2f} s of processor time
({machine}, with other work on it).
"""

_FACES = """
## Faces

`recognizable` is good below {limit:g}: what a small network (BlazeFace, `decisions/0033-faces.md`)
gives. It was tried on views of {portraits} portraits in the public domain, ten of each at each
distance: turned by 25, 90 and 180 degrees, at half and at 1.4 times the light, beside the middle,
blurred. The share is of the picture's short side that the face, brow to chin, takes; beyond 1 only
a part of the face is seen.

| the face takes | found | AUC against skin |
|---|---:|---:|
"""

_CARDS = """
## Colour cards

A card of 24 patches (ColorChecker Classic) was drawn onto each photograph, a fifth and two fifths
as wide, turned, in five kinds of light. Differences are means of CIEDE2000 over the patches; the
matrix is what the object's header keeps.

| light | found | difference | after the matrix |
|---|---:|---:|---:|
"""

_COPIES = """
## The small copy

The capture page sends a small copy to be judged (long side 1024 pixels, JPEG of quality 0.9) and
keeps the file for later. Each photograph, enlarged to 3000 pixels with grain where it is smaller,
was judged whole and by such a copy; a browser test does the same with the page's own copies.

| photographs | verdicts | alike | differing | kB a copy |
|---|---:|---:|---|---:|
"""

_DIFFERING = """
What differs lies at a threshold: JPEG leaves a little grain, by which a blurred copy looks slightly
sharper than the photograph (by some 0.03 of `focus`). Both are judged as the same colours, but for
wide-gamut photographs, which the browser turns into sRGB first.
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
    took: tuple[float, float],
    faces: Faces,
    cards: Cards,
    copies: Copies,
    hinted: int,
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
    parts += [*_of_faces(faces, count), *_of_cards(cards), *_of_copies(copies)]
    wall, cpu = took
    parts.append(_LIMITS.format(count=count, hinted=hinted, wall=wall, cpu=cpu, machine=machine))
    return "".join(parts)


def _of_faces(faces: Faces, count: int) -> list[str]:
    parts = [_FACES.format(limit=faces.limit, portraits=faces.portraits)]
    for share, scores in faces.by_share.items():
        pairs = [(s > n) + 0.5 * (s == n) for s in scores for n in faces.none]
        area = sum(pairs) / len(pairs)
        parts.append(f"| {share:.0%} | {faces.found(scores):.0%} | {area:.3f} |\n")
    tones = ", ".join(f"{faces.found(s):.0%} on {tone} skin" for tone, s in faces.by_tone.items())
    false = sum(score >= faces.limit for score in faces.none)
    parts.append(
        f"\nOf faces that are whole in the picture it finds {tones}. It sees a face in\n"
        f"{false} of the {count} photographs without one ({false / count:.1%}), dermoscopic ones "
        "counted, which at the\ndoor are not looked at.\n"
    )
    return parts


def _of_cards(cards: Cards) -> list[str]:
    parts = [_CARDS]
    for light, (found, error, corrected) in cards.by_light.items():
        parts.append(f"| {light} | {found:.0%} | {error:.1f} | {corrected:.1f} |\n")
    parts.append(f"\nIn the {cards.count} photographs without a card it finds {cards.false}.\n")
    return parts


def _of_copies(copies: Copies) -> list[str]:
    parts = [_COPIES]
    for name, agreed in copies.items():
        told = ", ".join(f"{c}: {one} / {other}" for c, one, other in sorted(agreed.differing))
        parts.append(
            f"| {name} | {agreed.verdicts} | {agreed.share:.1%} | {told or 'none'} "
            f"| {agreed.mean_bytes / 1e3:.0f} |\n"
        )
    return [*parts, _DIFFERING]
