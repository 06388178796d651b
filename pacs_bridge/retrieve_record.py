"""What a retrieve leaves in the log, in the audit and in the custody of each instance.

The audit has what will go out before anything goes. What has gone is written after the answer, by
whoever is handed the writing: on a busy disk a commit takes longer than a study, and neither the
answer nor the release of the association has to wait for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import groupby
from typing import Any

import structlog

from casework.custody import CustodyEvent
from casework.model import Actor, ApplicationEntity
from pacs_bridge import status
from pacs_bridge.desk import Desk
from pacs_bridge.status import Answer
from pacs_bridge.tally import Outcome, Tally
from storage.selection import Selected

log = structlog.get_logger()

_IN_ONE_COMMIT = 2000  # lines of custody
_LOGGED = 10  # failures of one retrieve; the answer lists them all

Afterwards = Callable[[Callable[[], None]], None]
"""Takes what is to be written once the answer has gone."""


class Record:
    """The record of one retrieve."""

    def __init__(
        self,
        desk: Desk,
        actor: Actor,
        entity: ApplicationEntity,
        *,
        how: Mapping[str, Any],
        association: str,
        afterwards: Afterwards,
    ) -> None:
        """`how` says by which operation, and to whom."""
        self._desk = desk
        self._actor = actor
        self._entity = entity
        self._how = how
        self._association = association
        self._afterwards = afterwards
        self._sent: list[int] = []
        self._failures = 0

    def begin(self, selected: Sequence[Selected], *, level: str) -> None:
        """Enter in the audit, study by study, what will go out and where."""
        log.info(
            "retrieving",
            association=self._association,
            site=self._entity.site,
            level=level,
            instances=len(selected),
            to=self._how["to"],
        )
        for study_uid, group in groupby(selected, key=lambda each: each.row.study_uid):
            of_study = list(group)
            self._desk.ledger.append(
                None,
                actor=self._actor,
                action="images-retrieved",
                subject=study_uid,
                case_id=of_study[0].case_id,
                site=self._entity.site,
                detail={**self._how, "images": len(of_study)},
            )

    def take(self, instance_pk: int, outcome: Outcome) -> None:
        """Remember what has arrived; log the first that have not."""
        if outcome.has_arrived:
            self._sent.append(instance_pk)
            return
        self._failures += 1
        if self._failures <= _LOGGED:
            log.warning(
                "not retrieved",
                association=self._association,
                sop=outcome.sop_instance_uid,
                status=None if outcome.status is None else f"{outcome.status:04X}",
                reason=outcome.comment,
            )

    def end(self, answer: Answer, tally: Tally) -> None:
        """Have written how it ended, and in the custody of each instance that it went."""
        detail = {
            "sent": tally.completed + tally.warning,
            "warnings": tally.warning,
            "failed": len(tally.failed),
            "remaining": tally.remaining,
            "status": f"{answer.status:04X}",
        }
        log.info("retrieved", association=self._association, site=self._entity.site, **detail)
        is_served = answer.is_kept or answer.status == status.CANCELLED
        outcome = "ok" if is_served else "failed" if tally.total else "refused"
        at, by = self._desk.archive.clock(), self._by()
        for start in range(0, len(self._sent), _IN_ONE_COMMIT):
            pks = self._sent[start : start + _IN_ONE_COMMIT]
            self._afterwards(
                partial(self._desk.index.note_each, pks, CustodyEvent.EXPORTED, at, by)
            )
        self._afterwards(partial(self._write_end, outcome, detail))

    def _write_end(self, outcome: str, detail: Mapping[str, Any]) -> None:
        self._desk.ledger.append(
            None,
            actor=self._actor,
            action="retrieved",
            subject=self._entity.title,
            site=self._entity.site,
            outcome=outcome,
            detail={**self._how, **detail},
        )

    def _by(self) -> Mapping[str, Any]:
        return {
            "actor": self._actor.id,
            "name": self._actor.name,
            "door": "dicom",
            **self._how,
        }
