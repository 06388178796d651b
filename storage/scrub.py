"""Hashes packs again in the background, the longest unseen first, within so many bytes a day.

Finds and tells; repairs nothing, which is for `lysbro verify --repair`.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import structlog

from storage import pack_checks
from storage.archive import Archive
from storage.pack_checks import DuePack
from storage.soundness import MISSING, fault_of, fault_of_pack

log = structlog.get_logger()

_DAY = timedelta(days=1)
_LOOK_EVERY = timedelta(minutes=1)


class Scrubber:
    """Spends a daily budget on reading packs; one for each worker."""

    def __init__(self, archive: Archive, *, daily_bytes: int) -> None:
        self._archive = archive
        self._daily_bytes = daily_bytes
        self._credit = 0.0
        self._credited_at: datetime | None = None
        self._not_before: datetime | None = None

    def run_once(self, now: datetime) -> bool:
        """Hash one pack again when the budget allows it; tell whether one was.

        A pack larger than what is left of the budget is paid back with time.
        """
        self._earn(now)
        if self._credit <= 0 or (self._not_before is not None and now < self._not_before):
            return False
        with self._archive.database.read() as conn:
            due = pack_checks.next_due(conn, before=now - _DAY)
        if due is None:
            self._not_before = now + _LOOK_EVERY
            return False
        self._credit -= due.size_bytes
        self._not_before = now + _LOOK_EVERY  # should the store not answer
        check_pack(self._archive, due, now=now)
        self._not_before = None
        return True

    def _earn(self, now: datetime) -> None:
        if self._credited_at is not None:
            elapsed = (now - self._credited_at) / _DAY
            self._credit = min(self._credit + elapsed * self._daily_bytes, self._daily_bytes)
        self._credited_at = now


def check_pack(archive: Archive, pack: DuePack, *, now: datetime) -> str:
    """Hash one pack again and remember what was wrong with it; return that, or nothing.

    What cannot be read for now is not remembered as hashed, and raises.
    """
    fault = fault_of_pack(archive, pack.key, pack.sha256)
    faulty = 0
    if fault:
        with archive.database.read() as conn:
            members = pack_checks.members(conn, pack.key)
        for member in members:
            wrong = fault_of(archive, member)
            faulty += bool(wrong)
            if wrong:
                log.error(
                    "acked_missing" if wrong == MISSING else "hash_mismatch",
                    sop=member.sop_instance_uid,
                    site=member.site,
                    pack=pack.key,
                )
        log.error("pack_at_fault", key=pack.key, fault=fault, instances=faulty)
    with archive.database.begin() as conn:
        pack_checks.note_check(conn, pack.key, fault=fault, faulty=faulty, now=now)
    return fault
