"""Answers for what is kept: has what a commitment asks for read back, and reports to who asked.

A report that finds nobody is put back with the reason and tried again; one that was sent twice is
harmless.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import structlog

from casework.errors import LysbroError
from casework.model import Actor, SiteKind
from lysbro.secure import tls_files
from lysbro.wiring import Parts
from pacs_bridge import reporting
from pacs_bridge.syntaxes import is_class_taken
from storage import safekeeping
from storage.commitments import Commitment

log = structlog.get_logger()

WORKER = Actor(id="system:worker", name="Lysbro", site="", site_kind=SiteKind.CENTRE)


@dataclass(frozen=True)
class Committer:
    """Does the storage commitment of one exchange, a piece at a time."""

    parts: Parts
    budget_s: float = 5.0  # of reading back, before other chores have their turn
    lease_s: float = 120.0

    def run_once(self) -> bool:
        """Look at one transaction, report on one; tell whether there may be more at once."""
        has_looked = self.look()
        commitment = self.take()
        if commitment is not None:
            self.do(commitment)
        return commitment is not None or has_looked

    def look(self) -> bool:
        """Have what one transaction asks for read back; tell whether there may be more at once."""
        parts = self.parts
        commitment = parts.commitments.lease_waiting(lease_s=self.lease_s)
        if commitment is None:
            return False
        return safekeeping.look(
            parts.archive,
            parts.commitments,
            commitment,
            is_class_taken=is_class_taken,
            budget_s=self.budget_s,
        )

    def take(self, avoiding: Collection[str] = ()) -> Commitment | None:
        """Take the next transaction whose report is due, of none of these nodes."""
        return self.parts.commitments.lease_report(lease_s=self.lease_s, avoiding=avoiding)

    def peer_of(self, commitment: Commitment) -> str:
        """Return the node that asked."""
        return commitment.ae_title

    def at_once(self, peer: str) -> int:
        """Return how many there may be at a time to a node: one is enough."""
        return 1

    def do(self, commitment: Commitment) -> None:
        """Report to the node that asked, or put the report back with the reason."""
        parts = self.parts
        results = parts.commitments.results(commitment)
        try:
            reporting.report(
                commitment,
                results,
                people=parts.people,
                calling=parts.settings.ae_title,
                tls=tls_files(parts.settings),
            )
        except LysbroError as error:
            state = parts.commitments.failed(commitment, error.message)
            log.warning(
                "commitment not reported",
                id=commitment.id,
                to=commitment.ae_title,
                reason=error.code,
                attempts=commitment.attempts,
                state=state,
            )
            return
        parts.commitments.reported(commitment)
        self._note(commitment, committed=len(results.committed), failed=len(results.failed))

    def _note(self, commitment: Commitment, *, committed: int, failed: int) -> None:
        log.info(
            "commitment reported", id=commitment.id, to=commitment.ae_title, committed=committed
        )
        self.parts.note(
            WORKER,
            "commitment-reported",
            commitment.transaction_uid,
            site=commitment.site,
            detail={"to": commitment.ae_title, "committed": committed, "failed": failed},
        )
