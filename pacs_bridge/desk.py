"""The parts and limits that serving an association needs, as one value."""

from __future__ import annotations

from dataclasses import dataclass, field

from pacs_bridge.meter import Meter
from pacs_bridge.pace import Floor
from pacs_bridge.scu import Wait
from pacs_bridge.tls import TlsFiles
from storage.archive import Archive
from storage.commitments import Commitments
from storage.index import Index
from storage.ledger import Ledger
from storage.people import People
from storage.performed import PerformedSteps
from storage.promises import Promises
from storage.scheduled import Scheduled


@dataclass(frozen=True)
class Retrieval:
    """How patient a retrieve is with who is to have the objects, and how often it tells of it."""

    pending_every: int = 10  # sub-operations between two pending responses, or
    pending_s: float = 1.0  # seconds, whichever comes first
    wait: Wait = field(default_factory=Wait)
    floor: Floor = field(default_factory=Floor)


@dataclass(frozen=True)
class Desk:
    """What a session works with."""

    archive: Archive
    index: Index
    ledger: Ledger
    performed: PerformedSteps
    own_title: str
    maximum_matches: int
    max_object_bytes: int
    meter: Meter
    commitments: Commitments
    promises: Promises
    commitment_wait_s: float = 3600.0
    people: People | None = None  # who may be moved to; without it no destination is known
    tls_files: TlsFiles | None = None
    scheduled: Scheduled | None = None  # the modality worklist
    retrieval: Retrieval = field(default_factory=Retrieval)
