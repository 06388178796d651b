"""Decides on an erasure in one transaction, from which on nothing of it can be found any more.

The index and the casebook forget it, a tombstone stays, the audit tells of it. The bytes go
afterwards, step by step (`erasure_steps`): a stop in between only has them go later.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import structlog
from sqlalchemy import Connection, select, tuple_

from casework.audit import REFUSED, Deed
from casework.erasure import (
    ERASED,
    Plan,
    Target,
    Tombstone,
    as_plain,
    digest_of,
    mark,
    require_erasable,
    require_reason,
    require_unread,
)
from casework.errors import Conflict, Refused
from casework.model import Actor
from storage import tombstones
from storage.database import Database, chunks, take_turns
from storage.erasing_find import (
    Doomed,
    Found,
    StudyKey,
    cases_of,
    find,
    find_late,
    packs_of,
    people_of,
    plan_of,
)
from storage.erasing_rows import (
    forget_patients,
    note_work,
    remove,
    remove_cases,
    remove_objects,
)
from storage.erasure_tables import erasure_studies
from storage.ledger import append_entry
from storage.tables import nodes, segments, studies
from storage.tombstones import Erasure

log = structlog.get_logger()


class Erasures:
    """What is erased of one exchange."""

    def __init__(self, database: Database, clock: Callable[[], datetime], *, node: str) -> None:
        """`node` is the name of this data folder among others."""
        self._database = database
        self._clock = clock
        self._node = node

    def plan(self, target: Target) -> Plan:
        """Return what an erasure would take; changes nothing."""
        with self._database.read() as conn:
            return plan_of(conn, target, find(conn, target), now=self._clock())

    def erase(
        self, target: Target, *, actor: Actor, reason: str, digest: str = "", kind: str = ""
    ) -> Tombstone:
        """Let the index and the casebook forget a study or a patient, and return what stays.

        `digest` is that of the plan that was shown: what has changed since is not erased.
        """
        why, now = require_reason(reason), self._clock()
        try:
            with self._database.begin() as conn:
                found, plan = self._find_alone(conn, target, now)
                require_erasable(plan, digest=digest)
                stone = _tombstone(found, plan, actor, why, now, kind=kind or target.kind)
                tombstones.insert_erasures(conn, [stone])
                note_work(
                    conn,
                    stone.id,
                    studies_gone=found.studies,
                    objects=[one.key for one in found.objects],
                    keys=found.packs,
                    nodes=self._nodes(conn),
                )
                remove(conn, found)
                for deed in _deeds(stone, target, actor):
                    append_entry(conn, deed, at=now)
        except (Refused, Conflict) as error:
            with self._database.begin() as conn:
                subject = target.study_uid or "patient"
                detail = {"attempt": "erase"}
                deed = Deed(
                    actor, REFUSED, subject, site=target.site, outcome=error.code, detail=detail
                )
                append_entry(conn, deed, at=now)
            error.noted = True
            raise
        log.info("erased", erasure=stone.id, studies=stone.studies, instances=stone.instances)
        return stone

    def sweep(self, stone: Tombstone) -> Tombstone:
        """Take out what came in time to be erased and was indexed only since; return what stays."""
        with self._database.read() as conn:
            keys = _named(conn, stone)
            if not find_late(conn, keys, until=stone.until):
                return stone
        with self._database.begin() as conn:
            take_turns(conn, [f"register:{site}" for site in stone.sites])
            late = find_late(conn, keys, until=stone.until)
            whose = people_of(conn, keys, ())
            note_work(
                conn,
                stone.id,
                studies_gone=keys,
                objects=[one.key for one in late],
                keys=packs_of(conn, late),
                nodes=self._nodes(conn),
            )
            remove_objects(conn, late, keys)
            made = _made_by(conn, keys)
            grown = _with_late(stone, late, set(keys), made)
            tombstones.insert_erasures(conn, [grown])  # the numbers of those cases, too
            tombstones.change(conn, stone.id, tombstone=as_plain(grown))
            remove_cases(conn, made)
            forget_patients(conn, sorted(whose), lesions_of=())
        log.info("erased_late", erasure=stone.id, instances=len(late))
        return grown

    def listed(self, *, limit: int = 100) -> list[Erasure]:
        """Return erasures, the newest first."""
        with self._database.read() as conn:
            return tombstones.listed(conn, limit=limit)

    def _find_alone(self, conn: Connection, target: Target, now: datetime) -> tuple[Found, Plan]:
        """Return what an erasure takes while nothing is registered for its sites meanwhile."""
        sites = find(conn, target).sites
        take_turns(conn, [f"register:{site}" for site in sites])
        found = find(conn, target, to_change=True)
        return found, plan_of(conn, target, found, now=now)

    def _nodes(self, conn: Connection) -> list[str]:
        """Return the nodes whose data folder may hold something."""
        names = {self._node}
        if not self._database.is_embedded:
            names |= set(conn.execute(select(nodes.c.name)).scalars())
            names |= set(conn.execute(select(segments.c.node).distinct()).scalars())
        return sorted(names)


def _named(conn: Connection, stone: Tombstone) -> list[StudyKey]:
    """Return the studies of an erasure, by name, or by its marks when the names are lost."""
    asked = select(erasure_studies.c.site, erasure_studies.c.study_uid)
    rows = conn.execute(asked.where(erasure_studies.c.erasure_id == stone.id))
    if named := [(row.site, row.study_uid) for row in rows]:
        return named
    if not stone.study_marks:  # of parts of studies, which stay
        return []
    some = select(studies.c.site, studies.c.study_uid).where(
        studies.c.site.in_(stone.sites), studies.c.first_received_at <= stone.until
    )
    return [(s, uid) for s, uid in conn.execute(some) if stone.has_study(s, uid)]


def _tombstone(
    found: Found, plan: Plan, actor: Actor, reason: str, now: datetime, *, kind: str
) -> Tombstone:
    id_ = f"{now.astimezone(UTC):%Y%m%dt%H%M%Sz}-{secrets.token_hex(6)}"
    own = set(found.studies)
    beside = [one for one in found.objects if (one.site, one.study_uid) not in own]
    sites = {*found.sites, *(one.site for one in beside)}
    return Tombstone(
        id=id_,
        kind=kind,
        at=now,
        until=max([now, *(one.received_at for one in found.objects)]),
        actor_id=actor.id,
        actor_name=actor.name,
        reason=reason,
        studies=len(plan.studies),
        instances=plan.instances,
        size_bytes=plan.size_bytes,
        packs=plan.packs,
        digest=digest_of(one.key for one in found.objects),
        case_ids=tuple(case.id for case in found.cases if not case.stays),
        sites=tuple(sorted(sites)),
        study_marks=frozenset(mark(id_, "study", *key) for key in found.studies),
        object_marks=frozenset(mark(id_, "object", *one.key) for one in beside),
        patient_marks=frozenset(mark(id_, "patient", *key) for key in found.whole_patients),
    )


def _made_by(conn: Connection, keys: Sequence[StudyKey]) -> list[str]:
    """Return the cases that late objects have made, now that nothing of their studies is left."""
    there: set[StudyKey] = set()
    for some in chunks(keys):
        rows = conn.execute(
            select(studies.c.site, studies.c.study_uid).where(
                tuple_(studies.c.site, studies.c.study_uid).in_(some)
            )
        )
        there |= {(row.site, row.study_uid) for row in rows}
    gone = [key for key in keys if key not in there]
    found = [case for case in cases_of(conn, gone, (), to_change=True) if not case.stays]
    require_unread(found)
    return [case.id for case in found]


def _with_late(
    stone: Tombstone, late: Sequence[Doomed], own: set[StudyKey], made: Sequence[str]
) -> Tombstone:
    beside = [one for one in late if (one.site, one.study_uid) not in own]
    return replace(
        stone,
        instances=stone.instances + len(late),
        size_bytes=stone.size_bytes + sum(one.size_bytes for one in late),
        case_ids=tuple(sorted({*stone.case_ids, *made})),
        object_marks=stone.object_marks | {mark(stone.id, "object", *o.key) for o in beside},
    )


def _deeds(stone: Tombstone, target: Target, actor: Actor) -> list[Deed]:
    """Return what the audit tells: the erasure, and under the number of each case that it is gone.

    The UID of a study is told, as it is by other entries; a patient's number is not.
    """
    detail = {
        "erasure": stone.id,
        "kind": stone.kind,
        "reason": stone.reason,
        "studies": stone.studies,
        "instances": stone.instances,
        "bytes": stone.size_bytes,
        "packs": stone.packs,
        "digest": stone.digest,
    }
    if target.series_uid:
        detail |= {"series": target.series_uid, "instance": target.sop_instance_uid}
    subject = target.study_uid or stone.id
    whole = Deed(actor, ERASED, subject, site=target.site, detail=detail)
    of_cases = [
        Deed(actor, ERASED, stone.id, case_id, site=target.site, detail={"reason": stone.reason})
        for case_id in stone.case_ids
    ]
    return [whole, *of_cases]
