"""The addresses of bulk data: a pure function of UIDs and of the path to a value.

`.../instances/UID/bulkdata/TAG`, and in sequences `.../bulkdata/TAG/ITEM/TAG`, tags in hexadecimal
and items counted from 1.
"""

from __future__ import annotations

from storage.rows import InstanceRow

PIXELS = "7FE00010"
"""The path of the pixel data, whatever the tag of its element."""


def instance_address(root: str, row: InstanceRow) -> str:
    """Return the address of an instance under the root of the service."""
    return (
        f"{root}/studies/{row.study_uid}/series/{row.series_uid}/instances/{row.sop_instance_uid}"
    )


def bulk_address(root: str, row: InstanceRow, path: str) -> str:
    """Return the address of a value."""
    return f"{instance_address(root, row)}/bulkdata/{path}"
