"""Writes the drawings where the page's script is built from: `python -m viewer.bodymap`."""

from __future__ import annotations

from pathlib import Path

from viewer.bodymap.views import drawings_json

BUILT_IN = Path(__file__).parents[1] / "frontend" / "src" / "capture" / "drawings.json"

if __name__ == "__main__":
    BUILT_IN.write_text(drawings_json(), "utf-8")
