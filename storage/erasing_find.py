"""Finds what an erasure takes: studies, objects in every version, packs, cases. Changes nothing.

Of a study everything goes; of other studies only quarantined versions of what goes. A case goes
with the last of its studies. Where a series or an object of a study is named, the study and its
cases stay with what else there is; with the last of it they go.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, func, select, tuple_

from casework.custody import CustodyEvent
from casework.erasure import CaseToErase, Plan, StudyToErase, Target, digest_of
from casework.errors import Conflict
from casework.model import CaseState
from storage.casebook_tables import case_studies, cases, jobs, lesions, reports
from storage.database import chunks
from storage.holds import PatientKey, holds_on
from storage.order_tables import orders
from storage.tables import (
    IN_PACK,
    QUARANTINED,
    copies,
    custody,
    instances,
    patients,
    series,
    studies,
)

StudyKey = tuple[str, str]
"""Site, Study Instance UID."""


@dataclass(frozen=True)
class Doomed:
    """An object that goes."""

    pk: int
    site: str
    sop_instance_uid: str
    sha256: str
    study_uid: str
    series_pk: int | None
    size_bytes: int
    container: str  # of the pack; empty while it lies in a spool
    received_at: datetime

    @property
    def key(self) -> tuple[str, str, str]:
        """Return what makes two objects the same."""
        return self.site, self.sop_instance_uid, self.sha256


@dataclass(frozen=True)
class Found:
    """All that an erasure takes."""

    studies: Sequence[StudyKey]
    patients: Sequence[
        PatientKey
    ]  # whose studies these are, as the index and the casebook name them
    whole_patients: Sequence[PatientKey]  # of whom nothing is to stay
    objects: Sequence[Doomed]
    packs: Sequence[str]
    cases: Sequence[CaseToErase]

    @property
    def sites(self) -> list[str]:
        """Return the sites whose things go."""
        names = {site for site, _ in self.studies} | {key[0] for key in self.whole_patients}
        return sorted(names | {one.site for one in self.objects})


def find(conn: Connection, target: Target, *, to_change: bool = False) -> Found:
    """Return what an erasure of a study or a patient takes."""
    people = _patients_of(conn, target) if target.patient_id else []
    keys = _studies_of(conn, target, people)
    linked = cases_of(conn, keys, people, to_change=to_change)
    found = _found(conn, keys, people, linked)
    return _part_of(conn, target, found) if target.series_uid else found


def find_late(conn: Connection, keys: Sequence[StudyKey], *, until: datetime) -> list[Doomed]:
    """Return objects of erased studies that came in time to be erased and were indexed later."""
    return [one for one in _objects(conn, keys) if one.received_at <= until]


def people_of(
    conn: Connection, keys: Sequence[StudyKey], case_ids: Sequence[str]
) -> set[PatientKey]:
    """Return the patients of studies and of cases, as the index and the casebook name them."""
    whose: set[PatientKey] = set()
    for some in chunks(keys):
        whose |= {
            (row[0], row[1], row[2])
            for row in conn.execute(
                select(patients.c.site, patients.c.issuer, patients.c.patient_id)
                .join(studies, studies.c.patient_pk == patients.c.pk)
                .where(tuple_(studies.c.site, studies.c.study_uid).in_(some))
            )
        }
        ordered = select(orders.c.site, orders.c.patient_issuer, orders.c.patient_id)
        whose |= {
            (row[0], row[1], row[2])
            for row in conn.execute(
                ordered.where(tuple_(orders.c.site, orders.c.study_uid).in_(some))
            )
        }
    for ids in chunks(case_ids):
        rows = conn.execute(
            select(cases.c.site, cases.c.patient_issuer, cases.c.patient_id).where(
                cases.c.id.in_(ids)
            )
        )
        whose |= {(row[0], row[1], row[2]) for row in rows}
    return whose


def packs_of(conn: Connection, objects: Sequence[Doomed]) -> list[str]:
    """Return the packs in which objects lie, or have lain."""
    found = {one.container for one in objects if one.container}
    found |= _copies_of(conn, objects)
    pack = custody.c.detail["pack"].as_string()
    for pks in chunks(sorted(one.pk for one in objects)):
        asked = select(pack).where(
            custody.c.instance_pk.in_(pks), custody.c.event == CustodyEvent.PACKED.value
        )
        found |= {str(key) for key in conn.execute(asked.distinct()).scalars() if key}
    return sorted(found)


def plan_of(conn: Connection, target: Target, found: Found, *, now: datetime) -> Plan:
    """Return what an erasure would take, in figures, and what stands against it."""
    count: dict[StudyKey, list[int]] = {key: [0, 0] for key in found.studies}
    for one in found.objects:
        of_study = count.setdefault((one.site, one.study_uid), [0, 0])
        of_study[0] += 1
        of_study[1] += one.size_bytes
    own = set(found.studies)
    in_packs = {one.container for one in found.objects if one.container}
    return Plan(
        target=target,
        studies=tuple(
            StudyToErase(*key, *figures)
            for key, figures in sorted(count.items())
            if key in own or figures[0]
        ),
        cases=tuple(found.cases),
        quarantined=sum(one.series_pk is None for one in found.objects),
        packs=len(in_packs | _copies_of(conn, found.objects)),
        digest=digest_of(
            [one.key for one in found.objects]
            + [("case", case.id, case.state.value) for case in found.cases]
        ),
        holds=tuple(holds_on(conn, count, found.patients)),
        jobs_under_way=_jobs_under_way(conn, found, now=now),
    )


def _part_of(conn: Connection, target: Target, whole: Found) -> Found:
    """Return what an erasure of a series, or of an object of one, takes of what its study has."""
    wanted = [studies.c.study_uid == target.study_uid, series.c.series_uid == target.series_uid]
    if target.site:
        wanted.append(studies.c.site == target.site)
    if target.sop_instance_uid:
        wanted.append(instances.c.sop_instance_uid == target.sop_instance_uid)
    asked = (
        select(instances.c.site, instances.c.sop_instance_uid)
        .join(series, series.c.pk == instances.c.series_pk)
        .join(studies, studies.c.pk == series.c.study_pk)
        .where(*wanted)
    )
    named = {(row.site, row.sop_instance_uid) for row in conn.execute(asked)}
    objects = tuple(o for o in whole.objects if (o.site, o.sop_instance_uid) in named)
    if named and len(objects) == len(whole.objects):
        return whole
    return replace(
        whole,
        studies=(),
        objects=objects,
        packs=tuple(packs_of(conn, objects)),
        cases=tuple(replace(case, stays=True) for case in whole.cases) if objects else (),
    )


def _patients_of(conn: Connection, target: Target) -> list[PatientKey]:
    """Return the patient of a number, or raise Conflict when it is the number of several."""
    found: set[PatientKey] = set()
    for table, site, issuer, number in (
        (patients, patients.c.site, patients.c.issuer, patients.c.patient_id),
        (cases, cases.c.site, cases.c.patient_issuer, cases.c.patient_id),
        (lesions, lesions.c.site, lesions.c.patient_issuer, lesions.c.patient_id),
        (orders, orders.c.site, orders.c.patient_issuer, orders.c.patient_id),
    ):
        wanted = [number == target.patient_id]
        if target.issuer:
            wanted.append(issuer == target.issuer)
        if target.site:
            wanted.append(site == target.site)
        rows = conn.execute(select(site, issuer, number).select_from(table).where(*wanted))
        found |= {(row[0], row[1], row[2]) for row in rows}
    issuers = sorted({issuer for _, issuer, _ in found})
    if len(issuers) > 1:
        raise Conflict(
            f"That is the number of {len(issuers)} patients, by {', '.join(issuers)}. "
            "Say whose number it is (--issuer) or of which site (--site).",
            code="patient-ambiguous",
        )
    return sorted(found)


def _studies_of(conn: Connection, target: Target, people: Sequence[PatientKey]) -> list[StudyKey]:
    found: set[StudyKey] = set()
    if target.study_uid:
        wanted = [studies.c.study_uid == target.study_uid]
        other = [instances.c.study_uid == target.study_uid, instances.c.state == QUARANTINED]
        linked = [case_studies.c.study_uid == target.study_uid]
        ordered = [orders.c.study_uid == target.study_uid]
        if target.site:
            wanted.append(studies.c.site == target.site)
            other.append(instances.c.site == target.site)
            linked.append(case_studies.c.site == target.site)
            ordered.append(orders.c.site == target.site)
        for asked in (
            select(studies.c.site, studies.c.study_uid).where(*wanted),
            select(instances.c.site, instances.c.study_uid).where(*other).distinct(),
            select(case_studies.c.site, case_studies.c.study_uid).where(*linked),
            select(orders.c.site, orders.c.study_uid).where(*ordered),
        ):
            found |= {(row[0], row[1]) for row in conn.execute(asked)}
    for site, issuer, number in people:
        found |= {
            (row[0], row[1])
            for row in conn.execute(
                select(studies.c.site, studies.c.study_uid)
                .join(patients, patients.c.pk == studies.c.patient_pk)
                .where(
                    patients.c.site == site,
                    patients.c.issuer == issuer,
                    patients.c.patient_id == number,
                )
            )
        }
        of_patient = tuple_(orders.c.site, orders.c.patient_issuer, orders.c.patient_id)
        asked_for = select(orders.c.site, orders.c.study_uid).where(
            of_patient == (site, issuer, number)
        )
        found |= {(row[0], row[1]) for row in conn.execute(asked_for)}
    return sorted(found)


def _found(
    conn: Connection,
    keys: Sequence[StudyKey],
    people: Sequence[PatientKey],
    linked: Sequence[CaseToErase],
) -> Found:
    objects = _objects(conn, keys)
    whose = {*people, *people_of(conn, keys, [case.id for case in linked])}
    return Found(
        studies=tuple(keys),
        patients=tuple(sorted(whose)),
        whole_patients=tuple(people),
        objects=tuple(objects),
        packs=tuple(packs_of(conn, objects)),
        cases=tuple(linked),
    )


def _objects(conn: Connection, keys: Sequence[StudyKey]) -> list[Doomed]:
    """Return every version of what is in studies, and of their objects in quarantine elsewhere."""
    found: dict[int, Doomed] = {}
    for some in chunks(keys):
        in_study = tuple_(studies.c.site, studies.c.study_uid).in_(some)
        counts = (
            select(*_COLUMNS)
            .join(series, series.c.pk == instances.c.series_pk)
            .join(studies, studies.c.pk == series.c.study_pk)
            .where(in_study)
        )
        found |= _read(conn, counts)
        found |= _read(
            conn, _quarantined(tuple_(instances.c.site, instances.c.study_uid).in_(some))
        )
    current = sorted({(o.site, o.sop_instance_uid) for o in found.values() if o.series_pk})
    for uids in chunks(current):
        same = tuple_(instances.c.site, instances.c.sop_instance_uid).in_(uids)
        found |= _read(conn, _quarantined(same))
    return [found[pk] for pk in sorted(found)]


_COLUMNS = (
    instances.c.pk,
    instances.c.site,
    instances.c.sop_instance_uid,
    instances.c.sha256,
    instances.c.study_uid,
    instances.c.series_pk,
    instances.c.size_bytes,
    instances.c.location,
    instances.c.container,
    instances.c.received_at,
)


def _quarantined(where: ColumnElement[bool]) -> Select[Any]:
    return select(*_COLUMNS).where(instances.c.state == QUARANTINED, where)


def _read(conn: Connection, asked: Select[Any]) -> dict[int, Doomed]:
    found = {}
    for row in conn.execute(asked):
        container = row.container if row.location == IN_PACK else ""
        found[row.pk] = Doomed(
            row.pk,
            row.site,
            row.sop_instance_uid,
            row.sha256,
            row.study_uid,
            row.series_pk,
            row.size_bytes,
            container,
            row.received_at,
        )
    return found


def cases_of(
    conn: Connection,
    keys: Sequence[StudyKey],
    people: Sequence[PatientKey],
    *,
    to_change: bool,
) -> list[CaseToErase]:
    """Return the cases of studies and of patients, and which of them have other studies, too."""
    ids: set[str] = set()
    whole: set[str] = set()
    for some in chunks(keys):
        rows = conn.execute(
            select(case_studies.c.case_id).where(
                tuple_(case_studies.c.site, case_studies.c.study_uid).in_(some)
            )
        )
        ids |= set(rows.scalars())
    for person in people:
        of_patient = tuple_(cases.c.site, cases.c.patient_issuer, cases.c.patient_id) == person
        whole |= set(conn.execute(select(cases.c.id).where(of_patient)).scalars())
    have_others = _with_other_studies(conn, ids - whole, set(keys))
    versions: dict[str, int] = defaultdict(int)
    found = []
    for case_ids in chunks(sorted(ids | whole)):
        asked = select(cases.c.id, cases.c.state, cases.c.holder_name).where(
            cases.c.id.in_(case_ids)
        )
        counted = select(reports.c.case_id, func.count()).where(reports.c.case_id.in_(case_ids))
        versions |= {row[0]: row[1] for row in conn.execute(counted.group_by(reports.c.case_id))}
        for row in conn.execute(
            asked.order_by(cases.c.id).with_for_update() if to_change else asked
        ):
            found.append(
                CaseToErase(
                    row.id,
                    CaseState(row.state),
                    row.holder_name,
                    versions[row.id],
                    stays=row.id in have_others,
                )
            )
    return sorted(found, key=lambda case: case.id)


def _with_other_studies(conn: Connection, ids: set[str], keys: set[StudyKey]) -> set[str]:
    """Return cases that have objects in studies beside these."""
    found = set()
    for some in chunks(sorted(ids)):
        rows = conn.execute(
            select(case_studies.c.case_id, studies.c.site, studies.c.study_uid)
            .join(
                studies,
                (studies.c.site == case_studies.c.site)
                & (studies.c.study_uid == case_studies.c.study_uid),
            )
            .where(case_studies.c.case_id.in_(some), studies.c.instance_count > 0)
        )
        found |= {row.case_id for row in rows if (row.site, row.study_uid) not in keys}
    return found


def _jobs_under_way(conn: Connection, found: Found, *, now: datetime) -> int:
    """Count deliveries and sendings of what goes that a worker is at."""
    count = 0
    leased = jobs.c.leased_until > now
    for ids in chunks([case.id for case in found.cases]):
        asked = select(func.count()).where(leased, jobs.c.case_id.in_(ids))
        count += int(conn.execute(asked).scalar_one())
    touched = {*found.studies, *((one.site, one.study_uid) for one in found.objects)}
    for keys in chunks(sorted(touched)):
        asked = select(func.count()).where(
            leased, tuple_(jobs.c.site, jobs.c.study_uid).in_(keys), jobs.c.kind == "send"
        )
        count += int(conn.execute(asked).scalar_one())
    return count


def _copies_of(conn: Connection, objects: Iterable[Doomed]) -> set[str]:
    name = (copies.c.site, copies.c.sop_instance_uid, copies.c.sha256)
    found: set[str] = set()
    for some in chunks(sorted(one.key for one in objects)):
        rows = conn.execute(select(copies.c.container).where(tuple_(*name).in_(some)))
        found |= set(rows.scalars())
    return found
