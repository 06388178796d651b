"""What the web application is handed by its maker: the parts it calls and its settings.

Builds none of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from flask import current_app

from casework.clocks import STANDARD, Clocks
from casework.errors import Unavailable
from casework.model import Actor, Case
from casework.photo_facts import PhotoFacts
from storage.archive import Archive
from storage.casebook import Casebook
from storage.commitments import Commitments
from storage.destinations import Destinations
from storage.devices import Devices
from storage.erasing import Erasures
from storage.hl7_inbox import Hl7Inbox
from storage.holds import Holds
from storage.index import Index
from storage.ledger import Ledger
from storage.orders import Orders
from storage.outbox import Outbox
from storage.people import People
from storage.prior_queue import PriorQueue
from storage.prior_rules import PriorRules
from storage.prior_standing import PriorStandings
from storage.priors import Priors
from storage.reply_channels import ReplyChannels
from storage.retention import Retention
from storage.routing import Routing
from storage.subscriptions import Subscriptions
from storage.uploads import Uploads
from viewer.lesion_door import LesionDesk

_KEY = "lysbro"


@dataclass(frozen=True)
class WebSettings:
    """The settings of the web application."""

    https: bool = False  # the browser comes by https: Secure and __Host- cookies, HSTS
    trusted_hosts: tuple[str, ...] = ()  # empty: any
    trusted_proxies: int = 0  # how many proxies in front set X-Forwarded-For
    max_upload_bytes: int = 100 << 20
    max_stow_bytes: int = 4 << 30  # one STOW-RS request
    max_form_bytes: int = 500_000  # of the text fields of one form
    max_form_parts: int = 50
    max_photo_bytes: int = 64 << 20
    max_clip_bytes: int = 96 << 20
    max_clip_seconds: float = 30.0
    viewer_cache_mb: int = 512  # of images in a reader's browser
    max_document_bytes: int = 20 << 20
    metrics_public: bool = False
    ae_title: str = "LYSBRO"
    events_port: int = 0  # of the event channel of UPS-RS; 0: there is none
    cors_origins: tuple[str, ...] = ()  # of pages that may read the machine faces; "*": any
    dicomweb_delete: bool = False  # DELETE over DICOMweb erases
    stow_pause_s: float = 60.0  # the longest that a STOW-RS body may stand still
    stow_floor_rate: float = 1000.0  # bytes per second of one that takes longer than that
    commitment_wait_s: float = 3600.0  # for an object that has not arrived
    language: str = "en"
    timezone: str = "Europe/Oslo"
    clocks: Clocks = STANDARD  # by which answers are due
    cache: Path | None = None  # previews and metadata are kept here; None: nowhere
    cache_bytes: int = 1 << 30  # of previews
    metadata_cache_bytes: int = 256 << 20  # 0: none is kept


class PhotoDoor(Protocol):
    """The photograph verbs, which live in another face and are wired in."""

    def assess(
        self, data: bytes, kind: str = "", *, size: tuple[int, int] | None = None
    ) -> list[dict[str, Any]]:
        """Return the advice on a photograph of a kind, or on a small copy of one of that many rows
        and columns; raise Invalid when it is none.
        """

    def take(
        self,
        actor: Actor,
        case: Case,
        data: bytes,
        facts: PhotoFacts,
    ) -> dict[str, Any]:
        """Store a photograph in its case: sop_instance_uid, study_instance_uid, advice."""

    def attach(
        self, actor: Actor, case: Case, data: bytes, *, title: str, attachment_id: str
    ) -> dict[str, Any]:
        """Store a document or other picture: sop_instance_uid, study_instance_uid, title, kind."""

    def sites(self) -> list[dict[str, Any]]:
        """Return the sites on the body that a photograph may be of."""

    def scale_card(self) -> bytes:
        """Return the scale card as a page to print (PDF)."""


@dataclass(frozen=True)
class Erasing:
    """What erases, holds and lets go."""

    erasures: Erasures
    holds: Holds
    retention: Retention


@dataclass(frozen=True)
class Outgoing:
    """How nodes are sent to, and the rules by which studies go."""

    destinations: Destinations
    routing: Routing


@dataclass(frozen=True)
class Prefetching:
    """What knows the earlier studies of cases, and what fetches them by which rules."""

    priors: Priors
    rules: PriorRules
    queue: PriorQueue
    standings: PriorStandings


@dataclass(frozen=True)
class Services:
    """The parts that the web application calls."""

    people: People
    casebook: Casebook
    index: Index
    archive: Archive
    ledger: Ledger
    outbox: Outbox
    settings: WebSettings
    clock: Callable[[], datetime]
    photos: PhotoDoor | None = None
    devices: Devices | None = None
    erasing: Erasing | None = None
    subscriptions: Subscriptions | None = None
    commitments: Commitments | None = None
    orders: Orders | None = None
    hl7_inbox: Hl7Inbox | None = None
    replay_hl7: Callable[[int], str] | None = None  # returns why it is refused again, or nothing
    outgoing: Outgoing | None = None
    prefetching: Prefetching | None = None
    reply_channels: ReplyChannels | None = None
    uploads: Uploads | None = None
    queue_key: Callable[[str], str] | None = None  # a person's secret for what is not sent yet
    lesions: LesionDesk | None = None
    status: Callable[[], Mapping[str, Any]] = dict
    checks: Mapping[str, Callable[[], object]] = field(default_factory=dict)
    """Further parts that must answer before the application is ready; each raises when not."""


def attach(app_extensions: dict[str, Any], services: Services) -> None:
    """Keep the services where `services()` finds them."""
    app_extensions[_KEY] = services


def services() -> Services:
    """Return the services of the application that serves this request."""
    found: Services = current_app.extensions[_KEY]
    return found


def erasing() -> Erasing:
    """Return what erases, or raise Unavailable where it is not wired in."""
    found = services().erasing
    if found is None:
        raise Unavailable("This server erases nothing. Use the command line of another.")
    return found


def subscriptions() -> Subscriptions:
    """Return who is told of work items, or raise Unavailable where that is not wired in."""
    found = services().subscriptions
    if found is None:
        raise Unavailable("This server keeps no subscriptions to work items.")
    return found


def required_commitments() -> Commitments:
    """Return the queue of commitments, or raise Unavailable where it is not wired in."""
    found = services().commitments
    if found is None:
        raise Unavailable("This server commits to nothing. Ask another.")
    return found


def ordering() -> Orders:
    """Return what keeps orders, or raise Unavailable where it is not wired in."""
    found = services().orders
    if found is None:
        raise Unavailable("This server takes no orders. Use another.")
    return found


def outgoing() -> Outgoing:
    """Return what sends and routes, or raise Unavailable where it is not wired in."""
    found = services().outgoing
    if found is None:
        raise Unavailable("This server sends nothing. Use the command line of another.")
    return found


def required_uploads() -> Uploads:
    """Return what takes photographs in pieces, or raise Unavailable where it is not wired in."""
    found = services().uploads
    if found is None:
        raise Unavailable("This server takes no photographs in pieces. Send them whole.")
    return found


def prefetching() -> Prefetching:
    """Return what knows earlier studies, or raise Unavailable where it is not wired in."""
    found = services().prefetching
    if found is None:
        raise Unavailable("This server knows no earlier studies. Use another.")
    return found


def required_devices() -> Devices:
    """Return the register of devices, or raise Unavailable where it is not wired in."""
    found = services().devices
    if found is None:
        raise Unavailable("This server keeps no register of devices. Use another.")
    return found


def lesion_desk() -> LesionDesk:
    """Return what knows and compares lesions, or raise Unavailable where it is not wired in."""
    found = services().lesions
    if found is None:
        raise Unavailable("This server keeps no register of lesions. Use another.")
    return found


def required_photos() -> PhotoDoor:
    """Return the photograph verbs, or raise Unavailable where they are not wired in."""
    door = services().photos
    if door is None:
        raise Unavailable("This server takes no photographs. Ask its operator to turn them on.")
    return door
