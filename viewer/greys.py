"""Makes 8-bit greys of values: rescaled, through a window or a table, inverted where the image is.

PS3.3 C.11.2. What the reading room's own `greys.ts` does in the browser. Decodes nothing.
"""

from __future__ import annotations

import numpy as np

from viewer.display import Display, Window
from viewer.planes import Pixels
from viewer.voi_tables import VoiTable


def windowed(pixels: Pixels, display: Display, window: Window | None = None) -> Pixels:
    """Return 8-bit greys: rescaled, windowed, white where the lowest value is white."""
    if window is None and display.tables:
        return _through(display.tables[0], pixels, display)
    if pixels.dtype.kind in "iu" and pixels.dtype.itemsize <= 2 and pixels.size:
        return _by_steps(pixels, display, window)
    return _greys(pixels, display, window or _default(pixels, display))


def _through(table: VoiTable, pixels: Pixels, display: Display) -> Pixels:
    """Return what a VOI table makes of values; what it does not reach is as its ends."""
    greys = np.frombuffer(table.greys, np.uint8)
    at = np.rint(_rescaled(pixels, display)).astype(np.int64) - table.first
    found: Pixels = greys[np.clip(at, 0, greys.size - 1)]
    return 255 - found if display.is_inverted else found


def _by_steps(pixels: Pixels, display: Display, window: Window | None) -> Pixels:
    """Return the greys of few different values: each is worked out once and looked up then."""
    low, high = int(pixels.min()), int(pixels.max())
    if high - low >= pixels.size:
        return _greys(pixels, display, window or _default(pixels, display))
    values = np.arange(low, high + 1, dtype=np.int64).astype(pixels.dtype)
    table = _greys(values, display, window or _default(pixels, display))
    unsigned = np.dtype(f"u{pixels.dtype.itemsize}")
    steps = pixels.view(unsigned) - unsigned.type(low & (256**pixels.dtype.itemsize - 1))
    found: Pixels = table.take(steps)
    return found


def _default(pixels: Pixels, display: Display) -> Window:
    if display.windows:
        return display.windows[0]
    return _whole_range(_rescaled(pixels, display), pixels, display)


def _greys(pixels: Pixels, display: Display, window: Window) -> Pixels:
    grey = np.rint(_spread(_rescaled(pixels, display), window, display.function) * 255)
    bounded: Pixels = np.clip(grey, 0, 255).astype(np.uint8)
    return 255 - bounded if display.is_inverted else bounded


def _rescaled(pixels: Pixels, display: Display) -> Pixels:
    values: Pixels = pixels.astype(np.float32) * np.float32(display.slope)
    return values + np.float32(display.intercept)


def _spread(values: Pixels, window: Window, function: str) -> Pixels:
    """Return values from 0 to 1 and beyond (PS3.3 C.11.2.1.2 and C.11.2.1.3)."""
    center, width = window.center, window.width
    if function == "SIGMOID":
        curve: Pixels = 1 / (1 + np.exp(np.clip(-4 * (values - center) / width, -60, 60)))
        return curve
    if function == "LINEAR_EXACT" or width < 1:  # LINEAR is defined from a width of 1 on
        exact: Pixels = (values - center) / width + 0.5
        return exact
    if width <= 1:
        step: Pixels = (values > center - 0.5).astype(np.float32)
        return step
    linear: Pixels = (values - (center - 0.5)) / (width - 1) + 0.5
    return linear


def _whole_range(values: Pixels, pixels: Pixels, display: Display) -> Window:
    """Return the window from the least to the greatest value, padding left out."""
    within = values
    if display.padding is not None:
        low, high = display.padding
        within = values[(pixels < low) | (pixels > high)]
    if not within.size:
        return Window(0.0, 1.0)
    least, most = float(within.min()), float(within.max())
    return Window((least + most + 1) / 2, most - least + 1)
