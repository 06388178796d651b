"""The value that stands for one object in the journal, as the index takes it over."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from casework.custody import Origin
from storage.header import Header


@dataclass(frozen=True)
class SpoolRecord:
    """One durable record of the journal: who brought what, its hash and where it lies."""

    origin: Origin
    header: Header
    received_at: datetime
    sha256: str  # of transfer syntax UID and data set bytes
    size_bytes: int  # of the data set
    segment: str
    offset: int  # of the Part 10 file in the segment
    length: int  # of the Part 10 file
    dataset_offset: int  # of the data set in the Part 10 file
    end: int = 0  # of the whole record in the segment: the indexer's position after it
    adopted: bool = False  # found at a start, not answered for by the process that indexes it
    synced_at: datetime | None = None  # when it became durable; None: never waited for
