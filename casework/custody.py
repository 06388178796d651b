"""Where an instance came from and what has happened to it: the values of the custody ledger."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Door(StrEnum):
    """The way in that an instance took."""

    DICOM = "dicom"
    CAPTURE = "capture"
    STOW = "stow"
    IMPORT = "import"
    REPLY = "reply"


class CustodyEvent(StrEnum):
    """What can happen to an instance; each is one row of the ledger with its time."""

    RECEIVED = "received"
    REPEATED = "repeated"
    CONFLICTED = "conflicted"
    PACKED = "packed"
    VERIFIED = "verified"
    COMMITTED = "committed"
    SENT = "sent"
    OPENED = "opened"
    EXPORTED = "exported"


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
