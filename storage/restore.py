"""Puts the casebook of a backup into a database that has none, in the caller's transaction.

Rows of an older version take the defaults of what was added since; what cannot be put so is refused
before anything is written, and so is a backup of a newer version.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import Column, Connection, Date, Table, delete, insert, select

from casework.errors import Unavailable
from storage.backup_file import BackupReader, Manifest
from storage.backup_tables import IN_PART, WHOLE
from storage.casebook_tables import audit, audit_head, cases, sites, users
from storage.database import count_on_from, revisions
from storage.tables import BigKey, UtcDateTime

_AT_ONCE = 500


def require_known(manifest: Manifest) -> None:
    """Raise Unavailable unless this version of Lysbro can put every row of a backup back."""
    if manifest.schema not in revisions():
        raise Unavailable(
            f"The backup of {manifest.at:%Y-%m-%d %H:%M} is of the tables' version "
            f"{manifest.schema}, which this Lysbro does not know: a newer one has written it. "
            "Use that version.",
            code="backup-newer",
        )
    known = {table.name: table for table in (*WHOLE, *IN_PART)}
    for part in manifest.parts.values():
        table = known.get(part.name)
        if table is None:
            raise _refused(manifest, f"its table {part.name} is not known any more")
        if table in WHOLE:
            _require_shape(manifest, table, part.columns)


def is_empty(conn: Connection) -> bool:
    """Tell whether the casebook has not been begun."""
    return not any(
        conn.execute(select(*table.primary_key.columns).limit(1)).first()
        for table in (sites, users, cases, audit)
    )


def restore_casebook(conn: Connection, backup: BackupReader) -> int:
    """Put the casebook back, and return how many rows."""
    require_known(backup.manifest)
    if audit_head.name in backup.manifest.parts:
        conn.execute(delete(audit_head))  # a new database has a head of nothing
    count = 0
    for table in WHOLE:
        part = backup.manifest.parts.get(table.name)
        if part is None:
            continue
        for some in in_parts(decoded(table, backup.rows(table.name)), _AT_ONCE):
            conn.execute(insert(table), list(some))
            count += len(some)
        _count_on(conn, table)
    return count


def decoded(table: Table, rows: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield the rows of a backup with the values that the columns of a table take."""
    readers = {column.name: _reader(column) for column in table.columns}
    for row in rows:
        yield {name: readers[name](v) if name in readers else v for name, v in row.items()}


def in_parts(rows: Iterator[dict[str, Any]], at_once: int) -> Iterator[Sequence[dict[str, Any]]]:
    """Yield rows in parts that one statement can take."""
    part: list[dict[str, Any]] = []
    for row in rows:
        part.append(row)
        if len(part) >= at_once:
            yield part
            part = []
    if part:
        yield part


def _require_shape(manifest: Manifest, table: Table, columns: Sequence[str]) -> None:
    gone = set(columns) - set(table.columns.keys())
    if gone:
        raise _refused(manifest, f"{table.name}.{min(gone)} is not known any more")
    for column in table.columns:
        has_default = column.nullable or column.server_default is not None
        if column.name not in columns and not has_default:
            raise _refused(manifest, f"it does not have {table.name}.{column.name}")


def _refused(manifest: Manifest, reason: str) -> Unavailable:
    return Unavailable(
        f"The backup of {manifest.at:%Y-%m-%d %H:%M} is of the tables' version "
        f"{manifest.schema} and cannot be put into those of {revisions()[0]}: {reason}. "
        "Restore it with the version that wrote it, then upgrade.",
        code="backup-older",
    )


def _reader(column: Column[Any]) -> Callable[[Any], Any]:
    if isinstance(column.type, UtcDateTime):
        return lambda v: None if v is None else datetime.fromisoformat(v)
    if isinstance(column.type, Date):
        return lambda v: None if v is None else date.fromisoformat(v)
    return _as_it_is


def _as_it_is(value: Any) -> Any:
    return value


def _count_on(conn: Connection, table: Table) -> None:
    for column in table.primary_key.columns:
        if column.type is BigKey and table.primary_key.columns.keys() == [column.name]:
            count_on_from(conn, column)
