"""Asks nodes to commit to what they were sent, and asks anew those that have not reported."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import structlog

from casework.errors import LysbroError, NotFound
from lysbro.sending import sending_of
from lysbro.wiring import Parts
from pacs_bridge import commitment_user
from storage.promises import Promise

log = structlog.get_logger()


@dataclass(frozen=True)
class Promiser:
    """Asks for the storage commitments of one exchange."""

    parts: Parts
    lease_s: float = 120.0

    def run_once(self) -> bool:
        """Ask for the next one that is due; return False when there is none."""
        promise = self.take()
        if promise is None:
            return False
        self.do(promise)
        return True

    def look(self) -> bool:
        """Have those asked anew that were not reported on in time."""
        return self.parts.promises.look_overdue() > 0

    def take(self, avoiding: Collection[str] = ()) -> Promise | None:
        """Take the next one that is due, of none of these nodes."""
        return self.parts.promises.lease_due(lease_s=self.lease_s, avoiding=avoiding)

    def peer_of(self, promise: Promise) -> str:
        """Return the node that is asked."""
        return promise.destination

    def at_once(self, peer: str) -> int:
        """Return how many there may be at a time to a node: one is enough."""
        return 1

    def do(self, promise: Promise) -> None:
        """Ask, or put the request back with the reason."""
        parts = self.parts
        try:
            node = parts.people.ae(promise.destination)
            if node is None or not node.host or not node.port:
                raise NotFound(f"{promise.destination} has no address any more.", code="no-address")
            parts.promises.begin(promise)
            commitment_user.ask(promise, node, sending_of(parts.settings), parts.promises)
        except LysbroError as error:
            parts.promises.failed(promise, error.message)
            log.warning(
                "commitment not asked for",
                id=promise.id,
                to=promise.destination,
                reason=error.code,
                attempts=promise.attempts,
            )
            return
        parts.promises.asked(promise)
        log.info(
            "commitment asked for",
            id=promise.id,
            to=promise.destination,
            transaction=promise.transaction_uid,
            instances=len(promise.references),
        )
