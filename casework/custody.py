"""Where an instance came from and what has happened to it: the values of the custody ledger."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class Door(StrEnum):
    """The way in that an instance took."""

    DICOM = "dicom"
    CAPTURE = "capture"
    STOW = "stow"
    IMPORT = "import"
    REPLY = "reply"
    PRIOR = "prior"  # fetched from a site's node, which was asked for earlier studies


class CustodyEvent(StrEnum):
    """What can happen to an instance; each is one row of the ledger with its time."""

    RECEIVED = "received"
    SYNCED = "synced"
    REPEATED = "repeated"
    CONFLICTED = "conflicted"
    RECOMPRESSED = "recompressed"
    PACKED = "packed"
    VERIFIED = "verified"
    COMMITTED = "committed"
    SENT = "sent"
    COMMITTED_BY = "committed-by"  # by the node that it was sent to
    OPENED = "opened"
    EXPORTED = "exported"
    SET_ASIDE = "set-aside"  # taken out of a draft by the one who took it: kept, shown nowhere


@dataclass(frozen=True)
class Origin:
    """Who brings an object in, and by which door."""

    site: str  # slug: the name space of the object's UIDs
    door: Door
    calling_ae: str = ""
    called_ae: str = ""
    peer: str = ""  # host:port; over TLS also the certificate: "host:port sha256:fingerprint"
    association: str = ""  # one id for each association, request or import run
    actor: str = ""  # actor id, for doors that people use


@dataclass(frozen=True)
class Receipt:
    """What was promised about one object: it is on stable storage under this hash."""

    site: str
    sop_class_uid: str
    sop_instance_uid: str
    study_uid: str
    series_uid: str
    transfer_syntax_uid: str
    sha256: str  # of transfer syntax UID and data set bytes
    size_bytes: int  # of the data set
    received_at: datetime
    warning: str = ""  # odd but whole: kept, and said so (C-STORE 0xB007)


@dataclass(frozen=True)
class CustodyRow:
    """One line of an instance's custody ledger: what happened, when, and what is known of it."""

    event: str
    at: datetime
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Trail:
    """What the ledger of an instance answers: who sent it, and when it first met each event."""

    door: str = ""
    calling_ae: str = ""
    called_ae: str = ""
    peer: str = ""
    association: str = ""
    actor: str = ""
    received_at: datetime | None = None
    synced_at: datetime | None = None
    adopted: bool = False  # found on the disk at a start: it was synced at that time at the latest
    packed_at: datetime | None = None
    verified_at: datetime | None = None
    committed_at: datetime | None = None
    opened_at: datetime | None = None
    opened_by: str = ""
    exported_at: datetime | None = None
    sent_at: datetime | None = None
    committed_by_at: datetime | None = None
    committed_by: str = ""  # AE title of the first receiver that has committed to it

    @property
    def sender(self) -> str:
        """Return who brought it: the node, else the person, else the door."""
        return self.calling_ae or self.actor or self.door


def with_synced(lines: Iterable[CustodyRow]) -> list[CustodyRow]:
    """Return a ledger with the time at which the object became durable as a line of its own.

    It is written once for each object, with the line of its arrival, not beside it.
    """
    whole: list[CustodyRow] = []
    for line in lines:
        detail = dict(line.detail)
        synced_at = detail.pop("synced_at", None)
        whole.append(CustodyRow(line.event, line.at, detail))
        if line.event == CustodyEvent.RECEIVED and synced_at:
            known = {"adopted": True} if detail.get("adopted") else {}
            at = datetime.fromisoformat(synced_at)
            whole.append(CustodyRow(CustodyEvent.SYNCED.value, at, known))
    return whole


def trail_of(lines: Iterable[CustodyRow]) -> Trail:
    """Return what a ledger, oldest line first, answers."""
    first: dict[str, CustodyRow] = {}
    for line in with_synced(lines):
        first.setdefault(str(line.event), line)
    received = first.get(CustodyEvent.RECEIVED)
    opened = first.get(CustodyEvent.OPENED)
    origin = {} if received is None else received.detail
    who = {} if opened is None else opened.detail
    promised = first.get(CustodyEvent.COMMITTED_BY)

    def at(event: CustodyEvent) -> datetime | None:
        return first[event].at if event in first else None

    return Trail(
        door=str(origin.get("door", "")),
        calling_ae=str(origin.get("calling_ae", "")),
        called_ae=str(origin.get("called_ae", "")),
        peer=str(origin.get("peer", "")),
        association=str(origin.get("association", "")),
        actor=str(origin.get("actor", "")),
        received_at=at(CustodyEvent.RECEIVED),
        synced_at=at(CustodyEvent.SYNCED),
        adopted=bool(origin.get("adopted", False)),
        packed_at=at(CustodyEvent.PACKED),
        verified_at=at(CustodyEvent.VERIFIED),
        committed_at=at(CustodyEvent.COMMITTED),
        opened_at=at(CustodyEvent.OPENED),
        opened_by=str(who.get("name") or who.get("actor") or ""),
        exported_at=at(CustodyEvent.EXPORTED),
        sent_at=at(CustodyEvent.SENT),
        committed_by_at=at(CustodyEvent.COMMITTED_BY),
        committed_by="" if promised is None else str(promised.detail.get("by", "")),
    )
