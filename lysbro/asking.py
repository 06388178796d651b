"""Asks the senders of quiet studies how much there is of them, and notes the answers."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import structlog

from casework.completeness import EvidenceKind
from casework.errors import LysbroError, NotFound
from lysbro.secure import tls_files
from lysbro.wiring import Parts
from pacs_bridge.asking import instances_at
from pacs_bridge.scu import Wait
from storage.asking import (
    Question,
    close_question,
    is_question_due,
    next_question,
    question_failed,
)
from storage.completeness import note_evidence, question_is_over

log = structlog.get_logger()

_WAIT = Wait(connect_s=5.0, association_s=10.0, answer_s=30.0)
"""Shorter than for sending: an answer is small, and the question is put again later."""


@dataclass(frozen=True)
class Asker:
    """Puts the open questions of one exchange."""

    parts: Parts
    lease_s: float = 120.0

    def run_once(self) -> bool:
        """Put the next question that is due; return False when there is none."""
        question = self.take()
        if question is None:
            return False
        self.do(question)
        return True

    def take(self, avoiding: Collection[str] = ()) -> Question | None:
        """Take the next question that is due, to none of these nodes."""
        parts = self.parts
        with parts.database.read() as conn:
            if not is_question_due(conn, now=parts.clock(), avoiding=avoiding):
                return None
        with parts.database.begin() as conn:
            return next_question(conn, now=parts.clock(), lease_s=self.lease_s, avoiding=avoiding)

    def peer_of(self, question: Question) -> str:
        """Return who is asked."""
        return question.ae

    def at_once(self, peer: str) -> int:
        """Return how many there may be at a time to a node: one is enough."""
        return 1

    def do(self, question: Question) -> None:
        """Ask, and note the answer."""
        try:
            count = self._ask(question)
        except LysbroError as error:
            self._failed(question, error)
        else:
            self._answered(question, count)

    def _ask(self, question: Question) -> int:
        node = self.parts.people.ae(question.ae)
        if node is None or not node.host or not node.port:
            raise NotFound(f"{question.ae} has no address any more.", code="no-address")
        return instances_at(
            node,
            question.study_uid,
            calling=self.parts.settings.ae_title,
            wait=_WAIT,
            tls=tls_files(self.parts.settings),
        )

    def _answered(self, question: Question, count: int) -> None:
        now = self.parts.clock()
        with self.parts.database.begin() as conn:
            close_question(conn, question)
            note_evidence(
                conn,
                site=question.site,
                study_uid=question.study_uid,
                kind=EvidenceKind.SENDER,
                at=now,
                source=question.ae,
                expected_instances=count,
            )
            question_is_over(conn, site=question.site, study_uid=question.study_uid)
        log.info("sender answered", ae=question.ae, study=question.study_uid, instances=count)

    def _failed(self, question: Question, error: LysbroError) -> None:
        """Ask again later; a node that does not know the study will not know it then."""
        is_final = isinstance(error, NotFound)
        with self.parts.database.begin() as conn:
            is_over = question_failed(
                conn, question, error.message, now=self.parts.clock(), is_final=is_final
            )
            if is_over:
                question_is_over(conn, site=question.site, study_uid=question.study_uid)
        log.warning(
            "sender gave no answer",
            ae=question.ae,
            study=question.study_uid,
            reason=error.code,
            attempts=question.attempts,
            given_up=is_over,
        )
