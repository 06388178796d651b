"""Sends objects to other nodes by C-STORE, as they are stored where the peer takes that.

Reports on each instance; what has arrived is never sent again by the same job. Queues nothing.
"""

from __future__ import annotations

import io
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO, Protocol, runtime_checkable

import structlog
from pydicom.uid import UID
from pynetdicom.association import Association
from pynetdicom.presentation import PresentationContext, build_context

from casework.access import Scope
from casework.errors import Invalid, NotFound, Unavailable
from casework.model import ApplicationEntity
from pacs_bridge.plan import batches, received_syntax_of, uncompressed_forms
from pacs_bridge.scu import StoreRequest, Wait, associated, store
from pacs_bridge.status import Answer
from pacs_bridge.syntaxes import syntax_name
from pacs_bridge.tls import TlsFiles
from pacs_bridge.transcode import to_uncompressed
from storage.archive import Archive
from storage.filemeta import build_file_meta
from storage.index import Index
from storage.outbox import Outbox, SendJob
from storage.people import People
from storage.rows import InstanceRow

log = structlog.get_logger()

LEASE_S = 120.0  # of a job of the send queue, renewed while instances go
_EVERYTHING = Scope(sites=None, specialties=None, own_site="")


class Sendable(Protocol):
    """An object that can be sent."""

    @property
    def sop_class_uid(self) -> str:
        """Return the SOP Class UID."""

    @property
    def sop_instance_uid(self) -> str:
        """Return the SOP Instance UID."""

    @property
    def transfer_syntax_uid(self) -> str:
        """Return the transfer syntax that the data set is in."""

    def open_dataset(self) -> BinaryIO:
        """Open the data set as it is stored."""


@runtime_checkable
class Recompressed(Sendable, Protocol):
    """An object that may be stored in another form than the one in which it was received."""

    @property
    def received_syntax(self) -> str:
        """Return the transfer syntax in which it was received; empty when it is stored so."""

    def open_as_received(self) -> BinaryIO:
        """Open the data set as it was received."""


@dataclass(frozen=True)
class StoredObject:
    """An instance of the archive, as it goes out."""

    archive: Archive
    row: InstanceRow

    @property
    def sop_class_uid(self) -> str:
        """Return the SOP Class UID."""
        return self.row.sop_class_uid

    @property
    def sop_instance_uid(self) -> str:
        """Return the SOP Instance UID."""
        return self.row.sop_instance_uid

    @property
    def transfer_syntax_uid(self) -> str:
        """Return the transfer syntax that the data set is in."""
        return self.row.transfer_syntax_uid

    def open_dataset(self) -> BinaryIO:
        """Open the data set as it is stored."""
        stream = self.archive.open_part10(self.row)
        stream.read(self.row.location.dataset_offset)
        return stream

    @property
    def received_syntax(self) -> str:
        """Return the transfer syntax in which it comes back; empty when it is stored so."""
        return "" if self.row.received is None else self.row.received.restored_syntax

    def open_as_received(self) -> BinaryIO:
        """Open the data set as it was received."""
        return self.archive.open_dataset_as_received(self.row)


@dataclass(frozen=True)
class Outcome:
    """What became of one instance at the peer; `status` is None when it was not sent at all."""

    sop_instance_uid: str
    status: int | None
    comment: str = ""
    sent_in: str = ""  # transfer syntax

    @property
    def has_arrived(self) -> bool:
        """Tell whether the peer has it: success, or a warning, which means stored."""
        return self.status is not None and Answer(self.status).is_kept


def send_object(
    item: Sendable,
    node: ApplicationEntity,
    *,
    calling: str,
    wait: Wait | None = None,
    tls: TlsFiles | None = None,
) -> None:
    """Send one object that was just made; raise Unavailable or Refused when it did not arrive."""
    for outcome in send_objects([item], node, calling=calling, wait=wait, tls=tls):
        _require_arrival(outcome, node)


def send_objects(
    objects: Sequence[Sendable],
    node: ApplicationEntity,
    *,
    calling: str,
    wait: Wait | None = None,
    tls: TlsFiles | None = None,
) -> Iterator[Outcome]:
    """Send objects and give what became of each as it is known.

    Raises Unavailable when the node cannot be reached or goes away, Refused when it rejects us.
    """
    for batch, pairs in batches(objects):
        contexts = _build(pairs)
        with associated(node, contexts, calling=calling, wait=wait, tls=tls) as association:
            for number, item in enumerate(batch, start=1):
                outcome = _send(association, item, number % 0xFFFF)
                log.info(
                    "sent" if outcome.has_arrived else "not taken by node",
                    to=node.title,
                    sop=outcome.sop_instance_uid,
                    status=outcome.status,
                    reason=outcome.comment,
                )
                yield outcome


