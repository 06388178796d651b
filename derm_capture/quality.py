"""Judges a photograph while the patient is still there: advice in plain words.

It warns and never forbids. The thresholds are chosen on real photographs of skin at a fixed size;
`benchmarks/quality.py` shows what each one finds and how often it cries wolf.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

from derm_capture import measures
from derm_capture.context import Kind
from derm_capture.photo import Photo
from derm_capture.raster import Pixels
from derm_capture.scale import Scale


class Verdict(StrEnum):
    """What a check says of a photograph."""

    GOOD = "good"
    DOUBTFUL = "doubtful"
    POOR = "poor"


@dataclass(frozen=True)
class Advice:
    """What one check found, and what to do about it."""

    check: str
    verdict: Verdict
    value: float
    threshold: float  # at which the verdict is no longer good
    message: str
    message_nb: str


@dataclass(frozen=True)
class _Words:
    good: tuple[str, str]
    doubtful: tuple[str, str]
    poor: tuple[str, str]

    def of(self, verdict: Verdict) -> tuple[str, str]:
        said: tuple[str, str] = getattr(self, verdict.value)
        return said


@dataclass(frozen=True)
class _Check:
    name: str
    measure: Callable[[Pixels], float]
    doubtful: float
    poor: float
    high_is_good: bool
    words: _Words

    def judge(self, value: float) -> Verdict:
        sign = 1 if self.high_is_good else -1
        if sign * value < sign * self.poor:
            return Verdict.POOR
        return Verdict.DOUBTFUL if sign * value < sign * self.doubtful else Verdict.GOOD


_NEVER = float("inf")

_FOCUS = _Check(
    "focus", measures.sharpness, 0.36, 0.30, True,
    _Words(
        ("Sharp.", "Skarpt."),
        (
            "A little blurred. Hold still and take it again.",
            "Litt uskarpt. Hold i ro og ta det på nytt.",
        ),
        (
            "Blurred. Move a little away, tap on the lesion to focus, hold still, take it again.",
            "Uskarpt. Gå litt unna, trykk for å fokusere, hold i ro og ta det på nytt.",
        ),
    ),
)  # fmt: skip
_DARK = _Check(
    "exposure", measures.brightest_skin, 52.0, 40.0, True,
    _Words(
        ("Well lit.", "Godt belyst."),
        (
            "Rather dark. Use more light, best daylight.",
            "Nokså mørkt. Bruk mer lys, helst dagslys.",
        ),
        (
            "Too dark. Turn on more light and take it again.",
            "For mørkt. Slå på mer lys og ta det på nytt.",
        ),
    ),
)  # fmt: skip
_BRIGHT = _Check(
    "exposure", measures.burnt_out_share, 0.25, 0.50, False,
    _Words(
        ("Well lit.", "Godt belyst."),
        (
            "Rather bright. Move the lamp away or turn off the flash.",
            "Nokså lyst. Flytt lampen bort eller slå av blitsen.",
        ),
        (
            "Too bright: the skin is burnt out. Turn off the flash and take it again.",
            "For lyst: huden er utbrent. Slå av blitsen og ta det på nytt.",
        ),
    ),
)  # fmt: skip
_GLARE = _Check(
    "glare", measures.glare_share, 0.04, _NEVER, False,
    _Words(
        ("No glare.", "Ingen gjenskinn."),
        (
            "A lamp mirrors in the skin. Tilt the camera or move the lamp.",
            "En lampe speiler seg i huden. Vipp kameraet eller flytt lampen.",
        ),
        ("", ""),
    ),
)  # fmt: skip
_COLOUR = _Check(
    "colour", measures.cast, 10.0, _NEVER, False,
    _Words(
        ("Natural colours.", "Naturlige farger."),
        (
            "The colours look green or blue. Use daylight or white light if you can.",
            "Fargene ser grønne eller blå ut. Bruk dagslys eller hvitt lys om du kan.",
        ),
        ("", ""),
    ),
)  # fmt: skip
_RESOLUTION = _Check(
    "resolution", lambda pixels: float(min(pixels.shape[:2])), 768.0, 600.0, True,
    _Words(
        ("Enough detail.", "Nok detaljer."),
        (
            "Few pixels. Use the phone's own camera at full size.",
            "Få bildepunkter. Bruk telefonens eget kamera i full størrelse.",
        ),
        (
            "Too few pixels to judge the skin. Use the original picture, not one from a message.",
            "For få bildepunkter til å vurdere huden. Bruk originalbildet, ikke et fra en melding.",
        ),
    ),
)  # fmt: skip
"""Short side in pixels: the American Telemedicine Association's quick guide asks for 1024x768,
800x600 at least.
"""


def assess(photo: Photo, *, kind: Kind | str = Kind.CLOSEUP) -> tuple[Advice, ...]:
    """Return the advice on a photograph, the checks in a fixed order; the same picture gives the
    same advice.
    """
    judged = _judge(photo.working, min(photo.rows, photo.columns), Kind(kind))
    return (*judged, _of_scale(photo.scale))


def worst(advice: Iterable[Advice]) -> Verdict:
    """Return the worst verdict of all."""
    order = list(Verdict)
    return max((a.verdict for a in advice), key=order.index, default=Verdict.GOOD)


def _judge(working: Pixels, short_side: int, kind: Kind) -> tuple[Advice, ...]:
    seen = working if kind is Kind.OVERVIEW else measures.centre(working)
    dark, bright = (_advise(check, check.measure(seen)) for check in (_DARK, _BRIGHT))
    is_burnt_out = bright.verdict is not Verdict.GOOD
    glare = 0.0 if is_burnt_out else _GLARE.measure(seen)  # said once is enough
    return (
        _advise(_FOCUS, _FOCUS.measure(seen)),
        bright if is_burnt_out else dark,
        _advise(_GLARE, glare),
        _advise(_COLOUR, _COLOUR.measure(seen)),
        _advise(_RESOLUTION, float(short_side)),
    )


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


def _advise(check: _Check, value: float) -> Advice:
    verdict = check.judge(value)
    message, message_nb = check.words.of(verdict)
    return Advice(check.name, verdict, round(value, 3), check.doubtful, message, message_nb)
