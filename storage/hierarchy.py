"""Writes patients, studies and series as their objects arrive, and keeps what is counted of them.

The first value that an object brings stays; a later object fills only what was empty. Writes no
instances; that is `register`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Table, bindparam, func, select, tuple_, update

from casework.completeness import ARRIVING
from storage.casebook_tables import sites
from storage.database import chunks, insert_if_absent
from storage.levels import issuer_of, patient_values, series_values, study_values, text_of
from storage.tables import instances, patients, series, studies

Key = tuple[Any, ...]
_Rows = dict[Key, Row[Any]]

_STUDY_KEY = ("site", "study_uid")
_SERIES_KEY = ("site", "study_pk", "series_uid")
_PATIENT_KEY = ("site", "issuer", "patient_id")


@dataclass(frozen=True)
class Arrival:
    """One object that takes its place under a patient, a study and a series."""

    site: str
    study_uid: str
    series_uid: str
    attributes: Mapping[str, Any]
    received_at: datetime


@dataclass(frozen=True)
class Place:
    """Where an object stands."""

    study_pk: int
    series_pk: int
    new_study: bool
    other_patient: bool  # its patient number is not the one of its study


@dataclass(frozen=True)
class _Gathered:
    """What a batch brings for one study or series."""

    attributes: Mapping[str, Any]
    first_at: datetime
    last_at: datetime


def place(conn: Connection, arrivals: Sequence[Arrival]) -> list[Place]:
    """Make or fill the rows above each object, and return where each stands."""
    by_study = _gather(arrivals, lambda a: (a.site, a.study_uid))
    study_rows, new_studies = _keep(
        conn,
        studies,
        _STUDY_KEY,
        by_study,
        values=lambda g: {**study_values(g.attributes), "completeness": ARRIVING, "judged": ""},
        owners=lambda new: _patients_of(conn, new, by_study),
    )
    numbers = _fill_patients(conn, {row.pk: row for row in study_rows.values()}, by_study)
    by_series = _gather(
        arrivals, lambda a: (a.site, study_rows[a.site, a.study_uid].pk, a.series_uid)
    )
    series_rows, _ = _keep(
        conn, series, _SERIES_KEY, by_series, values=lambda g: series_values(g.attributes)
    )
    places = []
    for arrival in arrivals:
        study_key = (arrival.site, arrival.study_uid)
        study = study_rows[study_key]
        places.append(
            Place(
                study_pk=study.pk,
                series_pk=series_rows[arrival.site, study.pk, arrival.series_uid].pk,
                new_study=study_key in new_studies,
                other_patient=text_of(arrival.attributes, "PatientID") != numbers[study.patient_pk],
            )
        )
    return places


def recount(conn: Connection, series_pks: Collection[int]) -> None:
    """Bring the counts and modalities of these series, and of their studies, up to date."""
    touched = sorted(series_pks)
    in_series = select(func.count()).where(instances.c.series_pk == series.c.pk).scalar_subquery()
    conn.execute(update(series).where(series.c.pk.in_(touched)).values(instance_count=in_series))
    found = conn.execute(
        select(series.c.study_pk, series.c.modality, series.c.instance_count).where(
            series.c.study_pk.in_(select(series.c.study_pk).where(series.c.pk.in_(touched)))
        )
    ).all()
    counted = []
    for study_pk in sorted({row.study_pk for row in found}):
        present = [row for row in found if row.study_pk == study_pk and row.instance_count]
        counted.append(
            {
                "of_pk": study_pk,
                "instance_count": sum(row.instance_count for row in present),
                "series_count": len(present),
                "modalities": "\\".join(sorted({row.modality for row in present} - {""})),
            }
        )
    if counted:
        conn.execute(update(studies).where(studies.c.pk == bindparam("of_pk")), counted)


def _gather(arrivals: Iterable[Arrival], key_of: Callable[[Arrival], Key]) -> dict[Key, _Gathered]:
    gathered: dict[Key, _Gathered] = {}
    for arrival in arrivals:
        key = key_of(arrival)
        before = gathered.get(key)
        if before is None:
            at = arrival.received_at
            gathered[key] = _Gathered(arrival.attributes, at, at)
        else:
            gathered[key] = _Gathered(
                {**arrival.attributes, **before.attributes},
                min(before.first_at, arrival.received_at),
                max(before.last_at, arrival.received_at),
            )
    return gathered


def _keep(
    conn: Connection,
    table: Table,
    names: tuple[str, ...],
    gathered: Mapping[Key, _Gathered],
    *,
    values: Callable[[_Gathered], dict[str, Any]],
    owners: Callable[[Sequence[Key]], Mapping[Key, dict[str, Any]]] | None = None,
) -> tuple[_Rows, set[Key]]:
    """Insert the missing rows, fill the others; return all of them and the keys of the new."""
    rows = _rows(conn, table, names, gathered)
    new = sorted(gathered.keys() - rows.keys())
    changes = [_filled(rows[key], gathered[key], values) for key in sorted(rows)]
    if changes:
        conn.execute(update(table).where(table.c.pk == bindparam("of_pk")), changes)
    if new:
        owned = owners(new) if owners is not None else {}
        insert_if_absent(
            conn,
            table,
            [
                {
                    **dict(zip(names, key, strict=True)),
                    **values(gathered[key]),
                    **owned.get(key, {}),
                    "first_received_at": gathered[key].first_at,
                    "last_received_at": gathered[key].last_at,
                }
                for key in new
            ],
        )
        rows |= _rows(conn, table, names, new)
    return rows, set(new)


def _filled(
    row: Row[Any], brought: _Gathered, values: Callable[[_Gathered], dict[str, Any]]
) -> dict[str, Any]:
    first = min(row.first_received_at, brought.first_at)
    last = max(row.last_received_at, brought.last_at)
    both = _Gathered({**brought.attributes, **row.attributes}, first, last)
    return {
        **values(both),
        "of_pk": row.pk,
        "first_received_at": first,
        "last_received_at": last,
    }


def _patients_of(
    conn: Connection, study_keys: Sequence[Key], gathered: Mapping[Key, _Gathered]
) -> dict[Key, dict[str, Any]]:
    """Return the patient of each new study, made where it is not known yet."""
    issuers = _site_issuers(conn, {site for site, _ in study_keys})
    wanted: dict[Key, Key] = {}
    for site, study_uid in study_keys:
        attributes = gathered[site, study_uid].attributes
        issuer = issuer_of(
            attributes, site=site, site_issuer=issuers.get(site, ""), study_uid=study_uid
        )
        wanted[site, study_uid] = (site, issuer, text_of(attributes, "PatientID"))
    rows = _rows(conn, patients, _PATIENT_KEY, set(wanted.values()))
    missing = {key: study for study, key in reversed(wanted.items()) if key not in rows}
    insert_if_absent(
        conn,
        patients,
        [
            {
                **dict(zip(_PATIENT_KEY, key, strict=True)),
                **patient_values(gathered[study].attributes),
            }
            for key, study in sorted(missing.items())
        ],
    )
    rows |= _rows(conn, patients, _PATIENT_KEY, missing)
    return {study: {"patient_pk": rows[key].pk} for study, key in wanted.items()}


def _fill_patients(
    conn: Connection, study_rows: Mapping[int, Row[Any]], gathered: Mapping[Key, _Gathered]
) -> dict[int, str]:
    """Fill what was empty of the studies' patients; return the number of each patient."""
    pks = sorted({row.patient_pk for row in study_rows.values()})
    known = {row.pk: row for row in _by_pk(conn, patients, pks)}
    for study in study_rows.values():
        patient = known[study.patient_pk]
        attributes = gathered[study.site, study.study_uid].attributes
        if text_of(attributes, "PatientID") != patient.patient_id:
            continue
        brought = patient_values(attributes)
        empty = {k: v for k, v in brought.items() if v and not patient._mapping[k]}
        if empty:
            conn.execute(update(patients).where(patients.c.pk == patient.pk).values(empty))
    return {pk: row.patient_id for pk, row in known.items()}


def _site_issuers(conn: Connection, slugs: set[str]) -> dict[str, str]:
    found = conn.execute(select(sites.c.slug, sites.c.issuer).where(sites.c.slug.in_(slugs)))
    return {row.slug: row.issuer or "" for row in found}


def _rows(conn: Connection, table: Table, names: tuple[str, ...], keys: Iterable[Key]) -> _Rows:
    columns = [table.c[name] for name in names]
    rows: _Rows = {}
    for some in chunks(sorted(keys)):
        wanted = select(table).where(tuple_(*columns).in_(some)).order_by(*columns)
        if table is studies:  # who holds a study may write all below it, and nobody else meanwhile
            wanted = wanted.with_for_update()
        for row in conn.execute(wanted):
            rows[tuple(row._mapping[name] for name in names)] = row
    return rows


def _by_pk(conn: Connection, table: Table, pks: Sequence[int]) -> list[Row[Any]]:
    return [
        row
        for some in chunks(pks)
        for row in conn.execute(select(table).where(table.c.pk.in_(some)))
    ]
