"""Builds the parts of Lysbro from its settings, once for each process.

The one place where they meet.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from casework.model import Actor
from lysbro.other_nodes import OtherNodes
from lysbro.presence import claim, present
from lysbro.settings import Settings
from storage.archive import Archive, SpoolLimits
from storage.belonging import Belonging
from storage.casebook import Casebook
from storage.clock import Jump, SteadyClock, warn_when_behind
from storage.commitments import Commitments
from storage.data_folder import not_ours_to_write, settle_format
from storage.database import Database, open_database
from storage.destinations import Destinations
from storage.devices import Devices
from storage.erasing import Erasures
from storage.escalation import Escalation
from storage.hl7_inbox import Hl7Inbox
from storage.holds import Holds
from storage.index import Index
from storage.ledger import Ledger
from storage.lesions import Lesions
from storage.nodes import Nodes
from storage.objects import ObjectStore, open_mirror, open_store
from storage.orders import Orders
from storage.outbox import Outbox
from storage.people import People
from storage.photographs import Photographs
from storage.prior_queue import PriorQueue
from storage.prior_rules import PriorRules
from storage.prior_standing import PriorStandings
from storage.priors import Priors
from storage.promises import Promises
from storage.quotas import Quotas
from storage.reading_preferences import ReadingPreferences
from storage.reply_channels import ReplyChannels
from storage.retention import Retention
from storage.routing import Routing
from storage.spool import Durability
from storage.subscriptions import Subscriptions
from storage.uploads import Uploads


def utc_now() -> datetime:
    """Return the time, aware and in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class Parts:
    """The opened parts of one process."""

    settings: Settings
    database: Database
    store: ObjectStore
    archive: Archive
    index: Index
    people: People
    casebook: Casebook
    ledger: Ledger
    outbox: Outbox
    commitments: Commitments
    orders: Orders
    hl7_inbox: Hl7Inbox
    nodes: Nodes
    erasures: Erasures
    holds: Holds
    retention: Retention
    quotas: Quotas
    subscriptions: Subscriptions
    destinations: Destinations
    promises: Promises
    routing: Routing
    reply_channels: ReplyChannels
    escalation: Escalation
    priors: Priors
    prior_rules: PriorRules
    prior_queue: PriorQueue
    prior_standings: PriorStandings
    devices: Devices
    photographs: Photographs
    uploads: Uploads
    lesions: Lesions
    reading_preferences: ReadingPreferences
    clock: Callable[[], datetime]
    jump: Callable[[], Jump | None] = lambda: None  # of the machine's clock, which is not followed

    def note(
        self,
        actor: Actor,
        action: str,
        subject: str,
        *,
        site: str = "",
        detail: Mapping[str, Any] | None = None,
    ) -> None:
        """Write an audit entry of its own."""
        self.ledger.append(
            None, actor=actor, action=action, subject=subject, site=site, detail=detail or {}
        )


@contextmanager
def open_parts(
    settings: Settings, *, intake: bool = False, follower: Sequence[str] = ()
) -> Iterator[Parts]:
    """Open the parts, migrate the database when it is behind, and close them at the end.

    With `intake` the process may take objects in: it recovers what a dead process left in the spool
    and starts its indexer: a thread, or the process whose command is given as `follower`.
    """
    data = data_folder(settings)
    settle_format(data)
    clock = _clock(data)
    try:
        database = open_database(settings.resolved_database_url, data=data)
    except OSError as error:
        clock.close()
        raise not_ours_to_write(data, error) from error
    try:
        database.migrate()
        store = open_store(settings.resolved_store, data, s3=settings.s3)
        nodes = Nodes(database, clock)
        archive = Archive(
            data=data,
            database=database,
            store=store,
            limits=_spool_limits(settings, data),
            clock=clock,
            durability=_durability(settings),
            follower=follower,
            node=settings.resolved_node,
            others=OtherNodes(nodes, secret=settings.node_secret, scratch=data),
            quota_warn_percent=settings.quota_warn_percent,
            mirror=open_mirror(settings.mirror, data, s3=settings.mirror_s3),
            require_store=Belonging(database, store).require,
            frame_cache_bytes=settings.frame_cache_bytes,
        )
        with ExitStack() as stack:
            stack.callback(archive.close)
            if intake:
                warn_when_behind(database, clock())
                claim(nodes, settings, data)
                archive.start()
                if not database.is_embedded:  # it may have other nodes
                    stack.enter_context(present(nodes, settings, data, spool=archive.spool_status))
            yield Parts(
                settings=settings,
                database=database,
                store=store,
                archive=archive,
                index=Index(database),
                people=People(database, clock),
                casebook=Casebook(database, clock, settings.timezone),
                ledger=Ledger(database, clock),
                outbox=Outbox(database, clock),
                commitments=Commitments(database, clock),
                orders=Orders(database, clock, settings.timezone),
                hl7_inbox=Hl7Inbox(database, clock, settings.timezone),
                nodes=nodes,
                erasures=Erasures(database, clock, node=archive.spool.node),
                holds=Holds(database, clock),
                retention=Retention(database, clock),
                quotas=Quotas(database),
                subscriptions=Subscriptions(database, clock),
                destinations=Destinations(database, clock),
                promises=Promises(database, clock),
                routing=Routing(database, clock, settings.timezone),
                reply_channels=ReplyChannels(database, clock),
                escalation=Escalation(database, clock),
                priors=Priors(database),
                prior_rules=PriorRules(database, clock),
                prior_queue=PriorQueue(database, clock),
                prior_standings=PriorStandings(database),
                devices=Devices(database, clock),
                photographs=Photographs(database),
                uploads=_uploads(settings, data, clock),
                lesions=Lesions(database),
                reading_preferences=ReadingPreferences(database, clock),
                clock=clock,
                jump=clock.jump,
            )
    finally:
        database.close()
        clock.close()


def _clock(data: Path) -> SteadyClock:
    try:
        return SteadyClock(data)
    except OSError as error:
        raise not_ours_to_write(data, error) from error


def data_folder(settings: Settings) -> Path:
    """Return the data folder, made when it is not there."""
    data = settings.data.resolve()
    try:
        data.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise not_ours_to_write(data, error) from error
    return data


def _uploads(settings: Settings, data: Path, clock: Callable[[], datetime]) -> Uploads:
    return Uploads(
        data,
        clock,
        syncs=settings.durability != "none",
        chunk_bytes=settings.upload_chunk_bytes,
        room_bytes=settings.upload_room_bytes,
        keep_s=settings.upload_keep,
    )


def _durability(settings: Settings) -> Durability:
    if settings.durability == "store" and settings.store_fallback:
        return "store-or-disk"
    return settings.durability


def _spool_limits(settings: Settings, data: Path) -> SpoolLimits:
    limit = settings.spool_limit or shutil.disk_usage(data).free // 2
    return SpoolLimits(spool_bytes=limit, object_bytes=settings.dicom_max_object_bytes)
