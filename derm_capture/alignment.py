"""Finds how two pictures of the same skin lie on each other, or says that it cannot.

Pure: two pictures in, a transform with what it rests on out. It would rather find nothing than lay
one lesion on another, so a transform must be carried by many points that are spread, do little to
the shape, and make the fine structure of the skin agree. What the camera, the dermatoscope or the
scale card bring along (black rings, glare, the marker) is no skin and is not looked at.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from derm_capture.agreement import agreement_of
from derm_capture.raster import Pixels
from derm_capture.refinement import refined
from derm_capture.skin_only import skin_of

Matrix = NDArray[np.float64]
Points = NDArray[np.float32]

SIDE = 768  # long side in pixels on which points are looked for
_MOST_POINTS = 1200  # of each layer
_WITHOUT_HAIRS = 11  # pixels of a median that leaves no hair and no rim of a bubble
_LEAST_CONTRAST = 0.012  # of a point; skin is smooth, the usual 0.04 leaves hairs alone
_RATIO = 0.82  # nearest over second nearest (Lowe 2004, 7.1)
_REACH = 3.0  # pixels within which a point agrees with the transform
_CLOSE = 1.0  # pixels by which transforms are told apart
_LEAST_TO_BEGIN = 6  # points; chance does not bring as many together on different lesions
_LEAST_INLIERS = 8
_LEAST_SHARE = 0.1  # of the matches
_LEAST_SPREAD = 0.02  # of the picture, covered by the points that agree
_LEAST_FOR_AFFINE = 14
_LEAST_FOR_PERSPECTIVE = 40
_MOST_SCALE = 3.0
_MOST_SHEAR = 1.45  # one axis over the other
_LEAST_OVERLAP = 0.2
_LEAST_AGREEMENT = 0.2  # of the fine structure, 1 is the same picture
_ENOUGH_POINTS = 120  # that agree closely
_CLEARLY = 0.01  # more agreement that makes a refined transform the better one


@dataclass(frozen=True, eq=False)
class Alignment:
    """A transform from the pixels of one picture to those of another, and what it rests on."""

    matrix: Matrix  # 3 x 3, full pixels of the first to full pixels of the second
    points: int
    residual: float  # pixels of the second, root mean square over the points
    agreement: float  # of the fine structure where both are seen, 0 to 1
    model: str  # similarity | affine | perspective


@dataclass(frozen=True, eq=False)
class Layer:
    """The points of a picture as it is, or of the same without what is thin."""

    points: Points
    descriptors: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Sight:
    """What is remembered of one picture for aligning it with others."""

    grey: NDArray[np.uint8]
    bare: NDArray[np.uint8]  # without what is thin
    mask: NDArray[np.uint8]
    layers: tuple[Layer, ...]
    scale: float  # of a pixel here to one of the full picture


def see(pixels: Pixels, *, full_side: int | None = None) -> Sight:
    """Look at a picture; `full_side` is the long side of the picture that it is a copy of."""
    rows, columns = pixels.shape[:2]
    factor = min(1.0, SIDE / max(rows, columns))
    size = (max(1, round(columns * factor)), max(1, round(rows * factor)))
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA) if factor < 1 else pixels
    mask = skin_of(np.asarray(small, dtype=np.uint8))
    grey = np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), dtype=np.uint8)
    even = cv2.createCLAHE(clipLimit=3.0, tileGridSize=(8, 8)).apply(grey)
    bare = cv2.medianBlur(even, _WITHOUT_HAIRS)
    full = max(rows, columns) if full_side is None else full_side
    return Sight(
        grey=grey,
        bare=np.asarray(bare, dtype=np.uint8),
        mask=mask,
        layers=tuple(_layer(each, mask) for each in (even, bare)),
        scale=full / max(size),
    )


def align(first: Sight, second: Sight) -> Alignment | None:
    """Return how the first picture lies on the second, or None where that is not certain."""
    here, there = _matches(first, second)
    found = _fitted(here, there)
    if found is None or found[1].sum() < _LEAST_TO_BEGIN:
        return None
    matrix, agreement, overlap, model = _best(first, second, (found[0], found[2]), here, there)
    inliers = _distance(matrix, here, there) < _REACH
    count = int(inliers.sum())
    is_carried = count >= max(_LEAST_INLIERS, _LEAST_SHARE * len(here))
    if not is_carried or agreement < _LEAST_AGREEMENT or overlap < _LEAST_OVERLAP:
        return None
    if not _is_plausible(matrix, first.grey.shape, second.grey.shape):
        return None
    if _spread(here[inliers], first.grey.shape) < _LEAST_SPREAD:
        return None
    return Alignment(
        matrix=_between_full(matrix, first.scale, second.scale),
        points=count,
        residual=float(_residual(matrix, here[inliers], there[inliers]) * second.scale),
        agreement=agreement,
        model=model,
    )


def _best(
    first: Sight, second: Sight, found: tuple[Matrix, str], here: Points, there: Points
) -> tuple[Matrix, float, float, str]:
    """Return the transform or what refining makes of it, with how well it makes both agree.

    Many points are more exact than any refining.
    """
    matrix, model = found
    agreement, overlap = _agreement(first, second, matrix)
    close = np.count_nonzero(_distance(matrix, here, there) < _REACH / 2)
    if close >= _ENOUGH_POINTS or not _is_plausible(matrix, first.grey.shape, second.grey.shape):
        return matrix, agreement, overlap, model
    closer = refined(first.bare, first.mask, second.bare, second.mask, matrix)
    then, share = _agreement(first, second, closer)
    stays = np.count_nonzero(_distance(closer, here, there) < _REACH / 2)
    if then > agreement + _CLEARLY and stays >= 0.4 * close:
        return closer, then, share, "perspective"
    return matrix, agreement, overlap, model


def _agreement(first: Sight, second: Sight, matrix: Matrix) -> tuple[float, float]:
    return agreement_of(first.grey, first.mask, second.grey, second.mask, matrix)


def _layer(grey: NDArray[np.generic], mask: NDArray[np.uint8]) -> Layer:
    finder = cv2.SIFT.create(nfeatures=_MOST_POINTS, contrastThreshold=_LEAST_CONTRAST)
    found, descriptors = finder.detectAndCompute(np.asarray(grey, dtype=np.uint8), mask)
    places = np.array([point.pt for point in found], dtype=np.float32)
    return Layer(places.reshape(-1, 2), _rooted(descriptors))


def _rooted(descriptors: NDArray[Any] | None) -> NDArray[np.float32]:
    """Return descriptors whose distance is Hellinger's (Arandjelović and Zisserman 2012)."""
    if descriptors is None:
        return np.zeros((0, 128), dtype=np.float32)
    sums = descriptors.sum(axis=1, keepdims=True) + 1e-7
    return np.asarray(np.sqrt(descriptors / sums), dtype=np.float32)


