"""Finds a face in a picture: how sure the network is, and no more. Knows nobody and keeps nothing.

The network (BlazeFace, `models/NOTICE.md`) ships with the program and is run by OpenCV.
"""

from __future__ import annotations

import threading
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from derm_capture.raster import Pixels

MODEL = Path(__file__).with_name("models") / "face.tflite"

_SIDE = 192  # pixels of the square that the network sees
_SCORES = "reshaped_classifier_face_4"
_SHRINKS = (1.0, 0.4)  # of the square: a face that fills the picture is found when it looks smaller
_QUARTER_TURNS = (0, 1, 2, 3)  # patients lie, and phones are held as they come
_MARGIN = 127  # grey, which is nothing to the network
_MOST = 80.0  # beyond, an exponential overflows

_one_at_a_time = threading.Lock()  # a network keeps what it works on


def face_score(pixels: Pixels) -> float:
    """Return how sure it is that there is a face, 0 to 1, in whichever way the picture lies."""
    squares = [_square(pixels, shrink) for shrink in _SHRINKS]
    return max(_score(np.rot90(square, turn)) for square in squares for turn in _QUARTER_TURNS)


def _square(pixels: Pixels, shrink: float) -> Pixels:
    rows, columns = pixels.shape[:2]
    scale = _SIDE * shrink / max(rows, columns)
    size = (max(1, round(columns * scale)), max(1, round(rows * scale)))
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    square = np.full((_SIDE, _SIDE, 3), _MARGIN, np.uint8)
    top, left = (_SIDE - size[1]) // 2, (_SIDE - size[0]) // 2
    square[top : top + size[1], left : left + size[0]] = small
    return square


def _score(square: Pixels) -> float:
    values = square.transpose(2, 0, 1)[None].astype(np.float32) / 127.5 - 1
    with _one_at_a_time:
        network = _network()
        network.setInput(np.ascontiguousarray(values))
        (scores,) = network.forward([_SCORES])
    most = float(np.clip(np.max(scores), -_MOST, _MOST))
    return 1 / (1 + float(np.exp(-most)))


@cache
def _network() -> Any:
    # the classic engine: the new one of OpenCV 5.0 gives one output of a TFLite file only
    return cv2.dnn.readNetFromTFLite(str(MODEL), cv2.dnn.ENGINE_CLASSIC)
