"""Sends the studies of the send queue, one by one; puts back what failed, with the reason."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import structlog

from casework.errors import LysbroError, NotFound
from lysbro.secure import tls_files
from lysbro.settings import Settings
from lysbro.wiring import Parts
from pacs_bridge import outbound
from pacs_bridge.outbound import REFUSED_FOR_GOOD, Sending
from pacs_bridge.pace import Floor
from pacs_bridge.scu import Wait
from storage.outbox import SendJob

log = structlog.get_logger()


def sending_of(settings: Settings) -> Sending:
    """Return how we send, out of the settings."""
    return Sending(
        calling=settings.ae_title,
        wait=Wait(
            connect_s=settings.retrieve_connect_timeout,
            association_s=settings.retrieve_association_timeout,
            answer_s=settings.retrieve_answer_timeout,
        ),
        floor=Floor(settings.dicom_floor_rate, grace_s=settings.dicom_pdu_timeout),
        tls=tls_files(settings),
    )


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

    def at_once(self, peer: str) -> int:
        """Return how many jobs may go to a node at a time."""
        return self.parts.destinations.of(peer).most_at_once

    def do(self, job: SendJob) -> None:
        """Send a study, or put the job back with the reason."""
        parts = self.parts
        try:
            went = outbound.run_send(
                job,
                archive=parts.archive,
                index=parts.index,
                people=parts.people,
                outbox=parts.outbox,
                sending=sending_of(parts.settings),
                destination=parts.destinations.of(job.destination),
                lease_s=parts.settings.lease_seconds,
            )
        except LysbroError as error:
            if error.code == "cancelled":
                log.info("send cancelled", job=job.id, to=job.destination)
                return
            parts.outbox.send_failed(
                job.id,
                error.message,
                attempt=job.attempts,
                is_hopeless=isinstance(error, NotFound) or error.code == REFUSED_FOR_GOOD,
            )
            log.warning(
                "send failed",
                job=job.id,
                to=job.destination,
                reason=error.code,
                attempts=job.attempts,
            )
        else:
            is_all = parts.outbox.send_done(job.id, asked=job.asked)
            log.info(
                "study sent" if is_all else "study sent, more has come",
                job=job.id,
                to=job.destination,
                instances=went.instances,
                warnings=went.warned,
            )
