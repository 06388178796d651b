"""Sends studies and made objects to other nodes by C-STORE, and says in words what did not arrive.

What has arrived is never sent again by the same job. Queues nothing; how objects travel is
`carriers`.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import structlog

from casework.access import Scope
from casework.delivery import Failure, NotTaken, failure_of
from casework.errors import Conflict, NotFound, Unavailable
from casework.model import ApplicationEntity
from pacs_bridge.carriers import Way, rows_of, to_a_node
from pacs_bridge.pace import Floor
from pacs_bridge.payload import Load, Payload
from pacs_bridge.reply_objects import ReplyObject
from pacs_bridge.scu import Wait
from pacs_bridge.status import SUCCESS
from pacs_bridge.tally import Outcome
from pacs_bridge.tls import TlsFiles
from pacs_bridge.transcode import to_uncompressed
from storage.archive import Archive
from storage.destinations import Destination
from storage.filemeta import build_file_meta
from storage.index import Index
from storage.outbox import Arrived, Outbox, SendJob
from storage.people import People
from storage.rows import InstanceRow

log = structlog.get_logger()

LEASE_S = 120.0  # of a job of the send queue, renewed while instances go
NOT_TAKEN, REFUSED_FOR_GOOD = "not-taken", "refused-for-good"
_EVERYTHING = Scope(sites=None, specialties=None, own_site="")
_NOTED_EVERY_S = 0.25  # what arrived within it goes again after a power cut, without harm
_NOTED_EVERY = 200
_HIGH, _MEDIUM = 1, 0  # DIMSE priorities (PS3.7 section 9.1.1.1.4)
_CLASS_NOT_SUPPORTED = 0x0122


@dataclass(frozen=True)
class Sending:
    """How we send: as whom, how patiently, over TLS with which files."""

    calling: str
    wait: Wait = field(default_factory=Wait)
    floor: Floor = field(default_factory=Floor)
    tls: TlsFiles | None = None


@dataclass(frozen=True)
class Went:
    """What a job has sent: how many instances, and how many were taken with a warning."""

    instances: int
    warned: int = 0


def send_object(item: ReplyObject, node: ApplicationEntity, sending: Sending) -> None:
    """Send one object that was just made; raise Unavailable when it did not arrive."""
    if failed := _sent(item, node, sending):
        raise _not_arrived(failed, node, sending)


def send_further(items: Sequence[ReplyObject], node: ApplicationEntity, sending: Sending) -> int:
    """Send objects of classes that a node may lack; return how many it does not take.

    Raises Unavailable when one did not arrive for another reason.
    """
    missing = 0
    for item in items:
        failed = _sent(item, node, sending)
        if failed is None:
            continue
        if failed.code != "not-proposed" and failed.status != _CLASS_NOT_SUPPORTED:
            raise _not_arrived(failed, node, sending)
        missing += 1
    return missing


def _sent(item: ReplyObject, node: ApplicationEntity, sending: Sending) -> NotTaken | None:
    """Send one object; return why it has not arrived, or None."""
    carry = to_a_node(
        load_made,
        node,
        calling=sending.calling,
        wait=sending.wait,
        floor=sending.floor,
        tls=sending.tls,
        way=Way(_MEDIUM),
    )
    failed = None
    for outcome in carry([item]):
        if outcome is not None and not outcome.has_arrived:
            failed = _not_taken(outcome)
    return failed


def _not_arrived(failed: NotTaken, node: ApplicationEntity, sending: Sending) -> Unavailable:
    return _unavailable(
        failure_of([failed], node=node.title, calling=sending.calling, arrived=0, total=1)
    )


def send_rows(
    rows: Sequence[InstanceRow],
    node: ApplicationEntity,
    sending: Sending,
    *,
    archive: Archive,
    destination: Destination | None = None,
    urgency: int = 0,
) -> Iterator[Outcome | None]:
    """Send instances of the archive and give what became of each, and None in between."""
    known = destination or Destination(node.title)
    share = None if known.rate_bytes is None else known.rate_bytes / known.most_at_once
    carry = to_a_node(
        rows_of(archive),
        node,
        calling=sending.calling,
        wait=sending.wait,
        floor=sending.floor,
        tls=sending.tls,
        way=Way(_HIGH if urgency else _MEDIUM, form=known.form, rate_bytes=share),
    )
    return carry(rows)


def run_send(
    job: SendJob,
    *,
    archive: Archive,
    index: Index,
    people: People,
    outbox: Outbox,
    sending: Sending,
    destination: Destination | None = None,
    lease_s: float = LEASE_S,
) -> Went:
    """Do one job of the send queue and return how much went.

    Goes on after what an earlier attempt sent, and keeps the lease while it goes on. Raises
    NotFound without a study or an address, Unavailable when not all arrived, with the reason in
    plain words, Conflict when the job was cancelled meanwhile.
    """
    node = people.ae(job.destination)
    if node is None or not node.host or not node.port:
        raise NotFound(
            f"{job.destination} has no address. Add it with 'lysbro ae add {job.destination} "
            "--site SITE --host HOST --port PORT'.",
            code="no-address",
        )
    rows = [
        row
        for row in index.instances_of(_EVERYTHING, job.study_uid, site=job.site)
        if job.series_uids is None or row.series_uid in job.series_uids
    ]
    if not rows:
        raise NotFound(f"There is no study {job.study_uid} of {job.site}.", code="no-such-study")
    left = [row for row in rows if row.sop_instance_uid not in job.sent]
    notes = _Notes(job, outbox, {row.sop_instance_uid: row for row in left}, lease_s=lease_s)
    failed: list[NotTaken] = []
    outcomes = send_rows(
        left, node, sending, archive=archive, destination=destination, urgency=job.urgency
    )
    with contextlib.closing(outcomes), notes:  # type: ignore[type-var]
        for outcome in outcomes:
            if outcome is not None and not outcome.has_arrived:
                log.info(
                    "not taken by node",
                    to=node.title,
                    job=job.id,
                    sop=outcome.sop_instance_uid,
                    status=outcome.status,
                    reason=outcome.comment,
                )
                failed.append(_not_taken(outcome))
            else:
                notes.take(outcome)
    if failed:
        raise _unavailable(
            failure_of(
                failed,
                node=node.title,
                calling=sending.calling,
                arrived=len(rows) - len(failed),
                total=len(rows),
            )
        )
    return Went(notes.arrived, notes.warned)


class _Notes:
    """Notes what has arrived every now and then, and at the end, however that comes."""

    def __init__(
        self, job: SendJob, outbox: Outbox, rows: Mapping[str, InstanceRow], *, lease_s: float
    ) -> None:
        self._job = job
        self._outbox = outbox
        self._rows = rows
        self._lease_s = lease_s
        self._waiting: list[Arrived] = []
        self._noted_at = self._kept_at = time.monotonic()
        self.arrived = 0
        self.warned = 0

    def __enter__(self) -> _Notes:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._write()

    def take(self, outcome: Outcome | None) -> None:
        """Take what became of an instance, or nothing while one is on its way."""
        now = time.monotonic()
        if outcome is not None:
            row = self._rows[outcome.sop_instance_uid]
            is_warning = outcome.status != SUCCESS
            self.arrived += 1
            self.warned += is_warning
            self._waiting.append(
                Arrived(
                    outcome.sop_instance_uid,
                    row.sop_class_uid,
                    row.pk,
                    outcome.status if is_warning else None,
                )
            )
        is_old = now - self._noted_at > _NOTED_EVERY_S
        if len(self._waiting) >= _NOTED_EVERY or (self._waiting and is_old):
            self._require_job(self._write())
        elif now - self._kept_at > self._lease_s / 4:
            self._kept_at = now
            self._require_job(self._outbox.extend_lease(self._job.id, lease_s=self._lease_s))

    def _write(self) -> bool:
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return True
        is_there = self._outbox.note_arrived(
            self._job.id, waiting, to=self._job.destination, lease_s=self._lease_s
        )
        self._noted_at = self._kept_at = time.monotonic()
        return is_there

    def _require_job(self, is_there: bool) -> None:
        if not is_there:
            raise Conflict(f"Job {self._job.id} was cancelled meanwhile.", code="cancelled")


def load_made(item: ReplyObject, syntax: str) -> tuple[Load, bool]:
    """Return what gives a made object as it is, or in another uncompressed form."""

    def load() -> Payload:
        content = item.dataset
        if syntax != item.transfer_syntax_uid:
            meta = build_file_meta(
                sop_class_uid=item.sop_class_uid,
                sop_instance_uid=item.sop_instance_uid,
                transfer_syntax_uid=item.transfer_syntax_uid,
            )
            content = to_uncompressed(meta + content, syntax, source=item.transfer_syntax_uid)
        return Payload(len(content), iter((content,)))

    return load, True


def _not_taken(outcome: Outcome) -> NotTaken:
    return NotTaken(outcome.sop_instance_uid, outcome.status, outcome.comment, outcome.code)


def _unavailable(failure: Failure) -> Unavailable:
    return Unavailable(failure.reason, code=REFUSED_FOR_GOOD if failure.is_hopeless else NOT_TAKEN)
