"""Queues the questions for earlier studies when a case is sent, in the transaction that sends it.

Doing it again changes nothing: a case asks a node once. Asks nobody; the worker does.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from casework.priors import nodes_to_ask
from storage.database import insert_if_absent
from storage.prior_people import case_row, subject_of_case
from storage.prior_rules import rules_of
from storage.prior_tables import prior_questions

QUEUED, DONE, DEAD, SKIPPED = "queued", "done", "dead", "skipped"
NO_NUMBER = "The case has no patient number, by which earlier studies could be asked for."


def ask_for_priors(conn: Connection, *, case_id: str, now: datetime) -> int:
    """Queue a question to each node that the rules name for a case; return how many there are."""
    case = case_row(conn, case_id)
    if case is None:
        return 0
    rules = rules_of(conn, case.site)
    if not rules:
        return 0
    nodes = nodes_to_ask(rules, site=case.site, subject=subject_of_case(conn, case))
    standing: dict[str, Any] = {"state": QUEUED, "next_attempt_at": now}
    if not case.patient_id:
        standing = {
            "state": SKIPPED,
            "next_attempt_at": None,
            "last_error": NO_NUMBER,
            "over_at": now,
        }
    insert_if_absent(
        conn,
        prior_questions,
        [{"case_id": case_id, "node": node, "created_at": now, **standing} for node in nodes],
    )
    return len(nodes)
