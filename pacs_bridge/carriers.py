"""Carries objects to a node over associations of ours, or back to who asks for them.

Gives what became of each as it is known, and nothing (None) again and again while one is on its
way, so that somebody can look up. Counts nothing, notes nothing. What sends studies, replies and
the sub-operations of C-MOVE is this alone.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import Generic, Protocol, TypeVar

import structlog

from casework.errors import Invalid, LysbroError
from casework.model import ApplicationEntity
from pacs_bridge.dimse import Command, Originator, write_store_request
from pacs_bridge.pace import Brake, Floor
from pacs_bridge.payload import Job, Load, Payload, ahead, is_small, loader
from pacs_bridge.plan import Pair, batches, choices
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
_MOMENT_S = 0.05


class Parcel(Protocol):
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


_Parcel = TypeVar("_Parcel", bound=Parcel)
Loading = Callable[[_Parcel, str], tuple[Load, bool]]
"""Returns what loads an object in a transfer syntax, and whether that may be held in memory."""


class Peer(Protocol):
    """The other end of an association over which objects can be stored."""

    @property
    def accepted(self) -> Mapping[Pair, int]:
        """Return the contexts over which it takes objects."""

    def store(
        self, context_id: int, command: bytes, payload: Payload, *, message_id: int
    ) -> Generator[None, None, Command]:
        """Send one object and return the answer; gives way meanwhile, Unavailable when spent."""


@dataclass(frozen=True)
class Way:
    """How objects go: with which priority, in which preferred form, for whom, how fast."""

    priority: int = 0
    form: str = ""  # a key of `plan.preferred_forms`; empty: as they are stored
    originator: Originator | None = None
    rate_bytes: float | None = None  # a second


def rows_of(archive: Archive) -> Loading[InstanceRow]:
    """Return what loads instances of the archive."""
    return lambda row, syntax: (loader(archive, row, syntax), is_small(row, syntax))


def to_a_node(
    load: Loading[_Parcel],
    node: ApplicationEntity,
    *,
    calling: str,
    wait: Wait,
    floor: Floor,
    tls: TlsFiles | None,
    way: Way,
) -> Callable[[Sequence[_Parcel]], Outcomes]:
    """Return what carries objects to a node. A node that fails once is not tried again."""

    def carry(parcels: Sequence[_Parcel]) -> Outcomes:
        failure: LysbroError | None = None
        for batch, pairs in batches(parcels, way.form):
            if failure is None and not pairs:
                failure = Invalid("it has no UID that could be proposed", code="not-proposed")
                yield from _given_up(batch, failure)
                failure = None
                continue
            if failure is not None:
                yield from _given_up(batch, failure)
                continue
            offer = Offer(pairs, calling, wait, floor, tls)
            told: set[str] = set()
            try:
                with requested(node, offer) as peer:
                    for outcome in _Storing(load, peer, way).outcomes(batch):
                        if outcome is not None:
                            told.add(outcome.sop_instance_uid)
                        yield outcome
            except LysbroError as error:
                failure = error
                log.warning(
                    "destination failed", to=node.title, reason=error.code, message=error.message
                )
                yield from _given_up(
                    [each for each in batch if each.sop_instance_uid not in told], failure
                )

    return carry


def over_the_same(archive: Archive, peer: Peer, *, priority: int) -> Carrier:
    """Return what carries objects back to who asks (C-GET); a broken association is an error."""
    return _Storing(rows_of(archive), peer, Way(priority)).outcomes


def _given_up(parcels: Sequence[_Parcel], reason: LysbroError) -> Iterator[Outcome]:
    return (
        Outcome(each.sop_instance_uid, None, reason.message, code=reason.code) for each in parcels
    )


@dataclass(frozen=True)
class _Storing(Generic[_Parcel]):
    """Stores object after object over one association."""

    load: Loading[_Parcel]
    peer: Peer
    way: Way

    def outcomes(self, parcels: Sequence[_Parcel]) -> Outcomes:
        """Store each; what cannot be read or is not taken fails alone."""
        request = partial(
            write_store_request, priority=self.way.priority, originator=self.way.originator
        )
        brake = Brake(self.way.rate_bytes, now=time.monotonic())
        numbers = count()
        with contextlib.closing(self._ready(parcels)) as ready:
            for (parcel, chosen), load in ready:
                found = self._loaded(parcel, chosen, load)
                if isinstance(found, Outcome):
                    yield found
                    continue
                payload, context_id, syntax = found
                while left_s := brake.wait_s(time.monotonic()):
                    time.sleep(min(left_s, _MOMENT_S))
                    yield None
                number = next(numbers) % 0xFFFF + 1
                uid = parcel.sop_instance_uid
                command = request(number, parcel.sop_class_uid, uid)
                brake.sent(payload.size_bytes, now=time.monotonic())
                answer = yield from self.peer.store(context_id, command, payload, message_id=number)
                yield Outcome(uid, answer.status, answer.comment, sent_in=syntax)

    def _ready(
        self, parcels: Sequence[_Parcel]
    ) -> Generator[tuple[tuple[_Parcel, list[tuple[int, str]]], Load | None], None, None]:
        def jobs() -> Iterator[Job[tuple[_Parcel, list[tuple[int, str]]]]]:
            for parcel in parcels:
                chosen = choices(self.peer.accepted, parcel, self.way.form)
                if not chosen:
                    yield Job((parcel, []))
                else:
                    load, may_be_held = self.load(parcel, chosen[0][1])
                    yield Job((parcel, chosen), load, may_be_held)

        yield from ahead(jobs())

    def _loaded(
        self, parcel: _Parcel, chosen: Sequence[tuple[int, str]], load: Load | None
    ) -> Outcome | tuple[Payload, int, str]:
        """Return an object in the best form that it can be had in, or why it cannot be sent."""
        uid = parcel.sop_instance_uid
        if load is None:
            reason = f"{syntax_name(parcel.transfer_syntax_uid)} of its class is not taken"
            return Outcome(uid, None, reason, code="not-proposed")
        try:
            for number, (context_id, syntax) in enumerate(chosen):
                try:
                    again = load if number == 0 else self.load(parcel, syntax)[0]
                    return again(), context_id, syntax
                except LysbroError as error:
                    is_last = number == len(chosen) - 1
                    if is_last or error.code not in ("not-convertible", "too-large"):
                        raise
        except LysbroError as error:
            return Outcome(uid, None, error.message, code=error.code)
        except Exception:  # process boundary: one object must not end the others
            log.exception("object not readable", sop=uid)
        return Outcome(uid, None, "it cannot be read", code="unreadable")
