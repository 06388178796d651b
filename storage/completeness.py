"""Keeps what is said of studies, and judges by it how complete each is.

The receiving path only marks a study as to be judged; a worker does the judging, in passing, and
whoever brings new evidence. What decides is `casework.completeness`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    and_,
    bindparam,
    exists,
    func,
    or_,
    select,
    update,
)

from casework.completeness import (
    ARRIVING,
    COMPLETE,
    PRESUMED,
    Completeness,
    Evidence,
    EvidenceKind,
    is_quiet,
    judge,
)
from casework.identifiers import reply_series_uid
from storage.asking import askable, open_question, sender_of
from storage.database import chunks, insert_if_absent
from storage.order_links import study_is_complete
from storage.prior_marks import priors_among
from storage.tables import completeness_evidence, instances, series, studies

_AT_ONCE = 500
_MAX_SOURCE = 255

JUDGED_ONCE, JUDGED_ASKING, JUDGED_QUIET = "once", "asking", "quiet"
"""How a study was last judged: while it came, asking its sender meanwhile, or once it was quiet.
Empty: to be judged again, as something has arrived."""


def note_evidence(
    conn: Connection,
    *,
    site: str,
    study_uid: str,
    kind: EvidenceKind,
    at: datetime,
    source: str = "",
    expected_instances: int | None = None,
    expected_uids: Collection[str] | None = None,
) -> Completeness | None:
    """Keep what was said of a study and judge it; None when nothing of the study is here yet.

    What the same source says again replaces what it said before. `source` is the AE title, the
    procedure step, the request or the actor.
    """
    uids = frozenset(expected_uids) if expected_uids else None
    evidence = Evidence(kind, at, expected_instances, uids, source)
    keep_evidence(conn, site=site, study_uid=study_uid, evidence=evidence)
    return judge_study(conn, site=site, study_uid=study_uid)


def keep_evidence(conn: Connection, *, site: str, study_uid: str, evidence: Evidence) -> None:
    """Keep what was said of a study, unless its source has said something newer; judge nothing."""
    if not evidence.expected_instances and not evidence.expected_uids:
        return
    key = {
        "site": site,
        "study_uid": study_uid,
        "kind": evidence.kind.value,
        "source": evidence.source[:_MAX_SOURCE],
    }
    said = {
        "expected_instances": evidence.expected_instances,
        "expected_uids": sorted(evidence.expected_uids) if evidence.expected_uids else None,
        "at": evidence.at,
    }
    table = completeness_evidence
    insert_if_absent(conn, table, [key | said])
    conn.execute(
        update(table)
        .where(*(table.c[name] == value for name, value in key.items()), table.c.at <= evidence.at)
        .values(**said)
    )


def judge_study(
    conn: Connection, *, site: str, study_uid: str, quiet: bool = False
) -> Completeness | None:
    """Judge one study by its evidence now; with `quiet`, nobody else is waited for."""
    row = conn.execute(
        _rows_to_judge(studies.c.site == site, studies.c.study_uid == study_uid)
    ).one_or_none()
    if row is None:
        return None
    quiet = quiet or row.judged == JUDGED_QUIET
    found = _judge(conn, row, quiet=quiet)
    judged = JUDGED_QUIET if quiet else row.judged
    _write(conn, [_values(row, found, judged=judged)])
    if found.state != row.completeness:
        _tell_order(conn, row, found.state, at=row.last_received_at)
    return found


def is_any_to_judge(conn: Connection, *, now: datetime, quiet_s: float) -> bool:
    """Tell whether a study waits to be judged, without standing in a writer's way."""
    return conn.execute(select(studies.c.pk).where(_due(now, quiet_s)).limit(1)).first() is not None


def judge_due(conn: Connection, *, now: datetime, quiet_s: float) -> int:
    """Judge the studies that have been quiet, or have evidence; return how many have changed.

    A quiet study that is not complete waits while its sender is asked, where that may be asked.
    """
    rows = conn.execute(_rows_to_judge(_due(now, quiet_s)).limit(_AT_ONCE)).all()
    senders = askable(conn, {row.site for row in rows}) if rows else {}
    changes = []
    for row in rows:
        quiet = is_quiet(row.last_received_at, now, quiet_s)
        found = _judge(conn, row, quiet=quiet)
        judged = JUDGED_QUIET if quiet else JUDGED_ONCE
        if quiet and found.state != COMPLETE and row.site in senders:
            title = sender_of(conn, row.pk, among=senders[row.site])
            if title:
                open_question(conn, site=row.site, study_uid=row.study_uid, ae=title, now=now)
                judged = JUDGED_ASKING
                if found.state == PRESUMED:
                    found = Completeness(ARRIVING)
        changes.append(_values(row, found, judged=judged))
    _write(conn, changes)
    for row, change in zip(rows, changes, strict=True):
        if change["completeness"] != row.completeness:
            _tell_order(conn, row, change["completeness"], at=now)
    before = {row.pk: row.completeness for row in rows}
    return sum(before[change["of_pk"]] != change["completeness"] for change in changes)


