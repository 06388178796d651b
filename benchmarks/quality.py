"""How well the quality checks tell spoiled photographs from untouched ones, on real photographs.

    python -m benchmarks quality [--fit] [--write] [--faces FOLDER] [FOLDER ...]

Each photograph is spoiled in known ways, written as JPEG, opened and measured as at the door. For
each way it prints the AUC of the measure and the share found; for the untouched ones the share of
false alarms, also with thresholds fitted on other photographs, and by the lightness of the skin.
`--fit` writes the thresholds, `--write` the page of the documentation. Without folders it reads
skin_clinical and skin_dermoscopic of the large collection. `--faces` is a folder with the portraits
that `quality_seen` names; one of them is in the large collection.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np

from benchmarks import quality_seen, small_copies
from benchmarks.plot import strips
from benchmarks.quality_page import Copies, Row, page
from benchmarks.quality_seen import Cards, Faces
from benchmarks.spoiling import SPOILERS, Spoiler, defocus, light, tint
from derm_capture import checks, measures, quality, thresholds
from derm_capture.checks import Check
from derm_capture.photo import Photo, open_photo
from derm_capture.raster import Pixels

ROOT = Path(__file__).resolve().parents[1]
COLLECTION = Path(
    os.environ.get("LYSBRO_FIXTURES") or Path(__file__).resolve().parents[2] / "shared" / "fixtures"
)
FOLDERS = ("skin_clinical", "skin_dermoscopic")
PAGE = ROOT / "docs" / "photo-quality.md"
PLOT = ROOT / "docs" / "images" / "photo-quality.svg"
TWELVE_MPX = (3024, 4032)
CHECKS: Mapping[str, Check] = {
    "focus": checks.FOCUS,
    "motion": checks.MOTION,
    "dark": checks.DARK,
    "bright": checks.BRIGHT,
    "glare": checks.GLARE,
    "colour": checks.COLOUR,
    "distance": checks.DISTANCE,
    "framing": checks.FRAMING,
}
_WHOLE = frozenset({"distance", "framing"})  # measured on all of the picture, not its middle
_BOUNDS: Mapping[str, tuple[float, float]] = {
    "dark": (0.0, 52.0),  # brown and dark skin in good light measures little more
    "bright": (0.15, 1.0),  # a white card or sheet beside the lesion is burnt out, too
    "colour": (8.0, 99.0),  # lamps in consulting rooms are greener than those of a study
    "distance": (0.0, 0.01),  # a mole of 5 mm in a picture of 50 mm fills less than that
}
"""Between which values a check may become doubtful: what is known and these photographs do not
show."""
_FALSE_ALARMS = 0.04  # at most, of a doubtful verdict
_FOLDS = 5
_TONES = ((41.0, "light"), (28.0, "intermediate"), (10.0, "tan"), (-90.0, "brown and dark"))
"""Individual typology angle in degrees from which a skin is called so (Chardin 1991)."""


@dataclass(frozen=True)
class Values:
    """What a check measured, turned so that more is worse."""

    untouched: Sequence[float]
    spoiled: Mapping[Spoiler, Sequence[float]]


def main(arguments: list[str]) -> None:
    """Measure, print the figures, and write what was asked for."""
    options = argparse.ArgumentParser(description="Judge the quality checks on real photographs.")
    options.add_argument("folders", nargs="*", type=Path)
    options.add_argument("--fit", action="store_true", help="write the thresholds")
    options.add_argument("--write", action="store_true", help="write the page and its plot")
    options.add_argument("--faces", type=Path, help="a folder with portraits")
    given = options.parse_args(arguments)
    photos = photographs(given.folders or [COLLECTION / name for name in FOLDERS])
    found = {name: measure(name, photos) for name in CHECKS}
    fitted = {name: fit(name, values) for name, values in found.items()}
    if given.fit:
        _write_thresholds(fitted)
    limits = fitted if given.fit else dict(thresholds.FITTED)
    portraits = [COLLECTION / "photo_exif_icc" / "pillow"] + ([given.faces] if given.faces else [])
    seen = quality_seen.faces(photos, portraits)
    cards = quality_seen.cards(photos)
    rows = [_row(name, values, limits[name]) for name, values in found.items()]
    told = page(
        rows,
        count=len(photos),
        tones=_by_tone(photos, found, limits),
        machine=f"{platform.machine()}, {os.cpu_count()} cores",
        took=_twelve_megapixels(photos[-1]),
        faces=seen,
        cards=cards,
        copies=_copies(photos),
        hinted=_hinted(photos),
    )
    print(told)
    if given.write:
        PAGE.write_text(told, encoding="utf-8")
        PLOT.write_text(_plot(found, limits, seen, cards), encoding="utf-8")


def photographs(folders: Iterable[Path]) -> list[Photo]:
    """Return all photographs below some folders."""
    files = sorted(
        path for folder in folders for path in folder.rglob("*") if path.suffix in (".jpg", ".png")
    )
    return [open_photo(path.read_bytes()) for path in files]


def measure(name: str, photos: Sequence[Photo]) -> Values:
    """Return what a check measures of photographs, untouched and spoiled in its ways."""
    ways = [spoiler for spoiler in SPOILERS if spoiler.check == name]
    return Values(
        untouched=[_badness(name, photo) for photo in photos],
        spoiled={
            way: [_badness(name, spoiled(photo, way, n)) for n, photo in enumerate(photos)]
            for way in ways
        },
    )


def spoiled(photo: Photo, way: Spoiler, number: int, *, jpeg_quality: int = 88) -> Photo:
    """Return a photograph spoiled and written as JPEG."""
    bgr = cv2.cvtColor(way.spoil(photo.pixels(), number), cv2.COLOR_RGB2BGR)
    done, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, jpeg_quality])
    if not done:
        raise SystemExit("OpenCV could not write a JPEG.")
    return open_photo(data.tobytes())


def fit(name: str, values: Values) -> tuple[float, float]:
    """Return from where on a measure is doubtful and poor, so that it tells apart best.

    Doubtful parts the untouched from all that are spoiled, with few false alarms; poor parts the
    strongly spoiled from the rest, and no untouched one is poor.
    """
    every = [v for each in values.spoiled.values() for v in each]
    sign = -1 if CHECKS[name].high_is_good else 1
    least, most = _BOUNDS.get(name, (-float("inf"), float("inf")))
    best = _best(values.untouched, every, most_false=_FALSE_ALARMS)
    doubtful = sign * min(max(sign * best, least), most)
    if CHECKS[name].words.poor == ("", ""):
        never = 0.0 if CHECKS[name].high_is_good else thresholds.NEVER
        return _rounded(sign * doubtful), never
    strong = [v for way, each in values.spoiled.items() if way.is_strong for v in each]
    mild = [v for way, each in values.spoiled.items() if not way.is_strong for v in each]
    poor = max(_best([*values.untouched, *mild], strong), *values.untouched, doubtful)
    return _rounded(sign * doubtful), _rounded(sign * poor)


def auc(good: Sequence[float], bad: Sequence[float]) -> float:
    """Return the share of (good, bad) pairs that are told apart; 0.5 is chance."""
    pairs = [(b > g) + 0.5 * (b == g) for g in good for b in bad]
    return sum(pairs) / len(pairs)


def value_of(name: str, photo: Photo) -> float:
    """Return what a check measures of a photograph."""
    seen = photo.working if name in _WHOLE else measures.centre(photo.working)
    return CHECKS[name].measure(seen)


def _badness(name: str, photo: Photo) -> float:
    value = value_of(name, photo)
    return -value if CHECKS[name].high_is_good else value


def _best(good: Sequence[float], bad: Sequence[float], *, most_false: float = 1.0) -> float:
    """Return the limit that parts two sets best (Youden 1950), in the middle of its gap."""
    steps = sorted({*good, *bad})
    middles = [(a + b) / 2 for a, b in pairwise(steps)]

    def gain(limit: float) -> float:
        false = sum(v > limit for v in good) / len(good)
        return sum(v > limit for v in bad) / len(bad) - false if false <= most_false else -1.0

    return max(middles, key=gain)


def _row(name: str, values: Values, limits: tuple[float, float]) -> Row:
    doubtful, poor = (-v if CHECKS[name].high_is_good else v for v in limits)
    return Row(
        name=name,
        doubtful=limits[0],
        poor=limits[1],
        false_alarms=_share(values.untouched, doubtful),
        false_poor=_share(values.untouched, poor),
        false_alarms_elsewhere=_elsewhere(name, values),
        ways=[
            (
                way.name,
                way.is_strong,
                auc(values.untouched, each),
                _share(each, doubtful),
                _share(each, poor),
            )
            for way, each in values.spoiled.items()
        ],
    )


def _elsewhere(name: str, values: Values) -> float:
    """Return the share of false alarms among photographs that the threshold was not fitted on."""
    count, alarms = len(values.untouched), 0
    for fold in range(_FOLDS):
        kept = [n for n in range(count) if n % _FOLDS != fold]
        part = Values(
            [values.untouched[n] for n in kept],
            {way: [each[n] for n in kept] for way, each in values.spoiled.items()},
        )
        limit = fit(name, part)[0]
        worse = -limit if CHECKS[name].high_is_good else limit
        alarms += sum(values.untouched[n] > worse for n in range(fold, count, _FOLDS))
    return alarms / count


def _by_tone(
    photos: Sequence[Photo],
    found: Mapping[str, Values],
    limits: Mapping[str, tuple[float, float]],
) -> Mapping[str, tuple[int, float, float]]:
    """Return for each lightness of skin how many there are, false alarms, AUC of moderate blur."""
    tones = [_tone(photo.working) for photo in photos]
    blurred = next(each for way, each in found["focus"].spoiled.items() if way.name == "blur 1.5")
    told = {}
    for _, tone in _TONES:
        mine = [n for n, each in enumerate(tones) if each == tone]
        if not mine:
            continue
        alarmed = 0
        for n in mine:
            worse = (
                values.untouched[n]
                > (-limits[name][0] if CHECKS[name].high_is_good else limits[name][0])
                for name, values in found.items()
            )
            alarmed += any(worse)
        sharp = [found["focus"].untouched[n] for n in mine]
        told[tone] = (len(mine), alarmed / len(mine), auc(sharp, [blurred[n] for n in mine]))
    return told


def _tone(pixels: Pixels) -> str:
    """Return how light the skin is, by the individual typology angle of the picture's median."""
    lab = cv2.cvtColor(pixels.astype(np.float32) / 255, cv2.COLOR_RGB2LAB).reshape(-1, 3)
    lightness, _, yellow = np.median(lab[lab[:, 0] > 8], axis=0)
    angle = float(np.degrees(np.arctan2(lightness - 50, max(yellow, 1e-6))))
    return next(name for least, name in _TONES if angle > least)


