"""Takes the rows of what is erased out of the index and the casebook, in the caller's transaction.

What the bytes still need is noted in the tables of the erasure first. Touches no bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, delete, select, tuple_

from casework.erasure import Tombstone
from storage.casebook_tables import (
    captures,
    case_studies,
    cases,
    draft_keys,
    jobs,
    lesions,
    messages,
    outcomes,
    promises,
    reports,
    sent_instances,
    workitem_subscriptions,
    workitems,
)
from storage.database import chunks, insert_if_absent
from storage.erasing_find import Doomed, Found, StudyKey
from storage.erasure_tables import (
    erasing_instances,
    erasure_nodes,
    erasure_objects,
    erasure_packs,
    erasure_studies,
)
from storage.hierarchy import recount
from storage.holds import PatientKey
from storage.order_erasing import forget_orders, forget_orders_of
from storage.order_tables import orders
from storage.photo_tables import photographs
from storage.prior_tables import prior_answers, prior_fetches, prior_questions
from storage.reading_tables import readings
from storage.saved_filters import forget_filters_naming
from storage.tables import (
    completeness_evidence,
    copies,
    custody,
    instances,
    packs,
    patients,
    performed_steps,
    sender_questions,
    series,
    studies,
)


def note_work(
    conn: Connection,
    erasure_id: str,
    *,
    studies_gone: Sequence[StudyKey] = (),
    objects: Iterable[tuple[str, str, str]] = (),
    keys: Sequence[str] = (),
    nodes: Sequence[str] = (),
) -> None:
    """Note where bytes of an erasure are still to be looked for."""
    insert_if_absent(
        conn,
        erasure_studies,
        [{"erasure_id": erasure_id, "site": s, "study_uid": u} for s, u in studies_gone],
    )
    insert_if_absent(
        conn,
        erasure_objects,
        [
            {"erasure_id": erasure_id, "site": s, "sop_instance_uid": u, "sha256": h}
            for s, u, h in objects
        ],
    )
    insert_if_absent(conn, erasure_packs, [{"erasure_id": erasure_id, "key": key} for key in keys])
    insert_if_absent(
        conn, erasure_nodes, [{"erasure_id": erasure_id, "node": node} for node in nodes]
    )


def remove(conn: Connection, found: Found) -> None:
    """Delete the rows of all that goes; what case numbers were, the caller has kept."""
    remove_objects(conn, found.objects, found.studies)
    for keys in chunks(found.studies):
        of_study = tuple_(studies.c.site, studies.c.study_uid).in_(keys)
        pks = select(studies.c.pk).where(of_study).scalar_subquery()
        conn.execute(delete(series).where(series.c.study_pk.in_(pks)))
        conn.execute(delete(studies).where(of_study))
    forget_studies(conn, found.studies)
    forget_patients(conn, found.patients, lesions_of=found.whole_patients)
    remove_cases(conn, [case.id for case in found.cases if not case.stays])


def remove_objects(conn: Connection, objects: Sequence[Doomed], within: Sequence[StudyKey]) -> None:
    """Delete the rows of objects, with their ledger, and bring what is left in order."""
    name = (copies.c.site, copies.c.sop_instance_uid, copies.c.sha256)
    for names in chunks(sorted(one.key for one in objects)):
        conn.execute(delete(copies).where(tuple_(*name).in_(names)))
    for pks in chunks(sorted(one.pk for one in objects)):
        insert_if_absent(conn, erasing_instances, [{"instance_pk": pk} for pk in pks])
        conn.execute(delete(custody).where(custody.c.instance_pk.in_(pks)))
        conn.execute(delete(instances).where(instances.c.pk.in_(pks)))
        conn.execute(delete(erasing_instances).where(erasing_instances.c.instance_pk.in_(pks)))
    touched = {one.series_pk for one in objects if one.series_pk is not None}
    for some in chunks(sorted(touched)):
        recount(conn, set(some))
        conn.execute(delete(series).where(series.c.pk.in_(some), series.c.instance_count == 0))
    for keys in chunks(within):
        empty = ~select(series.c.pk).where(series.c.study_pk == studies.c.pk).exists()
        of_study = tuple_(studies.c.site, studies.c.study_uid).in_(keys)
        conn.execute(delete(studies).where(of_study, empty))
    for containers in chunks(sorted({one.container for one in objects if one.container})):
        used = select(instances.c.pk).where(instances.c.container == packs.c.key).exists()
        conn.execute(delete(packs).where(packs.c.key.in_(containers), ~used))


def forget_studies(conn: Connection, keys: Sequence[StudyKey]) -> None:
    """Delete what was said of studies, and their places in queues and in cases that stay."""
    for some in chunks(keys):
        for table in (
            completeness_evidence, sender_questions, case_studies, prior_answers, prior_fetches,
        ):  # fmt: skip
            conn.execute(delete(table).where(tuple_(table.c.site, table.c.study_uid).in_(some)))
        sending = select(jobs.c.id).where(
            tuple_(jobs.c.site, jobs.c.study_uid).in_(some), jobs.c.kind == "send"
        )
        _remove_jobs(conn, list(conn.execute(sending).scalars()))
    forget_orders(conn, keys)
    gone = set(keys)
    for site in sorted({site for site, _ in keys}):
        rows = conn.execute(
            select(performed_steps.c.sop_instance_uid, performed_steps.c.study_uids).where(
                performed_steps.c.site == site
            )
        ).all()
        over = [uid for uid, uids in rows if uids and all((site, u) in gone for u in uids)]
        for uids in chunks(over):
            conn.execute(
                delete(performed_steps).where(
                    performed_steps.c.site == site, performed_steps.c.sop_instance_uid.in_(uids)
                )
            )


def forget_patients(
    conn: Connection, keys: Sequence[PatientKey], *, lesions_of: Sequence[PatientKey]
) -> None:
    """Delete patients of whom no study is left; of whom nothing stays, lesions and fetches too."""
    for key in keys:
        used = select(studies.c.pk).where(studies.c.patient_pk == patients.c.pk).exists()
        conn.execute(
            delete(patients).where(
                tuple_(patients.c.site, patients.c.issuer, patients.c.patient_id) == key, ~used
            )
        )
    forget_orders_of(conn, lesions_of)
    for key in lesions_of:
        for table in (lesions, prior_fetches):
            name = tuple_(table.c.site, table.c.patient_issuer, table.c.patient_id)
            conn.execute(delete(table).where(name == key))


def remove_cases(conn: Connection, ids: Sequence[str]) -> None:
    """Delete cases with all that hangs on them; their numbers stand in `erased_cases` by now."""
    for some in chunks(sorted(ids)):
        of_whom = select(cases.c.patient_id, cases.c.patient_name_fold).distinct()
        people = conn.execute(of_whom.where(cases.c.id.in_(some)))
        forget_filters_naming(conn, [(row[0], row[1]) for row in people])
        of_case = select(jobs.c.id).where(jobs.c.case_id.in_(some))
        _remove_jobs(conn, list(conn.execute(of_case).scalars()))
        asked = select(prior_questions.c.id).where(prior_questions.c.case_id.in_(some))
        questions = asked.scalar_subquery()
        conn.execute(delete(prior_answers).where(prior_answers.c.question_id.in_(questions)))
        for table in (
            messages, reports, readings, captures, outcomes, photographs, draft_keys, case_studies,
            workitems,
            workitem_subscriptions, prior_questions,
        ):  # fmt: skip
            conn.execute(delete(table).where(table.c.case_id.in_(some)))
        conn.execute(delete(cases).where(cases.c.id.in_(some)))


def is_erased(conn: Connection, key: str) -> bool:
    """Tell whether a pack holds, or held, something that is being erased."""
    asked = select(erasure_packs.c.key).where(erasure_packs.c.key == key).limit(1)
    return conn.execute(asked).first() is not None


def reapply(conn: Connection, stone: Tombstone, *, is_older: bool) -> None:
    """Delete what an older backup has brought back of what was erased.

    `is_older`: the backup is from before the erasure; what a later one knows of a study is new.
    """
    there: list[str] = []
    for some in chunks(sorted(stone.case_ids)):
        there += conn.execute(select(cases.c.id).where(cases.c.id.in_(some))).scalars()
    remove_cases(conn, there)
    if not is_older:
        return
    named: set[StudyKey] = set()
    for table in (
        case_studies, completeness_evidence, sender_questions, jobs, packs, orders, prior_answers,
        prior_fetches,
    ):  # fmt: skip
        rows = conn.execute(
            select(table.c.site, table.c.study_uid).where(table.c.site.in_(stone.sites)).distinct()
        )
        named |= {(site, uid) for site, uid in rows if stone.has_study(site, uid)}
    for row in conn.execute(select(performed_steps.c.site, performed_steps.c.study_uids)):
        named |= {(row.site, u) for u in row.study_uids or () if stone.has_study(row.site, u)}
    forget_studies(conn, sorted(named))
    for keys in chunks(sorted(named)):
        conn.execute(delete(packs).where(tuple_(packs.c.site, packs.c.study_uid).in_(keys)))
    people: set[tuple[str, ...]] = set()
    for table in (lesions, orders, prior_fetches):
        name = (table.c.site, table.c.patient_issuer, table.c.patient_id)
        people |= {tuple(row) for row in conn.execute(select(*name).distinct())}
    forget_patients(
        conn, (), lesions_of=[(s, i, n) for s, i, n in sorted(people) if stone.has_patient(s, i, n)]
    )


def _remove_jobs(conn: Connection, ids: Sequence[int]) -> None:
    for some in chunks(ids):
        conn.execute(delete(promises).where(promises.c.job_id.in_(some)))
        conn.execute(delete(sent_instances).where(sent_instances.c.job_id.in_(some)))
        conn.execute(delete(jobs).where(jobs.c.id.in_(some)))
