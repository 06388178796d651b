"""Draws the scale card as a page to print: eight cards, each with the marker, a ruler and greys.

The size on paper is what everything depends on, so the page says how to print it and how to check.
"""

from __future__ import annotations

import io

from PIL import Image
from reportlab.lib.pagesizes import A4
from reportlab.lib.units import mm
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

from derm_capture.scale import MARKER_MM, marker

_CARD_WIDTH, _CARD_HEIGHT = 85.6 * mm, 54 * mm  # ISO/IEC 7810 ID-1: fits where bank cards do
_ACROSS, _DOWN = 2, 4
_RULER_MM = 50
_GREYS = (0.0, 0.25, 0.5, 0.75, 1.0)


def scale_card() -> bytes:
    """Return the page as PDF, always the same bytes."""
    buffer = io.BytesIO()
    page = Canvas(buffer, pagesize=A4, invariant=1)
    page.setTitle("Lysbro scale card")
    width, height = A4
    left = (width - _ACROSS * _CARD_WIDTH) / 2
    bottom = (height - 20 * mm - _DOWN * _CARD_HEIGHT) / 2
    page.setFont("Helvetica", 9)
    page.drawString(
        left,
        bottom + _DOWN * _CARD_HEIGHT + 9 * mm,
        "Print at 100 % (actual size), then lay a ruler beside it: the scale must be 50 mm long.",
    )
    page.drawString(
        left,
        bottom + _DOWN * _CARD_HEIGHT + 4 * mm,
        "Skriv ut i 100 % (faktisk størrelse) og legg en linjal ved: skalaen skal være 50 mm.",
    )
    for column in range(_ACROSS):
        for row in range(_DOWN):
            _card(page, left + column * _CARD_WIDTH, bottom + row * _CARD_HEIGHT)
    page.showPage()
    page.save()
    return buffer.getvalue()


def _card(page: Canvas, x: float, y: float) -> None:
    page.setLineWidth(0.2)
    page.setStrokeGray(0.6)
    page.rect(x, y, _CARD_WIDTH, _CARD_HEIGHT)
    side = MARKER_MM * mm
    picture = ImageReader(Image.fromarray(marker(6)))  # six cells: four of code, two of border
    page.drawImage(picture, x + 8 * mm, y + 30 * mm, side, side)
    _ruler(page, x + 8 * mm, y + 12 * mm)
    for number, grey in enumerate(_GREYS):
        page.setFillGray(grey)
        page.rect(x + (28 + number * 10) * mm, y + 30 * mm, 10 * mm, 10 * mm, stroke=1, fill=1)
    page.setFillGray(0)
    page.setFont("Helvetica", 6.5)
    page.drawString(x + 8 * mm, y + 45 * mm, "Lay it beside the lesion, in its plane.")
    page.drawString(x + 8 * mm, y + 4 * mm, "Lysbro: the square is 10 mm wide")


def _ruler(page: Canvas, x: float, y: float) -> None:
    page.setStrokeGray(0)
    page.setFillGray(0)
    page.setFont("Helvetica", 6)
    page.line(x, y, x + _RULER_MM * mm, y)
    for at in range(_RULER_MM + 1):
        length = 4.5 if at % 10 == 0 else 3.2 if at % 5 == 0 else 2
        page.line(x + at * mm, y, x + at * mm, y + length * mm)
        if at % 10 == 0:
            page.drawCentredString(x + at * mm, y + 6 * mm, str(at))
