"""Decides whether an association is let in, by whom it comes and how many there are. No I/O."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from casework.identifiers import normal_ae_title
from casework.model import AePermission, ApplicationEntity

PERMANENT, TRANSIENT = 1, 2
SERVICE_USER, PROVIDER_PRESENTATION = 1, 3


@dataclass(frozen=True)
class Limits:
    """How many associations there may be at one time."""

    total: int
    per_peer: int


@dataclass(frozen=True)
class Knock:
    """What is known of a requester when its A-ASSOCIATE-RQ has been read."""

    called: str
    calling: str
    peer_host: str
    is_secure: bool
    open_total: int  # other associations, this one not counted
    open_of_peer: int


@dataclass(frozen=True)
class Rejection:
    """Result, source and reason of an A-ASSOCIATE-RJ (PS3.8 section 9.3.4), in words too."""

    result: int
    source: int
    reason: int
    code: str
    message: str


def decide(
    knock: Knock,
    entity: ApplicationEntity | None,
    *,
    own_title: str,
    limits: Limits,
    check_host: bool = False,
) -> ApplicationEntity | Rejection:
    """Return the entity that is let in, or why it is not.

    `entity` is who the calling title belongs to. Whoever calls without being known learns only
    that the title was not recognised.
    """
    calling = normal_ae_title(knock.calling)
    if normal_ae_title(knock.called) != own_title:
        return _not_recognised(7, "called-unknown", "The called AE title is not ours.")
    if entity is None or entity.title != calling:
        return _not_recognised(3, "calling-unknown", "Nobody here has this calling title.")
    if entity.tls_only and not knock.is_secure:
        return _not_recognised(3, "tls-only", f"{calling} may call over TLS only.")
    if check_host and not _same_host(entity.host, knock.peer_host):
        return _not_recognised(3, "other-host", f"{calling} does not call from its host.")
    if knock.open_total >= limits.total:
        return _full("limit-total", f"{limits.total} associations are open already.")
    if knock.open_of_peer >= limits.per_peer:
        return _full("limit-peer", f"{limits.per_peer} associations of this peer are open already.")
    return entity


def may_store(entity: ApplicationEntity) -> bool:
    """Tell whether an entity's storage contexts are accepted."""
    return AePermission.STORE in entity.permissions


def may_query(entity: ApplicationEntity) -> bool:
    """Tell whether an entity's query contexts are accepted."""
    return AePermission.QUERY in entity.permissions


def may_perform(entity: ApplicationEntity) -> bool:
    """Tell whether an entity may tell of performed procedure steps: what sends, or is scheduled."""
    return bool(entity.permissions & {AePermission.STORE, AePermission.WORKLIST})


def _not_recognised(reason: int, code: str, message: str) -> Rejection:
    return Rejection(PERMANENT, SERVICE_USER, reason, code, message)


def _full(code: str, message: str) -> Rejection:
    return Rejection(TRANSIENT, PROVIDER_PRESENTATION, 2, code, message)


def _same_host(expected: str, found: str) -> bool:
    """Compare addresses; a host name cannot be compared without a look-up and does not restrict."""
    try:
        wanted = ipaddress.ip_address(expected)
    except ValueError:
        return True
    return wanted == ipaddress.ip_address(found)
