"""Decides how instances that were found in packs stand: which counts under its UID, and which not.

A backup says it; else the state in which each was packed and its ledger do. Touches no database.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from casework.custody import CustodyEvent, CustodyRow
from storage.forms import Received
from storage.header import Header
from storage.register import conflict_between
from storage.rows import Location
from storage.tables import CURRENT, QUARANTINED, SET_ASIDE

ObjectKey = tuple[str, str, str]
"""Site, SOP Instance UID, hash."""

Uid = tuple[str, str]
"""Site, SOP Instance UID."""


@dataclass(frozen=True)
class Mark:
    """How a conflict stood: the state of one of its two objects."""

    state: str
    conflict: str
    settled_at: datetime | None
    settled_by: str


@dataclass(frozen=True)
class FoundInstance:
    """An instance as it was found in a pack."""

    site: str
    sha256: str
    size_bytes: int
    state: str  # as it was when it was packed
    received_at: datetime
    ledger: Sequence[CustodyRow]
    header: Header
    place: Location
    kept_sha256: str = ""
    received: Received | None = None  # when it lies there in another form than it came in

    @property
    def key(self) -> ObjectKey:
        """Return what makes two objects the same."""
        return self.site, self.header.sop_instance_uid, self.sha256


@dataclass(frozen=True)
class Known:
    """An instance that has its row."""

    sha256: str
    study_uid: str
    series_uid: str
    state: str
    pk: int = 0
    series_pk: int | None = None


@dataclass(frozen=True)
class Decision:
    """An instance that gets a row, and how it stands."""

    found: FoundInstance
    mark: Mark


@dataclass(frozen=True)
class Decided:
    """What becomes of a batch: rows to be made, and how rows that counted so far stand now."""

    rows: tuple[Decision, ...]
    displaced: tuple[tuple[Known, Mark], ...] = ()


def decide(
    found: Sequence[FoundInstance],
    known: Mapping[Uid, Sequence[Known]],
    marks: Mapping[ObjectKey, Mark],
) -> Decided:
    """Return the rows to be made, in order: of one UID one at most that counts."""
    rows: list[Decision] = []
    displaced: list[tuple[Known, Mark]] = []
    at: dict[Uid, int] = {}  # the row that counts so far
    beaten: set[Uid] = set()
    taken: set[ObjectKey] = set()
    for each in found:
        uid = (each.site, each.header.sop_instance_uid)
        before = known.get(uid, ())
        if each.key in taken or any(k.sha256 == each.sha256 for k in before):
            continue
        taken.add(each.key)
        mark = marks.get(each.key) or _mark_of(each)
        rival = None if uid in beaten else next((k for k in before if k.state == CURRENT), None)
        if mark.state == CURRENT and uid in at:
            other = rows[at[uid]]
            reason = conflict_between(other.found.header, each.header)
            if _won(each.ledger):
                rows[at[uid]] = replace(other, mark=_lost_to(mark, reason, each.ledger))
            else:
                mark = Mark(QUARANTINED, reason, None, "")
        elif mark.state == CURRENT and rival is not None:
            reason = conflict_between(rival, each.header)
            if _won(each.ledger):
                displaced.append((rival, _lost_to(mark, reason, each.ledger)))
                beaten.add(uid)
            else:
                mark = Mark(QUARANTINED, reason, None, "")
        if mark.state == CURRENT:
            at[uid] = len(rows)
        rows.append(Decision(each, mark))
    return Decided(tuple(rows), tuple(displaced))


def _mark_of(found: FoundInstance) -> Mark:
    """Return how an object stood, as far as its own ledger tells."""
    conflict, settled_at, settled_by = "", None, ""
    for line in found.ledger:
        if line.event == CustodyEvent.SET_ASIDE.value:
            return Mark(QUARANTINED, SET_ASIDE, line.at, str(line.detail.get("actor", "")))
        if line.event != CustodyEvent.CONFLICTED.value:
            continue
        conflict = str(line.detail.get("conflict", conflict))
        if line.detail.get("settled") == "second" or (
            line.detail.get("settled") and found.state == QUARANTINED
        ):
            settled_at = line.at
            settled_by = str(line.detail.get("by", "")) if found.state == QUARANTINED else ""
    if found.state == QUARANTINED:
        return Mark(QUARANTINED, conflict or "other-bytes", settled_at, settled_by)
    return Mark(CURRENT, conflict, settled_at, settled_by)


def _won(ledger: Sequence[CustodyRow]) -> bool:
    """Tell whether a person let this second object count."""
    return any(
        line.event == CustodyEvent.CONFLICTED.value and line.detail.get("settled") == "second"
        for line in ledger
    )


def _lost_to(winner: Mark, reason: str, ledger: Sequence[CustodyRow]) -> Mark:
    settled = [line for line in ledger if line.detail.get("settled") == "second"]
    return Mark(QUARANTINED, reason, winner.settled_at, str(settled[-1].detail.get("by", "")))
