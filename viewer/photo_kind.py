"""Tells which picture of a lesion an object is. Reads what the index keeps, no more."""

from __future__ import annotations

from storage.rows import InstanceRow

KINDS = ("overview", "closeup", "dermoscopic")


def kind_of(row: InstanceRow) -> str:
    """Return which of the pictures an object is, as value 4 of Image Type says, or nothing."""
    described = str(row.attributes.get("ImageType", "")).lower()
    return next((kind for kind in KINDS if kind in described), "")
