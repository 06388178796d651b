"""What somebody may do with a case and its second reading now, and which draft is theirs.

`casework.second_readings` decides; here it is put together for the pages and the API.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from casework import access, lifecycle
from casework.errors import Refused
from casework.lifecycle import Event
from casework.model import Actor, CaseDossier
from casework.second_readings import is_open, latest, may_judge, may_take, writes

WRITES = frozenset({Event.DRAFT.value, Event.SIGN.value})


def may_of(actor: Actor, dossier: CaseDossier) -> frozenset[str]:
    """Return the events that the actor may cause on a case as it is now.

    A second reader may draft and sign too: what they write goes into the reading.
    """
    case, reading = dossier.case, latest(dossier.readings)
    found = set()
    for event in lifecycle.possible(case.state):
        try:
            access.require_may(actor, event, site=case.site, holder_id=case.holder_id)
        except Refused:
            continue
        found.add(event.value)
    stands = {
        Event.ASK_SECOND: not is_open(reading),
        Event.DROP_SECOND: is_open(reading),
        Event.READ_SECOND: may_take(reading, case, actor) or writes(reading, actor),
        Event.JUDGE_SECOND: may_judge(reading, case, actor),
    }
    found -= {event.value for event, is_possible in stands.items() if not is_possible}
    return frozenset(found | WRITES if writes(reading, actor) else found)


def own_draft(actor: Actor, dossier: CaseDossier) -> tuple[Mapping[str, Any] | None, int]:
    """Return the draft that the actor goes on with, and its version: of the case they hold, or of
    the second reading that they write.
    """
    reading = latest(dossier.readings)
    if reading is not None and writes(reading, actor):
        return reading.draft, reading.draft_version
    case = dossier.case
    is_mine = bool(case.holder_id) and case.holder_id == actor.id
    return (case.draft if is_mine else None), case.draft_version
