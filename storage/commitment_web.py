"""Requests for storage commitment that came over the web (PS3.18 chapter 13), in the one queue.

Nobody is reported to: the result stays until it is fetched. What is said of an instance is decided
where it is for every request.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select, select, update
from sqlalchemy.exc import IntegrityError

from casework.commitment import Reference
from casework.errors import Conflict, NoRoom, NotFound, Unavailable
from storage.casebook_tables import commitments
from storage.commitment_requests import take
from storage.commitment_rows import OVER_WEB, Asked, Commitment, as_commitment
from storage.commitments import Commitments


def ask(
    queue: Commitments,
    *,
    site: str,
    transaction_uid: str,
    references: Sequence[Reference],
    outline: str,
    wait_s: float,
) -> Commitment:
    """Keep a request and return it; a transaction UID that the site has used is a Conflict.

    PS3.18 table 13.4.3-1: 409 says that the UID is in use. A request whose answer was lost is
    found by it, and its result is fetched like any other.
    """
    asked = Asked(site, OVER_WEB, "", transaction_uid, references)
    now = queue.clock()
    try:
        with queue.database.begin() as conn:
            known = conn.execute(_of(site, transaction_uid)).first()
            if known is not None:
                raise _in_use(transaction_uid)
            taken = take(conn, asked, now=now, wait_s=wait_s)
            of_it = commitments.c.id == taken.id
            row = conn.execute(
                update(commitments).where(of_it).values(outline=outline).returning(commitments)
            ).one()
            return as_commitment(row)
    except IntegrityError as error:
        raise _in_use(transaction_uid) from error
    except NoRoom as error:
        raise Unavailable(
            "Too many requests for commitment are open. Fetch results, then ask again.",
            code=error.code,
        ) from error


def asked_before(queue: Commitments, *, site: str, transaction_uid: str) -> Commitment:
    """Return a request of a site as it stands, or raise NotFound."""
    with queue.database.read() as conn:
        row = conn.execute(_of(site, transaction_uid)).first()
    if row is None:
        raise NotFound(
            f"There is no request for commitment {transaction_uid}.", code="no-such-commitment"
        )
    return as_commitment(row)


def _of(site: str, transaction_uid: str) -> Select[Any]:
    return select(commitments).where(
        commitments.c.site == site,
        commitments.c.ae_title == OVER_WEB,
        commitments.c.transaction_uid == transaction_uid,
    )


def _in_use(transaction_uid: str) -> Conflict:
    return Conflict(
        f"The transaction UID {transaction_uid} is in use. Fetch its result, or ask under another.",
        code="transaction-in-use",
    )
