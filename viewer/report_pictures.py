"""Lays out the pictures of a reply in its PDF: small, side by side, each with its caption.

A caption is where the anchors of the texts lead to. Makes no picture.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from html import escape
from typing import Any

from reportlab.lib.colors import HexColor
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.lib.utils import ImageReader
from reportlab.platypus import Flowable, Image, Paragraph, Table

from viewer.reply_pictures import Printed

_ACROSS = 4
_GAP = 2.5 * mm
_HIGHEST = 42 * mm
_CAPTION = ParagraphStyle(
    "caption",
    fontName="Lysbro",
    fontSize=6.5,
    leading=8.5,
    spaceBefore=2,
    textColor=HexColor("#465866"),
)


def printed_pictures(pictures: Sequence[Printed], *, width: float) -> Flowable:
    """Return the pictures as a table, four beside each other; it breaks between its rows."""
    cell = (width - _GAP * (_ACROSS - 1)) / _ACROSS
    cells = [[_image(each, cell), *_named(each)] for each in pictures]
    while len(cells) % _ACROSS:
        cells.append([])
    rows = [cells[at : at + _ACROSS] for at in range(0, len(cells), _ACROSS)]
    style: list[Any] = [
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
        ("LEFTPADDING", (0, 0), (-1, -1), 0),
        ("RIGHTPADDING", (0, 0), (-1, -1), _GAP),
        ("TOPPADDING", (0, 0), (-1, -1), 0),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 2 * mm),
    ]
    return Table(rows, colWidths=[cell + _GAP] * _ACROSS, style=style, hAlign="LEFT")


def _image(picture: Printed, cell: float) -> Flowable:
    wide, high = ImageReader(io.BytesIO(picture.jpeg)).getSize()
    scale = min(cell / wide, _HIGHEST / high)
    return Image(io.BytesIO(picture.jpeg), wide * scale, high * scale, hAlign="LEFT")


def _named(picture: Printed) -> Sequence[Flowable]:
    names = "".join(f'<a name="{name}"/>' for name in picture.anchors)
    return [Paragraph(names + escape(picture.caption), _CAPTION)]
