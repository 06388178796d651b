"""Sends the studies of the send queue, one by one; puts back what failed, with the reason."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import structlog

from casework.errors import LysbroError
from lysbro.secure import tls_files
from lysbro.wiring import Parts
from pacs_bridge import outbound
from storage.outbox import SendJob

log = structlog.get_logger()


@dataclass(frozen=True)
class Sender:
    """Does the send jobs of one exchange."""

    parts: Parts

    def run_once(self) -> bool:
        """Do the next job that is due; return False when there is none."""
        job = self.take()
        if job is None:
            return False
        self.do(job)
        return True

    def take(self, avoiding: Collection[str] = ()) -> SendJob | None:
        """Take the next job that is due, to none of these nodes."""
        return self.parts.outbox.lease_send(
            lease_s=self.parts.settings.lease_seconds, avoiding=avoiding
        )

    def peer_of(self, job: SendJob) -> str:
        """Return the node that a study goes to."""
        return job.destination

    def do(self, job: SendJob) -> None:
        """Send a study, or put the job back with the reason."""
        parts = self.parts
        try:
            count = outbound.run_send(
                job,
                archive=parts.archive,
                index=parts.index,
                people=parts.people,
                outbox=parts.outbox,
                calling=parts.settings.ae_title,
                tls=tls_files(parts.settings),
                lease_s=parts.settings.lease_seconds,
            )
        except LysbroError as error:
            parts.outbox.send_failed(job.id, error.message, attempt=job.attempts)
            log.warning(
                "send failed",
                job=job.id,
                to=job.destination,
                reason=error.code,
                attempts=job.attempts,
            )
        else:
            parts.outbox.send_done(job.id)
            log.info("study sent", job=job.id, to=job.destination, instances=count)