def run_send(
    job: SendJob,
    *,
    archive: Archive,
    index: Index,
    people: People,
    outbox: Outbox,
    calling: str,
    tls: TlsFiles | None = None,
    lease_s: float = LEASE_S,
) -> int:
    """Do one job of the send queue and return how many instances went.

    Goes on after what an earlier attempt sent, and keeps the lease while it goes on. Raises
    NotFound without a study or an address, Unavailable or Refused when not all arrived.
    """
    node = people.ae(job.destination)
    if node is None or not node.host or not node.port:
        raise NotFound(
            f"{job.destination} has no address. Add it with 'lysbro ae add {job.destination} "
            "--site SITE --host HOST --port PORT'.",
            code="no-address",
        )
    rows = index.instances_of(_EVERYTHING, job.study_uid, site=job.site)
    if not rows:
        raise NotFound(f"There is no study {job.study_uid} of {job.site}.", code="no-such-study")
    left = [StoredObject(archive, row) for row in rows if row.sop_instance_uid not in job.sent]
    pks = {row.sop_instance_uid: row.pk for row in rows}
    failed: list[Outcome] = []
    arrived, kept_at = 0, time.monotonic()
    for outcome in send_objects(left, node, calling=calling, tls=tls):
        if outcome.has_arrived:
            uid = outcome.sop_instance_uid
            outbox.note_sent(job.id, uid, instance_pk=pks[uid], to=node.title)
            arrived += 1
        else:
            failed.append(outcome)
        if time.monotonic() - kept_at > lease_s / 4:
            outbox.extend_lease(job.id, lease_s=lease_s)
            kept_at = time.monotonic()
    if failed:
        raise Unavailable(
            f"{node.title} did not take {len(failed)} of {len(rows)} instances; the first: "
            f"{_in_words(failed[0])}.",
            code="not-taken",
        )
    return arrived


def _require_arrival(outcome: Outcome, node: ApplicationEntity) -> None:
    if not outcome.has_arrived:
        raise Unavailable(f"{node.title} did not take it: {_in_words(outcome)}.", code="not-taken")


def _in_words(outcome: Outcome) -> str:
    if outcome.status is None:
        return outcome.comment
    return f"status {outcome.status:04X} {outcome.comment}".rstrip()


def _build(wanted: Iterable[tuple[str, str]]) -> list[PresentationContext]:
    return [build_context(UID(sop_class), [UID(syntax)]) for sop_class, syntax in wanted]


def _send(association: Association, item: Sendable, message_id: int) -> Outcome:
    accepted = {
        str(context.transfer_syntax[0]): context.context_id
        for context in association.accepted_contexts
        if context.abstract_syntax == item.sop_class_uid and context.context_id is not None
    }
    uid, syntax = item.sop_instance_uid, item.transfer_syntax_uid
    if syntax not in accepted:
        others = uncompressed_forms(item)
        fallback = next((s for s in others if s in accepted), None)
        if fallback is None:
            return Outcome(uid, None, f"the node does not take {syntax_name(syntax)}")
        try:
            content = _in_syntax(item, fallback)
        except Invalid as error:
            return Outcome(uid, None, error.message)
        syntax = fallback
    else:
        content = item.open_dataset()
    with content:
        request = StoreRequest(item.sop_class_uid, uid, accepted[syntax], message_id)
        status, comment = store(association, request, content)
    return Outcome(uid, status, comment, sent_in=syntax)


def _in_syntax(item: Sendable, syntax: str) -> BinaryIO:
    """Return the data set uncompressed: as it was received where that is what is asked for."""
    received = received_syntax_of(item)
    if received == syntax and isinstance(item, Recompressed):
        return item.open_as_received()
    source = received or item.transfer_syntax_uid
    return io.BytesIO(to_uncompressed(_part10(item, source), syntax, source=source))


def _part10(item: Sendable, syntax: str) -> bytes:
    meta = build_file_meta(
        sop_class_uid=item.sop_class_uid,
        sop_instance_uid=item.sop_instance_uid,
        transfer_syntax_uid=syntax,
    )
    if isinstance(item, Recompressed) and syntax != item.transfer_syntax_uid:
        opened = item.open_as_received()
    else:
        opened = item.open_dataset()
    with opened as stream:
        return meta + stream.read()
