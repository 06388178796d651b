"""Legal holds: places them, lifts them, tells what they are on. A hold beats every erasure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, insert, or_, select

from casework.audit import Deed
from casework.erasure import HELD_BACK, HOLD_LIFTED, HoldOn, Target, require_reason
from casework.errors import Conflict, NotFound
from casework.model import Actor
from storage.database import Database, chunks
from storage.erasure_tables import legal_holds
from storage.ledger import append_entry

PatientKey = tuple[str, str, str]
"""Site, issuer, number."""


@dataclass(frozen=True)
class Hold:
    """A legal hold that stands."""

    id: int
    site: str
    study_uid: str
    patient_issuer: str
    patient_id: str
    reason: str
    placed_by: str
    placed_at: datetime


class Holds:
    """The legal holds of one casebook."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock

    def add(self, target: Target, *, reason: str, actor: Actor) -> Hold:
        """Hold a study, or all of a patient, from now on; it need not have come yet."""
        why, now = require_reason(reason), self._clock()
        key = {
            "site": target.site,
            "study_uid": target.study_uid,
            "patient_issuer": target.issuer,
            "patient_id": target.patient_id,
        }
        with self._database.begin() as conn:
            same = [legal_holds.c[name] == value for name, value in key.items()]
            there = conn.execute(select(legal_holds.c.id).where(*same)).scalar()
            if there is not None:
                raise Conflict(f"That is held already, by hold {there}.", code="held-already")
            detail = {"kind": target.kind, "reason": why}
            deed = Deed(actor, HELD_BACK, target.kind, site=target.site, detail=detail)
            pk = append_entry(conn, deed, at=now).seq
            conn.execute(
                insert(legal_holds).values(
                    id=pk, **key, reason=why, placed_by=actor.id, placed_at=now
                )
            )
        return Hold(pk, **key, reason=why, placed_by=actor.id, placed_at=now)

    def remove(self, hold_id: int, *, reason: str, actor: Actor) -> Hold:
        """Lift a hold, and return it as it was."""
        why = require_reason(reason)
        with self._database.begin() as conn:
            row = conn.execute(
                select(legal_holds).where(legal_holds.c.id == hold_id).with_for_update()
            ).one_or_none()
            if row is None:
                raise NotFound(f"There is no legal hold {hold_id}.", code="no-such-hold")
            conn.execute(delete(legal_holds).where(legal_holds.c.id == hold_id))
            detail = {"reason": why, "was": row.reason}
            deed = Deed(actor, HOLD_LIFTED, f"hold {hold_id}", site=row.site, detail=detail)
            append_entry(conn, deed, at=self._clock())
        return Hold(**row._mapping)

    def listed(self) -> tuple[Hold, ...]:
        """Return every hold that stands, the oldest first."""
        with self._database.read() as conn:
            rows = conn.execute(select(legal_holds).order_by(legal_holds.c.id))
            return tuple(Hold(**row._mapping) for row in rows)


def holds_on(
    conn: Connection, studies: Iterable[tuple[str, str]], patients: Iterable[PatientKey]
) -> list[HoldOn]:
    """Return the holds on any of these studies (of their sites) or patients.

    A hold without a site is on every site's, one without an issuer on every issuer's number.
    """
    sites_of: dict[str, set[str]] = {}
    for site, study_uid in studies:
        sites_of.setdefault(study_uid, set()).add(site)
    people: dict[str, set[PatientKey]] = {}
    for key in patients:
        people.setdefault(key[2], set()).add(key)
    found: dict[int, HoldOn] = {}
    names = sorted({*sites_of, *people})
    for some in chunks(names):
        asked = select(legal_holds).where(
            or_(legal_holds.c.study_uid.in_(some), legal_holds.c.patient_id.in_(some))
        )
        for row in conn.execute(asked):
            on_study = sites_of.get(row.study_uid, set())
            on_patient = {
                site
                for site, issuer, _ in people.get(row.patient_id, ())
                if row.patient_issuer in ("", issuer)
            }
            held = on_study if row.study_uid else on_patient
            if held and (not row.site or row.site in held):
                found[row.id] = HoldOn(row.id, row.reason)
    return [found[pk] for pk in sorted(found)]
