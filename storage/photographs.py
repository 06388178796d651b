"""Gives each photograph of a case its numbers and its references, once, before it is stored.

What was set for a capture stays as it was set: a repeat that the first attempt did not live to
finish makes the same object.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, delete, func, insert, select

from casework.photo_links import Link, Pictured, Purpose, links_of
from storage.casebook_tables import captures, cases
from storage.database import Database
from storage.photo_tables import photographs
from storage.tables import CURRENT, instances


@dataclass(frozen=True)
class PhotoPlace:
    """The place of a photograph among those of its case."""

    number: int
    series_number: int
    links: tuple[Link, ...]
    said: Mapping[str, Any]  # as it was handed in when the place was given


class Photographs:
    """The photographs of the cases of one exchange."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def place(
        self,
        case_id: str,
        capture_id: str,
        picture: Pictured,
        *,
        said: Mapping[str, Any],
        device_id: int | None = None,
    ) -> PhotoPlace:
        """Return the place of a capture: the one it has, or the next one, which then stays.

        Without a `capture_id` the object's own UID names the capture. Numbers do not repeat within
        a case; a series has one number; only what is kept by now is referred to.
        """
        capture_id = capture_id or picture.sop_instance_uid
        with self._database.begin() as conn:
            conn.execute(select(cases.c.id).where(cases.c.id == case_id).with_for_update())
            row = _row(conn, case_id, capture_id)
            if row is None or _as_picture(row) != picture:  # it is said to be another one now
                links = links_of(picture, _kept(conn, case_id))
                conn.execute(delete(photographs).where(*_is(case_id, capture_id)))
                conn.execute(
                    insert(photographs).values(
                        case_id=case_id,
                        capture_id=capture_id,
                        number=_next_number(conn, case_id),
                        series_number=_series_number(conn, case_id, picture.series_uid),
                        device_id=device_id,
                        said={"links": [asdict(link) for link in links], "given": dict(said)},
                        **asdict(picture),
                    )
                )
                row = conn.execute(select(photographs).where(*_is(case_id, capture_id))).one()
            return _as_place(row)


def _row(conn: Connection, case_id: str, capture_id: str) -> Row[Any] | None:
    return conn.execute(select(photographs).where(*_is(case_id, capture_id))).one_or_none()


def _is(case_id: str, capture_id: str) -> tuple[ColumnElement[bool], ...]:
    return photographs.c.case_id == case_id, photographs.c.capture_id == capture_id


def _kept(conn: Connection, case_id: str) -> list[Pictured]:
    """Return the photographs of a case that are stored, and still there, the oldest first."""
    is_kept = and_(
        captures.c.case_id == photographs.c.case_id,
        captures.c.capture_id == photographs.c.capture_id,
    )
    is_there = and_(
        instances.c.site == cases.c.site,
        instances.c.sop_instance_uid == photographs.c.sop_instance_uid,
        instances.c.state == CURRENT,
    )
    asked = (
        select(photographs)
        .join(captures, is_kept)
        .join(cases, cases.c.id == photographs.c.case_id)
        .join(instances, is_there)
        .where(photographs.c.case_id == case_id)
        .order_by(captures.c.at, photographs.c.number)
    )
    return [_as_picture(row) for row in conn.execute(asked)]


def _as_picture(row: Row[Any]) -> Pictured:
    return Pictured(**{name: row._mapping[name] for name in Pictured.__dataclass_fields__})


def _next_number(conn: Connection, case_id: str) -> int:
    """Return a number that no photograph of a case has; those of older versions are counted too."""
    given = conn.execute(
        select(func.max(photographs.c.number)).where(photographs.c.case_id == case_id)
    ).scalar()
    taken = conn.execute(
        select(func.count()).select_from(captures).where(captures.c.case_id == case_id)
    ).scalar_one()
    return max(given or 0, taken) + 1


def _series_number(conn: Connection, case_id: str, series_uid: str) -> int:
    of_series, highest = conn.execute(
        select(
            func.max(photographs.c.series_number).filter(photographs.c.series_uid == series_uid),
            func.max(photographs.c.series_number),
        ).where(photographs.c.case_id == case_id)
    ).one()
    return int(of_series or (highest or 0) + 1)


def _as_place(row: Row[Any]) -> PhotoPlace:
    return PhotoPlace(
        number=row.number,
        series_number=row.series_number,
        links=tuple(
            Link(**{**link, "purpose": Purpose(link["purpose"])}) for link in row.said["links"]
        ),
        said=row.said["given"],
    )
