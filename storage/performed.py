"""Keeps performed procedure steps: they move orders, and an ended one is evidence of a study."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select, update

from casework.completeness import EvidenceKind
from casework.errors import Conflict, NotFound
from casework.performed import PerformedStep, StepStatus, require_new, require_open
from storage.completeness import note_evidence
from storage.database import Database, insert_if_absent
from storage.order_links import step_performed
from storage.tables import performed_steps, studies


class PerformedSteps:
    """The steps that the modalities of one exchange have told of."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock

    def create(self, site: str, step: PerformedStep) -> None:
        """Keep a new step; raise Conflict when its UID is in use."""
        require_new(step)
        with self._database.begin() as conn:
            if _row(conn, site, step.uid) is not None:
                raise Conflict(f"The step {step.uid} is known already.", code="duplicate-step")
            now = self._clock()
            insert_if_absent(conn, performed_steps, [_values(site, step, now)])
            step_performed(conn, site=site, step=step, at=now)

    def change(
        self,
        site: str,
        uid: str,
        *,
        status: StepStatus | None,
        study_uids: tuple[str, ...],
        ended: str,
        instance_uids: frozenset[str] | None,
    ) -> PerformedStep:
        """Change a step as its modality tells, and note what an ended one has made.

        Raises NotFound for a step that the site has not begun, Conflict once it has ended. None
        leaves the status, or what was made, as it was.
        """
        now = self._clock()
        with self._database.begin() as conn:
            row = _row(conn, site, uid)
            if row is None:
                raise NotFound(f"There is no step {uid}.", code="no-such-step")
            before = _step(row)
            require_open(before.status)
            step = replace(
                before,
                status=status or before.status,
                study_uids=study_uids or before.study_uids,
                ended=ended or before.ended,
                instance_uids=before.instance_uids if instance_uids is None else instance_uids,
            )
            conn.execute(
                update(performed_steps)
                .where(performed_steps.c.site == site, performed_steps.c.sop_instance_uid == uid)
                .values(**_values(site, step, now))
            )
            # studies before orders, as who judges studies locks them
            of_step = (studies.c.site == site) & studies.c.study_uid.in_(step.study_uids)
            conn.execute(select(studies.c.pk).where(of_step).with_for_update()).all()
            step_performed(conn, site=site, step=step, at=now)
            if step.status.is_final:
                _note_evidence(conn, site, step, at=now)
        return step

    def step(self, site: str, uid: str) -> PerformedStep | None:
        """Return a step of a site, or None."""
        with self._database.read() as conn:
            row = _row(conn, site, uid, to_change=False)
        return None if row is None else _step(row)


def _note_evidence(conn: Connection, site: str, step: PerformedStep, *, at: datetime) -> None:
    """Note what a step has made; of a step over several studies nobody says what is of which."""
    if len(step.study_uids) != 1 or not step.instance_uids:
        return
    note_evidence(
        conn,
        site=site,
        study_uid=step.study_uids[0],
        kind=EvidenceKind.MPPS,
        at=at,
        source=step.uid,
        expected_uids=step.instance_uids,
    )


def _row(conn: Connection, site: str, uid: str, *, to_change: bool = True) -> Row[Any] | None:
    asked = select(performed_steps).where(
        performed_steps.c.site == site, performed_steps.c.sop_instance_uid == uid
    )
    return conn.execute(asked.with_for_update() if to_change else asked).one_or_none()


def _values(site: str, step: PerformedStep, at: datetime) -> dict[str, Any]:
    return {
        "site": site,
        "sop_instance_uid": step.uid,
        "ae": step.ae,
        "status": step.status.value,
        "study_uids": list(step.study_uids),
        "started": step.started,
        "ended": step.ended,
        "references": sorted(step.instance_uids),
        "at": at,
    }


def _step(row: Row[Any]) -> PerformedStep:
    return PerformedStep(
        uid=row.sop_instance_uid,
        ae=row.ae,
        status=StepStatus(row.status),
        study_uids=tuple(row.study_uids),
        started=row.started,
        ended=row.ended,
        instance_uids=frozenset(row._mapping["references"]),
    )