def _copies(photos: Sequence[Photo]) -> Copies:
    """Return how often photographs and the browser's small copies of them are judged alike."""
    ways = {
        "untouched": lambda pixels, _: pixels,
        "blur 2": defocus(2),
        "light x 0.6": light(0.6),
        "green light": tint(0.65, 1.1, 0.7),
    }
    return {name: small_copies.agreement(photos, way) for name, way in ways.items()}


def _hinted(photos: Sequence[Photo]) -> int:
    """Return in how many photographs the camera's own words are held against them."""
    advice = (each for photo in photos for each in quality.assess(photo))
    return sum(a.check == "camera" and a.verdict is not quality.Verdict.GOOD for a in advice)


def _twelve_megapixels(photo: Photo) -> tuple[float, float]:
    """Return how long it takes to open and judge what a phone takes: by the clock, and of CPU;
    the best of three.
    """
    large = cv2.resize(photo.pixels(), TWELVE_MPX[::-1], interpolation=cv2.INTER_CUBIC)
    grain = np.random.default_rng(1).normal(0, 12, large.shape[:2])[..., None]
    noisy = np.clip(large + grain, 0, 255).astype(np.uint8)
    level = [cv2.IMWRITE_JPEG_QUALITY, 90]
    _, data = cv2.imencode(".jpg", cv2.cvtColor(noisy, cv2.COLOR_RGB2BGR), level)
    took = []
    for _ in range(3):
        started, used = time.perf_counter(), time.process_time()
        quality.assess(open_photo(data.tobytes()))
        took.append((time.perf_counter() - started, time.process_time() - used))
    return min(each for each, _ in took), min(each for _, each in took)


