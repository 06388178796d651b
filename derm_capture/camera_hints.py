"""What a camera's own words say against a photograph (Exif): hints, never more than doubtful.

A hint of the exposure is given only where the pixels show what it explains: a telephone that holds
itself still takes sharp pictures at a tenth of a second, and most flashes do no harm.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from derm_capture.exif import Camera

_MOST_ISO = 1600
_SLOWEST_S = 1 / 30
_MOST_ZOOM = 2.0  # telephones note up to this when they change lenses by themselves
_MESSENGER_SIDES = frozenset({1600})  # long side in pixels that a messenger reduces pictures to


@dataclass(frozen=True)
class Hint:
    """One sentence about how the picture was taken, in English and in Norwegian."""

    name: str
    said: str
    said_nb: str


_FLASH = Hint(
    "flash",
    "The flash fired: turn it off and use a lamp or daylight.",
    "Blitsen gikk av: slå den av og bruk lampe eller dagslys.",
)
_SLOW = Hint(
    "slow-shutter",
    "The exposure was long: use more light, or rest your hands.",
    "Lang eksponeringstid: bruk mer lys, eller støtt hendene.",
)
_NOISY = Hint(
    "high-iso",
    "The camera had too little light: use a lamp.",
    "Kameraet hadde for lite lys: bruk en lampe.",
)
_ZOOMED = Hint(
    "digital-zoom",
    "The picture was enlarged digitally: go closer instead of zooming.",
    "Bildet er forstørret digitalt: gå nærmere i stedet for å zoome.",
)
_SENT = Hint(
    "messenger",
    "It looks like a picture from a message, which has lost detail: use the original.",
    "Det ser ut som et bilde fra en melding, som har mistet detaljer: bruk originalen.",
)


def hints_of(
    camera: Camera, *, rows: int, columns: int, not_good: Collection[str], is_dermoscopic: bool
) -> tuple[Hint, ...]:
    """Return the hints about a photograph of this size, of which the checks `not_good` warn."""
    numbers = camera.numbers
    is_shaken = not {"focus", "motion"}.isdisjoint(not_good)
    is_burnt = not {"glare", "exposure"}.isdisjoint(not_good)
    found = {
        _FLASH: bool(int(numbers.get("flash", 0)) & 1) and is_burnt and not is_dermoscopic,
        _SLOW: numbers.get("exposure_s", 0.0) > _SLOWEST_S and is_shaken,
        _NOISY: numbers.get("iso", 0.0) > _MOST_ISO,
        _ZOOMED: numbers.get("digital_zoom", 0.0) > _MOST_ZOOM,
        _SENT: not camera.says_anything and max(rows, columns) in _MESSENGER_SIDES,
    }
    return tuple(hint for hint, applies in found.items() if applies)
