"""Decides whether a store is ours: by marks in it that say which exchange keeps its packs there.

A mark is a small object with the version of the store's layout and the identity of an exchange,
which is the hash of the first entry of its audit: a backup brings it back. Removes no mark.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass

import structlog
from sqlalchemy import select

from casework.errors import Unavailable
from storage import backup, tombstones
from storage.casebook_tables import audit
from storage.database import Database
from storage.objects import ObjectStore
from storage.objects.aside import QUARANTINE
from storage.packs import sha256_of_key

log = structlog.get_logger()

FORMAT = 1
"""The version of the layout of a store that this Lysbro writes, and the newest that it reads."""

PREFIX = "exchange/"
_KEY = re.compile(rf"{PREFIX}([0-9a-f]{{64}})/format-(\d{{1,9}})\.json")


@dataclass(frozen=True)
class Mark:
    """What one mark in a store says."""

    exchange: str
    format: int


class Belonging:
    """Asks once whether a store is ours, and remembers that it is."""

    def __init__(self, database: Database, store: ObjectStore) -> None:
        self._database = database
        self._store = store
        self._is_ours = False

    def require(self) -> None:
        """Raise Unavailable when the store is another exchange's, or of a newer layout.

        One that is nobody's is marked. An exchange without any audit has no identity yet, and is
        let through.
        """
        if self._is_ours:
            return
        us = identity(self._database)
        if us is None:
            return
        found = marks(self._store)
        _require_known(found, self._store)
        if us not in {mark.exchange for mark in found}:
            if found or _is_of_a_lost_casebook(self._database, self._store):
                raise _of_another(self._store)
            mark_as_ours(self._database, self._store)
        self._is_ours = True


def require_known_format(store: ObjectStore) -> None:
    """Raise Unavailable when a newer Lysbro has written into the store."""
    _require_known(marks(store), store)


def identity(database: Database) -> str | None:
    """Return what tells this exchange from all others, or None while it has done nothing."""
    with database.read() as conn:
        return conn.execute(select(audit.c.hash).order_by(audit.c.seq).limit(1)).scalar()


def marks(store: ObjectStore) -> list[Mark]:
    """Return the marks that are in a store."""
    found = (_KEY.fullmatch(each.key) for each in store.list(PREFIX))
    return [Mark(match[1], int(match[2])) for match in found if match]


def mark_as_ours(database: Database, store: ObjectStore) -> None:
    """Let this exchange keep its packs in a store from now on: an operator says so, or nobody's."""
    us = identity(database)
    if us is None:
        return
    told = {
        "about": "Lysbro keeps packs of DICOM objects here: leave them to it.",
        "exchange": us,
        "format": FORMAT,
    }
    content = json.dumps(told, sort_keys=True).encode()
    key = f"{PREFIX}{us}/format-{FORMAT}.json"
    store.put(key, content, sha256=hashlib.sha256(content).hexdigest())
    log.info("store_marked", key=key, store=store.describe())


def is_ours(key: str) -> bool:
    """Tell whether an object of a store has a name that Lysbro gives, from a pack to a mark."""
    if key.startswith((tombstones.PREFIX, QUARANTINE)):
        return True
    if key.startswith("v1/"):
        return sha256_of_key(key) is not None
    if key.startswith(backup.PREFIX):
        return backup.sha256_of_backup(key) is not None
    return _KEY.fullmatch(key) is not None


def _require_known(found: list[Mark], store: ObjectStore) -> None:
    newest = max((mark.format for mark in found), default=0)
    if newest > FORMAT:
        raise Unavailable(
            f"The {store.describe()} is of layout {newest}, which this Lysbro does not know: a "
            "newer one has written there. Nothing was read or changed; start that one.",
            code="store-newer",
        )


def _is_of_a_lost_casebook(database: Database, store: ObjectStore) -> bool:
    """Tell whether a store from before there were marks has backups of which we know nothing."""
    return not backup.has_been_kept(database) and bool(backup.backups(store))


def _of_another(store: ObjectStore) -> Unavailable:
    return Unavailable(
        f"The {store.describe()} belongs to another exchange, and nothing was put there. Set "
        "LYSBRO_STORE to ours; after a loss run `lysbro rebuild`, or say by `lysbro backup` that "
        "this exchange is to go on there.",
        code="store-of-another",
    )