def _matches(first: Sight, second: Sight) -> tuple[Points, Points]:
    """Return the places that look alike in both, each the other's only good counterpart."""
    pairs = [_alike(a, b) for a, b in zip(first.layers, second.layers, strict=True)]
    here, there = (np.concatenate(each) for each in zip(*pairs, strict=True))
    return _apart(here, there) if len(here) else (here, there)


def _alike(first: Layer, second: Layer) -> tuple[Points, Points]:
    if min(len(first.points), len(second.points)) < 2:
        return first.points[:0], second.points[:0]
    likeness = first.descriptors @ second.descriptors.T  # of unit vectors
    rows = np.arange(len(first.points))
    two = np.argpartition(-likeness, 1, axis=1)[:, :2]
    pair = np.take_along_axis(likeness, two, axis=1)
    best = two[rows, pair.argmax(axis=1)]
    distance = np.sqrt(np.maximum(0, 2 - 2 * np.sort(pair, axis=1)))  # the second's, the best's
    is_clear = distance[:, 1] < _RATIO * distance[:, 0]
    is_mutual = likeness.argmax(axis=0)[best] == rows
    chosen = np.flatnonzero(is_clear & is_mutual)
    return first.points[chosen], second.points[best[chosen]]


def _apart(here: Points, there: Points) -> tuple[Points, Points]:
    """Return matches without those that start or end where another does: they count once."""
    _, kept = np.unique(np.round(here / 2), axis=0, return_index=True)
    here, there = here[kept], there[kept]
    _, kept = np.unique(np.round(there / 2), axis=0, return_index=True)
    return here[kept], there[kept]


