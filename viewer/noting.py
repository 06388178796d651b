"""Notes in the audit what the one who asks has done."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from viewer.guard import current_actor
from viewer.services import services


def note(
    action: str,
    subject: str,
    *,
    case_id: str = "",
    detail: Mapping[str, Any] | None = None,
    outcome: str = "ok",
) -> None:
    """Write an entry of the one who asks, at their own site; NotSignedIn where nobody is."""
    actor = current_actor()
    services().ledger.append(
        None,
        actor=actor,
        action=action,
        subject=subject,
        case_id=case_id,
        site=actor.site,
        outcome=outcome,
        detail=detail or {},
    )
