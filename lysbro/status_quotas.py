"""Says how much each site keeps of what it may, for the state of the exchange. Asks nobody."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from storage.quota_gate import in_units
from storage.quotas import Standing, Usage


def quota_of(found: Usage | None, warn_percent: int) -> dict[str, Any]:
    """Return a site's use and its quota as plain values."""
    usage = found or Usage("")
    return {
        "used_bytes": usage.used_bytes,
        "used_instances": usage.used_instances,
        "most_bytes": usage.most_bytes,
        "most_instances": usage.most_instances,
        "percent": usage.percent,
        "standing": usage.standing(warn_percent).value,
    }


def of_quota(quota: dict[str, Any]) -> str:
    """Return what a site keeps, and of how much, as the end of its line."""
    if not quota["used_instances"] and quota["percent"] is None:
        return ""
    text = f", keeps {in_units(quota['used_bytes'])} in {quota['used_instances']} objects"
    if quota["percent"] is None:
        return text
    bounds = [in_units(quota["most_bytes"])] if quota["most_bytes"] is not None else []
    bounds += [f"{quota['most_instances']} objects"] if quota["most_instances"] is not None else []
    return f"{text}, {quota['percent']:.0f} % of its {' and '.join(bounds)}"


def quota_warnings(sites: Sequence[dict[str, Any]]) -> list[str]:
    """Return a line for each site that is near its quota, or past it."""
    lines = []
    for site in sites:
        quota = site["quota"]
        raise_it = f"lysbro site quota {site['slug']} --bytes …"
        if quota["standing"] == Standing.USED_UP:
            lines.append(
                f"ALARM       the quota of {site['slug']} is used up, and what it sends is "
                f"refused: {raise_it}"
            )
        elif quota["standing"] == Standing.NEAR:
            lines.append(
                f"WARNING     {site['slug']} has used {quota['percent']:.0f} % of its quota: "
                f"{raise_it}"
            )
    return lines
