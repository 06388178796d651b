"""The values that the index gives out, from studies to custody and conflicts. No queries."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Row

from storage.forms import Received
from storage.header import PixelLayout
from storage.tables import IN_SPOOL


@dataclass(frozen=True)
class Location:
    """Where the Part 10 file of an instance lies."""

    where: str  # spool | pack
    container: str  # name of the segment, or key of the pack
    offset: int
    length: int
    dataset_offset: int  # of the data set inside the Part 10 file

    @property
    def in_spool(self) -> bool:
        """Tell whether it still lies in the spool."""
        return self.where == IN_SPOOL


@dataclass(frozen=True)
class StudyRow:
    """A study as one site sent it, with its patient and what has arrived of it."""

    pk: int
    site: str
    study_uid: str
    case_id: str | None
    patient_id: str
    issuer: str
    patient_name: str
    birth_date: str  # YYYYMMDD or empty
    sex: str
    study_date: str  # YYYYMMDD or empty
    study_time: str  # HHMMSS.FFFFFF or empty
    accession_number: str
    study_id: str
    description: str
    modalities: tuple[str, ...]
    series_count: int
    instance_count: int
    completeness: str  # arriving | complete | presumed
    completeness_evidence: str  # what decided: counts | mpps | commitment | sender, or empty
    expected_instances: int | None
    missing_instances: int
    first_received_at: datetime
    last_received_at: datetime
    attributes: Mapping[str, Any]


@dataclass(frozen=True)
class SeriesRow:
    """A series of a study."""

    pk: int
    site: str
    study_uid: str
    series_uid: str
    modality: str
    number: int | None
    description: str
    body_part: str
    laterality: str
    instance_count: int
    last_received_at: datetime
    attributes: Mapping[str, Any]


@dataclass(frozen=True)
class InstanceRow:
    """An instance: what it is, what its header says, and where its bytes lie."""

    pk: int
    site: str
    study_uid: str
    series_uid: str
    sop_instance_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    sha256: str
    size_bytes: int
    number: int | None
    rows: int | None
    columns: int | None
    frames: int | None
    attributes: Mapping[str, Any]
    pixel: PixelLayout | None
    location: Location
    state: str  # current | quarantined
    received_at: datetime
    kept_sha256: str = ""  # of what is kept, when that is another form than what was received
    received: Received | None = None  # how it came, when it is kept in another form

    @property
    def bytes_sha256(self) -> str:
        """Return the hash of the data set as it is kept; `sha256` is that of what was received."""
        return self.kept_sha256 or self.sha256

    @property
    def received_syntax(self) -> str:
        """Return the transfer syntax in which it comes back; empty when it is kept as it came."""
        return "" if self.received is None else self.received.restored_syntax

    def as_received(self) -> InstanceRow:
        """Return the instance in the form in which it came; where it lies so is another matter."""
        if self.received is None:
            return self
        return replace(
            self,
            transfer_syntax_uid=self.received.transfer_syntax_uid,
            size_bytes=self.received.size_bytes,
            pixel=self.received.pixel,
            kept_sha256="",
            received=None,
        )


@dataclass(frozen=True)
class StudyCustodyRow:
    """What happened to the instances of a study: one event, how many, from when to when."""

    event: str
    instances: int
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True)
class SenderRow:
    """Who brought how many instances of a study, by which door, from when to when."""

    door: str
    calling_ae: str
    actor: str
    instances: int
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True)
class StudyTrail:
    """Where a study has been: who brought it, what it has met, and who first opened it."""

    instances: int
    senders: tuple[SenderRow, ...] = ()
    events: Mapping[str, StudyCustodyRow] = field(default_factory=dict)
    opened_by: str = ""
    committed_by: tuple[str, ...] = ()  # AE titles


@dataclass(frozen=True)
class ConflictSide:
    """One of the two objects of a conflict, and who brought it."""

    instance: InstanceRow
    door: str
    sender: str  # calling AE, or the actor, or the door

    @property
    def received_at(self) -> datetime:
        """Return when it came."""
        return self.instance.received_at

    @property
    def size_bytes(self) -> int:
        """Return the size of its data set."""
        return self.instance.as_received().size_bytes

    @property
    def sha256(self) -> str:
        """Return its hash."""
        return self.instance.sha256


@dataclass(frozen=True)
class ConflictRow:
    """Two different objects under one UID from one site; a person settles which one counts."""

    pk: int  # of the second
    site: str
    sop_instance_uid: str
    reason: str  # other-bytes | other-series | other-study
    first: ConflictSide
    second: ConflictSide


HEAVY = frozenset({"attributes", "pixel"})
"""What a header says; it takes most of the time to read a row."""

_LIGHT = tuple(
    name
    for name in InstanceRow.__dataclass_fields__
    if name not in HEAVY | {"location", "received"}
)
_PLAIN = tuple(InstanceRow.__dataclass_fields__.keys() - {"pixel", "location", "received"})


def study_row(row: Row[Any]) -> StudyRow:
    """Return the study of a row of studies joined with patients."""
    found = row._mapping
    names = StudyRow.__dataclass_fields__.keys() - {"modalities", "patient_name"}
    return StudyRow(
        **{name: found[name] for name in names},
        patient_name=found["name"],
        modalities=tuple(part for part in found["modalities"].split("\\") if part),
    )


def series_row(row: Row[Any]) -> SeriesRow:
    """Return the series of a row of series joined with studies."""
    return SeriesRow(**{name: row._mapping[name] for name in SeriesRow.__dataclass_fields__})


def instance_row(row: Row[Any]) -> InstanceRow:
    """Return the instance of a row of instances."""
    found = row._mapping
    pixel = found["pixel"]
    return InstanceRow(
        **{name: found[name] for name in _PLAIN},
        pixel=None if pixel is None else PixelLayout.from_json(pixel),
        location=location_of(row),
        received=received_of(row),
    )


class _Unread(Mapping[str, Any]):
    """What a header says, as text that is read when somebody asks for it."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._values: Mapping[str, Any] | None = None

    def __getitem__(self, keyword: str) -> Any:
        return self._read()[keyword]

    def __iter__(self) -> Iterator[str]:
        return iter(self._read())

    def __len__(self) -> int:
        return len(self._read())

    def _read(self) -> Mapping[str, Any]:
        if self._values is None:
            self._values = json.loads(self._text)
        return self._values


def unread_row(row: Row[Any]) -> InstanceRow:
    """Return the instance of a row of instances whose `attributes` are text, where they can be."""
    found = row._mapping
    told, pixel = found["attributes"], found["pixel"]
    return replace(
        light_row(row),
        attributes=_Unread(told) if isinstance(told, str) else told,
        pixel=None if pixel is None else PixelLayout.from_json(pixel),
    )


def light_row(row: Row[Any]) -> InstanceRow:
    """Return the instance of a row of instances without what its header says."""
    found = row._mapping
    return InstanceRow(
        **{name: found[name] for name in _LIGHT},
        attributes={},
        pixel=None,
        location=location_of(row),
        received=received_of(row),
    )


def location_of(row: Row[Any]) -> Location:
    """Return where the instance of a row lies."""
    found = row._mapping
    return Location(
        where=found["location"],
        container=found["container"],
        offset=found["offset"],
        length=found["length"],
        dataset_offset=found["dataset_offset"],
    )


def received_of(row: Row[Any]) -> Received | None:
    """Return how the instance of a row came, when it is kept in another form."""
    received = row._mapping["received"]
    return None if received is None else Received.from_json(received)
