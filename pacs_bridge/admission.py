"""Decides whether an association is let in, by whom it comes and how much is open. No I/O."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from casework.identifiers import normal_ae_title
from casework.model import AePermission, ApplicationEntity

PERMANENT, TRANSIENT = 1, 2
SERVICE_USER, PROVIDER_PRESENTATION = 1, 3
CONGESTION, LIMIT_EXCEEDED = 1, 2
NO_SITE = ""
"""In place of a certificate's site: there is a certificate, and it speaks for nobody here."""


@dataclass(frozen=True)
class Limits:
    """How many associations there may be at one time, and how much may wait behind them."""

    total: int
    per_peer: int
    spool_percent: int = 80  # of the spool's limit; 0 means that none is
    index_backlog: int = 25_000  # objects


@dataclass(frozen=True)
class Knock:
    """What is known of a requester when its A-ASSOCIATE-RQ has been read."""

    called: str
    calling: str
    peer_host: str
    certificate_site: str | None  # None: a plain connection; NO_SITE: of nobody here
    open_total: int  # other associations, this one not counted
    open_of_peer: int
    proposes_storage: bool = False
    spool_percent: int = 0  # how full the spool is
    index_backlog: int = 0  # objects that wait for the index


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
    that the title was not recognised, and a certificate that speaks for nobody not even ours.
    """
    known = _recognised(knock, entity, own_title=own_title)
    if isinstance(known, Rejection):
        return known
    if check_host and not _same_host(known.host, knock.peer_host):
        return _not_recognised(3, "other-host", f"{known.title} does not call from its host.")
    if knock.open_total >= limits.total:
        return _full("limit-total", f"{limits.total} associations are open already.")
    if knock.open_of_peer >= limits.per_peer:
        return _full("limit-peer", f"{limits.per_peer} associations of this peer are open already.")
    if knock.proposes_storage and may_store(known):
        return _congestion(knock, limits) or known
    return known


def _recognised(
    knock: Knock, entity: ApplicationEntity | None, *, own_title: str
) -> ApplicationEntity | Rejection:
    """Return the entity that calls, when its titles and its certificate agree."""
    calling = normal_ae_title(knock.calling)
    if knock.certificate_site == NO_SITE:
        return _not_recognised(3, "certificate-unknown", "Its certificate is bound to no site.")
    if normal_ae_title(knock.called) != own_title:
        return _not_recognised(7, "called-unknown", "The called AE title is not ours.")
    if entity is None or entity.title != calling:
        return _not_recognised(3, "calling-unknown", "Nobody here has this calling title.")
    if knock.certificate_site not in (None, entity.site):
        return _not_recognised(
            3, "certificate-other-site", f"Its certificate is not one of the site of {calling}."
        )
    if entity.tls_only and knock.certificate_site is None:
        return _not_recognised(3, "tls-only", f"{calling} may call over TLS only.")
    return entity


def _congestion(knock: Knock, limits: Limits) -> Rejection | None:
    """Return why no more objects should come now: cheaper for both than to fail in the middle.

    Associations that are open go on; at the limit itself each object is refused with 0xA700.
    """
    if limits.spool_percent and knock.spool_percent >= limits.spool_percent:
        return _congested("spool-congested", f"The spool is {knock.spool_percent} % full.")
    if knock.index_backlog >= limits.index_backlog:
        return _congested("index-behind", f"{knock.index_backlog} objects wait for the index.")
    return None


def may_store(entity: ApplicationEntity) -> bool:
    """Tell whether an entity's storage contexts are accepted."""
    return AePermission.STORE in entity.permissions


def may_query(entity: ApplicationEntity) -> bool:
    """Tell whether an entity's query contexts are accepted."""
    return AePermission.QUERY in entity.permissions


def may_retrieve(entity: ApplicationEntity) -> bool:
    """Tell whether an entity's retrieve contexts are accepted, and it may be moved to."""
    return AePermission.RETRIEVE in entity.permissions


def may_commit(entity: ApplicationEntity) -> bool:
    """Tell whether an entity's storage commitment contexts are accepted."""
    return AePermission.COMMIT in entity.permissions


def may_see_worklist(entity: ApplicationEntity) -> bool:
    """Tell whether an entity's contexts of the modality worklist are accepted."""
    return AePermission.WORKLIST in entity.permissions


def may_perform(entity: ApplicationEntity) -> bool:
    """Tell whether an entity may tell of performed procedure steps: what sends, or is scheduled."""
    return bool(entity.permissions & {AePermission.STORE, AePermission.WORKLIST})


def _not_recognised(reason: int, code: str, message: str) -> Rejection:
    return Rejection(PERMANENT, SERVICE_USER, reason, code, message)


def _full(code: str, message: str) -> Rejection:
    return Rejection(TRANSIENT, PROVIDER_PRESENTATION, LIMIT_EXCEEDED, code, message)


def _congested(code: str, message: str) -> Rejection:
    """PS3.8 section 9.3.4: temporary congestion, so that the peer tries again later."""
    return Rejection(TRANSIENT, PROVIDER_PRESENTATION, CONGESTION, code, message)


def _same_host(expected: str, found: str) -> bool:
    """Compare addresses; a host name cannot be compared without a look-up and does not restrict."""
    try:
        wanted = ipaddress.ip_address(expected)
    except ValueError:
        return True
    return wanted == ipaddress.ip_address(found)
