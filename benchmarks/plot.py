"""Draws a grouped bar chart as SVG: readable on light and dark pages, without a library."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

_WIDTH, _LEFT, _RIGHT, _BAR, _GAP, _HEAD = 860, 250, 90, 16, 14, 46
_COLOURS = ("#1f6f78", "#63a9ae", "#b8862f", "#8a8f98")


def bars(title: str, unit: str, groups: Mapping[str, Mapping[str, float]]) -> str:
    """Return a chart with a group for each name and a bar for each series; longer is more."""
    most = max(value for group in groups.values() for value in group.values())
    names = list(dict.fromkeys(name for group in groups.values() for name in group))
    colour = {name: _COLOURS[n % len(_COLOURS)] for n, name in enumerate(names)}
    parts, y = [_text(10, 24, title, weight=600, size=16)], _HEAD
    for group_name, group in groups.items():
        parts.append(_text(10, y + _BAR, group_name))
        for name, value in group.items():
            length = max(1.0, (_WIDTH - _LEFT - _RIGHT) * value / most)
            parts.append(
                f'<rect x="{_LEFT}" y="{y}" width="{length:.1f}" height="{_BAR - 3}" '
                f'fill="{colour[name]}"><title>{escape(name)}: {value:.0f} {escape(unit)}</title>'
                "</rect>"
            )
            parts.append(_text(_LEFT + length + 6, y + _BAR - 5, f"{value:.0f}", size=11))
            y += _BAR
        y += _GAP
    parts += _legend(names, colour, y + 4)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {y + 34}" role="img" '
        f'aria-label="{escape(title)}" font-family="sans-serif" fill="#7a828c">'
        + "".join(parts)
        + "</svg>\n"
    )


def _legend(names: Sequence[str], colour: Mapping[str, str], y: float) -> list[str]:
    parts, x = [], float(_LEFT)
    for name in names:
        parts.append(f'<rect x="{x}" y="{y}" width="12" height="12" fill="{colour[name]}"/>')
        parts.append(_text(x + 17, y + 11, name, size=12))
        x += 30 + 7.2 * len(name)
    return parts


def _text(x: float, y: float, text: str, *, size: int = 13, weight: int = 400) -> str:
    style = f'font-size="{size}" font-weight="{weight}"'
    return f'<text x="{x:.1f}" y="{y:.1f}" {style}>{escape(text)}</text>'


def strips(
    title: str,
    groups: Mapping[str, tuple[Mapping[str, Sequence[float]], Sequence[float]]],
) -> str:
    """Return a chart with a scale for each group, dots for each series, and lines at limits."""
    parts, y = [_text(10, 24, title, weight=600, size=16)], _HEAD
    span = _WIDTH - _LEFT - _RIGHT
    for group_name, (rows, limits) in groups.items():
        every = [v for row in rows.values() for v in row]
        least, most = min([*every, *limits]), max([*every, *limits])
        scale = span / ((most - least) or 1.0)
        top = y
        for number, (name, values) in enumerate(rows.items()):
            label = f"{group_name}: {name}" if number == 0 else name
            parts.append(_text(10, y + 11, label, weight=600 if number == 0 else 400))
            colour = _COLOURS[0] if number == 0 else _COLOURS[2]
            parts += [
                f'<circle cx="{_LEFT + (v - least) * scale:.1f}" cy="{y + 7}" r="3" '
                f'fill="{colour}" fill-opacity="0.45"/>'
                for v in values
            ]
            y += _BAR
        for limit in limits:
            x = _LEFT + (limit - least) * scale
            parts.append(
                f'<line x1="{x:.1f}" y1="{top - 2}" x2="{x:.1f}" y2="{y}" stroke="#c0392b" '
                f'stroke-dasharray="3 2"><title>{limit:g}</title></line>'
            )
        y += _GAP
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {y + 10}" role="img" '
        f'aria-label="{escape(title)}" font-family="sans-serif" fill="#7a828c">'
        + "".join(parts)
        + "</svg>\n"
    )
