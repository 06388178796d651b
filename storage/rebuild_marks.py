"""Takes from a backup what the packs could not know: of packs, conflicts, custody and studies.

Each part may be taken again: what is there already stays as it is.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, func, select, tuple_, update

from casework.custody import CustodyEvent
from storage.backup import CUSTODY, INSTANCES, PACKS, STUDIES
from storage.backup_file import BackupReader
from storage.casebook_tables import case_studies
from storage.database import Database, chunks, insert_if_absent
from storage.rebuild_states import Mark, ObjectKey
from storage.restore import decoded, in_parts
from storage.tables import custody, instances, packs, studies

_AT_ONCE = 500
_FIRST = "first:"


def pack_rows(conn: Connection, backup: BackupReader) -> None:
    """Put back the rows of packs, whether or not they are still in the store."""
    for some in in_parts(decoded(packs, backup.rows(PACKS)), _AT_ONCE):
        insert_if_absent(conn, packs, [{k: v for k, v in r.items() if k in packs.c} for r in some])


def conflict_marks(backup: BackupReader) -> dict[ObjectKey, Mark]:
    """Return how each object of a conflict stood."""
    return {
        (row["site"], row["sop_instance_uid"], row["sha256"]): Mark(
            row["state"], row["conflict"], row["settled_at"], row["settled_by"]
        )
        for row in decoded(instances, backup.rows(INSTANCES))
    }


def known_studies(backup: BackupReader) -> frozenset[tuple[str, str]]:
    """Return the studies that a backup knows of."""
    return frozenset((row["site"], row["study_uid"]) for row in backup.rows(STUDIES))


def studies_with_case(conn: Connection) -> frozenset[tuple[str, str]]:
    """Return the studies that are of a case."""
    found = conn.execute(select(case_studies.c.site, case_studies.c.study_uid))
    return frozenset((row.site, row.study_uid) for row in found)


def study_marks(database: Database, backup: BackupReader) -> None:
    """Say again how complete studies were judged, where nothing has come or gone since."""
    statement = (
        update(studies)
        .where(
            studies.c.site == bindparam("of_site"),
            studies.c.study_uid == bindparam("of_study"),
            studies.c.instance_count == bindparam("of_count"),
        )
        .values(
            {
                name: bindparam(f"to_{name}")
                for name in (
                    "completeness", "completeness_evidence", "expected_instances",
                    "missing_instances", "judged",
                )
            }
        )
    )  # fmt: skip
    for some in in_parts(decoded(studies, backup.rows(STUDIES)), _AT_ONCE):
        values = [
            {
                "of_site": row.pop("site"),
                "of_study": row.pop("study_uid"),
                "of_count": row.pop("instance_count"),
                **{f"to_{name}": value for name, value in row.items()},
            }
            for row in some
        ]
        with database.begin() as conn:
            conn.execute(statement, values)


def custody_lines(database: Database, backup: BackupReader) -> None:
    """Add the lines of the ledger that are in no pack, each once."""
    for some in in_parts(decoded(custody, backup.rows(CUSTODY)), _AT_ONCE):
        with database.begin() as conn:
            pks = _pks(conn, some)
            there = _lines(conn, set(pks.values()))
            insert_if_absent(
                conn,
                custody,
                [
                    {
                        "instance_pk": pk,
                        "event": row["event"],
                        "at": row["at"],
                        "record": _record(row["record"], pk),
                        "detail": row["detail"],
                    }
                    for row in some
                    if (pk := pks.get(_key(row))) is not None
                    and (pk, row["event"], row["at"], _text(row["detail"])) not in there
                ],
            )


def merged_into_others(conn: Connection, keys: Collection[str]) -> set[str]:
    """Return which of these packs some instance lay in before: they were merged into another."""
    if not keys:
        return set()
    pack = custody.c.detail["pack"].as_string()
    found: set[str] = set()
    for some in chunks(sorted(keys)):
        asked = select(pack).where(custody.c.event == CustodyEvent.PACKED.value, pack.in_(some))
        found |= {str(key) for key in conn.execute(asked.distinct()).scalars()}
    return found


def count_of(conn: Connection) -> tuple[int, int, int]:
    """Return how many studies, instances and open conflicts there are."""
    count = select(func.count())
    return (
        int(conn.execute(count.select_from(studies)).scalar_one()),
        int(conn.execute(count.select_from(instances)).scalar_one()),
        int(
            conn.execute(
                count.where(instances.c.state == "quarantined", instances.c.settled_at.is_(None))
            ).scalar_one()
        ),
    )


def _key(row: Mapping[str, Any]) -> ObjectKey:
    return row["site"], row["sop_instance_uid"], row["sha256"]


def _pks(conn: Connection, rows: Sequence[Mapping[str, Any]]) -> dict[ObjectKey, int]:
    names = (instances.c.site, instances.c.sop_instance_uid, instances.c.sha256)
    pks: dict[ObjectKey, int] = {}
    for some in chunks(sorted({_key(row) for row in rows})):
        for row in conn.execute(select(instances.c.pk, *names).where(tuple_(*names).in_(some))):
            pks[row.site, row.sop_instance_uid, row.sha256] = row.pk
    return pks


def _lines(conn: Connection, pks: set[int]) -> set[tuple[int, str, Any, str]]:
    there: set[tuple[int, str, Any, str]] = set()
    for some in chunks(sorted(pks)):
        asked = select(custody.c.instance_pk, custody.c.event, custody.c.at, custody.c.detail)
        for row in conn.execute(asked.where(custody.c.instance_pk.in_(some))):
            there.add((row.instance_pk, row.event, row.at, _text(row.detail)))
    return there


def _record(record: str | None, pk: int) -> str | None:
    """Return the name of what caused a line; that of a first time has the instance's number."""
    if record is None or not record.startswith(_FIRST):
        return record
    _, _, key = record.removeprefix(_FIRST).partition(":")
    return f"{_FIRST}{pk}:{key}"


def _text(detail: Any) -> str:
    return json.dumps(detail, sort_keys=True)