def _write_thresholds(fitted: Mapping[str, tuple[float, float]]) -> None:
    path = Path(thresholds.__file__)
    head, _, _ = path.read_text("utf-8").partition("FITTED:")

    def told(value: float) -> str:
        return "NEVER" if value == thresholds.NEVER else repr(value)

    lines = [f'    "{name}": ({told(d)}, {told(p)}),' for name, (d, p) in fitted.items()]
    table = "FITTED: Mapping[str, tuple[float, float]] = {\n" + "\n".join(lines) + "\n}\n"
    path.write_text(head + table, encoding="utf-8")


def _plot(
    found: Mapping[str, Values],
    limits: Mapping[str, tuple[float, float]],
    seen: Faces,
    cards: Cards,
) -> str:
    groups = {}
    for name, values in found.items():
        sign = -1 if CHECKS[name].high_is_good else 1
        rows = {"untouched": values.untouched}
        rows |= {way.name: each for way, each in values.spoiled.items()}
        told = {row: [sign * v for v in each] for row, each in rows.items()}
        lines = [v for v in limits[name] if v not in (0.0, thresholds.NEVER)]
        groups[name] = (told, lines)
    near = {f"a face, {share:g} of the height": each for share, each in seen.by_share.items()}
    groups["recognizable"] = ({"no face": seen.none} | near, [seen.limit])
    groups["colour_card"] = (dict(cards.errors), [checks.CARD.doubtful])
    return strips("What each check measures in untouched and spoiled photographs", groups)


def _share(values: Sequence[float], limit: float) -> float:
    return sum(v > limit for v in values) / len(values)


def _rounded(value: float) -> float:
    return float(f"{value:.3g}")


if __name__ == "__main__":
    main(sys.argv[1:])
