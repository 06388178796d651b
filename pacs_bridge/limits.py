"""Bounds on what connections may do, and the count of those that are open. Touches no socket."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass, field

from pacs_bridge.pace import Floor

_SPARE_CONNECTIONS = 128  # beyond the associations, so that those too many can be told so


@dataclass(frozen=True)
class WireLimits:
    """Bounds on what one connection may send, and how slowly."""

    max_pdu: int = 131072
    request_bytes: int = 131072  # of an A-ASSOCIATE-RQ
    handshake_timeout_s: float = 5.0  # of TLS, from accept
    request_timeout_s: float = 10.0  # from accept, or handshake, to the whole A-ASSOCIATE-RQ
    pdu_timeout_s: float = 30.0  # from the first to the last byte of a PDU
    idle_timeout_s: float = 60.0
    command_bytes: int = 65536
    read_ahead: int = 2  # messages of query/retrieve: one being served, one waiting
    floor: Floor = field(default_factory=Floor)


class Door:
    """Counts connections, in all and of each address, and turns away what is beyond reason."""

    def __init__(self, *, total: int, per_peer: int, spare: int = _SPARE_CONNECTIONS) -> None:
        self._total = total + spare
        self._per_peer = per_peer + spare
        self._open: Counter[str] = Counter()
        self._lock = threading.Lock()

    def enter(self, host: str) -> bool:
        """Count a connection in; False when there is no place for it."""
        with self._lock:
            if self._open.total() >= self._total or self._open[host] >= self._per_peer:
                return False
            self._open[host] += 1
            return True

    def leave(self, host: str) -> None:
        """Count a connection out."""
        with self._lock:
            self._open[host] -= 1
            if self._open[host] <= 0:
                del self._open[host]

    def counts(self, host: str) -> tuple[int, int]:
        """Return how many connections are open, in all and of one address."""
        with self._lock:
            return self._open.total(), self._open[host]
