"""A running bridge over a fresh archive, with a hospital, a GP, the centre and their nodes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from casework.model import AePermission, Site, SiteKind
from pacs_bridge.service import Bridge, BridgeSettings
from storage.archive import Archive, SpoolLimits
from storage.database import Database
from storage.index import Index
from storage.ledger import Ledger
from storage.objects.memory import MemoryStore
from storage.people import People
from storage.testing import fresh_database

P = AePermission
SITES = (
    Site("hammer", "Hammer sykehus", SiteKind.HOSPITAL, issuer="2.16.578.1.1"),
    Site("utsira", "Utsira sykehus", SiteKind.HOSPITAL),
    Site("nordlys", "Nordlys sentralsykehus", SiteKind.CENTRE),
)
AES = (
    ("HAMMER_CT", "hammer", {P.STORE, P.QUERY}, False),
    ("HAMMER_ASK", "hammer", {P.QUERY}, False),
    ("HAMMER_TLS", "hammer", {P.STORE}, True),
    ("UTSIRA_CT", "utsira", {P.STORE, P.QUERY}, False),
    ("NORDLYS_PACS", "nordlys", {P.QUERY}, False),
    ("HAMMER_MR", "hammer", {P.STORE, P.COMMIT}, False),
)


class Counted:
    """A meter that remembers."""

    def __init__(self) -> None:
        self.open_now = 0
        self.objects: list[tuple[str, int, int]] = []
        self.rejections: list[str] = []

    def associations(self, open_now: int) -> None:
        self.open_now = open_now

    def received(self, site: str, size_bytes: int, status: int) -> None:
        self.objects.append((site, size_bytes, status))

    def rejected(self, code: str) -> None:
        self.rejections.append(code)


@dataclass
class House:
    """The parts under a bridge, and the bridge."""

    database: Database
    archive: Archive
    index: Index
    people: People
    ledger: Ledger
    bridge: Bridge
    meter: Counted

    @property
    def port(self) -> int:
        return self.bridge.port


OpenHouse = Callable[..., AbstractContextManager[House]]


@contextmanager
def open_house(folder: Path, *, object_bytes: int = 1 << 30, **settings: Any) -> Iterator[House]:
    """Open an archive with a bridge on a free port."""
    folder.mkdir(parents=True, exist_ok=True)
    with fresh_database(folder) as database:
        archive = Archive(
            data=folder,
            database=database,
            store=MemoryStore(),
            limits=SpoolLimits(spool_bytes=4 << 30, object_bytes=object_bytes),
        )
        archive.start()
        people = People(database, lambda: datetime.now(UTC))
        for site in SITES:
            people.add_site(site)
        for title, site_slug, permissions, tls_only in AES:
            people.add_ae(title, site_slug, permissions=frozenset(permissions), tls_only=tls_only)
        index, ledger, meter = Index(database), Ledger(database), Counted()
        wanted = replace(BridgeSettings(port=0, max_object_bytes=object_bytes), **settings)
        bridge = Bridge(wanted, archive, index, people, ledger, meter=meter)
        bridge.start()
        try:
            yield House(database, archive, index, people, ledger, bridge, meter)
        finally:
            bridge.stop()
            archive.close()


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """Return a running bridge with the default limits."""
    with open_house(tmp_path) as opened:
        yield opened
