"""Receives requesters at the front: finds out who calls, admits or rejects, and keeps the record.

Carries the decisions of `admission` and `negotiation` out on values; knows no PDU.
"""

from __future__ import annotations

import secrets
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import structlog

from casework.custody import Door, Origin
from casework.identifiers import is_ae_title, normal_ae_title
from casework.model import Actor, SiteKind
from pacs_bridge import admission
from pacs_bridge.admission import Knock, Limits, Rejection
from pacs_bridge.desk import Desk
from pacs_bridge.negotiation import ACCEPTED, Context, Proposed, negotiate
from pacs_bridge.session import Session
from storage.people import People

log = structlog.get_logger()

CONGESTED = Rejection(2, 3, 1, "broken", "The part that knows who may call does not answer.")
"""PS3.8 section 9.3.4: temporary congestion, so that the peer tries again."""

UNKNOWN_CALLER = Actor(id="ae:?", name="unknown caller", site="", site_kind=SiteKind.HOSPITAL)


@dataclass(frozen=True)
class Request:
    """An association request, as values."""

    called: str
    calling: str
    peer_host: str
    peer_port: int
    is_secure: bool
    proposed: tuple[Proposed, ...]
    service_classes: Mapping[str, str]


@dataclass(frozen=True)
class Admitted:
    """An association that is let in: its contexts, and what serves it."""

    contexts: tuple[Context, ...]
    session: Session


class Front:
    """Decides on each association request and counts those that are open."""

    def __init__(
        self,
        desk: Desk,
        people: People,
        *,
        limits: Limits,
        check_host: bool,
        private_classes: bool,
    ) -> None:
        self._desk = desk
        self._people = people
        self._limits = limits
        self._check_host = check_host
        self._private_classes = private_classes
        self._open: dict[str, str] = {}  # association to the address of its peer
        self._lock = threading.Lock()

    @property
    def own_title(self) -> str:
        """Return the AE title that callers must address."""
        return self._desk.own_title

    def decide(self, request: Request) -> Admitted | Rejection:
        """Let a requester in, or say why not; a rejection is logged and audited."""
        association = secrets.token_hex(8)
        entity = self._people.ae(normal_ae_title(request.calling))
        with self._lock:
            of_peer = Counter(self._open.values())[request.peer_host]
            decision = admission.decide(
                Knock(
                    called=request.called,
                    calling=request.calling,
                    peer_host=request.peer_host,
                    is_secure=request.is_secure,
                    open_total=len(self._open),
                    open_of_peer=of_peer,
                ),
                entity,
                own_title=self._desk.own_title,
                limits=self._limits,
                check_host=self._check_host,
            )
            if not isinstance(decision, Rejection):
                self._open[association] = request.peer_host
            open_now = len(self._open)
        if isinstance(decision, Rejection):
            self._note_rejection(request, decision)
            return decision
        contexts = negotiate(
            request.proposed,
            decision,
            service_classes=request.service_classes,
            private_classes=self._private_classes,
        )
        origin = Origin(
            site=decision.site,
            door=Door.DICOM,
            calling_ae=decision.title,
            called_ae=self._desk.own_title,
            peer=f"{request.peer_host}:{request.peer_port}",
            association=association,
        )
        accepted = sum(context.result == ACCEPTED for context in contexts)
        log.info(
            "association accepted",
            association=association,
            calling=decision.title,
            site=decision.site,
            peer=request.peer_host,
            contexts=accepted,
            refused_contexts=len(contexts) - accepted,
        )
        self._desk.meter.associations(open_now)
        return Admitted(contexts, Session(self._desk, decision, origin))

    def ended(self, session: Session | None) -> None:
        """Count an association out."""
        if session is None:
            return
        session.ended()
        with self._lock:
            self._open.pop(session.id, None)
            open_now = len(self._open)
        log.info("association ended", association=session.id)
        self._desk.meter.associations(open_now)

    def _note_rejection(self, request: Request, rejection: Rejection) -> None:
        calling = _shown_title(request.calling)
        triple = f"{rejection.result}/{rejection.source}/{rejection.reason}"
        log.warning(
            "association rejected",
            calling=calling,
            called=_shown_title(request.called),
            peer=request.peer_host,
            reason=rejection.code,
            answer=triple,
        )
        self._desk.meter.rejected(rejection.code)
        self._desk.ledger.append(
            None,
            actor=UNKNOWN_CALLER,
            action="association-rejected",
            subject=calling,
            outcome="refused",
            detail={
                "called": _shown_title(request.called),
                "peer": request.peer_host,
                "reason": rejection.code,
                "answer": triple,
            },
        )


def _shown_title(title: str) -> str:
    """Return a title as a log may show it, since anything can stand in a request."""
    plain = normal_ae_title(title)
    return plain if is_ae_title(plain) else ascii(plain)[:40]
