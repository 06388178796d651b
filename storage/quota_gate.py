"""Refuses an object of a site that has used up its quota, before any of it is read.

Asks the database once a second at most, beside the receiving, and counts in between what this
process takes in; so a site may come a moment's worth over its quota, and an object that was begun
is never cut off. Our own replies are always taken, and so is what was promised already.
"""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import structlog
from sqlalchemy.exc import SQLAlchemyError

from casework.custody import Door, Origin
from casework.errors import LysbroError, NoRoom
from storage.database import Database
from storage.quotas import Standing, Usage, limited

log = structlog.get_logger()

_FRESH_S = 1.0
_RETRY_S = 10.0
_UNITS = (("TB", 10**12), ("GB", 10**9), ("MB", 10**6), ("kB", 10**3))


class QuotaGate:
    """Knows the sites with a quota; one for each process."""

    def __init__(self, database: Database, *, warn_percent: int = 80) -> None:
        self._database = database
        self._warn_percent = warn_percent
        self._lock = threading.Lock()
        self._sites: dict[str, Usage] | None = None
        self._told: dict[str, Standing] = {}
        self._asked_at = float("-inf")
        self._is_asking = False

    def admit(self, origin: Origin) -> None:
        """Raise NoRoom when the site has no quota left."""
        if origin.door is Door.REPLY:
            return
        self._keep_fresh()
        with self._lock:
            found = (self._sites or {}).get(origin.site)
        if found is not None and found.standing(self._warn_percent) is Standing.USED_UP:
            raise NoRoom(used_up(found), code="quota")

    def took(self, site: str, size_bytes: int) -> None:
        """Count what was taken in since the database was asked."""
        with self._lock:
            found = (self._sites or {}).get(site)
            if found is None or self._sites is None:
                return
            self._sites[site] = replace(
                found,
                used_bytes=found.used_bytes + size_bytes,
                used_instances=found.used_instances + 1,
            )

    def _keep_fresh(self) -> None:
        with self._lock:
            if self._is_asking or time.monotonic() - self._asked_at < _FRESH_S:
                return
            self._is_asking = True
            is_first = self._sites is None
        if is_first:
            self._ask()
        else:  # a database that is away must not hold up receiving
            threading.Thread(target=self._ask, name="quotas", daemon=True).start()

    def _ask(self) -> None:
        pause_s = 0.0
        found: dict[str, Usage] | None = None
        try:
            with self._database.read() as conn:
                found = limited(conn)
        except (SQLAlchemyError, LysbroError) as error:
            pause_s = _RETRY_S
            log.warning("quotas_not_read", reason=type(error).__name__)
        finally:
            with self._lock:
                self._sites = found if found is not None else (self._sites or {})
                self._asked_at = time.monotonic() + pause_s
                self._is_asking = False
        if found is not None:
            self._tell(found)

    def _tell(self, found: dict[str, Usage]) -> None:
        """Log a site once when it comes near to its quota, and once when that is used up."""
        for site, usage in found.items():
            standing = usage.standing(self._warn_percent)
            if standing is not self._told.get(site, Standing.FREE):
                log.warning(
                    "quota_" + standing.value.replace("-", "_"),
                    site=site,
                    percent=round(usage.percent or 0),
                )
            self._told[site] = standing


def used_up(usage: Usage) -> str:
    """Say to a sender, in the first words, what is used up, and what can be done."""
    if usage.most_bytes is not None and usage.used_bytes >= usage.most_bytes:
        bound = in_units(usage.most_bytes)
    else:
        bound = f"{usage.most_instances} objects"
    return (
        f"The quota of site {usage.site} is used up ({bound}). Nothing was kept. "
        "Ask the operator of the exchange for more, then send again."
    )


def in_units(size_bytes: int) -> str:
    """Return a number of bytes for a person."""
    for unit, factor in _UNITS:
        if size_bytes >= factor:
            return f"{size_bytes / factor:.4g} {unit}"
    return f"{size_bytes} B"
