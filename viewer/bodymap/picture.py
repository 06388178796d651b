"""Draws the point that a referral gives, as a small figure for those who read it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from viewer.bodymap.views import BY_KEY, figure
from viewer.i18n import _

_FIGURE = Markup(
    '<figure class="body-place"><svg class="body-figure" role="img" aria-label="{title}"'
    ' viewBox="0 0 {width:g} {height:g}">'
    "<title>{title}</title><g{turned}>"
    '<path class="body-skin" d="{skin}"/><path class="body-line" d="{lines}"/>'
    '<path class="body-edge" d="{edges}"/></g>'
    '<circle class="body-halo" cx="{x:g}" cy="{y:g}" r="{halo:g}"/>'
    '<circle class="body-dot" cx="{x:g}" cy="{y:g}" r="{dot:g}"/></svg>'
    '<figcaption aria-hidden="true"><b>{where}</b><span class="quiet small">{view}</span>'
    "</figcaption></figure>"
)


def picture_of(point: Mapping[str, Any] | None, where: str) -> Markup:
    """Return a point of the body map as an inline SVG; nothing where there is no point.

    `where` says in words what is there, for those who do not see the figure.
    """
    view = BY_KEY.get(str(point.get("view"))) if point else None
    if point is None or view is None:
        return Markup("")
    drawn = figure(view.drawing)
    turned = f' transform="matrix(-1 0 0 1 {drawn.width:g} 0)"' if view.is_mirrored else ""
    size = max(drawn.width, drawn.height)
    return _FIGURE.format(
        width=drawn.width,
        height=drawn.height,
        where=where,
        view=_(view.name),
        title=": ".join(part for part in (_(view.name), where) if part),
        turned=Markup(turned),  # noqa: S704  # numbers only
        skin="".join((*(f"{shape}Z" for shape in drawn.shapes), *(p.outline for p in drawn.parts))),
        lines="".join(drawn.lines),
        edges="".join(drawn.edges),
        x=float(point["x"]) * drawn.width,
        y=float(point["y"]) * drawn.height,
        halo=size / 22,
        dot=size / 40,
    )
