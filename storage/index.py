"""What is in the archive, as each one may see it: studies, series, instances, queries, custody.

How rows come to be is `register`; how they move from the spool to a pack is `locate`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, func, select

from casework.access import Scope
from casework.completeness import Completeness, Evidence
from casework.custody import CustodyEvent, CustodyRow, Trail, trail_of, with_synced
from casework.errors import NotFound
from casework.model import Actor, Patient
from storage import completeness, conflicts, custodian, find, locate
from storage.addresses import Address, asked, behind, current, in_order
from storage.database import Database
from storage.fingerprint import fingerprint
from storage.locate import Pack, Packed, ReadySeries
from storage.matching import LITERAL, Key, Manner
from storage.places import Places
from storage.query import read_query
from storage.recompression_counts import Tally, tallies
from storage.rows import (
    ConflictRow,
    ConflictSide,
    InstanceRow,
    Location,
    SeriesRow,
    StudyCustodyRow,
    StudyRow,
    StudyTrail,
    instance_row,
    light_row,
    series_row,
    study_row,
    unread_row,
)
from storage.stopping import Asked, Stop, Watch
from storage.tables import instances, packs, patients, series, studies
from storage.visibility import seen_copy_clause, study_clause

__all__ = [
    "ConflictRow",
    "ConflictSide",
    "CustodyRow",
    "Index",
    "InstanceRow",
    "Location",
    "SeriesRow",
    "StudyCustodyRow",
    "StudyRow",
    "StudyTrail",
]


class Index:
    """The index of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._places = Places()
        self._watch = Watch()

    def studies(
        self,
        scope: Scope,
        *,
        patient: Patient | None = None,
        study_uid: str | None = None,
        site: str | None = None,
        case_id: str | None = None,
        limit: int = 100,
        offset: int = 0,
    ) -> list[StudyRow]:
        """Return studies within sight, the newest first.

        A patient's number without an issuer is a number of the site, or of the asker's own site.
        """
        wanted = list(seen_copy_clause(scope)) if site is None else [studies.c.site == site]
        if patient is not None:
            wanted.append(patients.c.patient_id == patient.id)
            if patient.issuer:
                wanted.append(patients.c.issuer == patient.issuer)
            else:
                wanted.append(patients.c.site == (site or scope.own_site))
        if study_uid is not None:
            wanted.append(studies.c.study_uid == study_uid)
        if case_id is not None:
            wanted.append(studies.c.case_id == case_id)
        statement = (
            _studies_seen(scope)
            .where(*wanted)
            .order_by(studies.c.study_date.desc(), studies.c.study_time.desc(), studies.c.pk.desc())
            .limit(limit)
            .offset(offset)
        )
        with self._database.read() as conn:
            return [study_row(row) for row in conn.execute(statement)]

    def series_of(self, scope: Scope, study_uid: str, site: str | None = None) -> list[SeriesRow]:
        """Return the series of a study within sight by number; none when it is not."""
        statement = (
            select(series, studies.c.study_uid)
            .join(studies, studies.c.pk == series.c.study_pk)
            .where(*_of_study(scope, study_uid, site), series.c.instance_count > 0)
            .order_by(series.c.number.asc().nulls_last(), series.c.pk)
        )
        with self._database.read() as conn:
            return [series_row(row) for row in conn.execute(statement)]

    def instances_of(
        self,
        scope: Scope,
        study_uid: str,
        series_uid: str | None = None,
        site: str | None = None,
        sop_instance_uid: str | None = None,
    ) -> list[InstanceRow]:
        """Return the current instances of a study or series, by series and instance number."""
        address = Address(study_uid, series_uid, sop_instance_uid, site)
        with self._database.read() as conn:
            return [instance_row(row) for row in conn.execute(*asked(scope, address, "whole"))]

    def light_instances_of(
        self,
        scope: Scope,
        study_uid: str,
        series_uid: str | None = None,
        sop_instance_uid: str | None = None,
    ) -> list[InstanceRow]:
        """Return the same without what their headers say: enough to find and send their bytes."""
        address = Address(study_uid, series_uid, sop_instance_uid)
        with self._database.read() as conn:
            return [light_row(row) for row in conn.execute(*asked(scope, address, "light"))]

    def fingerprint(
        self,
        scope: Scope,
        study_uid: str,
        series_uid: str | None = None,
        sop_instance_uid: str | None = None,
    ) -> str:
        """Return the fingerprint of what `instances_of` gives; empty where there is nothing."""
        address = Address(study_uid, series_uid, sop_instance_uid)
        with self._database.read() as conn:
            found = conn.execute(*asked(scope, address, "fingerprint")).all()
        return fingerprint([tuple(row) for row in found]) if found else ""

    def instance(self, scope: Scope, sop_instance_uid: str, site: str | None = None) -> InstanceRow:
        """Return the current instance of a UID within sight, or raise NotFound."""
        with self._database.read() as conn:
            return _instance(conn, scope, sop_instance_uid, site)

    def unread_instance(
        self, scope: Scope, study_uid: str, series_uid: str, sop_instance_uid: str
    ) -> InstanceRow | None:
        """Return an instance whose header is read when it is asked for, or None."""
        address = Address(study_uid, series_uid, sop_instance_uid)
        with self._database.read() as conn:
            row = conn.execute(*asked(scope, address, "unread")).first()
            return None if row is None else unread_row(row)

    def instances_behind(self, scope: Scope, row: InstanceRow, count: int) -> list[InstanceRow]:
        """Return the next instances of the series of one within sight, in the series' order.

        What their headers say is read when it is asked for.
        """
        values = {"of_pk": row.pk, "of_number": row.number, "count": count}
        statement = behind(scope, is_numbered=row.number is not None)
        with self._database.read() as conn:
            return [unread_row(each) for each in conn.execute(statement, values)]

    def find(
        self,
        scope: Scope,
        level: str,
        keys: Mapping[str, Key],
        *,
        limit: int,
        offset: int = 0,
        manner: Manner = LITERAL,
        is_stopped: Asked | None = None,
    ) -> Iterator[dict[str, Any]]:
        """Give what a query finds (PS3.4 C.2.2.2): for each match, keyword and value of each key.

        A requested key without a value comes back empty, one that is not kept at this level not at
        all; the unique keys of the level and those above it always come back. Raises Stopped soon
        after `is_stopped` has said so.
        """
        query = read_query(level, keys, manner)
        return find.answers(
            self._database,
            scope,
            query,
            limit=limit,
            offset=offset,
            places=self._places,
            stop=Stop(self._watch, is_stopped),
        )

    def custody(
        self, scope: Scope, sop_instance_uid: str, site: str | None = None
    ) -> list[CustodyRow]:
        """Return where an instance within sight has been, or raise NotFound."""
        with self._database.read() as conn:
            row = _instance(conn, scope, sop_instance_uid, site)
            return with_synced(custodian.lines_of(conn, row.pk))

    def custody_of_study(
        self, scope: Scope, study_uid: str, site: str | None = None
    ) -> list[StudyCustodyRow]:
        """Return where the instances of a study within sight have been, event by event."""
        statement = select(studies.c.pk).where(*_of_study(scope, study_uid, site))
        with self._database.read() as conn:
            found = conn.execute(statement).scalars().all()
            return [row for pk in found for row in custodian.lines_of_study(conn, pk)]

    def trail_of_study(self, scope: Scope, study_uid: str, site: str) -> StudyTrail:
        """Return where a study of a site within sight has been, as a whole."""
        statement = select(studies.c.pk).where(*_of_study(scope, study_uid, site))
        with self._database.read() as conn:
            pk = conn.execute(statement).scalar()
            return StudyTrail(0) if pk is None else custodian.trail_of_study(conn, pk)

    def trails(
        self, scope: Scope, study_uid: str, site: str, *, limit: int, offset: int = 0
    ) -> list[tuple[InstanceRow, Trail]]:
        """Return some instances of a study within sight, by number, and where each has been."""
        statement = in_order(select(instances), _of_study(scope, study_uid, site))
        with self._database.read() as conn:
            rows = [
                instance_row(row) for row in conn.execute(statement.limit(limit).offset(offset))
            ]
            ledger = custodian.lines_of_each(conn, [row.pk for row in rows])
            return [(row, trail_of(ledger.get(row.pk, ()))) for row in rows]

    def note_first(
        self,
        instance_pks: Sequence[int],
        event: CustodyEvent,
        at: datetime,
        detail: Mapping[str, Any] | None = None,
        *,
        key: str = "",
    ) -> int:
        """Add a line to those ledgers that have none of this event yet; return to how many.

        With a key, that have none under this key: an export to one reader, say.
        """
        with self._database.read() as conn:
            left = custodian.without(conn, instance_pks, event, key=key)
        if left:
            with self._database.begin() as conn:
                custodian.write_first(conn, left, event, at, detail or {}, key=key)
        return len(left)

    def note(
        self,
        instance_pk: int,
        event: CustodyEvent,
        at: datetime,
        detail: Mapping[str, Any] | None = None,
    ) -> None:
        """Add a line to an instance's custody ledger."""
        with self._database.begin() as conn:
            line = custodian.Line(instance_pk, event, at, detail or {})
            custodian.write_to_staying(conn, [line])

    def note_each(
        self,
        instance_pks: Sequence[int],
        event: CustodyEvent,
        at: datetime,
        detail: Mapping[str, Any] | None = None,
    ) -> None:
        """Add the same line to the custody ledger of several instances."""
        lines = [custodian.Line(pk, event, at, detail or {}) for pk in instance_pks]
        with self._database.begin() as conn:
            custodian.write_to_staying(conn, lines)

    def conflicts(self) -> list[ConflictRow]:
        """Return the conflicts that wait for a person, the oldest first."""
        with self._database.read() as conn:
            return conflicts.waiting(conn)

    def conflicts_of(self, study_uid: str, site: str) -> int:
        """Return how many conflicts of a site's study wait for a person."""
        with self._database.read() as conn:
            return conflicts.count_of_study(conn, study_uid, site)

    def settle_conflict(self, pk: int, *, keep: str, actor: Actor, now: datetime) -> ConflictRow:
        """Settle which of two objects counts, and return the conflict as it was."""
        with self._database.begin() as conn:
            return conflicts.settle(conn, pk, keep=keep, actor=actor, now=now)

    def recompressions(self, site: str | None = None) -> list[Tally]:
        """Return what became of the objects of sites that have them recompressed, or of one."""
        with self._database.read() as conn:
            return tallies(conn, site)

    def series_ready_to_pack(
        self,
        now: datetime,
        quiet_s: float,
        *,
        node: str | None = None,
        large_bytes: int | None = None,
        limit: int = 100,
    ) -> list[ReadySeries]:
        """Return series in a node's spool that have been quiet, or have grown large."""
        with self._database.read() as conn:
            return locate.series_ready_to_pack(
                conn,
                node=node,
                now=now,
                quiet_s=quiet_s,
                large_bytes=large_bytes,
                limit=limit,
            )

    def locate(self, pack: Pack, members: Sequence[Packed], *, now: datetime) -> int:
        """Say that instances lie in a verified pack now; return how many moved."""
        with self._database.begin() as conn:
            return locate.located(conn, pack, members, now=now)

    def presume_complete(self, now: datetime, quiet_s: float) -> int:
        """Judge the studies that have been quiet or have evidence; return how many changed."""
        with self._database.read() as conn:
            if not completeness.is_any_to_judge(conn, now=now, quiet_s=quiet_s):
                return 0
        with self._database.begin() as conn:
            return completeness.judge_due(conn, now=now, quiet_s=quiet_s)

    def note_evidence(self, site: str, study_uid: str, evidence: Evidence) -> Completeness | None:
        """Keep what was said of a study and judge it; None when nothing of it is here yet."""
        with self._database.begin() as conn:
            completeness.keep_evidence(conn, site=site, study_uid=study_uid, evidence=evidence)
            return completeness.judge_study(conn, site=site, study_uid=study_uid)

    def sites_of_study(self, study_uid: str) -> list[str]:
        """Return the sites that have sent a study, whoever may see it."""
        statement = (
            select(studies.c.site)
            .where(studies.c.study_uid == study_uid, studies.c.instance_count > 0)
            .order_by(studies.c.site)
        )
        with self._database.read() as conn:
            return list(conn.execute(statement).scalars())

    def last_heard(self, site: str) -> datetime | None:
        """Return when something of a site was last received."""
        statement = select(func.max(studies.c.last_received_at)).where(studies.c.site == site)
        with self._database.read() as conn:
            heard: datetime | None = conn.execute(statement).scalar_one()
            return heard

    def counts(self) -> dict[str, int]:
        """Return how much is in the index, for the status and the metrics."""
        with self._database.read() as conn:
            of_studies = conn.execute(
                select(
                    func.count(),
                    func.coalesce(func.sum(studies.c.series_count), 0),
                    func.coalesce(func.sum(studies.c.instance_count), 0),
                ).where(studies.c.instance_count > 0)
            ).one()
            in_packs = conn.execute(
                select(func.count(), func.coalesce(func.sum(packs.c.size_bytes), 0))
            ).one()
            return {
                "patients": conn.execute(select(func.count()).select_from(patients)).scalar_one(),
                "studies": int(of_studies[0]),
                "series": int(of_studies[1]),
                "instances": int(of_studies[2]),
                "conflicts": conflicts.count(conn),
                "packs": int(in_packs[0]),
                "pack_bytes": int(in_packs[1]),
            }


