"""The checks of a photograph: what each measures, from where on it is not good, and what it says.

The thresholds stand in `thresholds`, which a script fits. Applies none of them; that is `quality`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from derm_capture import framing, measures
from derm_capture.faces import face_score
from derm_capture.raster import Pixels
from derm_capture.thresholds import FITTED, NEVER


class Verdict(StrEnum):
    """What a check says of a photograph."""

    GOOD = "good"
    DOUBTFUL = "doubtful"
    POOR = "poor"


@dataclass(frozen=True)
class Words:
    """What a check says for each verdict, in English and in Norwegian."""

    good: tuple[str, str]
    doubtful: tuple[str, str]
    poor: tuple[str, str]

    def of(self, verdict: Verdict) -> tuple[str, str]:
        """Return the words of a verdict."""
        said: tuple[str, str] = getattr(self, verdict.value)
        return said


@dataclass(frozen=True)
class Check:
    """One thing that can be wrong with a photograph, and how it is judged."""

    name: str
    measure: Callable[[Pixels], float]
    doubtful: float
    poor: float
    high_is_good: bool
    words: Words

    def judge(self, value: float) -> Verdict:
        """Return the verdict on a measured value."""
        sign = 1 if self.high_is_good else -1
        if sign * value < sign * self.poor:
            return Verdict.POOR
        return Verdict.DOUBTFUL if sign * value < sign * self.doubtful else Verdict.GOOD


FOCUS = Check(
    "focus", measures.sharpness, *FITTED["focus"], True,
    Words(
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
MOTION = Check(
    "motion", measures.steadiness, *FITTED["motion"], True,
    Words(
        ("Steady.", "Stødig."),
        (
            "The camera moved a little. Rest your hands and take it again.",
            "Kameraet beveget seg litt. Støtt hendene og ta det på nytt.",
        ),
        (
            "The camera moved. Rest your hands, use more light, take it again.",
            "Kameraet beveget seg. Støtt hendene, bruk mer lys og ta det på nytt.",
        ),
    ),
)  # fmt: skip
DARK = Check(
    "exposure", measures.brightest_skin, *FITTED["dark"], True,
    Words(
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
BRIGHT = Check(
    "exposure", measures.burnt_out_share, *FITTED["bright"], False,
    Words(
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
GLARE = Check(
    "glare", measures.glare_share, *FITTED["glare"], False,
    Words(
        ("No glare.", "Ingen gjenskinn."),
        (
            "A lamp mirrors in the skin. Tilt the camera or move the lamp.",
            "En lampe speiler seg i huden. Vipp kameraet eller flytt lampen.",
        ),
        ("", ""),
    ),
)  # fmt: skip
COLOUR = Check(
    "colour", measures.cast, *FITTED["colour"], False,
    Words(
        ("Natural colours.", "Naturlige farger."),
        (
            "The colours look green or blue. Use daylight or white light if you can.",
            "Fargene ser grønne eller blå ut. Bruk dagslys eller hvitt lys om du kan.",
        ),
        ("", ""),
    ),
)  # fmt: skip
COLOUR_OF_CARD = Check(
    "colour", lambda pixels: 0.0, FITTED["colour"][0], NEVER, False,
    Words(
        ("Natural colours: the card's grey is grey.", "Naturlige farger: kortets grå er grått."),
        (
            "The light colours the picture: the card's grey is not grey. Use daylight or white "
            "light if you can.",
            "Lyset farger bildet: kortets grå er ikke grått. Bruk dagslys eller hvitt lys om du "
            "kan.",
        ),
        ("", ""),
    ),
)  # fmt: skip
"""The check of the colours where a colour card lies in the picture: its greys are asked."""
CARD = Check(
    "colour_card", lambda pixels: 0.0, 10.0, NEVER, False,
    Words(
        (
            "Colour card found: its correction is kept with the picture.",
            "Fargekort funnet: korreksjonen følger med bildet.",
        ),
        (
            "The colour card looks quite different from what it is. Use daylight or white light, "
            "and no lamp on the card.",
            "Fargekortet ser ganske annerledes ut enn det er. Bruk dagslys eller hvitt lys, og "
            "ingen lampe på kortet.",
        ),
        ("", ""),
    ),
)  # fmt: skip
"""Mean CIEDE2000 of the patches: some 8 is usual of uncalibrated cameras on dermatoscopes."""
FACE = Check(
    "recognizable", face_score, 0.62, NEVER, False,
    Words(
        ("No face was found.", "Ikke funnet noe ansikt."),
        (
            "A face may be seen in the picture. Photograph only the part that matters, or say "
            "that it is seen: then the picture is shown blurred in lists.",
            "Et ansikt kan være synlig i bildet. Fotografer bare den delen det gjelder, eller si "
            "at det synes: da vises bildet uskarpt i lister.",
        ),
        ("", ""),
    ),
)  # fmt: skip
"""How sure the network is (`faces`); chosen above what photographs of skin without a face give."""
DISTANCE = Check(
    "distance", framing.area_share, *FITTED["distance"], True,
    Words(
        ("Near enough.", "Nær nok."),
        (
            "The lesion is small in the picture. Go closer, until it fills a third of it.",
            "Forandringen er liten i bildet. Gå nærmere, til den fyller en tredel av det.",
        ),
        ("", ""),
    ),
)  # fmt: skip
FRAMING = Check(
    "framing", framing.edge_share, *FITTED["framing"], False,
    Words(
        ("All of it is in the picture.", "Alt er med i bildet."),
        (
            "The lesion seems to be cut off at the edge. Move the camera, or go farther away.",
            "Forandringen ser ut til å være kuttet av ved kanten. Flytt kameraet, eller gå unna.",
        ),
        ("", ""),
    ),
)  # fmt: skip
RESOLUTION = Check(
    "resolution", lambda pixels: float(min(pixels.shape[:2])), 768.0, 600.0, True,
    Words(
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
