"""Receives requesters at the front: finds out who calls, admits or rejects, and keeps the record.

Carries the decisions of `admission` and `negotiation` out on values; knows no PDU.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass

import structlog

from casework.custody import Door, Origin
from casework.errors import Refused
from casework.identifiers import is_ae_title, normal_ae_title
from casework.model import Actor, SiteKind
from pacs_bridge import admission
from pacs_bridge.admission import NO_SITE, Knock, Limits, Rejection
from pacs_bridge.desk import Desk
from pacs_bridge.items import Extended, Role
from pacs_bridge.negotiation import (
    ACCEPTED,
    Context,
    Proposed,
    find_options,
    negotiate,
    relational_classes,
)
from pacs_bridge.places import Places
from pacs_bridge.session import Session
from pacs_bridge.syntaxes import is_storage_class
from storage.people import People

log = structlog.get_logger()

CONGESTED = Rejection(2, 3, 1, "broken", "The part that knows who may call does not answer.")
"""PS3.8 section 9.3.4: temporary congestion, so that the peer tries again."""
HANDSHAKE_CODES = frozenset(
    {"certificate-refused", "certificate-missing", "tls-version", "tls-cipher"}
)
"""Failed handshakes that the audit has."""

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
    certificate: str | None = None  # fingerprint of the client's; over TLS only
    roles: tuple[Role, ...] = ()
    extended: tuple[Extended, ...] = ()


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
        places: Places | None = None,
    ) -> None:
        """`places` counts over several processes; without it this one counts alone."""
        self._desk = desk
        self._people = people
        self._limits = limits
        self._check_host = check_host
        self._private_classes = private_classes
        self._places = places or Places()

    @property
    def own_title(self) -> str:
        """Return the AE title that callers must address."""
        return self._desk.own_title

    @property
    def answer_timeout_s(self) -> float:
        """Return how long a requester may take to answer what it is sent (C-GET)."""
        return self._desk.retrieval.wait.answer_s

    def decide(self, request: Request) -> Admitted | Rejection:
        """Let a requester in, or say why not; a rejection is logged and audited."""
        association = secrets.token_hex(8)
        entity = self._people.ae(normal_ae_title(request.calling))
        certificate_site = self._certificate_site(request)
        load = self._desk.archive.load()
        with self._places.judging(request.peer_host) as open_now:
            decision = admission.decide(
                Knock(
                    called=request.called,
                    calling=request.calling,
                    peer_host=request.peer_host,
                    certificate_site=certificate_site,
                    open_total=open_now.total,
                    open_of_peer=open_now.of_peer,
                    proposes_storage=self._proposes_storage(request),
                    spool_percent=load.spool_percent,
                    index_backlog=load.index_backlog,
                ),
                entity,
                own_title=self._desk.own_title,
                limits=self._limits,
                check_host=self._check_host,
            )
            if not isinstance(decision, Rejection):
                self._places.enter(association, request.peer_host)
        if isinstance(decision, Rejection):
            self._note_rejection(request, decision)
            return decision
        contexts = negotiate(
            request.proposed,
            decision,
            service_classes=request.service_classes,
            private_classes=self._private_classes,
            roles=request.roles,
        )
        origin = Origin(
            site=decision.site,
            door=Door.DICOM,
            calling_ae=decision.title,
            called_ae=self._desk.own_title,
            peer=_peer(request),
            association=association,
        )
        accepted = sum(context.result == ACCEPTED for context in contexts)
        log.info(
            "association accepted",
            association=association,
            calling=decision.title,
            site=decision.site,
            peer=request.peer_host,
            certificate=request.certificate,
            contexts=accepted,
            refused_contexts=len(contexts) - accepted,
        )
        self._desk.meter.associations(open_now.total + 1)
        session = Session(
            self._desk,
            decision,
            origin,
            relational=relational_classes(request.extended),
            finding=find_options(request.extended),
        )
        return Admitted(contexts, session)

    def ended(self, session: Session | None) -> None:
        """Count an association out."""
        if session is None:
            return
        session.ended()
        open_now = self._places.leave(session.id)
        log.info("association ended", association=session.id)
        self._desk.meter.associations(open_now)

    def turned_away(self, peer_host: str, refusal: Refused) -> None:
        """Note a caller whose TLS handshake failed; audited where it says something of the caller.

        Silence and noise are for the log: a port scan must not fill the audit.
        """
        log.warning(
            "handshake failed", peer=peer_host, reason=refusal.code, message=refusal.message
        )
        self._desk.meter.rejected(refusal.code)
        if refusal.code in HANDSHAKE_CODES:
            self._desk.ledger.append(
                None,
                actor=UNKNOWN_CALLER,
                action="association-rejected",
                subject=peer_host,
                outcome="refused",
                detail={
                    "peer": peer_host,
                    "reason": refusal.code,
                    "message": refusal.message,
                    "answer": "tls",
                },
            )

    def _certificate_site(self, request: Request) -> str | None:
        if not request.is_secure:
            return None
        return self._people.site_of_certificate(request.certificate or "") or NO_SITE

    def _proposes_storage(self, request: Request) -> bool:
        taking = {role.sop_class_uid for role in request.roles if not role.scu}  # by C-GET
        return any(
            proposed.abstract_syntax not in taking
            and is_storage_class(
                proposed.abstract_syntax,
                service_classes=request.service_classes,
                private_classes=self._private_classes,
            )
            for proposed in request.proposed
        )

    def _note_rejection(self, request: Request, rejection: Rejection) -> None:
        calling = _shown_title(request.calling)
        triple = f"{rejection.result}/{rejection.source}/{rejection.reason}"
        log.warning(
            "association rejected",
            calling=calling,
            called=_shown_title(request.called),
            peer=request.peer_host,
            certificate=request.certificate,
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
                **({"certificate": request.certificate} if request.certificate else {}),
            },
        )


def _peer(request: Request) -> str:
    """Return who was at the other end, as custody keeps it."""
    address = f"{request.peer_host}:{request.peer_port}"
    return f"{address} sha256:{request.certificate}" if request.certificate else address


def _shown_title(title: str) -> str:
    """Return a title as a log may show it, since anything can stand in a request."""
    plain = normal_ae_title(title)
    return plain if is_ae_title(plain) else ascii(plain)[:40]
