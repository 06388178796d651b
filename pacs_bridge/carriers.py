"""Carries objects to a node over associations of ours, or back to who asks for them.

Gives what became of each as it is known, and nothing (None) again and again while one is on its
way, so that somebody can look up. Counts nothing, notes nothing.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from functools import partial
from itertools import count
from typing import Protocol

import structlog

from casework.errors import LysbroError
from casework.model import ApplicationEntity
from pacs_bridge.dimse import Command, Originator, write_store_request
from pacs_bridge.pace import Floor
from pacs_bridge.payload import Job, Load, Payload, ahead, is_small, loader
from pacs_bridge.plan import Pair, batches, choose
from pacs_bridge.requestor import Offer, requested
from pacs_bridge.scu import Wait
from pacs_bridge.syntaxes import syntax_name
from pacs_bridge.tally import Outcome
from pacs_bridge.tls import TlsFiles
from storage.archive import Archive
from storage.rows import InstanceRow

log = structlog.get_logger()

Outcomes = Generator[Outcome | None, None, None]
Carrier = Callable[[Sequence[InstanceRow]], Outcomes]


class Peer(Protocol):
    """The other end of an association over which objects can be stored."""

    @property
    def accepted(self) -> Mapping[Pair, int]:
        """Return the contexts over which it takes objects."""

    def store(
        self, context_id: int, command: bytes, payload: Payload, *, message_id: int
    ) -> Generator[None, None, Command]:
        """Send one object and return the answer; gives way meanwhile, Unavailable when spent."""


def to_a_node(
    archive: Archive,
    node: ApplicationEntity,
    *,
    calling: str,
    wait: Wait,
    floor: Floor,
    tls: TlsFiles | None,
    originator: Originator,
    priority: int,
) -> Carrier:
    """Return what carries objects to a node (C-MOVE). A node that fails once is not tried again."""

    def carry(rows: Sequence[InstanceRow]) -> Outcomes:
        failure = ""
        for batch, pairs in batches(rows):
            if failure:
                yield from _given_up(batch, failure)
                continue
            if not pairs:
                yield from _given_up(batch, "it has no UID that could be proposed")
                continue
            offer = Offer(pairs, calling, wait, floor, tls)
            told: set[str] = set()
            try:
                with requested(node, offer) as peer:
                    for outcome in _stored(archive, peer, batch, originator, priority):
                        if outcome is not None:
                            told.add(outcome.sop_instance_uid)
                        yield outcome
            except LysbroError as error:
                failure = error.message
                log.warning("destination failed", to=node.title, reason=error.code, message=failure)
                yield from _given_up(
                    [row for row in batch if row.sop_instance_uid not in told], failure
                )

    return carry


def over_the_same(archive: Archive, peer: Peer, *, priority: int) -> Carrier:
    """Return what carries objects back to who asks (C-GET); a broken association is an error."""
    return lambda rows: _stored(archive, peer, rows, None, priority)


def _given_up(rows: Sequence[InstanceRow], reason: str) -> Iterator[Outcome]:
    return (Outcome(row.sop_instance_uid, None, reason) for row in rows)


def _stored(
    archive: Archive,
    peer: Peer,
    rows: Sequence[InstanceRow],
    originator: Originator | None,
    priority: int,
) -> Outcomes:
    """Store object after object; what cannot be read or is not taken fails alone."""
    request = partial(write_store_request, priority=priority, originator=originator)
    numbers = count()
    with contextlib.closing(_ready(archive, peer, rows)) as ready:
        for (row, context_id), load in ready:
            if load is None:
                reason = f"{syntax_name(row.transfer_syntax_uid)} of its class is not taken"
                yield Outcome(row.sop_instance_uid, None, reason)
                continue
            try:
                payload = load()
            except LysbroError as error:
                yield Outcome(row.sop_instance_uid, None, error.message)
                continue
            except Exception:  # process boundary: one object must not end the others
                log.exception("object not readable", sop=row.sop_instance_uid, site=row.site)
                yield Outcome(row.sop_instance_uid, None, "it cannot be read")
                continue
            number = next(numbers) % 0xFFFF + 1
            command = request(number, row.sop_class_uid, row.sop_instance_uid)
            answer = yield from peer.store(context_id, command, payload, message_id=number)
            yield Outcome(row.sop_instance_uid, answer.status, answer.comment)


def _ready(
    archive: Archive, peer: Peer, rows: Sequence[InstanceRow]
) -> Generator[tuple[tuple[InstanceRow, int], Load | None], None, None]:
    def jobs() -> Iterator[Job[tuple[InstanceRow, int]]]:
        for row in rows:
            chosen = choose(peer.accepted, row)
            if chosen is None:
                yield Job((row, 0))
            else:
                context_id, syntax = chosen
                load = loader(archive, row, syntax)
                yield Job((row, context_id), load, is_small(row, syntax))

    yield from ahead(jobs())
