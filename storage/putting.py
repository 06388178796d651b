"""Puts a pack that was built into the store: announced before, read back and hashed after.

Locates nothing in it: whoever built it does, once this has returned.
"""

from __future__ import annotations

from datetime import datetime

from casework.errors import Unavailable
from storage.archive import Archive
from storage.intents import SERIES, Intent, intend
from storage.locate import Pack
from storage.objects import sha256_of_object
from storage.packs import BuiltPack


def put_pack(
    archive: Archive,
    built: BuiltPack,
    *,
    site: str,
    study_uid: str,
    series_uid: str,
    undone: str,
    now: datetime,
) -> Pack:
    """Return the pack of a series once the store gives it back whole.

    Its intent stays until the caller has located what is in it. Raises Unavailable, coded
    `store-differs`, when other bytes come back; `undone` says what did not happen then.
    """
    intent = Intent(built.key, SERIES, site, study_uid, series_uid)
    with archive.database.begin() as conn:
        intend(conn, [intent], node=archive.spool.node, now=now)
    archive.store.put(built.key, built.path, sha256=built.sha256)
    if sha256_of_object(archive.store, built.key) != built.sha256:
        raise Unavailable(
            f"The store gives other bytes back for {built.key} than were put. "
            f"{undone}; look at the store.",
            code="store-differs",
        )
    return Pack(
        key=built.key,
        site=site,
        study_uid=study_uid,
        series_uid=series_uid,
        sha256=built.sha256,
        size_bytes=built.size_bytes,
        verified_at=archive.clock(),
    )