def _studies_seen(scope: Scope) -> Select[Any]:
    return (
        select(
            studies,
            patients.c.patient_id,
            patients.c.issuer,
            patients.c.name,
            patients.c.birth_date,
            patients.c.sex,
        )
        .join(patients, patients.c.pk == studies.c.patient_pk)
        .where(studies.c.instance_count > 0, study_clause(scope))
    )


def _current_instances() -> Select[Any]:
    return current(select(instances))


def _of_study(scope: Scope, study_uid: str, site: str | None) -> list[ColumnElement[bool]]:
    """Return the conditions of one study within sight: the site's, or the copy that is seen."""
    wanted = [studies.c.study_uid == study_uid, study_clause(scope)]
    return wanted + (seen_copy_clause(scope) if site is None else [studies.c.site == site])


def _instance(conn: Connection, scope: Scope, uid: str, site: str | None) -> InstanceRow:
    wanted = [instances.c.sop_instance_uid == uid, study_clause(scope)]
    if site is not None:
        wanted.append(instances.c.site == site)
    row = conn.execute(
        _current_instances()
        .where(*wanted)
        .order_by(studies.c.instance_count.desc(), studies.c.pk)
        .limit(1)
    ).one_or_none()
    if row is None:
        raise NotFound(f"There is no object {uid}.", code="no-such-instance")
    return instance_row(row)
