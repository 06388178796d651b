"""Asks the sites' nodes for the earlier studies of new cases, and fetches those that a rule wants.

By C-GET where the node offers it, else by C-MOVE to our own receiver; either way through the one
intake. What is here is not fetched again.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from zoneinfo import ZoneInfo

import structlog

from casework.custody import Door, Origin
from casework.errors import Conflict, LysbroError, NotFound, Refused
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
from lysbro.secure import tls_files
from lysbro.wiring import Parts
from pacs_bridge.dimse import Command
from pacs_bridge.fetching import Fetcher, Told, fetching, some_objects, whole_study
from pacs_bridge.prior_contexts import pairs_to_get
from pacs_bridge.prior_finding import Calling, objects_at, studies_at
from pacs_bridge.scu import Wait
from storage.archive import Intake
from storage.header import Header
from storage.levels import shown_issuer, text_of
from storage.prior_queue import Hours, PriorFetch, PriorJob, PriorQuestion

log = structlog.get_logger()

_WAIT = Wait(connect_s=5.0, association_s=15.0, answer_s=60.0)
_INDEXED_S = 15.0  # until what the receiver has acknowledged is in the index, at most
_LOOK_S = 0.1
_UNKNOWN_DESTINATION = 0xA801


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
        before = queue.here(fetch)
        is_again = bool(before)
        wanted = whole_study(fetch.study_uid)
        if is_again:  # an attempt before this one was cut off, or something had come already
            missing = self._missing(node, fetch, before)
            if not missing:
                self._done(fetch, len(before))
                return
            wanted = some_objects(fetch.study_uid, missing)
        with fetching(
            node,
            pairs_to_get(fetch.modalities),
            calling=self._calling(),
            begin=self._begin(fetch, node),
        ) as peer:
            way = self._carry(peer, fetch, wanted)
        have = self._settled(fetch, at_least=fetch.expected_instances or 0, was_moved=way == "move")
        self._require_person(fetch)
        missing = {}
        if fetch.expected_instances is None or len(have) < fetch.expected_instances:
            missing = self._missing(node, fetch, have)
        if missing:
            raise Refused(
                f"{node.title} has given {len(have)} of the {len(have) + len(missing)} objects of "
                f"the study{self._said(peer)}.",
                code="incomplete",
            )
        self._done(fetch, len(have))

    def _carry(self, peer: Fetcher, fetch: PriorFetch, wanted: list[Mapping[str, object]]) -> str:
        """Have everything sent that is wanted: by C-GET, and what that leaves out by C-MOVE."""
        progress = self._progress(fetch)
        if peer.offers_get:
            told = [peer.get(keys, progress=progress) for keys in wanted]
            log.info("fetched by C-GET", node=fetch.node, study=fetch.study_uid, **_counts(told))
            is_whole = not any(each.status or each.failed for each in told)
            if (is_whole and peer.kept.objects) or not peer.offers_move:
                return "get"
            have = self._settled(fetch, at_least=0, was_moved=False)
            if have:  # what C-GET has brought is not moved again
                missing = self._missing(self._node(fetch.node), fetch, have)
                wanted = some_objects(fetch.study_uid, missing)
        if not peer.offers_move:
            raise Refused(
                f"{fetch.node} lets us fetch nothing: no C-GET, no C-MOVE.", code="no-way"
            )
        self.parts.prior_queue.moving(fetch, lease_s=self.lease_s)
        own = self.parts.settings.ae_title
        try:
            told = [peer.move(keys, destination=own, progress=progress) for keys in wanted]
        finally:
            self.parts.prior_queue.moved(fetch)
        log.info("fetched by C-MOVE", node=fetch.node, study=fetch.study_uid, **_counts(told))
        if any(each.status == _UNKNOWN_DESTINATION for each in told):
            raise Refused(
                f"{fetch.node} does not know {own} as a destination. Have its address entered "
                "there.",
                code="unknown-destination",
            )
        bad = next((each for each in told if each.status and not each.completed), None)
        if bad is not None:
            raise Refused(
                f"{fetch.node} did not send the study: status {bad.status:04X}"
                + (f", {bad.comment}" if bad.comment else "")
                + ".",
                code="not-sent",
            )
        return "move"

    def _begin(
        self, fetch: PriorFetch, node: ApplicationEntity
    ) -> Callable[[Command, str], Intake]:
        """Return what takes in an object of a study, and refuses one that is of another."""
        origin = Origin(
            site=fetch.site,
            door=Door.PRIOR,
            calling_ae=node.title,
            called_ae=self.parts.settings.ae_title,
            peer=f"{node.host}:{node.port}",
            association=secrets.token_hex(8),
        )

        def require(header: Header) -> None:
            number = text_of(header.attributes, "PatientID").strip()
            if header.study_uid != fetch.study_uid or number != fetch.patient_id.strip():
                raise Refused("It is of another study, or of another patient.", code="not-asked")

        def begin(command: Command, transfer_syntax: str) -> Intake:
            return self.parts.archive.begin(
                origin,
                sop_class_uid=command.affected_class,
                sop_instance_uid=command.affected_instance,
                transfer_syntax_uid=transfer_syntax,
                require=require,
            )

        return begin

    def _missing(
        self, node: ApplicationEntity, fetch: PriorFetch, have: Collection[str]
    ) -> Mapping[str, str]:
        listed = objects_at(node, fetch.study_uid, calling=self._calling())
        return {uid: series for uid, series in listed.items() if uid not in have}

    def _settled(self, fetch: PriorFetch, *, at_least: int, was_moved: bool) -> frozenset[str]:
        """Return what is in the index, once what was acknowledged can be there."""
        self.parts.archive.settle()
        until = time.monotonic() + (_INDEXED_S if was_moved else 0.0)
        while True:
            have = self.parts.prior_queue.here(fetch)
            if len(have) >= max(1, at_least) or time.monotonic() >= until:
                return have
            time.sleep(_LOOK_S)

    def _require_person(self, fetch: PriorFetch) -> None:
        """Raise Conflict when what has come by C-MOVE is of another patient than was told."""
        number = self.parts.prior_queue.patient_of(fetch)
        if number is not None and number.strip() != fetch.patient_id.strip():
            raise Conflict(
                f"What {fetch.node} sent is of another patient than it had told. It is kept as the "
                "node sent it, and is listed for no case of this one. Tell the site.",
                code="other-patient",
            )

    def _done(self, fetch: PriorFetch, have: int) -> None:
        remark = ""
        if fetch.expected_instances and have < fetch.expected_instances:
            remark = (
                f"{fetch.node} has given {have} of the {fetch.expected_instances} images that it "
                "had told of, and has no more."
            )
        self.parts.prior_queue.fetched(fetch, remark=remark)
        log.info("earlier study fetched", node=fetch.node, study=fetch.study_uid, instances=have)

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

    def _progress(self, fetch: PriorFetch) -> Callable[[], None]:
        """Return what keeps the lease while objects come."""
        extended = time.monotonic()

        def progress() -> None:
            nonlocal extended
            now = time.monotonic()
            if now - extended > self.lease_s / 3:
                extended = now
                self.parts.prior_queue.extend_lease(fetch, lease_s=self.lease_s)

        return progress

    @staticmethod
    def _said(peer: Fetcher) -> str:
        return f" ({peer.kept.refused[-1].rstrip('.')})" if peer.kept.refused else ""


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


def _counts(told: list[Told]) -> Mapping[str, int]:
    return {
        "completed": sum(each.completed for each in told),
        "failed": sum(each.failed for each in told),
        "status": max((each.status for each in told), default=0),
    }
