"""The DICOM face of one exchange: starts and stops what listens, out of its settings."""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from casework.errors import Unavailable
from pacs_bridge.admission import Limits
from pacs_bridge.desk import Desk
from pacs_bridge.front import Front
from pacs_bridge.guard import Door, WireLimits
from pacs_bridge.meter import Meter, NoMeter
from pacs_bridge.receiver import Receiver
from storage.archive import Archive
from storage.index import Index
from storage.ledger import Ledger
from storage.people import People
from storage.performed import PerformedSteps

log = structlog.get_logger()


@dataclass(frozen=True)
class BridgeSettings:
    """What the DICOM face is told; defaults are safe ones."""

    ae_title: str = "LYSBRO"
    host: str = "127.0.0.1"
    port: int = 11112  # 0 picks a free one
    max_pdu: int = 131072
    maximum_associations: int = 25
    maximum_per_peer: int = 8
    request_timeout_s: float = 10.0
    pdu_timeout_s: float = 30.0
    idle_timeout_s: float = 60.0
    max_object_bytes: int = 8 << 30
    maximum_matches: int = 2000
    private_classes: bool = True
    check_host: bool = False
    drain_s: float = 20.0


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
    ) -> None:
        self._settings = settings
        self._receiver: Receiver | None = None
        desk = Desk(
            archive=archive,
            index=index,
            ledger=ledger,
            performed=PerformedSteps(archive.database, archive.clock),
            own_title=settings.ae_title,
            maximum_matches=settings.maximum_matches,
            max_object_bytes=settings.max_object_bytes,
            meter=meter or NoMeter(),
        )
        self._front = Front(
            desk,
            people,
            limits=Limits(settings.maximum_associations, settings.maximum_per_peer),
            check_host=settings.check_host,
            private_classes=settings.private_classes,
        )

    @property
    def port(self) -> int:
        """Return the port that is listened on."""
        if self._receiver is None:
            raise Unavailable("The bridge does not listen. Start it first.")
        return self._receiver.port

    def start(self) -> None:
        """Start to listen; raise Unavailable when the address cannot be had."""
        settings = self._settings
        try:
            self._receiver = Receiver(
                self._front,
                host=settings.host,
                port=settings.port,
                door=Door(total=settings.maximum_associations, per_peer=settings.maximum_per_peer),
                limits=WireLimits(
                    max_pdu=settings.max_pdu,
                    request_timeout_s=settings.request_timeout_s,
                    pdu_timeout_s=settings.pdu_timeout_s,
                    idle_timeout_s=settings.idle_timeout_s,
                ),
            )
        except OSError as error:
            raise Unavailable(
                f"Cannot listen on {settings.host}:{settings.port} ({error.strerror}). "
                "Free the port or choose another."
            ) from error
        self._receiver.start()

    def stop(self) -> None:
        """Accept no more, finish what is under way, end every association."""
        receiver, self._receiver = self._receiver, None
        if receiver is not None:
            receiver.stop(drain_s=self._settings.drain_s)
