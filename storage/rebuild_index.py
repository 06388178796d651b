"""Gives rows to instances that were found in packs: as they were, with their ledger.

Knows the rows only; reading packs is `rebuild`. An instance that has its row already is left as it
is, so that doing this again changes nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select, tuple_, update

from casework.completeness import Evidence, EvidenceKind
from casework.custody import CustodyEvent, Door
from storage import custodian
from storage.arrivals import arrived
from storage.casebook_tables import case_studies
from storage.completeness import keep_evidence
from storage.database import chunks, insert_if_absent
from storage.hierarchy import Arrival, Place, place, recount
from storage.levels import integer_of
from storage.rebuild_states import FoundInstance, Known, Mark, ObjectKey, Uid, decide
from storage.tables import CURRENT, IN_PACK, QUARANTINED, SET_ASIDE, instances, packs, studies

SETTLER = "system:rebuild"


@dataclass(frozen=True)
class _Row:
    """An instance that gets a row, how it stands, and where."""

    found: FoundInstance
    mark: Mark
    stand: Place | None = None


def register_found(
    conn: Connection,
    found: Sequence[FoundInstance],
    *,
    marks: Mapping[ObjectKey, Mark],
    is_news: Callable[[FoundInstance], bool],
    now: datetime,
) -> int:
    """Make the rows of instances that have none, in the order given; return how many.

    The casebook is told of what is news to it, as of an arrival; other studies find their case.
    """
    decided = decide(found, _known(conn, found), marks)
    for rival, mark in decided.displaced:
        _displace(conn, rival, mark)
    rows = [_Row(one.found, one.mark) for one in decided.rows]
    current = [row for row in rows if row.mark.state == CURRENT]
    places = iter(place(conn, [_arrival(row.found) for row in current]) if current else [])
    rows = [replace(r, stand=next(places)) if r.mark.state == CURRENT else r for r in rows]
    insert_if_absent(conn, instances, [_values(row) for row in rows])
    pks = _pks(conn, [row.found for row in rows])
    _write_ledgers(conn, rows, pks, now)
    stands = [row.stand for row in rows if row.stand is not None]
    if stands:
        recount(conn, {stand.series_pk for stand in stands})
        _find_cases(conn, {stand.study_pk for stand in stands})
        _tell_casebook(conn, [row for row in rows if row.stand and is_news(row.found)])
        _note_counts(conn, rows)
    return len(rows)


def settle_headless(conn: Connection, *, now: datetime) -> int:
    """Let an object count whose UID has none that does: the other was lost or was settled away."""
    other = instances.alias()
    has_current = (
        select(other.c.pk)
        .where(
            other.c.site == instances.c.site,
            other.c.sop_instance_uid == instances.c.sop_instance_uid,
            other.c.state == CURRENT,
        )
        .exists()
    )
    found = conn.execute(
        select(instances)
        .where(instances.c.state == QUARANTINED, instances.c.conflict != SET_ASIDE, ~has_current)
        .order_by(instances.c.settled_at.is_not(None), instances.c.received_at.desc())
    ).all()
    seen: set[tuple[str, str]] = set()
    for row in found:
        if (row.site, row.sop_instance_uid) in seen:
            continue
        seen.add((row.site, row.sop_instance_uid))
        (stand,) = place(
            conn,
            [Arrival(row.site, row.study_uid, row.series_uid, row.attributes, row.received_at)],
        )
        conn.execute(
            update(instances)
            .where(instances.c.pk == row.pk)
            .values(state=CURRENT, series_pk=stand.series_pk, settled_at=now, settled_by=SETTLER)
        )
        recount(conn, {stand.series_pk})
        _find_cases(conn, {stand.study_pk})
        detail = {"settled": "second", "by": SETTLER}
        custodian.write(conn, [custodian.Line(row.pk, CustodyEvent.CONFLICTED, now, detail)])
    return len(seen)


def _known(conn: Connection, found: Sequence[FoundInstance]) -> dict[Uid, list[Known]]:
    known: dict[Uid, list[Known]] = defaultdict(list)
    columns = ("pk", "site", "sop_instance_uid", "sha256", "study_uid", "series_uid", "state")
    asked = select(*(instances.c[name] for name in columns), instances.c.series_pk)
    names = (instances.c.site, instances.c.sop_instance_uid)
    for some in chunks(sorted({(f.site, f.header.sop_instance_uid) for f in found})):
        for row in conn.execute(asked.where(tuple_(*names).in_(some))):
            known[row.site, row.sop_instance_uid].append(
                Known(row.sha256, row.study_uid, row.series_uid, row.state, row.pk, row.series_pk)
            )
    return known


def _displace(conn: Connection, rival: Known, mark: Mark) -> None:
    conn.execute(
        update(instances)
        .where(instances.c.pk == rival.pk)
        .values(
            state=mark.state,
            series_pk=None,
            conflict=mark.conflict,
            settled_at=mark.settled_at,
            settled_by=mark.settled_by,
        )
    )
    if rival.series_pk is not None:
        recount(conn, {rival.series_pk})


def _arrival(found: FoundInstance) -> Arrival:
    header = found.header
    return Arrival(
        found.site, header.study_uid, header.series_uid, header.attributes, found.received_at
    )


def _values(row: _Row) -> dict[str, Any]:
    found, header, where = row.found, row.found.header, row.found.place
    return {
        "site": found.site,
        "sop_instance_uid": header.sop_instance_uid,
        "sha256": found.sha256,
        "study_uid": header.study_uid,
        "series_uid": header.series_uid,
        "series_pk": None if row.stand is None else row.stand.series_pk,
        "state": row.mark.state,
        "conflict": row.mark.conflict,
        "settled_at": row.mark.settled_at,
        "settled_by": row.mark.settled_by,
        "sop_class_uid": header.sop_class_uid,
        "transfer_syntax_uid": header.transfer_syntax_uid,
        "size_bytes": found.size_bytes,
        "number": integer_of(header.attributes, "InstanceNumber"),
        "rows": integer_of(header.attributes, "Rows"),
        "columns": integer_of(header.attributes, "Columns"),
        "frames": integer_of(header.attributes, "NumberOfFrames"),
        "attributes": dict(header.attributes),
        "pixel": None if header.pixel is None else header.pixel.as_json(),
        "location": IN_PACK,
        "container": where.container,
        "offset": where.offset,
        "length": where.length,
        "dataset_offset": where.dataset_offset,
        "received_at": found.received_at,
        "kept_sha256": found.kept_sha256,
        "received": None if found.received is None else found.received.as_json(),
    }


def _pks(conn: Connection, found: Sequence[FoundInstance]) -> dict[ObjectKey, int]:
    names = (instances.c.site, instances.c.sop_instance_uid, instances.c.sha256)
    pks: dict[ObjectKey, int] = {}
    for some in chunks(sorted(each.key for each in found)):
        for row in conn.execute(select(instances.c.pk, *names).where(tuple_(*names).in_(some))):
            pks[row.site, row.sop_instance_uid, row.sha256] = row.pk
    return pks


def _write_ledgers(
    conn: Connection, rows: Sequence[_Row], pks: Mapping[ObjectKey, int], now: datetime
) -> None:
    """Write what the packs tell, and that each lies in its pack, since when that is known."""
    times: dict[str, tuple[datetime, datetime | None]] = {}
    for some in chunks(sorted({row.found.place.container for row in rows})):
        asked = select(packs.c.key, packs.c.created_at, packs.c.verified_at)
        times |= {
            r.key: (r.created_at, r.verified_at)
            for r in conn.execute(asked.where(packs.c.key.in_(some)))
        }
    lines: list[custodian.Line] = []
    for row in rows:
        pk, container = pks[row.found.key], row.found.place.container
        for told in row.found.ledger:
            if told.event in _EVENTS:
                event = CustodyEvent(told.event)
                lines.append(custodian.Line(pk, event, told.at, told.detail))
        created_at, verified_at = times.get(container, (None, None))
        detail: dict[str, Any] = {"pack": container}
        if created_at is None:
            detail["rebuilt"] = True
        lines.append(custodian.Line(pk, CustodyEvent.PACKED, created_at or now, detail))
        if verified_at is not None:
            lines.append(custodian.Line(pk, CustodyEvent.VERIFIED, verified_at, detail))
    custodian.write(conn, lines)


def _find_cases(conn: Connection, study_pks: set[int]) -> None:
    """Link studies to the cases that the casebook has them in."""
    case_id = (
        select(case_studies.c.case_id)
        .where(
            case_studies.c.site == studies.c.site, case_studies.c.study_uid == studies.c.study_uid
        )
        .scalar_subquery()
    )
    for some in chunks(sorted(study_pks)):
        conn.execute(
            update(studies)
            .where(studies.c.pk.in_(some), studies.c.case_id.is_(None))
            .values(case_id=case_id)
        )


def _tell_casebook(conn: Connection, rows: Sequence[_Row]) -> None:
    told: set[tuple[int, str]] = set()
    for row in rows:
        door = _door(row.found)
        if row.stand is None or (row.stand.study_pk, door.value) in told:
            continue
        told.add((row.stand.study_pk, door.value))
        arrived(
            conn,
            site=row.found.site,
            study_uid=row.found.header.study_uid,
            study_pk=row.stand.study_pk,
            new_study=False,
            attributes=row.found.header.attributes,
            door=door,
            received_at=row.found.received_at,
        )


def _door(found: FoundInstance) -> Door:
    first = next((line for line in found.ledger if line.event == CustodyEvent.RECEIVED.value), None)
    try:
        return Door(str(first.detail.get("door"))) if first is not None else Door.REPLY
    except ValueError:
        return Door.REPLY


def _note_counts(conn: Connection, rows: Sequence[_Row]) -> None:
    told: dict[tuple[str, str], tuple[int, datetime]] = {}
    for row in rows:
        header = row.found.header
        count = integer_of(header.attributes, "NumberOfStudyRelatedInstances")
        if row.stand is not None and count is not None and count > 0:
            told[row.found.site, header.study_uid] = (count, row.found.received_at)
    for (site, study_uid), (count, at) in told.items():
        evidence = Evidence(EvidenceKind.COUNTS, at, expected_instances=count, source="objects")
        keep_evidence(conn, site=site, study_uid=study_uid, evidence=evidence)


_EVENTS = frozenset(event.value for event in CustodyEvent)
