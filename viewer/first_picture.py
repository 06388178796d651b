"""Says which preview a case opens with, so that the page names it and no script has to come first.

Pure: from the manifest, as the page itself goes through it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from viewer.manifest_columns import unfolded


def first_preview(manifest: Mapping[str, Any]) -> str:
    """Return the address of the preview of the image that is in hand first; empty where none is."""
    steps = manifest["hanging"]["steps"]
    places = steps[0]["panes"] if steps else ()
    place = places[0] if places else {}
    series = next((one for one in manifest["series"] if one["key"] == place.get("series")), None)
    if series is None or series["kind"] != "stack":
        return ""
    instances = unfolded(series)
    frames = sum(each["frames"] for each in instances)
    at = int(place.get("image", (frames - 1) // 2))
    for each in instances:
        if at < each["frames"]:
            order = (each.get("per_frame") or {}).get("order") or range(1, each["frames"] + 1)
            address = str(manifest["addresses"]["preview"])
            return (
                address.replace("{uid}", quote(each["uid"], safe=""))
                .replace("{frame}", str(order[at]))
                .replace("{site}", quote(series["site"], safe=""))
            )
        at -= each["frames"]
    return ""
