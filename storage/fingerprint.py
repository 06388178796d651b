"""Says which content some instances have, in their order, in a few characters. Reads no bytes.

Equal fingerprints: the same objects of the same site, each with the same bytes in the same form.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Column

from storage.rows import InstanceRow
from storage.tables import instances

COLUMNS: Sequence[Column[Any]] = (
    instances.c.site,
    instances.c.study_uid,
    instances.c.series_uid,
    instances.c.sop_class_uid,
    instances.c.sop_instance_uid,
    instances.c.transfer_syntax_uid,
    instances.c.sha256,
    instances.c.kept_sha256,
)
_NAMES = tuple(column.name for column in COLUMNS)


def fingerprint_of(rows: Iterable[InstanceRow]) -> str:
    """Return the fingerprint of instances."""
    return fingerprint([[getattr(row, name) for name in _NAMES] for row in rows])


def fingerprint(values: Sequence[Sequence[str]]) -> str:
    """Return the fingerprint of the values of `COLUMNS`."""
    return hashlib.sha256(json.dumps(values).encode()).hexdigest()
