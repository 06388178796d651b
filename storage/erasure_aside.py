"""Takes damaged copies of what is erased out of what a store keeps aside; whole ones are not here.

What was repaired since lies elsewhere whole, so that a copy of a pack that holds anything erased
goes as it is, whatever else is in it. A damaged backup of before goes, since nobody can read it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import structlog

from casework.erasure import Tombstone
from casework.errors import NotFound
from storage.backup import PREFIX as BACKUPS
from storage.backup import made_at
from storage.erasure_packs import is_erased
from storage.objects import ObjectStore
from storage.objects.aside import QUARANTINE
from storage.pack_reader import BrokenPack, Note, PackReader
from storage.packs import sha256_of_key, site_of_key

log = structlog.get_logger()

_CHUNK = 1 << 20


@dataclass(frozen=True)
class Sought:
    """What is looked for in packs that no row speaks of."""

    stones: Sequence[Tombstone]
    keys: Collection[str]  # of packs that hold, or have held, something of it
    uids: Collection[str]  # of studies and objects, for what can only be searched

    @property
    def sites(self) -> list[str]:
        """Return the sites whose packs may hold it."""
        return sorted({site for stone in self.stones for site in stone.sites})

    def goes(self, note: Note) -> bool:
        """Tell whether a member of a pack is erased."""
        return is_erased(note, self.stones)


def clear_aside(store: ObjectStore, sought: Sought) -> int:
    """Erase the damaged copies that hold something erased; return how many."""
    count = 0
    for site in sought.sites:
        for each in list(store.list(f"{QUARANTINE}v1/{site}/")):
            if _holds(store, each.key, each.size_bytes, sought):
                store.erase(each.key)
                log.info("aside_erased", key=each.key)
                count += 1
    newest = max((stone.at for stone in sought.stones), default=None)
    for each in list(store.list(QUARANTINE + BACKUPS)):
        at = made_at(_original(each.key))
        if newest is not None and (at is None or at <= newest):
            store.erase(each.key)
            log.info("aside_erased", key=each.key)
            count += 1
    return count


def names_any(store: ObjectStore, key: str, size_bytes: int, uids: Collection[str]) -> bool:
    """Tell whether one of some UIDs stands in an object's bytes; raises Unavailable, OSError."""
    if not uids:
        return False
    choice = "|".join(re.escape(uid) for uid in sorted(uids))
    pattern = re.compile(rf"(?<![0-9.])(?:{choice})(?![0-9.])".encode("ascii", "replace"))
    longest = max(map(len, uids)) + 2
    rest = b""
    with store.open_range(key, 0, size_bytes) as stream:
        while chunk := stream.read(_CHUNK):
            window = rest + chunk
            end = len(window) - 1  # what touches the end is looked at with what follows
            if any(found.end() <= end for found in pattern.finditer(window)):
                return True
            rest = window[-longest:]
    return pattern.search(rest) is not None


def _holds(store: ObjectStore, name: str, size_bytes: int, sought: Sought) -> bool:
    key = _original(name)
    if key in sought.keys:
        return True
    try:
        return any(map(sought.goes, PackReader(store, name, size_bytes).directory().notes))
    except BrokenPack:
        pass
    except OSError as error:
        log.warning("aside_not_read", key=name, reason=error.strerror or str(error))
        return False
    try:
        return names_any(store, name, size_bytes, sought.uids)
    except NotFound:
        return False
    except OSError as error:
        log.warning("aside_not_read", key=name, reason=error.strerror or str(error))
        return False


def _original(name: str) -> str:
    """Return the key under which damaged bytes lay: in their name a mark of them follows it."""
    key = name.removeprefix(QUARANTINE)
    while key and not (sha256_of_key(key) and site_of_key(key)) and made_at(key) is None:
        key = key.rpartition(".")[0]
    return key
