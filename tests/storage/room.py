"""A small exchange for tests of the casebook: sites, people, a clock that is set, and its parts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import select

from casework.access import Scope, scope_of
from casework.model import (
    Actor,
    AePermission,
    Case,
    Patient,
    Priority,
    Referral,
    Role,
    Site,
    SiteKind,
    Specialty,
)
from storage.casebook import Casebook
from storage.casebook_tables import audit
from storage.database import Database, open_database
from storage.index import Index
from storage.ledger import Ledger
from storage.outbox import Outbox
from storage.people import People
from storage.records import SpoolRecord
from storage.register import register
from storage.testing import fresh_url

MORNING = datetime(2026, 3, 2, 9, 42, tzinfo=UTC)
EVERYTHING = Scope(sites=None, specialties=None, own_site="fjordgata")  # its drafts too
WORKER = Actor("system:worker", "Lysbro", "", SiteKind.CENTRE)
KARI = Patient("010150", "", "NESS^KARI", date(1950, 1, 1), "F")
SITES = (
    Site("nordlys", "Nordlys sentralsykehus", SiteKind.CENTRE),
    Site("hammer", "Hammer sykehus", SiteKind.HOSPITAL, "1.2.3.4"),
    Site("fjordgata", "Fjordgata legekontor", SiteKind.GP),
    Site("bakken", "Bakken legesenter", SiteKind.GP),
)
PEOPLE = (
    ("gp@fjordgata.example", "fjordgata", Role.REFERRER, "Dr Ingrid Solbakken"),
    ("gp@bakken.example", "bakken", Role.REFERRER, "Dr Per Bakken"),
    ("ward@hammer.example", "hammer", Role.REFERRER, "Dr Jonas Bjørnsen"),
    ("kari@nordlys.example", "nordlys", Role.RADIOLOGIST, "Dr Kari Nordmann"),
    ("ola@nordlys.example", "nordlys", Role.RADIOLOGIST, "Dr Ola Nordmann"),
    ("elle@nordlys.example", "nordlys", Role.DERMATOLOGIST, "Dr Elle Sárá"),
    ("nils@nordlys.example", "nordlys", Role.DERMATOLOGIST, "Dr Nils Berg"),
    ("tove@nordlys.example", "nordlys", Role.DERMATOLOGIST, "Dr Tove Lie"),
    ("marit@nordlys.example", "nordlys", Role.COORDINATOR, "Marit Lund"),
)


@dataclass
class Clock:
    """The time, which passes only when told to."""

    now: datetime = MORNING

    def __call__(self) -> datetime:
        return self.now

    def passes(self, **duration: float) -> datetime:
        self.now += timedelta(**duration)
        return self.now


@dataclass
class Room:
    """The parts over one database."""

    database: Database
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        self.people = People(self.database, self.clock)
        self.casebook = Casebook(self.database, self.clock)
        self.outbox = Outbox(self.database, self.clock)
        self.ledger = Ledger(self.database, self.clock)
        self.index = Index(self.database)

    def furnish(self) -> Room:
        for site in SITES:
            self.people.add_site(site)
        for email, site, role, name in PEOPLE:
            self.people.add_user(email, site=site, role=role, name=name, password_hash="$hash")
        return self

    def who(self, email: str) -> Actor:
        row = self.people.user_by_email(email)
        assert row is not None
        return row.actor

    @property
    def gp(self) -> Actor:
        return self.who("gp@fjordgata.example")

    @property
    def other_gp(self) -> Actor:
        return self.who("gp@bakken.example")

    @property
    def ward(self) -> Actor:
        return self.who("ward@hammer.example")

    @property
    def kari(self) -> Actor:
        return self.who("kari@nordlys.example")

    @property
    def ola(self) -> Actor:
        return self.who("ola@nordlys.example")

    @property
    def elle(self) -> Actor:
        return self.who("elle@nordlys.example")

    @property
    def nils(self) -> Actor:
        return self.who("nils@nordlys.example")

    @property
    def tove(self) -> Actor:
        return self.who("tove@nordlys.example")

    @property
    def marit(self) -> Actor:
        return self.who("marit@nordlys.example")

    def draft(
        self,
        actor: Actor | None = None,
        *,
        specialty: Specialty = Specialty.DERMATOLOGY,
        priority: Priority = Priority.ROUTINE,
        patient: Patient = KARI,
        question: str = "Is this a melanoma?",
    ) -> Case:
        return self.casebook.create_referral(
            actor or self.gp,
            specialty=specialty,
            priority=priority,
            patient=patient,
            referral=Referral(question, {"category": "mole"}, {"care": True}),
        )

    def sent(self, actor: Actor | None = None, **given: Any) -> Case:
        case = self.draft(actor, **given)
        self.casebook.note_capture(case.id, "photo-1", f"1.2.{len(case.id)}")
        return self.casebook.submit(actor or self.gp, case.id)

    def claimed(self, reader: Actor | None = None, **given: Any) -> Case:
        return self.casebook.claim(reader or self.elle, self.sent(**given).id)

    def written(self, impression: str = "Benign naevus.", **given: Any) -> Case:
        case = self.claimed(**given)
        body = {"impression": impression, "findings": "A mole."}
        return self.casebook.save_findings(self.elle, case.id, body)

    def signed(self, **given: Any) -> Case:
        case = self.written(**given)
        self.casebook.sign(self.elle, case.id, displayed={"zoom": 2})
        return self.case(case.id)

    def case(self, case_id: str) -> Case:
        return self.casebook.dossier(EVERYTHING, case_id).case

    def arrive(self, *records: SpoolRecord) -> None:
        with self.database.begin() as conn:
            register(conn, records)

    def deeds(self, case_id: str | None = None) -> list[tuple[str, str, str]]:
        """Return (action, actor id, outcome) of the audit, oldest first."""
        asked = select(audit).order_by(audit.c.seq)
        if case_id is not None:
            asked = asked.where(audit.c.case_id == case_id)
        with self.database.read() as conn:
            return [(row.action, row.actor_id, row.outcome) for row in conn.execute(asked)]

    def cases_seen_by(self, actor: Actor, **filters: Any) -> list[str]:
        found, _ = self.casebook.list_cases(scope_of(actor), **filters)
        return [summary.case.id for summary in found]

    def add_reply_node(self, title: str = "HAMMER_PACS", site: str = "fjordgata") -> None:
        self.people.add_ae(
            title,
            site=site,
            host="10.0.0.1",
            port=104,
            permissions=frozenset({AePermission.REPLY}),
        )


@contextmanager
def open_room(folder: Path, *, server: str = "") -> Iterator[Room]:
    """Give a furnished room whose database lies in a folder, or on a server."""
    with fresh_url(folder, server=server, fill=_furnish) as url:
        database = open_database(url)
        try:
            yield Room(database)
        finally:
            database.close()


def _furnish(database: Database) -> None:
    Room(database).furnish()
