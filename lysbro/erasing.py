"""The worker's part in erasure: carries out what was decided, and what retention asks for.

Retention erases a study at a time and so many in a day at most, over all workers.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import structlog

from casework.erasure import RETENTION, Target
from casework.errors import Conflict, NotFound, Refused
from casework.model import Actor
from casework.retention import Rule
from lysbro.backing_up import WORKER
from lysbro.wiring import Parts
from storage import tombstones
from storage.erasure_steps import Eraser
from storage.retention import Due

log = structlog.get_logger()

_DAY = timedelta(days=1)


class Finisher:
    """Carries erasures out, wherever they were decided."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._eraser = Eraser(parts.archive, actor=WORKER)

    def run_once(self) -> bool:
        """Take erasures on by a step; tell whether there may be more to do at once."""
        return self._eraser.run_once(self._parts.clock())

    def empty_folder(self) -> bool:
        """Empty this data folder of what is to go, as nobody else can; tell whether it was."""
        return self._eraser.clear_own_folder(self._parts.clock())


class Keeper:
    """Applies the rules of retention, once in so many seconds."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._every = timedelta(seconds=parts.settings.retention_every)
        self._not_before: datetime | None = None
        self._waiting: list[Due] = []

    def run_once(self) -> bool:
        """Erase one study whose time is over; tell whether there is another."""
        parts = self._parts
        now = parts.clock()
        if not self._waiting:
            if not self._every or (self._not_before is not None and now < self._not_before):
                return False
            self._not_before = now + self._every
            self._waiting = going(parts, limit=left_today(parts))
        if self._waiting:
            apply_to(parts, self._waiting.pop(0), actor=WORKER)
        return bool(self._waiting)


def left_today(parts: Parts) -> int:
    """Return how many studies retention may still erase within a day."""
    with parts.database.read() as conn:
        done = tombstones.by_rule_since(conn, parts.clock() - _DAY)
    return max(0, parts.settings.retention_daily_studies - done)


def going(parts: Parts, *, limit: int) -> list[Due]:
    """Return the studies that retention would erase now."""
    return [due for due in parts.retention.due(limit=limit) if not due.hold][:limit]


def apply_to(parts: Parts, due: Due, *, actor: Actor) -> bool:
    """Erase a study whose time is over; return False when it may not be just now."""
    try:
        parts.erasures.erase(
            Target(study_uid=due.study_uid, site=due.site),
            actor=actor,
            reason=reason_of(due.rule),
            kind=RETENTION,
        )
    except (Conflict, Refused, NotFound) as error:
        log.info("retention_waits", study=due.study_uid, site=due.site, reason=error.code)
        return False
    return True


def reason_of(rule: Rule) -> str:
    """Return what a tombstone says of an erasure by a rule."""
    what = f"{rule.modality} of {rule.site}" if rule.modality else rule.site
    since = "the last object came" if rule.since == "received" else "the case was closed"
    return f"retention rule {rule.id}: {what}, {rule.keep_days} days after {since}"
