"""Judges a photograph while the patient is still there: advice in plain words.

It warns and never forbids. `docs/photo-quality.md` shows what each check finds in real photographs
of skin and how often it cries wolf.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from derm_capture import checks, measures
from derm_capture.camera_hints import Hint, hints_of
from derm_capture.checks import Check, Verdict
from derm_capture.colour_card import ColourCard
from derm_capture.context import Kind
from derm_capture.photo import Photo
from derm_capture.raster import Pixels
from derm_capture.scale import Scale

__all__ = ["Advice", "Verdict", "assess", "shows_a_face", "worst"]


@dataclass(frozen=True)
class Advice:
    """What one check found, and what to do about it."""

    check: str
    verdict: Verdict
    value: float
    threshold: float  # at which the verdict is no longer good
    message: str
    message_nb: str


def assess(photo: Photo, *, kind: Kind | str = Kind.CLOSEUP) -> tuple[Advice, ...]:
    """Return the advice on a photograph, the checks in a fixed order; the same picture gives the
    same advice.
    """
    kind = Kind(kind)
    card = None if kind is Kind.DERMOSCOPIC else photo.colour_card  # none lies under its lens
    judged = _judge(photo.working, min(photo.rows, photo.columns), kind, card)
    hints = hints_of(
        photo.camera,
        rows=photo.rows,
        columns=photo.columns,
        not_good={each.check for each in judged if each.verdict is not Verdict.GOOD},
        is_dermoscopic=kind is Kind.DERMOSCOPIC,
    )
    return (
        *judged,
        _of_scale(photo.scale),
        _of_colour_card(card),
        _of_camera(hints),
        _of_faces(photo, kind),
    )


def shows_a_face(photo: Photo, *, kind: Kind) -> bool:
    """Tell whether a face was found; through a dermatoscope there is none to look for."""
    return _of_faces(photo, kind).verdict is not Verdict.GOOD


def worst(advice: Iterable[Advice]) -> Verdict:
    """Return the worst verdict of all."""
    order = list(Verdict)
    return max((a.verdict for a in advice), key=order.index, default=Verdict.GOOD)


def _judge(
    working: Pixels, short_side: int, kind: Kind, card: ColourCard | None
) -> tuple[Advice, ...]:
    seen = working if kind is Kind.OVERVIEW else measures.centre(working)
    motion = _measured(checks.MOTION, seen)
    has_moved = motion.verdict is not Verdict.GOOD  # then it is blurred as well: said once
    focus = _content(checks.FOCUS) if has_moved else _measured(checks.FOCUS, seen)
    dark, bright = _measured(checks.DARK, seen), _measured(checks.BRIGHT, seen)
    is_burnt_out = bright.verdict is not Verdict.GOOD  # which a lamp in the skin is, too
    glare = _content(checks.GLARE) if is_burnt_out else _measured(checks.GLARE, seen)
    return (
        focus,
        motion,
        bright if is_burnt_out else dark,
        glare,
        _measured(checks.COLOUR, seen)
        if card is None
        else _advise(checks.COLOUR_OF_CARD, card.grey),
        *_framed(working, kind),
        _advise(checks.RESOLUTION, float(short_side)),
    )


def _framed(working: Pixels, kind: Kind) -> tuple[Advice, ...]:
    """Return how near the lesion is and whether all of it is there; an overview shows where."""
    both = (checks.DISTANCE, checks.FRAMING)
    if kind is Kind.OVERVIEW:
        return tuple(map(_content, both))
    return tuple(_measured(check, working) for check in both)


def _measured(check: Check, seen: Pixels) -> Advice:
    return _advise(check, check.measure(seen))


def _content(check: Check) -> Advice:
    """Return the advice of a check that has nothing to say here."""
    return Advice(check.name, Verdict.GOOD, 0.0, check.doubtful, *check.words.good)


def _of_scale(scale: Scale | None) -> Advice:
    """Return the advice on the scale card; a picture without one is as good as any."""
    if scale is None:
        words = ("No scale card in the picture.", "Ikke noe målekort i bildet.")
        return Advice("scale", Verdict.GOOD, 0.0, 0.0, *words)
    size = float(f"{scale.mm_per_pixel:.3g}")
    if not scale.can_measure:
        words = (
            "The scale card is too small or seen from the side. Hold the camera closer, straight "
            "above it, if the size matters.",
            "Målekortet er for lite eller sett fra siden. Hold kameraet nærmere, rett over det, "
            "hvis størrelsen betyr noe.",
        )
        return Advice("scale", Verdict.DOUBTFUL, size, 0.0, *words)
    words = (f"Scale found: {size:g} mm a pixel.", f"Målestokk funnet: {size:g} mm per bildepunkt.")
    return Advice("scale", Verdict.GOOD, size, 0.0, *words)


def _of_colour_card(card: ColourCard | None) -> Advice:
    """Return the advice on the colours of the card; a picture without one is as good as any."""
    if card is None:
        words = ("No colour card in the picture.", "Ikke noe fargekort i bildet.")
        return Advice("colour_card", Verdict.GOOD, 0.0, checks.CARD.doubtful, *words)
    return _advise(checks.CARD, card.error)


def _of_camera(hints: tuple[Hint, ...]) -> Advice:
    """Return what the camera itself says against the picture, in as many sentences as apply."""
    if not hints:
        words = ("Nothing in the camera's settings.", "Ingenting i kameraets innstillinger.")
        return Advice("camera", Verdict.GOOD, 0.0, 1.0, *words)
    said = " ".join(hint.said for hint in hints), " ".join(hint.said_nb for hint in hints)
    return Advice("camera", Verdict.DOUBTFUL, float(len(hints)), 1.0, *said)


def _of_faces(photo: Photo, kind: Kind) -> Advice:
    if kind is Kind.DERMOSCOPIC:
        return _content(checks.FACE)
    return _advise(checks.FACE, photo.face_score)


def _advise(check: Check, value: float) -> Advice:
    verdict = check.judge(value)
    message, message_nb = check.words.of(verdict)
    return Advice(check.name, verdict, round(value, 3), check.doubtful, message, message_nb)
