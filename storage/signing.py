"""Writing and signing: the draft, the signed versions, and the deliveries that follow from one.

A signed version, the state of its case, the audit entry and the deliveries are one transaction.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from sqlalchemy import func, insert, select

from casework.claims import claimed_until
from casework.errors import Conflict, Invalid, NotFound, Refused
from casework.lifecycle import Event, after
from casework.model import Actor, AePermission, Case, CaseState, Report
from casework.reply_channels import takes
from casework.reports import KINDS, Signature, next_report
from storage.case_rows import as_study
from storage.casebook_tables import aes, jobs, messages, reports
from storage.cases import studies_of_case
from storage.described import described
from storage.outbox import DELIVERY, enqueue_delivery, finish
from storage.reply_channels import channels_of_site
from storage.steps import Change, Step, Steps, following
from storage.verbs import NOT_HANDED

INBOX, STUDY, AE = "inbox", "study", "ae"

_NOT_COLUMNS = frozenset({"displayed"})  # it stands in the content, which is hashed


class Signing(Steps):
    """Keeps findings, signs them and sees their replies off."""

    def save_findings(
        self,
        actor: Actor,
        case_id: str,
        body: Mapping[str, Any],
        *,
        expected_version: int | None = None,
    ) -> Case:
        """Save the draft; `expected_version` is the draft that was edited, when it is known.

        The same draft again is no conflict: its first answer was lost on the way.
        """

        def decide(step: Step) -> Change | None:
            state, present = following(step), step.case.draft_version
            written = described(step, body)
            if expected_version is not None and expected_version != present:
                if step.case.draft == written:
                    return None
                raise Conflict(
                    f"The draft is at version {present} by now, you edited {expected_version}. "
                    "Load it again.",
                    code="draft-moved-on",
                    state=step.case.state.value,
                )
            values = {
                "draft": written,
                "draft_by": actor.id,
                "draft_version": present + 1,
                "claim_until": claimed_until(step.now, self._claim_lasts),
            }
            again = step.case.state is CaseState.REPORTED
            return Change(state, values, silent=again)

        return self._take(actor, case_id, Event.DRAFT, decide)

    def sign(
        self, actor: Actor, case_id: str, *, displayed: Mapping[str, Any] | None = None
    ) -> Report:
        """Sign the draft; `displayed` says what the reader had been shown."""

        def decide(step: Step) -> Report:
            state, draft = step.case.state, step.case.draft
            if state is CaseState.CLAIMED and draft is None:
                raise Invalid("Write findings before you sign.", code="findings-missing")
            if state is CaseState.CLAIMED:  # drafted before a question, claimed again after it
                state = after(state, Event.DRAFT)
            after(state, Event.SIGN)
            self._decide_between(step)
            return self._next(step, draft or {}, displayed=displayed)

        return self._sign(actor, case_id, Event.SIGN, decide)

    def _decide_between(self, step: Step) -> None:
        """Raise Conflict while a second reading is in the way; note what the signature decides."""

    def addend(self, actor: Actor, case_id: str, body: Mapping[str, Any]) -> Report:
        """Sign an addendum; what was signed stays, and the case is unread again."""
        return self._amend(actor, case_id, Event.ADDEND, body)

    def correct(self, actor: Actor, case_id: str, body: Mapping[str, Any]) -> Report:
        """Sign a correction; what was signed stays readable, and the case is unread again."""
        return self._amend(actor, case_id, Event.CORRECT, body)

    def delivered(self, delivery_id: int, *, actor: Actor, acknowledgement: str = "") -> None:
        """Note that a reply has arrived; once it is in the inbox its case is delivered."""
        if actor.role is not None:
            raise Refused("Only the exchange itself delivers.", code="wrong-role")
        now = self._clock()
        with self._database.begin() as conn:
            row = conn.execute(
                select(jobs).where(jobs.c.id == delivery_id, jobs.c.kind == DELIVERY)
            ).one_or_none()
            if row is None:
                raise NotFound(f"There is no delivery {delivery_id}.", code="no-such-delivery")
            if not finish(conn, delivery_id, now=now, acknowledgement=acknowledgement):
                return
            case = self._load(conn, row.case_id, to_change=True)
            step = Step(conn, actor, Event.DELIVER, case, now)
            reached = row.channel == INBOX and row.report_version == case.report_version
            detail = {
                "channel": row.channel,
                "destination": row.destination,
                "report_version": row.report_version,
                **({"acknowledgement": acknowledgement} if acknowledgement else {}),
            }
            if reached and case.state is CaseState.SIGNED:
                self._apply(step, Change(following(step), detail=detail))
            else:
                self._note(step, detail)

    def _amend(self, actor: Actor, case_id: str, event: Event, body: Mapping[str, Any]) -> Report:
        def decide(step: Step) -> Report:
            following(step)
            if not step.case.report_version:
                raise Conflict(
                    "This case has no signed report.",
                    code="wrong-state",
                    state=step.case.state.value,
                )
            return self._next(step, described(step, body))

        return self._sign(actor, case_id, event, decide)

    def _next(
        self,
        step: Step,
        body: Mapping[str, Any],
        *,
        displayed: Mapping[str, Any] | None = None,
    ) -> Report:
        studies = [as_study(row) for row in studies_of_case(step.conn, step.case.id)]
        signature = Signature(step.actor, step.now, KINDS[step.event])
        answers = select(func.count()).where(
            messages.c.case_id == step.case.id, messages.c.kind == "answer"
        )
        return next_report(
            step.case,
            body,
            studies,
            signature,
            displayed=displayed,
            referral_version=1 + step.conn.execute(answers).scalar_one(),
        )

    def _sign(self, actor: Actor, case_id: str, event: Event, decide: Any) -> Report:
        signed: list[Report] = []

        def keep(step: Step) -> Change:
            report: Report = decide(step)
            signed.append(report)
            return _keep(step, report)

        self._take(actor, case_id, event, keep)
        return signed[0]


def _keep(step: Step, report: Report) -> Change:
    """Insert a signed version and its deliveries, and return what becomes of the case."""
    columns = {f.name: getattr(report, f.name) for f in fields(report)}
    kept = {name: value for name, value in columns.items() if name not in _NOT_COLUMNS}
    step.conn.execute(insert(reports).values(case_id=step.case.id, **kept))
    for channel, destination in _destinations(step, report):
        enqueue_delivery(
            step.conn,
            case_id=step.case.id,
            report_version=report.version,
            channel=channel,
            site=step.case.site,
            destination=destination,
            now=step.now,
        )
    values: dict[str, Any] = {
        "report_version": report.version,
        "signed_at": step.now,
        "read_at": None,
        "closed_at": None,
        "escalated_at": None,
        "changed_since_report": False,
    }
    if step.event is Event.SIGN:
        values |= {"draft": None, "draft_by": "", "claim_until": None, **NOT_HANDED}
    detail = {"report_version": report.version, "report_uid": report.uid, "sha256": report.sha256}
    return Change(CaseState.SIGNED, values, detail)


def _destinations(step: Step, report: Report) -> list[tuple[str, str]]:
    """Return where a reply goes: the site's inbox, the case's study, the site's reply nodes, and
    the further ways of the site.
    """
    found = [(INBOX, step.case.site)]
    found += [(STUDY, row.study_uid) for row in studies_of_case(step.conn, step.case.id)[:1]]
    nodes = step.conn.execute(
        select(aes.c.title, aes.c.permissions)
        .where(aes.c.site == step.case.site)
        .order_by(aes.c.title)
    )
    reply = AePermission.REPLY.value
    found += [(AE, row.title) for row in nodes if reply in row.permissions]
    ways = channels_of_site(step.conn, step.case.site)
    return found + [(each.way.value, each.name) for each in ways if takes(each, report.content)]
