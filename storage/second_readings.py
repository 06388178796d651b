"""Second readings: asked for, taken, written, signed and compared with the first.

What a second reader saves and signs goes into the reading, not into the case; nothing of it goes
out. `casework.second_readings` says who may and what stands in the way of the reply.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from casework.access import Scope
from casework.claims import claimed_until, is_worth_renewing
from casework.errors import Conflict, Invalid, NotFound, Refused
from casework.findings import content_hash, normal_findings
from casework.findings import require_signable as require_whole
from casework.lifecycle import Event
from casework.model import Actor, Case, CaseState, Reading, Specialty
from casework.second_readings import (
    OPEN,
    Comparison,
    Need,
    ReadingRule,
    ReadingState,
    is_open,
    latest,
    may_judge,
    may_take,
    needs_two,
    refuse_taking,
    require_signable,
    writes,
)
from storage.casebook_tables import sites
from storage.cases import visible_case
from storage.claims import Claims
from storage.described import described
from storage.reading_rows import all_rules, readings_of, rule_of
from storage.reading_tables import reading_rules, readings
from storage.signing import Signing
from storage.steps import Change, Step, following

_MOST_TEXT = 4000


class SecondReadings(Claims, Signing):
    """Keeps the second readings of cases, and lets them stand between a draft and its reply."""

    def ask_second(
        self,
        actor: Actor,
        case_id: str,
        *,
        of: str = "",
        blinded: bool | None = None,
        note: str = "",
    ) -> Case:
        """Ask for a second reading, of a named colleague or of any; as the rule has it, blinded or
        open, where nothing is said.
        """

        def decide(step: Step) -> Change:
            state = following(step)
            known = readings_of(step.conn, case_id)
            if is_open(latest(known)):
                raise _conflict(
                    step, "A second reading is asked for already.", "second-reading-open"
                )
            colleague = None
            if of:
                colleague = self._person(step, of)
                if colleague is None or colleague.id == step.case.holder_id:
                    raise Invalid(
                        "Choose a specialist who reads such cases and may sign in.",
                        code="no-such-colleague",
                    )
            is_after = step.case.signed_at is not None
            if not is_after and step.case.draft is None:
                raise Invalid(
                    "Write your own findings before you ask for a second reading.",
                    code="findings-missing",
                )
            as_ruled = rule_of(step.conn, step.case).is_blinded
            values = {
                "case_id": case_id,
                "state": ReadingState.ASKED,
                "is_blinded": as_ruled if blinded is None else blinded,
                "asked_by_id": actor.id,
                "asked_by": actor.name,
                "asked_at": step.now,
                "note": note.strip()[:_MOST_TEXT],
                "wanted_id": colleague.id if colleague else "",
                "wanted_name": colleague.name if colleague else "",
                "after_version": step.case.report_version if is_after else 0,
            }
            step.conn.execute(insert(readings).values(**values))
            detail = {"of": values["wanted_id"], "blinded": values["is_blinded"]}
            return Change(state, detail=detail)

        return self._take(actor, case_id, Event.ASK_SECOND, decide)

    def drop_second(self, actor: Actor, case_id: str) -> Case:
        """Take the request for a second reading back, as long as it is not signed."""

        def decide(step: Step) -> Change:
            reading = _open(step)
            _set(step, reading, state=ReadingState.DROPPED)
            return Change(following(step), self._goes_on(step), detail={"reading": reading.id})

        return self._take(actor, case_id, Event.DROP_SECOND, decide)

    def take_second(self, actor: Actor, case_id: str) -> Case:
        """Take a second reading to write it; taking it again changes nothing."""

        def decide(step: Step) -> Change | None:
            state, reading = following(step), latest(readings_of(step.conn, case_id))
            if writes(reading, actor):
                return None
            if reading is None or not may_take(reading, step.case, actor):
                raise refuse_taking(reading, step.case, actor)
            _set(
                step,
                reading,
                state=ReadingState.TAKEN,
                reader_id=actor.id,
                reader_name=actor.name,
                taken_until=claimed_until(step.now, self._claim_lasts),
                **({} if reading.reader_id in {"", actor.id} else {"draft": None}),
            )
            detail = {"step": "taken", "reading": reading.id, "blinded": reading.is_blinded}
            return Change(state, detail=detail)

        return self._take(actor, case_id, Event.READ_SECOND, decide)

    def release_second(self, actor: Actor, case_id: str) -> Case:
        """Give a second reading back, so that another may take it."""

        def decide(step: Step) -> Change:
            state, reading = following(step), _own(step)
            _set(step, reading, state=ReadingState.ASKED, taken_until=None)
            return Change(state, detail={"step": "released", "reading": reading.id})

        return self._take(actor, case_id, Event.READ_SECOND, decide)

    def judge_second(self, actor: Actor, case_id: str, *, comparison: str, text: str = "") -> Case:
        """Keep how the two readings compare; it is said once, by one of the two readers."""

        def decide(step: Step) -> Change:
            state, reading = following(step), latest(readings_of(step.conn, case_id))
            if reading is None or reading.state != ReadingState.SIGNED:
                raise _conflict(
                    step, "There is no signed second reading to compare.", "no-second-reading"
                )
            if reading.comparison:
                raise _conflict(step, "It is said already how they compare.", "compared-already")
            if not may_judge(reading, step.case, actor):
                raise Refused("Only the two readers say how they compare.", code="not-a-reader")
            if comparison != Comparison.AGREE and not text.strip():
                raise Invalid("Say in a sentence what differs.", code="text-missing")
            _set(
                step,
                reading,
                first_id=step.case.holder_id,
                first_name=step.case.holder_name,
                comparison=Comparison(comparison),
                comparison_text=text.strip()[:_MOST_TEXT],
                compared_by=actor.name,
                compared_at=step.now,
            )
            detail = {"reading": reading.id, "comparison": comparison}
            return Change(state, detail=detail)

        return self._take(actor, case_id, Event.JUDGE_SECOND, decide)

    def writes_second(self, actor: Actor, case_id: str) -> bool:
        """Tell whether what an actor writes on a case goes into a second reading."""
        with self._database.read() as conn:
            return writes(latest(readings_of(conn, case_id)), actor)

    def save_findings(
        self,
        actor: Actor,
        case_id: str,
        body: Mapping[str, Any],
        *,
        expected_version: int | None = None,
    ) -> Case:
        """Save the draft: of the case by its holder, of the reading by its second reader; what a
        second reader is given back has the draft of the reading, never that of the first.
        """
        if not self.writes_second(actor, case_id):
            return super().save_findings(actor, case_id, body, expected_version=expected_version)

        def decide(step: Step) -> Change | None:
            state, reading, written = following(step), _own(step), described(step, body)
            if expected_version not in {None, reading.draft_version}:
                if reading.draft == written:
                    return None
                raise _conflict(
                    step,
                    f"The draft is at version {reading.draft_version} by now, "
                    f"you edited {expected_version}. Load it again.",
                    "draft-moved-on",
                )
            _set(
                step,
                reading,
                draft=written,
                draft_version=reading.draft_version + 1,
                taken_until=claimed_until(step.now, self._claim_lasts),
            )
            return Change(state, silent=True)

        case = self._take(actor, case_id, Event.READ_SECOND, decide)
        with self._database.read() as conn:
            reading = latest(readings_of(conn, case_id))
        return case if reading is None else _as_read(case, reading)

    def sign_second(
        self, actor: Actor, case_id: str, *, displayed: Mapping[str, Any] | None = None
    ) -> Reading:
        """Sign a second reading: it is kept as it is and shown to both; nothing goes out."""
        signed: list[Reading] = []

        def decide(step: Step) -> Change:
            state, reading = following(step), _own(step)
            draft = reading.draft
            if draft is None:
                raise Invalid("Write findings before you sign.", code="findings-missing")
            content = normal_findings({**draft, "displayed": displayed or {}})
            require_whole(content)
            sha256 = content_hash(content)
            _set(
                step,
                reading,
                state=ReadingState.SIGNED,
                draft=None,
                content=content,
                sha256=sha256,
                signed_at=step.now,
                taken_until=None,
            )
            signed.extend(r for r in readings_of(step.conn, case_id) if r.id == reading.id)
            detail = {"step": "signed", "reading": reading.id, "sha256": sha256}
            return Change(state, self._goes_on(step), detail=detail)

        self._take(actor, case_id, Event.READ_SECOND, decide)
        return signed[0]

    def end_readings(self) -> int:
        """Let second readings that nobody has gone on with be taken by others; return how many."""
        over = readings.c.state == ReadingState.TAKEN, readings.c.taken_until <= self._clock()
        with self._database.read() as conn:
            if conn.execute(select(readings.c.id).where(*over).limit(1)).first() is None:
                return 0
        with self._database.begin() as conn:
            return conn.execute(
                update(readings).where(*over).values(state=ReadingState.ASKED, taken_until=None)
            ).rowcount

    def needs_second(self, case: Case) -> bool:
        """Tell whether a case is to be read by two and nobody was asked yet."""
        with self._database.read() as conn:
            known = latest(readings_of(conn, case.id))
            return known is None and needs_two(rule_of(conn, case), case, case.draft)

    def reading_rules(self) -> Sequence[ReadingRule]:
        """Return which cases are read by two, the rules for all sites first."""
        with self._database.read() as conn:
            return all_rules(conn)

    def reading_rule_of(self, scope: Scope, case_id: str) -> ReadingRule:
        """Return the rule that holds for a case."""
        with self._database.read() as conn:
            return rule_of(conn, visible_case(conn, scope, case_id))

    def set_reading_rule(self, rule: ReadingRule) -> None:
        """Keep a rule; one that asks never is kept for a site, and taken away for all of them."""
        if rule.specialty not in set(Specialty):
            raise Invalid(f"There is no specialty {rule.specialty}.", code="unknown-specialty")
        with self._database.begin() as conn:
            if (
                rule.site
                and not conn.execute(select(sites).where(sites.c.slug == rule.site)).first()
            ):
                raise NotFound(f"There is no site {rule.site}. Add it first.", code="no-such-site")
            key = reading_rules.c.site == rule.site, reading_rules.c.specialty == rule.specialty
            conn.execute(delete(reading_rules).where(*key))
            if rule.site or rule.need is not Need.NEVER:
                row = {
                    "site": rule.site,
                    "specialty": rule.specialty,
                    "need": rule.need,
                    "is_blinded": rule.is_blinded,
                }
                conn.execute(insert(reading_rules).values(**row))

    def _decide_between(self, step: Step) -> None:
        """Raise Conflict while a second reading is in the way of the reply; note who decided."""
        known = readings_of(step.conn, step.case.id)
        reading = require_signable(known, rule_of(step.conn, step.case), step.case, step.actor)
        if reading is not None:
            _set(step, reading, decided_by=step.actor.name, decided_at=step.now)

    def _renew_reading(self, conn: Connection, case: Case, actor: Actor, now: datetime) -> bool:
        reading = latest(readings_of(conn, case.id))
        if reading is None or not writes(reading, actor):
            return False
        if is_worth_renewing(reading.taken_until, now=now, lasts=self._claim_lasts):
            until = claimed_until(now, self._claim_lasts)
            conn.execute(
                update(readings).where(readings.c.id == reading.id).values(taken_until=until)
            )
        return True

    def _goes_on(self, step: Step) -> Mapping[str, Any]:
        """Return what gives the first reader, who had to wait, a whole claim again."""
        if step.case.state not in {CaseState.CLAIMED, CaseState.REPORTED}:
            return {}
        return {"claim_until": claimed_until(step.now, self._claim_lasts)}


def _as_read(case: Case, reading: Reading) -> Case:
    """Return a case as its second reader has it: with their own draft in place of the first's."""
    return replace(case, draft=reading.draft, draft_version=reading.draft_version)


def _open(step: Step) -> Reading:
    reading = latest(readings_of(step.conn, step.case.id))
    if reading is None or reading.state not in OPEN:
        raise _conflict(step, "No second reading is asked for.", "no-second-reading")
    return reading


def _own(step: Step) -> Reading:
    reading = latest(readings_of(step.conn, step.case.id))
    if reading is None or not writes(reading, step.actor):
        raise Refused("Take the second reading first.", code="not-second-reader")
    return reading


def _set(step: Step, reading: Reading, **values: Any) -> None:
    step.conn.execute(update(readings).where(readings.c.id == reading.id).values(**values))


def _conflict(step: Step, message: str, code: str) -> Conflict:
    return Conflict(message, code=code, state=step.case.state.value)
