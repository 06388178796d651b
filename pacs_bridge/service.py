"""The DICOM face of one exchange: starts and stops what listens, out of its settings."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog

from casework.errors import Invalid, Unavailable
from pacs_bridge.admission import Limits
from pacs_bridge.desk import Desk, Retrieval
from pacs_bridge.front import Front
from pacs_bridge.limits import Door, WireLimits
from pacs_bridge.meter import Meter, NoMeter
from pacs_bridge.pace import Floor
from pacs_bridge.places import Places
from pacs_bridge.receiver import Receiver, listen
from pacs_bridge.scu import Wait
from pacs_bridge.tls import Fresh, TlsFiles, expiry_warning, server_context
from storage.archive import Archive
from storage.commitments import Commitments
from storage.index import Index
from storage.ledger import Ledger
from storage.people import People
from storage.performed import PerformedSteps
from storage.promises import Promises
from storage.scheduled import Scheduled

log = structlog.get_logger()


@dataclass(frozen=True)
class BridgeSettings:
    """What the DICOM face is told; defaults are safe ones."""

    ae_title: str = "LYSBRO"
    host: str = "127.0.0.1"
    port: int = 11112  # 0 picks a free one
    tls_host: str = "0.0.0.0"  # noqa: S104 - only who has a certificate comes further
    tls_port: int | None = None  # None: no TLS; 0 picks a free one
    tls_files: TlsFiles | None = None
    handshake_timeout_s: float = 5.0
    max_pdu: int = 131072
    maximum_associations: int = 25
    maximum_per_peer: int = 8
    backlog: int = 128
    request_timeout_s: float = 10.0
    max_request_bytes: int = 131072
    pdu_timeout_s: float = 30.0
    idle_timeout_s: float = 60.0
    floor_rate: float = 1000.0
    max_command_bytes: int = 65536
    max_pending: int = 2
    congestion_spool_percent: int = 80
    congestion_backlog: int = 25_000
    max_object_bytes: int = 8 << 30
    maximum_matches: int = 2000
    private_classes: bool = True
    check_host: bool = False
    commitment_wait_s: float = 3600.0
    timezone: str = "Europe/Oslo"  # of the clocks on the walls where is examined
    worklist_days: int = 30
    retrieve_pending_every: int = 10
    retrieve_pending_s: float = 1.0
    retrieve_connect_timeout_s: float = 10.0
    retrieve_association_timeout_s: float = 30.0
    retrieve_answer_timeout_s: float = 60.0
    drain_s: float = 20.0


@dataclass(frozen=True)
class Shared:
    """What several bridges on one port share: its sockets, and the count of what is open."""

    plain: socket.socket
    tls: socket.socket | None
    places: Places
    hl7: socket.socket | None = None


def bind(settings: BridgeSettings) -> tuple[socket.socket, socket.socket | None]:
    """Return listening sockets, in the clear and for TLS; Unavailable when one cannot be had."""
    plain = _bound(settings.host, settings.port, settings.backlog)
    if settings.tls_port is None:
        return plain, None
    try:
        return plain, _bound(settings.tls_host, settings.tls_port, settings.backlog)
    except Unavailable:
        plain.close()
        raise


class Bridge:
    """Receives and answers DICOM between `start` and `stop`."""

    def __init__(
        self,
        settings: BridgeSettings,
        archive: Archive,
        index: Index,
        people: People,
        ledger: Ledger,
        *,
        meter: Meter | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        shared: Shared | None = None,
    ) -> None:
        """`shared` is given where other processes receive on the same port."""
        self._settings = settings
        self._shared = shared
        self._clock = clock
        self._receiver: Receiver | None = None
        self._tls_receiver: Receiver | None = None
        desk = Desk(
            archive=archive,
            index=index,
            ledger=ledger,
            performed=PerformedSteps(archive.database, archive.clock),
            own_title=settings.ae_title,
            maximum_matches=settings.maximum_matches,
            max_object_bytes=settings.max_object_bytes,
            meter=meter or NoMeter(),
            commitments=Commitments(archive.database, archive.clock),
            promises=Promises(archive.database, archive.clock),
            commitment_wait_s=settings.commitment_wait_s,
            people=people,
            scheduled=Scheduled(
                archive.database,
                archive.clock,
                timezone=settings.timezone,
                days=settings.worklist_days,
            ),
            tls_files=settings.tls_files,
            retrieval=Retrieval(
                pending_every=settings.retrieve_pending_every,
                pending_s=settings.retrieve_pending_s,
                wait=Wait(
                    connect_s=settings.retrieve_connect_timeout_s,
                    association_s=settings.retrieve_association_timeout_s,
                    answer_s=settings.retrieve_answer_timeout_s,
                ),
                floor=Floor(settings.floor_rate, grace_s=settings.pdu_timeout_s),
            ),
        )
        self._front = Front(
            desk,
            people,
            limits=Limits(
                settings.maximum_associations,
                settings.maximum_per_peer,
                settings.congestion_spool_percent,
                settings.congestion_backlog,
            ),
            check_host=settings.check_host,
            private_classes=settings.private_classes,
            places=shared.places if shared is not None else None,
        )

    @property
    def port(self) -> int:
        """Return the port that is listened on."""
        if self._receiver is None:
            raise Unavailable("The bridge does not listen. Start it first.")
        return self._receiver.port

    @property
    def tls_port(self) -> int:
        """Return the port that is listened on for TLS."""
        if self._tls_receiver is None:
            raise Unavailable("The bridge does not listen for TLS. Set LYSBRO_DICOM_TLS_PORT.")
        return self._tls_receiver.port

    def start(self) -> None:
        """Start to listen; raise Unavailable when an address cannot be had, Invalid without TLS."""
        tls = self._tls()
        shared = self._shared
        plain, secure = bind(self._settings) if shared is None else (shared.plain, shared.tls)
        self._receiver = self._receive(plain)
        if tls is not None and secure is not None:
            self._tls_receiver = self._receive(secure, tls)

    def stop(self) -> None:
        """Accept no more, finish what is under way, end every association."""
        receivers = (self._receiver, self._tls_receiver)
        self._receiver = self._tls_receiver = None
        for receiver in receivers:
            if receiver is not None:
                receiver.stop(drain_s=self._settings.drain_s)

    def _tls(self) -> Fresh | None:
        settings = self._settings
        if settings.tls_port is None:
            return None
        files = settings.tls_files
        if files is None:
            raise Invalid("LYSBRO_DICOM_TLS_PORT: TLS needs a certificate.", code="settings")
        tls = Fresh(lambda: server_context(files))
        if warning := expiry_warning(files, now=self._clock()):
            log.warning("certificate ends", message=warning)
        return tls

    def _receive(self, listening: socket.socket, tls: Fresh | None = None) -> Receiver:
        settings = self._settings
        receiver = Receiver(
            self._front,
            listening,
            # a door for each port: whoever crowds one of them leaves the other free
            door=Door(total=settings.maximum_associations, per_peer=settings.maximum_per_peer),
            limits=WireLimits(
                max_pdu=settings.max_pdu,
                request_bytes=settings.max_request_bytes,
                handshake_timeout_s=settings.handshake_timeout_s,
                request_timeout_s=settings.request_timeout_s,
                pdu_timeout_s=settings.pdu_timeout_s,
                idle_timeout_s=settings.idle_timeout_s,
                command_bytes=settings.max_command_bytes,
                read_ahead=settings.max_pending,
                floor=Floor(settings.floor_rate, grace_s=settings.pdu_timeout_s),
            ),
            tls=tls,
        )
        receiver.start()
        return receiver


def _bound(host: str, port: int, backlog: int) -> socket.socket:
    try:
        return listen(host, port, backlog=backlog)
    except OSError as error:
        raise Unavailable(
            f"Cannot listen on {host}:{port} ({error.strerror}). Free the port or choose another."
        ) from error
