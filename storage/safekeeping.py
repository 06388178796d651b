"""Looks at the instances that a commitment asks for: reads each back from the store, hashes it.

Writes what was found and the line in the ledger; the verdict is decided by `casework.commitment`.
Every version of a UID that the asking site has sent must be whole, since any of them may be the one
that the sender is about to delete. Reads nothing from the spool.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog
from sqlalchemy import and_, select, update

from casework.commitment import Evidence, Found, Reference, Result, Verdict, judge, next_look
from casework.custody import CustodyEvent
from storage.archive import Archive
from storage.casebook_tables import commitment_items
from storage.commitments import Commitment, Commitments
from storage.custodian import Line, staying, write
from storage.rows import InstanceRow, instance_row
from storage.soundness import CORRUPT, MISSING, UNREADABLE, fault_of
from storage.tables import CURRENT, instances

log = structlog.get_logger()

_PAGE = 500
_OPEN = (Result.ASKED.value, Result.PACKING.value)
_WORST_FIRST = (Evidence.DAMAGED, Evidence.UNREADABLE, Evidence.IN_SPOOL, Evidence.WHOLE)
_EVIDENCE = {
    "": Evidence.WHOLE,
    MISSING: Evidence.DAMAGED,
    CORRUPT: Evidence.DAMAGED,
    UNREADABLE: Evidence.UNREADABLE,
}


@dataclass(frozen=True)
class OpenItem:
    """An instance that is not decided on, with what the asking site has sent under its UID."""

    ordinal: int
    reference: Reference
    result: Result
    versions: tuple[InstanceRow, ...]
    current_class: str = ""


@dataclass(frozen=True)
class _Decided:
    item: OpenItem
    verdict: Verdict


def look(
    archive: Archive,
    commitments: Commitments,
    commitment: Commitment,
    *,
    is_class_taken: Callable[[str], bool],
    budget_s: float,
) -> bool:
    """Look at what is open of a leased transaction; tell whether there may be more to do at once.

    Goes on for `budget_s` seconds and then gives the transaction back as far as it has come.
    """
    started, after = time.monotonic(), -1
    while page := _open_items(commitments, commitment, after=after):
        after = page[-1].ordinal
        decided: list[_Decided] = []
        for item in sorted(page, key=_place):
            if decided and time.monotonic() - started > budget_s:
                break
            verdict = _verdict(archive, commitment, item, is_class_taken, now=commitments.clock())
            decided.append(_Decided(item, verdict))
        _write(commitments, commitment, decided)
        if len(decided) < len(page):
            commitments.look_again(commitment, at=commitments.clock())
            return True
    if commitments.conclude(commitment):
        log.info("commitment judged", transaction=commitment.transaction_uid, id=commitment.id)
        return True
    again = next_look(commitment.requested_at, commitment.wait_until, now=commitments.clock())
    commitments.look_again(commitment, at=again)
    return False


def _verdict(
    archive: Archive,
    commitment: Commitment,
    item: OpenItem,
    is_class_taken: Callable[[str], bool],
    *,
    now: datetime,
) -> Verdict:
    found = None
    if item.versions:
        found = Found(item.current_class, Evidence.WHOLE)
        if item.current_class == item.reference.sop_class_uid:
            seen = {_evidence(archive, version) for version in item.versions}
            found = Found(item.current_class, next(e for e in _WORST_FIRST if e in seen))
    return judge(
        item.reference,
        found,
        is_class_taken=is_class_taken(item.reference.sop_class_uid),
        requested_at=commitment.requested_at,
        wait_until=commitment.wait_until,
        now=now,
    )


def _evidence(archive: Archive, version: InstanceRow) -> Evidence:
    if version.location.in_spool:
        return Evidence.IN_SPOOL
    fault = fault_of(archive, version)
    if fault:
        log.error("not committed", sop=version.sop_instance_uid, site=version.site, fault=fault)
    return _EVIDENCE[fault]


def _write(commitments: Commitments, commitment: Commitment, decided: Sequence[_Decided]) -> None:
    """Keep what was decided; a line in the ledger goes with each instance that is committed."""
    changed = [d for d in decided if d.verdict.result is not d.item.result]
    if not changed:
        return
    now: datetime = commitments.clock()
    detail = {"transaction": commitment.transaction_uid, "ae": commitment.ae_title}
    with commitments.database.begin() as conn:
        seen = {version.pk for one in changed for version in one.item.versions}
        gone = seen - staying(conn, sorted(seen))
        for one in changed:
            if not gone.isdisjoint(version.pk for version in one.item.versions):
                continue  # erased since it was looked at: the next look finds nothing to promise
            done = conn.execute(
                update(commitment_items)
                .where(
                    commitment_items.c.commitment_id == commitment.id,
                    commitment_items.c.ordinal == one.item.ordinal,
                    commitment_items.c.result.in_(_OPEN),
                )
                .values(result=one.verdict.result, reason=one.verdict.reason)
            )
            if done.rowcount and one.verdict.result is Result.COMMITTED:
                write(
                    conn,
                    [
                        Line(version.pk, CustodyEvent.COMMITTED, now, detail)
                        for version in one.item.versions
                    ],
                )


def _open_items(commitments: Commitments, commitment: Commitment, *, after: int) -> list[OpenItem]:
    """Return the next open items by ordinal, each with its versions of the asking site only."""
    asked = (
        select(commitment_items)
        .where(
            commitment_items.c.commitment_id == commitment.id,
            commitment_items.c.result.in_(_OPEN),
            commitment_items.c.ordinal > after,
        )
        .order_by(commitment_items.c.ordinal)
        .limit(_PAGE)
    )
    with commitments.database.read() as conn:
        rows = conn.execute(asked).all()
        uids = {row.sop_instance_uid for row in rows}
        sent = conn.execute(
            select(instances).where(
                and_(instances.c.site == commitment.site, instances.c.sop_instance_uid.in_(uids))
            )
        ).all()
    versions: dict[str, list[InstanceRow]] = {}
    current_class: dict[str, str] = {}
    for row in sent:
        versions.setdefault(row.sop_instance_uid, []).append(instance_row(row))
        if row.state == CURRENT:
            current_class[row.sop_instance_uid] = row.sop_class_uid
    return [
        OpenItem(
            row.ordinal,
            Reference(row.sop_class_uid, row.sop_instance_uid),
            Result(row.result),
            tuple(versions.get(row.sop_instance_uid, ())),
            current_class.get(row.sop_instance_uid, ""),
        )
        for row in rows
    ]


def _place(item: OpenItem) -> tuple[str, int]:
    """Return where the bytes lie, so that they are read in their order."""
    if not item.versions:
        return ("", 0)
    first = item.versions[0].location
    return (first.container, first.offset)
