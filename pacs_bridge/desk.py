"""The parts and limits that serving an association needs, as one value."""

from __future__ import annotations

from dataclasses import dataclass

from pacs_bridge.meter import Meter
from storage.archive import Archive
from storage.commitments import Commitments
from storage.index import Index
from storage.ledger import Ledger
from storage.performed import PerformedSteps


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
    commitment_wait_s: float = 3600.0
