"""The audit chain: what an entry is, how its hash follows from the one before, where it breaks.

Each hash covers the entry and the hash before it, so that a changed, cut or moved entry shows at
the first place that no longer fits. Keeps nothing itself.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from typing import Any

from casework.findings import canonical_json
from casework.lifecycle import Event
from casework.model import Actor

ACTIONS: Mapping[Event, str] = {
    Event.SUBMIT: "submitted",
    Event.CLAIM: "claimed",
    Event.RELEASE: "released",
    Event.ASK: "asked",
    Event.ANSWER: "answered",
    Event.DRAFT: "drafted",
    Event.SIGN: "signed",
    Event.DELIVER: "delivered",
    Event.OPEN: "reply-opened",
    Event.ACKNOWLEDGE: "acknowledged",
    Event.ADDEND: "addended",
    Event.CORRECT: "corrected",
    Event.DECLINE: "declined",
    Event.WITHDRAW: "withdrawn",
    Event.HAND_OVER: "handed-over",
    Event.EXPIRE: "claim-expired",
    Event.ASK_SECOND: "second-reading-asked",
    Event.DROP_SECOND: "second-reading-dropped",
    Event.READ_SECOND: "second-reading",
    Event.JUDGE_SECOND: "second-reading-judged",
}
"""What an entry calls each event of a case."""

REFUSED = "refused"
"""What an entry calls an attempt that was not allowed; its outcome is the error's code."""

GENESIS = "0" * 64
"""The hash that stands before the first entry."""


@dataclass(frozen=True)
class Deed:
    """What is to be entered: who did what to what. Holds ids, never a patient's name."""

    actor: Actor
    action: str
    subject: str
    case_id: str = ""
    site: str = ""  # where it was done; empty: the actor's own
    outcome: str = "ok"
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class AuditEntry:
    """A deed as it stands in the chain, with its number, its time and the two hashes."""

    seq: int
    at: datetime
    actor_id: str
    actor_name: str
    role: str
    site: str
    action: str
    subject: str
    case_id: str
    outcome: str
    detail: Mapping[str, Any]
    previous: str
    hash: str


def chain(previous_hash: str, values: Mapping[str, Any]) -> str:
    """Return the hash of an entry with these values after the entry with that hash."""
    material = {name: _plain(value) for name, value in values.items()}
    return hashlib.sha256(previous_hash.encode() + b"\n" + canonical_json(material)).hexdigest()


def follow(seq: int, at: datetime, deed: Deed, previous_hash: str) -> AuditEntry:
    """Return the entry of a deed after the entry with that hash."""
    unhashed = AuditEntry(
        seq=seq,
        at=at,
        actor_id=deed.actor.id,
        actor_name=deed.actor.name,
        role=deed.actor.role.value if deed.actor.role else "",
        site=deed.site or deed.actor.site,
        action=deed.action,
        subject=deed.subject,
        case_id=deed.case_id,
        outcome=deed.outcome,
        detail=json.loads(canonical_json(dict(deed.detail))),
        previous=previous_hash,
        hash="",
    )
    return replace(unhashed, hash=hash_of(unhashed))


def hash_of(entry: AuditEntry) -> str:
    """Return the hash that an entry ought to have."""
    covered = {f.name: getattr(entry, f.name) for f in fields(entry)}
    del covered["previous"], covered["hash"]
    return chain(entry.previous, covered)


def first_bad(entries: Iterable[AuditEntry], *, after: str = GENESIS) -> AuditEntry | None:
    """Return the first entry that is not what its chain says, or None when all are whole.

    Entries come in the order of their numbers; `after` is the hash before the first of them.
    """
    previous, seq = after, None
    for entry in entries:
        follows = seq is None or entry.seq == seq + 1
        if not follows or entry.previous != previous or entry.hash != hash_of(entry):
            return entry
        previous, seq = entry.hash, entry.seq
    return None


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    return value
