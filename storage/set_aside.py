"""Tells of objects that were just received which of them lie in quarantine. Changes nothing."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import select

from storage.database import Database, chunks
from storage.tables import QUARANTINED, instances


def set_aside(database: Database, site: str, received: Mapping[str, str]) -> frozenset[str]:
    """Return those of the SOP Instance UIDs whose bytes, by their hash, are in quarantine."""
    found: set[str] = set()
    with database.read() as conn:
        for uids in chunks(sorted(received)):
            asked = select(instances.c.sop_instance_uid, instances.c.sha256).where(
                instances.c.site == site,
                instances.c.state == QUARANTINED,
                instances.c.sop_instance_uid.in_(uids),
            )
            found |= {uid for uid, sha256 in conn.execute(asked) if received[uid] == sha256}
    return frozenset(found)
