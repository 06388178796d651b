"""The values of storage commitment as the database has them. Decides nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, select

from casework.commitment import Failure, Reference, Result
from storage.casebook_tables import commitment_items

WAITING, JUDGED, REPORTED, GIVEN_UP = "waiting", "judged", "reported", "given_up"
OPEN = (WAITING, JUDGED)
OVER_WEB = ""
"""The AE title of those who ask over the web: they have none, and no report is sent to them."""


@dataclass(frozen=True)
class Commitment:
    """A transaction as it stands."""

    id: int
    site: str
    ae_title: str
    transaction_uid: str
    association: str  # over which it was asked, while that may still be open; or empty
    requested_at: datetime
    wait_until: datetime
    state: str  # waiting | judged | reported | given_up
    attempts: int  # to report
    next_attempt_at: datetime | None
    last_error: str
    use: int = 0  # more than 0: the transaction UID was taken already
    outline: str = ""  # how a request over the web named its instances; empty: one by one


@dataclass(frozen=True)
class Asked:
    """What is asked, by whom, over which association."""

    site: str
    ae_title: str
    association: str
    transaction_uid: str
    references: Sequence[Reference]


@dataclass(frozen=True)
class Results:
    """What was found of the instances of a transaction, in the order in which they were named."""

    committed: tuple[Reference, ...]
    failed: tuple[tuple[Reference, Failure], ...]


@dataclass(frozen=True)
class Listed:
    """A transaction with the number of its instances, for an operator."""

    commitment: Commitment
    instances: int
    committed: int
    failed: int


def as_commitment(row: Row[Any]) -> Commitment:
    """Return the transaction of a row."""
    return Commitment(**{name: row._mapping[name] for name in Commitment.__dataclass_fields__})


def as_listed(conn: Connection, row: Row[Any]) -> Listed:
    """Return the transaction of a row with the number of its instances."""
    counted = conn.execute(
        select(commitment_items.c.result, func.count())
        .where(commitment_items.c.commitment_id == row.id)
        .group_by(commitment_items.c.result)
    ).all()
    of = {result: int(count) for result, count in counted}
    return Listed(
        as_commitment(row),
        instances=sum(of.values()),
        committed=of.get(Result.COMMITTED, 0),
        failed=of.get(Result.FAILED, 0),
    )
