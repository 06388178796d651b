"""Notes in the audit what was retrieved: a series that is read frame by frame once, not each."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

from casework.model import Actor
from viewer.dicomweb.recent import Recent
from viewer.services import Services

_RECENT = "lysbro-dicomweb-recent"


def note(
    known: Services, actor: Actor, action: str, study: str, series: str | None, **detail: Any
) -> None:
    """Write an entry."""
    known.ledger.append(
        None,
        actor=actor,
        action=action,
        subject=study,
        site=actor.site,
        detail={**({"series": series} if series else {}), **detail},
    )


def note_once(
    extensions: MutableMapping[str, Any],
    known: Services,
    actor: Actor,
    action: str,
    study: str,
    series: str,
) -> None:
    """Write an entry unless the same has been written in the last minutes."""
    seen: Recent = extensions.setdefault(_RECENT, Recent())
    key = (actor.id, action, study, series)
    if not seen.is_first(key, known.clock()):
        return
    try:
        note(known, actor, action, study, series)
    except BaseException:
        seen.forget(key)  # nothing was written: the next one must be
        raise
