"""The Storage Commitment Service over the web (PS3.18 chapter 13): asked for, and fetched.

The queue and the verdict are those of DIMSE: an instance is committed once its bytes were read back
from the store. So the answer is 202 until the worker has done that.
"""

from __future__ import annotations

import math

from flask import Blueprint, Response

from casework.commitment import next_look
from casework.errors import Invalid
from casework.identifiers import is_receivable_uid
from storage import commitment_web
from storage.commitment_rows import REPORTED, Commitment
from viewer.dicomweb import commitment_model, model_answers
from viewer.dicomweb.methods import BASE
from viewer.guard import current_actor
from viewer.services import required_commitments, services

MAX_BYTES = 16 << 20
_RULE = "/commitment-requests/<transaction>"


def add_to(bp: Blueprint) -> None:
    """Add the routes."""
    bp.add_url_rule(_RULE, "request_commitment", ask, methods=["POST"])
    bp.add_url_rule(_RULE, "check_commitment", check)


def ask(transaction: str) -> Response:
    """Keep a request for the safekeeping of instances of the caller's own site."""
    media_type = model_answers.chosen_type()
    if not is_receivable_uid(transaction):
        raise Invalid("The transaction UID of the address is no UID.", code="bad-request")
    asked = commitment_model.read_request(model_answers.read_dataset(most_bytes=MAX_BYTES))
    actor = current_actor()
    commitment = commitment_web.ask(
        required_commitments(),
        site=actor.site,
        transaction_uid=transaction,
        references=asked.references,
        outline=asked.outline,
        wait_s=services().settings.commitment_wait_s,
    )
    services().ledger.append(
        None,
        actor=actor,
        action="commitment-requested",
        subject=transaction,
        site=actor.site,
        detail={"instances": len(asked.references), "door": "dicomweb"},
    )
    return _answer(commitment, media_type)


def check(transaction: str) -> Response:
    """Return the result of a request of the caller's own site, or that it is not known yet."""
    media_type = model_answers.chosen_type()
    site = current_actor().site
    commitment = commitment_web.asked_before(
        required_commitments(), site=site, transaction_uid=transaction
    )
    return _answer(commitment, media_type)


def _answer(commitment: Commitment, media_type: str) -> Response:
    if commitment.state != REPORTED:
        now = services().clock()
        pause = next_look(commitment.requested_at, commitment.wait_until, now=now) - now
        response = Response(status=202)
        response.headers["Retry-After"] = str(max(1, math.ceil(pause.total_seconds())))
        response.headers["Location"] = f"{BASE}/commitment-requests/{commitment.transaction_uid}"
        return response
    results = required_commitments().results(commitment)
    values = commitment_model.response(
        commitment.outline, committed=results.committed, failed=results.failed
    )
    return model_answers.answer(values, status=200, media_type=media_type)
