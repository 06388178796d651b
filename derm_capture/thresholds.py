"""From where on a measure is doubtful and poor, as fitted on real photographs of skin.

`python -m benchmarks quality --fit` writes it; `docs/photo-quality.md` shows what comes of it.
"""

from __future__ import annotations

from collections.abc import Mapping

NEVER = float("inf")

FITTED: Mapping[str, tuple[float, float]] = {
    "focus": (0.389, 0.247),
    "motion": (0.823, 0.662),
    "dark": (52.0, 37.4),
    "bright": (0.15, 0.513),
    "glare": (0.0458, NEVER),
    "colour": (8.0, NEVER),
    "distance": (0.01, 0.0),
    "framing": (0.0534, NEVER),
}
