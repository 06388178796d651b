"""Asks the sites' nodes for the earlier studies of new cases, and has those fetched that a rule
wants. How one is fetched is `prior_fetching`'s.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from zoneinfo import ZoneInfo

import structlog

from casework.errors import Conflict, LysbroError, NotFound
from casework.model import AePermission, ApplicationEntity
from casework.priors import (
    Answered,
    Inquiry,
    PriorRule,
    Refusal,
    Verdict,
    decide,
    is_across_sites,
    opens_at,
    rule_for,
)
from lysbro.prior_fetching import PriorFetching
from lysbro.secure import tls_files
from lysbro.wiring import Parts
from pacs_bridge.prior_finding import Calling, studies_at
from pacs_bridge.scu import Wait
from storage.levels import shown_issuer
from storage.prior_queue import Hours, PriorFetch, PriorJob, PriorQuestion

log = structlog.get_logger()

_WAIT = Wait(connect_s=5.0, association_s=15.0, answer_s=60.0)


@dataclass(frozen=True)
class Prefetcher:
    """Does the questions and fetches of one exchange, one at a time for each node."""

    parts: Parts
    wait: Wait = _WAIT
    lease_s: float = 180.0

    def run_once(self) -> bool:
        """Do the next job that is due; return False when there is none."""
        job = self.take()
        if job is None:
            return False
        self.do(job)
        return True

    def take(self, avoiding: Collection[str] = ()) -> PriorJob | None:
        """Take the next job that is due, to none of these nodes."""
        return self.parts.prior_queue.take(lease_s=self.lease_s, avoiding=avoiding)

    def peer_of(self, job: PriorJob) -> str:
        """Return the node that a job goes to."""
        return job.node

    def at_once(self, peer: str) -> int:
        """Return how many there may be at a time to a node: a site's PACS has its own work."""
        return 1

    def do(self, job: PriorJob) -> None:
        """Ask or fetch, or put the job back with the reason."""
        try:
            if isinstance(job, PriorQuestion):
                self._ask(job)
            else:
                self._fetch(job)
        except LysbroError as error:
            is_final = isinstance(error, NotFound | Conflict)
            is_over = self.parts.prior_queue.failed(job, error.message, is_final=is_final)
            log.warning(
                "earlier studies not had",
                node=job.node,
                what="question" if isinstance(job, PriorQuestion) else "fetch",
                job=job.id,
                reason=error.code,
                message=error.message,
                attempts=job.attempts,
                given_up=is_over,
            )

    def _ask(self, question: PriorQuestion) -> None:
        queue = self.parts.prior_queue
        inquiry = queue.inquiry_of(question)
        if inquiry is None:
            queue.skip(question, "The case needs no earlier studies any more.")
            return
        rule = rule_for(
            queue.rules(inquiry.site), question.node, site=inquiry.site, subject=inquiry.subject
        )
        if rule is None:
            queue.skip(question, "No rule asks this node any more.")
            return
        node = self._node(question.node)
        if why := may_not_ask(inquiry, node):
            queue.skip(question, why)
            return
        verdicts = self.judged(inquiry, node, rule)
        wanted = queue.answered(
            question, site=node.site, verdicts=verdicts, hours=self._hours(rule)
        )
        log.info(
            "earlier studies asked for",
            node=node.title,
            case=question.case_id,
            told=len(verdicts),
            fetching=wanted,
            of_others=sum(each.refusal is Refusal.OTHER_PATIENT for each in verdicts),
        )

    def judged(self, inquiry: Inquiry, node: ApplicationEntity, rule: PriorRule) -> list[Verdict]:
        """Return what is to become of each study that a node tells of; fetches nothing."""
        answers = studies_at(
            node,
            inquiry.person,
            own_issuer=self._issuer_of(node),
            issuer=shown_issuer(inquiry.person.issuer),
            calling=self._calling(),
        )
        told = {each.study.study_uid: each.study.images for each in answers}
        here = self.parts.prior_queue.held(told, sites={inquiry.site, node.site})
        return decide(replace(inquiry, here=here), _once(answers), rule)

    def _fetch(self, fetch: PriorFetch) -> None:
        queue, node = self.parts.prior_queue, self._node(fetch.node)
        begins = self._opens(*fetch.hours)
        if begins > self.parts.clock():
            queue.postpone(fetch, begins)
            return
        PriorFetching(self.parts, fetch, node, self._calling(), self.lease_s).run()

    def _node(self, title: str) -> ApplicationEntity:
        node = self.parts.people.ae(title)
        if node is None or AePermission.FETCH not in node.permissions:
            raise NotFound(f"{title} may not be asked any more.", code="not-allowed")
        if not node.host or not node.port:
            raise NotFound(f"{title} has no address any more.", code="no-address")
        return node

    def _issuer_of(self, node: ApplicationEntity) -> str:
        """Return who gave a number that the node names no issuer of."""
        site = self.parts.people.site(node.site)
        return (site.issuer if site else "") or f"site:{node.site}"

    def _calling(self) -> Calling:
        settings = self.parts.settings
        return Calling(settings.ae_title, self.wait, tls_files(settings))

    def _hours(self, rule: PriorRule) -> Hours:
        begins = self._opens(rule.from_hour, rule.to_hour)
        return Hours(rule.from_hour, rule.to_hour, begins)

    def _opens(self, from_hour: int, to_hour: int) -> datetime:
        local = self.parts.clock().astimezone(ZoneInfo(self.parts.settings.timezone))
        return opens_at(local, from_hour=from_hour, to_hour=to_hour)


def may_not_ask(inquiry: Inquiry, node: ApplicationEntity) -> str:
    """Return why a node is not asked for a patient; empty when it may be.

    At another site a number means nothing unless its issuer is known everywhere.
    """
    if node.site == inquiry.site or is_across_sites(inquiry.person.issuer):
        return ""
    return (
        f"{node.title} is a node of another site, and the patient's number has no issuer that is "
        "known there."
    )


def _once(answers: list[Answered]) -> list[Answered]:
    return list({each.study.study_uid: each for each in answers}.values())
