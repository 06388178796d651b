"""Takes durable records of the spool over into the index: an instance row, its place, its custody.

A batch is one transaction of few statements. Doing it again changes nothing: an instance is known
by (site, UID, hash) and a record enters the custody ledger once. The first object under a UID
stays; another under that UID is kept in quarantine until a person settles which one counts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import Connection, select

from casework.completeness import Evidence, EvidenceKind
from casework.custody import CustodyEvent, Door
from storage import custodian
from storage.arrivals import arrived, sent_again
from storage.completeness import keep_evidence
from storage.database import chunks, insert_if_absent, take_turns
from storage.hierarchy import Arrival, Place, place, recount
from storage.levels import integer_of
from storage.records import SpoolRecord
from storage.tables import CURRENT, IN_SPOOL, QUARANTINED, instances

log = structlog.get_logger()

_Uid = tuple[str, str]  # site, SOP Instance UID


@dataclass(frozen=True)
class _Known:
    """An instance that is in the index, or has just been decided on."""

    sha256: str
    study_uid: str
    series_uid: str
    state: str
    pk: int = 0
    kept_sha256: str = ""  # of the form in which it is kept, when that is another

    def is_same(self, sha256: str) -> bool:
        """Tell whether these are its bytes, as they came or as they are kept."""
        return sha256 in (self.sha256, self.kept_sha256)


@dataclass(frozen=True)
class _Decision:
    """What becomes of one record."""

    record: SpoolRecord
    state: str  # current | quarantined; empty for the same bytes again
    conflict: str = ""
    place: Place | None = None


def register(conn: Connection, batch: Sequence[SpoolRecord]) -> None:
    """Make the rows of durable records, tell the casebook of new studies and note the custody."""
    take_turns(conn, {f"register:{record.origin.site}" for record in batch})
    decisions = _placed(conn, _decide(batch, _known(conn, batch)))
    _insert(conn, decisions)
    known = _known(conn, batch)
    kept = [_as_kept(decision, known) for decision in decisions]
    if kept != decisions:
        _insert(conn, [decision for decision in kept if decision.state == QUARANTINED])
        known = _known(conn, batch)
    _note_custody(conn, kept, known)
    _tell_of_repeats(conn, decisions)
    places = [decision.place for decision in decisions if decision.place is not None]
    if places:
        recount(conn, {stand.series_pk for stand in places})
        _tell_casebook(conn, decisions)
        _note_counts(conn, decisions)
    _log(kept)


def conflict_between(first: Any, second: Any) -> str:
    """Return in what two objects under one UID differ: study, series, or bytes alone."""
    if first.study_uid != second.study_uid:
        return "other-study"
    return "other-series" if first.series_uid != second.series_uid else "other-bytes"


def _known(conn: Connection, batch: Sequence[SpoolRecord]) -> dict[_Uid, list[_Known]]:
    uids: dict[str, set[str]] = defaultdict(set)
    for record in batch:
        uids[record.origin.site].add(record.header.sop_instance_uid)
    known: dict[_Uid, list[_Known]] = defaultdict(list)
    for site, wanted in sorted(uids.items()):
        for some in chunks(sorted(wanted)):
            for row in conn.execute(
                select(
                    instances.c.pk,
                    instances.c.sop_instance_uid,
                    instances.c.sha256,
                    instances.c.study_uid,
                    instances.c.series_uid,
                    instances.c.state,
                    instances.c.kept_sha256,
                ).where(instances.c.site == site, instances.c.sop_instance_uid.in_(some))
            ):
                known[site, row.sop_instance_uid].append(
                    _Known(
                        row.sha256,
                        row.study_uid,
                        row.series_uid,
                        row.state,
                        row.pk,
                        row.kept_sha256,
                    )
                )
    return known


def _decide(
    batch: Sequence[SpoolRecord], known: Mapping[_Uid, Sequence[_Known]]
) -> list[_Decision]:
    seen = {uid: list(rows) for uid, rows in known.items()}
    decisions = []
    for record in batch:
        rows = seen.setdefault((record.origin.site, record.header.sop_instance_uid), [])
        decision = _decide_one(record, rows)
        if decision.state:
            header = record.header
            rows.append(_Known(record.sha256, header.study_uid, header.series_uid, decision.state))
        decisions.append(decision)
    return decisions


def _decide_one(record: SpoolRecord, rows: Sequence[_Known]) -> _Decision:
    if any(row.is_same(record.sha256) for row in rows):
        return _Decision(record, "")
    first = next((row for row in rows if row.state == CURRENT), None)
    if first is None:
        return _Decision(record, CURRENT)
    return _Decision(record, QUARANTINED, conflict_between(first, record.header))


def _as_kept(decision: _Decision, known: Mapping[_Uid, Sequence[_Known]]) -> _Decision:
    """Return the decision as the database let it stand: another process may have been first."""
    record = decision.record
    rows = known[record.origin.site, record.header.sop_instance_uid]
    if decision.state != CURRENT or any(row.is_same(record.sha256) for row in rows):
        return decision
    return _decide_one(record, rows)


def _placed(conn: Connection, decisions: Sequence[_Decision]) -> list[_Decision]:
    """Return the decisions, those on current instances with the place that was made for each."""
    current = [_arrival(d.record) for d in decisions if d.state == CURRENT]
    places = iter(place(conn, current) if current else [])
    return [replace(d, place=next(places)) if d.state == CURRENT else d for d in decisions]


def _arrival(record: SpoolRecord) -> Arrival:
    return Arrival(
        site=record.origin.site,
        study_uid=record.header.study_uid,
        series_uid=record.header.series_uid,
        attributes=record.header.attributes,
        received_at=record.received_at,
    )


def _insert(conn: Connection, decisions: Sequence[_Decision]) -> None:
    insert_if_absent(conn, instances, [_instance_values(d) for d in decisions if d.state])


def _instance_values(decision: _Decision) -> dict[str, Any]:
    record, header = decision.record, decision.record.header
    return {
        "site": record.origin.site,
        "sop_instance_uid": header.sop_instance_uid,
        "sha256": record.sha256,
        "study_uid": header.study_uid,
        "series_uid": header.series_uid,
        "series_pk": None if decision.place is None else decision.place.series_pk,
        "state": decision.state,
        "conflict": decision.conflict,
        "sop_class_uid": header.sop_class_uid,
        "transfer_syntax_uid": header.transfer_syntax_uid,
        "size_bytes": record.size_bytes,
        "number": integer_of(header.attributes, "InstanceNumber"),
        "rows": integer_of(header.attributes, "Rows"),
        "columns": integer_of(header.attributes, "Columns"),
        "frames": integer_of(header.attributes, "NumberOfFrames"),
        "attributes": dict(header.attributes),
        "pixel": None if header.pixel is None else header.pixel.as_json(),
        "location": IN_SPOOL,
        "container": record.segment,
        "offset": record.offset,
        "length": record.length,
        "dataset_offset": record.dataset_offset,
        "received_at": record.received_at,
    }


def _note_custody(
    conn: Connection, decisions: Sequence[_Decision], known: Mapping[_Uid, Sequence[_Known]]
) -> None:
    again = [_record_name(d.record) for d in decisions if not d.state]
    noted = custodian.noted_records(conn, again) if again else set()
    lines = []
    for decision in decisions:
        record, name = decision.record, _record_name(decision.record)
        rows = known[record.origin.site, record.header.sop_instance_uid]
        pk = next(row.pk for row in rows if row.is_same(record.sha256))
        at = record.received_at
        if decision.state:
            noted.add(name)
            lines.append(custodian.Line(pk, CustodyEvent.RECEIVED, at, _detail(decision), name))
        elif name not in noted and not custodian.is_told(conn, pk, at):
            lines.append(custodian.Line(pk, CustodyEvent.REPEATED, at, _detail(decision), name))
        if decision.conflict:
            detail = {"conflict": decision.conflict}
            lines.append(custodian.Line(pk, CustodyEvent.CONFLICTED, at, detail, name))
    custodian.write(conn, lines)


def _detail(decision: _Decision) -> dict[str, Any]:
    detail = custodian.origin_detail(decision.record.origin)
    if decision.record.header.warnings:
        detail["warnings"] = list(decision.record.header.warnings)
    if decision.record.adopted:
        detail["adopted"] = True
    if decision.record.synced_at is not None and decision.state:
        detail["synced_at"] = decision.record.synced_at.isoformat(timespec="microseconds")
    if decision.place is not None and decision.place.other_patient:
        detail["other_patient"] = True
    return detail


def _record_name(record: SpoolRecord) -> str:
    return f"{record.segment}:{record.offset}"


def _tell_casebook(conn: Connection, decisions: Sequence[_Decision]) -> None:
    """Tell of each study once for each door by which something of it came."""
    told: set[tuple[int, str]] = set()
    known: set[int] = set()
    for decision in decisions:
        stand, record = decision.place, decision.record
        if stand is None or (stand.study_pk, record.origin.door.value) in told:
            continue
        told.add((stand.study_pk, record.origin.door.value))
        arrived(
            conn,
            site=record.origin.site,
            study_uid=record.header.study_uid,
            study_pk=stand.study_pk,
            new_study=stand.new_study and stand.study_pk not in known,
            attributes=record.header.attributes,
            door=record.origin.door,
            received_at=record.received_at,
        )
        known.add(stand.study_pk)


def _tell_of_repeats(conn: Connection, decisions: Sequence[_Decision]) -> None:
    """Tell the casebook once of each study of which the same bytes came again."""
    told: dict[tuple[str, str, Door], SpoolRecord] = {}
    for decision in decisions:
        if not decision.state:
            record = decision.record
            told[record.origin.site, record.header.study_uid, record.origin.door] = record
    for (site, study_uid, door), record in told.items():
        sent_again(
            conn,
            site=site,
            study_uid=study_uid,
            attributes=record.header.attributes,
            door=door,
            received_at=record.received_at,
        )


def _note_counts(conn: Connection, decisions: Sequence[_Decision]) -> None:
    """Keep what objects say of their study's size, once for each study that says so."""
    told: dict[tuple[str, str], tuple[int, datetime]] = {}
    for decision in decisions:
        header = decision.record.header
        count = integer_of(header.attributes, "NumberOfStudyRelatedInstances")
        if decision.place is not None and count is not None and count > 0:
            key = decision.record.origin.site, header.study_uid
            told[key] = (count, decision.record.received_at)
    for (site, study_uid), (count, at) in told.items():
        keep_evidence(
            conn,
            site=site,
            study_uid=study_uid,
            evidence=Evidence(EvidenceKind.COUNTS, at, expected_instances=count, source="objects"),
        )


def _log(decisions: Sequence[_Decision]) -> None:
    for decision in decisions:
        if decision.conflict:
            log.warning(
                "instance_quarantined",
                sop=decision.record.header.sop_instance_uid,
                site=decision.record.origin.site,
                reason=decision.conflict,
            )
        if decision.place is not None and decision.place.other_patient:
            log.warning(
                "instance_of_other_patient",
                sop=decision.record.header.sop_instance_uid,
                site=decision.record.origin.site,
            )
    if decisions:
        log.debug("records_indexed", count=len(decisions))