def question_is_over(conn: Connection, *, site: str, study_uid: str) -> None:
    """Judge a study whose sender has answered or was given up; if more came meanwhile, later."""
    waits = conn.execute(
        select(studies.c.pk).where(
            studies.c.site == site,
            studies.c.study_uid == study_uid,
            studies.c.judged == JUDGED_ASKING,
        )
    ).first()
    judge_study(conn, site=site, study_uid=study_uid, quiet=waits is not None)


def _tell_order(conn: Connection, row: Row[Any], state: str, *, at: datetime) -> None:
    """Let the order of a study that has become complete end; an earlier study is of no order."""
    if state in (COMPLETE, PRESUMED) and not priors_among(conn, [row.pk]):
        study_is_complete(
            conn,
            site=row.site,
            study_uid=row.study_uid,
            case_id=row.case_id or "",
            is_presumed=state == PRESUMED,
            at=at,
        )


def _due(now: datetime, quiet_s: float) -> ColumnElement[bool]:
    has_evidence = exists().where(
        completeness_evidence.c.site == studies.c.site,
        completeness_evidence.c.study_uid == studies.c.study_uid,
    )
    quiet = studies.c.last_received_at <= now - timedelta(seconds=quiet_s)
    return and_(
        studies.c.completeness == ARRIVING,
        studies.c.judged.in_(("", JUDGED_ONCE)),
        or_(quiet, and_(studies.c.judged == "", has_evidence)),
    )


def _rows_to_judge(*wanted: ColumnElement[bool]) -> Select[Any]:
    columns = (
        "pk", "site", "study_uid", "case_id", "instance_count", "completeness", "judged",
        "last_received_at",
    )  # fmt: skip
    return (
        select(*(studies.c[name] for name in columns))
        .where(*wanted)
        .order_by(studies.c.pk)
        .with_for_update(of=studies)
    )


def _judge(conn: Connection, row: Row[Any], *, quiet: bool) -> Completeness:
    evidences = _evidences(conn, row.site, row.study_uid)
    if not evidences:
        return judge(instances=row.instance_count, present=(), evidences=(), is_quiet=quiet)
    named = {uid for each in evidences for uid in each.expected_uids or ()}
    return judge(
        instances=row.instance_count - _ours(conn, row),
        present=_present(conn, row.pk, sorted(named)),
        evidences=evidences,
        is_quiet=quiet,
    )


def _evidences(conn: Connection, site: str, study_uid: str) -> list[Evidence]:
    table = completeness_evidence
    found = conn.execute(select(table).where(table.c.site == site, table.c.study_uid == study_uid))
    return [
        Evidence(
            kind=EvidenceKind(row.kind),
            at=row.at,
            expected_instances=row.expected_instances,
            expected_uids=frozenset(row.expected_uids) if row.expected_uids else None,
            source=row.source,
        )
        for row in found
    ]


def _ours(conn: Connection, row: Row[Any]) -> int:
    """Return how many instances of a study are signed replies, which no sender speaks of."""
    if not row.case_id:
        return 0
    asked = select(func.coalesce(func.sum(series.c.instance_count), 0)).where(
        series.c.study_pk == row.pk,
        series.c.series_uid == reply_series_uid(row.study_uid, row.case_id),
    )
    return int(conn.execute(asked).scalar_one())


def _present(conn: Connection, study_pk: int, uids: Sequence[str]) -> set[str]:
    found: set[str] = set()
    for some in chunks(uids):
        found |= set(
            conn.execute(
                select(instances.c.sop_instance_uid)
                .join(series, series.c.pk == instances.c.series_pk)
                .where(series.c.study_pk == study_pk, instances.c.sop_instance_uid.in_(some))
            ).scalars()
        )
    return found


def _values(row: Row[Any], found: Completeness, *, judged: str) -> dict[str, Any]:
    return {
        "of_pk": row.pk,
        "completeness": found.state,
        "completeness_evidence": found.evidence,
        "expected_instances": found.expected_instances,
        "missing_instances": found.missing_instances,
        "judged": judged,
    }


def _write(conn: Connection, changes: Sequence[Mapping[str, Any]]) -> None:
    if changes:
        conn.execute(update(studies).where(studies.c.pk == bindparam("of_pk")), list(changes))
