"""Has the one who signs prove anew who they are, where the exchange asks for it.

The password goes with the signature itself; nothing is signed in between. The rule is casework's.
"""

from __future__ import annotations

import math

from flask import g, request

from casework.errors import Refused
from casework.model import Actor
from viewer import passwords
from viewer.guard import session_cookie
from viewer.noting import note
from viewer.problems import TooManyRequests
from viewer.services import services


def require_proof(actor: Actor, case_id: str, *, password: str = "") -> None:
    """Return when the one who asks may sign now; raise with what to do when not."""
    rule = services().settings.sign_again
    if not rule.is_asked:
        return
    token = request.cookies.get(session_cookie(), "")
    if g.get("via") != "session" or not token:
        raise Refused(
            "Here only the person may sign: a token proves nobody. Sign in the reading room.",
            code="sign-in-again",
        )
    now = services().clock()
    if password:
        _check(actor, case_id, password)
        services().people.prove(token, now=now)
        return
    proved_at = services().people.proved_at(token)
    if proved_at is None or rule.is_due(proved_at=proved_at, now=now):
        raise Refused("Give your password once more, then sign.", code="sign-in-again")


def _check(actor: Actor, case_id: str, password: str) -> None:
    people = services().people
    keys = (f"account:{actor.email}", f"address:{request.remote_addr or ''}")
    wait_s = math.ceil(max(people.sign_in_delay(key) for key in keys))
    if wait_s > 0:
        raise TooManyRequests("Too many attempts. Wait a little and try again.", wait_s=wait_s)
    row = people.user_by_email(actor.email)
    if row is None or row.disabled or not passwords.verify(row.password_hash, password):
        for key in keys:
            people.note_failed_sign_in(key)
        note("sign-in-failed", actor.email, case_id=case_id, outcome="refused")
        raise Refused("The password is not right. Nothing was signed.", code="wrong-password")
    people.clear_failed(keys[0])
