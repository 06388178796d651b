"""Reads cases as work items: what stands around each case, and what clients have said of it.

Asks for many at once. Decides nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, and_, case, func, select

from casework.identifiers import derived_uid, reply_series_uid
from casework.model import Case
from casework.workitems import Code, Contact, Request, Series, Told, WorkItem, work_item_uid
from storage.case_rows import AnyRow, as_case, as_study, case_query
from storage.casebook_tables import (
    case_studies,
    cases,
    messages,
    reports,
    sites,
    users,
    workitems,
)
from storage.database import chunks
from storage.levels import text_of
from storage.tables import instances, series, studies

_ENDED = ("decline", "withdraw")
_OF_CASE = frozenset({"site", "study_uid", "case_id"})


def work_items(conn: Connection, ids: Sequence[str], *, whole: bool = False) -> list[WorkItem]:
    """Return cases as work items, in the order of their numbers as given; `whole`: with objects."""
    found: dict[str, WorkItem] = {}
    for some in chunks(ids):
        for row in conn.execute(case_query().where(cases.c.id.in_(some))):
            of = as_case(row)
            found[of.id] = WorkItem(uid=work_item_uid(of.id), case=of)
        _add_studies(conn, found, some)
        _add_told(conn, found, some)
        _add_ends(conn, found, some)
        if whole:
            _add_objects(conn, found, some)
    _add_holders(conn, found)
    return [found[case_id] for case_id in ids if case_id in found]


def kept_told(told: Told) -> dict[str, Any]:
    """Return what clients have said, as it is kept."""
    return {
        "progress": told.progress,
        "description": told.description,
        "contacts": [[contact.uri, contact.name] for contact in told.contacts],
        "reason": told.reason,
        "discontinued": [[code.value, code.scheme, code.meaning] for code in told.discontinued],
        "comments": told.comments,
    }


def as_told(kept: Mapping[str, Any]) -> Told:
    """Return what clients have said, from how it is kept."""
    return Told(
        progress=kept["progress"],
        description=kept["description"],
        contacts=tuple(Contact(*contact) for contact in kept["contacts"]),
        reason=kept["reason"],
        discontinued=tuple(Code(*code) for code in kept["discontinued"]),
        comments=kept["comments"],
    )


def is_of_claim(row: AnyRow, of: Case) -> bool:
    """Tell whether what a row has of a claim is of the present one, or the last."""
    claim: tuple[Any, Any] = (row.holder_id, row.claimed_at)
    return claim == (of.holder_id, of.claimed_at)


def _add_studies(conn: Connection, found: dict[str, WorkItem], ids: Sequence[str]) -> None:
    of_case: dict[str, list[tuple[bool, str, Request]]] = defaultdict(list)
    for row in conn.execute(
        select(
            case_studies.c.case_id,
            case_studies.c.site,
            case_studies.c.study_uid,
            *(
                column
                for column in studies.c
                if column.name not in {"site", "study_uid", "case_id"}
            ),
        )
        .outerjoin(
            studies,
            and_(
                studies.c.site == case_studies.c.site,
                studies.c.study_uid == case_studies.c.study_uid,
            ),
        )
        .where(case_studies.c.case_id.in_(ids))
    ):
        is_other = row.study_uid != derived_uid("study", row.case_id)
        of_case[row.case_id].append((is_other, row.study_uid, _request(row)))
    for case_id, requests in of_case.items():
        if case_id in found:
            in_order = tuple(request for *_, request in sorted(requests, key=lambda r: r[:2]))
            found[case_id] = replace(found[case_id], requests=in_order)


def _request(row: AnyRow) -> Request:
    known: Mapping[str, Any] = row.attributes or {}
    return Request(
        study=as_study(row),
        accession_number=row.accession_number or "",
        procedure_description=text_of(known, "RequestedProcedureDescription"),
        referring_physician=text_of(known, "ReferringPhysicianName"),
    )


def _add_told(conn: Connection, found: dict[str, WorkItem], ids: Sequence[str]) -> None:
    for row in conn.execute(select(workitems).where(workitems.c.case_id.in_(ids))):
        if row.case_id not in found:
            continue
        item, told = found[row.case_id], as_told(row.told)
        is_present = is_of_claim(row, item.case)
        found[row.case_id] = replace(
            item,
            uid=row.uid or item.uid,
            told=told if is_present else Told(comments=told.comments),
            told_at=row.told_at,
            transaction_uid=row.transaction_uid if is_present else "",
        )


def _add_ends(conn: Connection, found: dict[str, WorkItem], ids: Sequence[str]) -> None:
    first = select(reports.c.case_id, func.min(reports.c.signed_at).label("at"))
    signed = conn.execute(first.where(reports.c.case_id.in_(ids)).group_by(reports.c.case_id))
    for case_id, at in signed:
        if case_id in found:
            found[case_id] = replace(found[case_id], completed_at=at)
    said = select(messages.c.case_id, messages.c.text, messages.c.at).where(
        messages.c.case_id.in_(ids), messages.c.kind.in_(_ENDED)
    )
    for row in conn.execute(said.order_by(messages.c.id)):
        if row.case_id in found:
            found[row.case_id] = replace(
                found[row.case_id], canceled_at=row.at, canceled_because=row.text
            )


def _add_objects(conn: Connection, found: dict[str, WorkItem], ids: Sequence[str]) -> None:
    of_series: dict[tuple[str, str, str], list[tuple[str, str]]] = defaultdict(list)
    for row in conn.execute(
        select(
            studies.c.case_id,
            studies.c.study_uid,
            series.c.series_uid,
            instances.c.sop_class_uid,
            instances.c.sop_instance_uid,
        )
        .join(series, series.c.study_pk == studies.c.pk)
        .join(instances, instances.c.series_pk == series.c.pk)
        .where(studies.c.case_id.in_(ids))
        .order_by(
            studies.c.study_uid,
            case((series.c.number.is_(None), 1), else_=0),
            series.c.number,
            series.c.pk,
            case((instances.c.number.is_(None), 1), else_=0),
            instances.c.number,
            instances.c.pk,
        )
    ):
        key = row.case_id, row.study_uid, row.series_uid
        of_series[key].append((row.sop_class_uid, row.sop_instance_uid))
    for (case_id, study_uid, series_uid), objects in of_series.items():
        if case_id not in found:
            continue
        item, of = found[case_id], Series(study_uid, series_uid, tuple(objects))
        if series_uid == reply_series_uid(study_uid, case_id):
            found[case_id] = replace(item, outputs=(*item.outputs, of))
        else:
            found[case_id] = replace(item, inputs=(*item.inputs, of))


def _add_holders(conn: Connection, found: dict[str, WorkItem]) -> None:
    names = _organisations(conn, {item.case.holder_id for item in found.values()})
    for case_id, item in found.items():
        name = names.get(item.case.holder_id, "")
        if name:
            found[case_id] = replace(item, holder_site=name)


def _organisations(conn: Connection, actors: Iterable[str]) -> dict[str, str]:
    numbers = [int(actor.partition(":")[2]) for actor in actors if actor.startswith("user:")]
    if not numbers:
        return {}
    asked = select(users.c.id, sites.c.name).join(sites, sites.c.slug == users.c.site)
    rows = conn.execute(asked.where(users.c.id.in_(numbers)))
    return {f"user:{row.id}": row.name for row in rows}