def _fitted(here: Points, there: Points) -> tuple[Matrix, NDArray[np.bool_], str] | None:
    """Return the simplest transform that carries nearly as many points as the freest."""
    if len(here) < _LEAST_TO_BEGIN:
        return None
    cv2.setRNGSeed(7)  # the same pictures always give the same answer
    similar: Any  # None when no two points agree; the stubs do not say so
    similar, mask = cv2.estimateAffinePartial2D(
        here, there, method=cv2.RANSAC, ransacReprojThreshold=_REACH * 2, maxIters=3000
    )
    if similar is None:
        return None
    best = (_squared(similar), mask.ravel() > 0, "similarity")
    count = int(best[1].sum())
    if count >= _LEAST_FOR_AFFINE:
        affine, _ = cv2.estimateAffine2D(
            here, there, method=cv2.USAC_MAGSAC, ransacReprojThreshold=_REACH, maxIters=3000
        )
        best = _better(best, affine, here, there, "affine")
    if count >= _LEAST_FOR_PERSPECTIVE:
        free, _ = cv2.findHomography(
            here, there, cv2.USAC_MAGSAC, _REACH, maxIters=3000, confidence=0.999
        )
        best = _better(best, free, here, there, "perspective")
    return best


def _better(
    held: tuple[Matrix, NDArray[np.bool_], str],
    found: NDArray[Any] | None,
    here: Points,
    there: Points,
    model: str,
) -> tuple[Matrix, NDArray[np.bool_], str]:
    """Return the freer transform where it carries clearly more points closely."""
    if found is None:
        return held
    matrix = _squared(found)
    freer, simpler = (_distance(each, here, there) for each in (matrix, held[0]))
    closely = np.count_nonzero(freer < _CLOSE)
    if closely >= max(_LEAST_FOR_AFFINE, 1.05 * np.count_nonzero(simpler < _CLOSE)):
        return matrix, freer < _REACH, model
    return held[0], simpler < _REACH, held[2]


def _squared(matrix: NDArray[Any]) -> Matrix:
    if matrix.shape == (3, 3):
        return np.asarray(matrix, dtype=np.float64)
    return np.vstack([matrix, [0.0, 0.0, 1.0]])


def _distance(matrix: Matrix, here: Points, there: Points) -> NDArray[np.float64]:
    moved = cv2.perspectiveTransform(here.reshape(-1, 1, 2).astype(np.float64), matrix)
    distance = np.linalg.norm(moved.reshape(-1, 2) - there, axis=1)
    return np.asarray(np.nan_to_num(distance, nan=np.inf), dtype=np.float64)


def _residual(matrix: Matrix, here: Points, there: Points) -> float:
    return float(np.sqrt((_distance(matrix, here, there) ** 2).mean()))


def _is_plausible(matrix: Matrix, of: tuple[int, ...], onto: tuple[int, ...]) -> bool:
    """Tell whether a camera that is held again over the same skin could do this."""
    rows, columns = of[:2]
    places = [(x * columns, y * rows) for x in (0.1, 0.5, 0.9) for y in (0.1, 0.5, 0.9)]
    usual = max(onto[:2]) / max(of[:2])
    for x, y in places:
        weight = matrix[2] @ (x, y, 1.0)
        if weight < 0.2:
            return False
        moved = (matrix @ (x, y, 1.0))[:2] / weight
        local = (matrix[:2, :2] - np.outer(moved, matrix[2, :2])) / weight
        if np.linalg.det(local) <= 0:  # mirrored: no camera does that
            return False
        longest, shortest = np.linalg.svd(local, compute_uv=False)
        if longest > _MOST_SHEAR * shortest:
            return False
        if not 1 / _MOST_SCALE < np.sqrt(longest * shortest) / usual < _MOST_SCALE:
            return False
    return True


def _spread(points: Points, shape: tuple[int, ...]) -> float:
    """Return how much of a picture the points span."""
    hull = cv2.convexHull(points.reshape(-1, 1, 2))
    return float(cv2.contourArea(hull) / (shape[0] * shape[1]))


def _between_full(matrix: Matrix, first: float, second: float) -> Matrix:
    """Return the transform between full pictures from that between their copies."""
    shrink = np.diag([1 / first, 1 / first, 1.0])
    grow = np.diag([second, second, 1.0])
    full = grow @ matrix @ shrink
    return np.asarray(full / full[2, 2], dtype=np.float64)
