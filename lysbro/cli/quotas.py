"""The command that bounds what a site may keep, and shows what it does."""

from __future__ import annotations

import re
from dataclasses import asdict
from typing import Any

import click

from lysbro.cli.context import OPERATOR, Parts, json_option, with_parts
from lysbro.cli.output import show
from storage.quota_gate import in_units
from storage.quotas import Usage

_NONE = "none"
_SIZE = re.compile(r"(\d+(?:\.\d+)?) *([kmgtp]?)(i?)b?", re.IGNORECASE)
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5}


class _Amount(click.ParamType[int]):
    """A number, or `none`, which is -1 here; of bytes it may have a unit."""

    name = "amount"

    def __init__(self, *, is_size: bool) -> None:
        self._is_size = is_size

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the number, or fail with what may be given."""
        if isinstance(value, int):
            return value
        if value.lower() == _NONE:
            return -1
        if self._is_size and (match := _SIZE.fullmatch(value.strip())):
            base = 1024 if match[3] else 1000
            return int(float(match[1]) * base ** _POWERS[match[2].lower()])
        if not self._is_size and value.isdecimal():
            return int(value)
        hint = "a size as 500GB, 2TiB or 1000000" if self._is_size else "a number"
        return self.fail(f"{value}: give {hint}, or none", param, ctx)


@click.command("quota")
@click.argument("slug")
@click.option(
    "--bytes", "most_bytes", type=_Amount(is_size=True), default=None,
    help="Most bytes, as 500GB or 2TiB; none: no bound.",
)  # fmt: skip
@click.option(
    "--instances", "most_instances", type=_Amount(is_size=False), default=None,
    help="Most objects; none: no bound.",
)  # fmt: skip
@json_option
@with_parts
def site_quota(
    parts: Parts,
    slug: str,
    most_bytes: int | None,
    most_instances: int | None,
    as_json: bool,
) -> None:
    """Bound what the site SLUG may keep, or show what it keeps and may.

    Past it what the site sends is refused; nothing that is kept is touched, and no other site is.
    """
    found = parts.quotas.of(slug)
    if most_bytes is not None or most_instances is not None:
        found = parts.quotas.bound(
            slug,
            most_bytes=_bound(most_bytes, found.most_bytes),
            most_instances=_bound(most_instances, found.most_instances),
        )
        detail = {"bytes": found.most_bytes, "instances": found.most_instances}
        parts.note(OPERATOR, "quota-set", slug, site=slug, detail=detail)
    told = asdict(found) | {"percent": found.percent}
    show(told, as_json=as_json, text=_in_words(found))


def _bound(given: int | None, present: int | None) -> int | None:
    """Return the bound as it is to be: what is not given stays, none takes it away."""
    if given is None:
        return present
    return None if given < 0 else given


def _in_words(found: Usage) -> str:
    bounds = [in_units(found.most_bytes)] if found.most_bytes is not None else []
    bounds += [f"{found.most_instances} objects"] if found.most_instances is not None else []
    kept = f"{in_units(found.used_bytes)} in {found.used_instances} objects"
    if found.percent is None:
        return f"{found.site} keeps {kept}; it has no quota."
    return f"{found.site} keeps {kept}, {found.percent:.0f} % of {' and '.join(bounds)}."
