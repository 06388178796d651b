"""Which certificate speaks for which site, and that a revoked one never does again."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from casework.errors import Conflict, Invalid, LysbroError, NotFound
from storage.certificates import CertificateRow
from tests.storage.room import MORNING, Room, open_room

A, B = "a" * 64, "b" * 64
END = datetime(2027, 3, 1, tzinfo=UTC)


@pytest.fixture
def room(tmp_path: Path, database_server: str) -> Iterator[Room]:
    with open_room(tmp_path, server=database_server) as furnished:
        yield furnished


def bind(room: Room, fingerprint: str = A, site: str = "hammer") -> CertificateRow:
    return room.people.add_certificate(fingerprint, site, subject="CN=hammer-ct", not_after=END)


def test_a_bound_certificate_speaks_for_its_site(room: Room) -> None:
    added = bind(room)
    assert (added.site, added.subject, added.not_after) == ("hammer", "CN=hammer-ct", END)
    assert (added.added_at, added.revoked_at) == (MORNING, None)
    assert room.people.site_of_certificate(A) == "hammer"
    assert room.people.site_of_certificate(B) is None
    assert room.people.site_of_certificate("") is None


def test_a_certificate_bound_twice_is_one(room: Room) -> None:
    first = bind(room)
    room.clock.passes(days=1)
    assert bind(room) == first
    assert room.people.certificates() == (first,)


def test_a_revoked_certificate_speaks_for_nobody_and_cannot_come_back(room: Room) -> None:
    bind(room)
    room.clock.passes(days=1)
    revoked = room.people.revoke_certificate(A, "hammer")
    room.clock.passes(days=1)
    assert room.people.revoke_certificate(A, "hammer") == revoked
    assert revoked.revoked_at == MORNING + timedelta(days=1)
    assert room.people.site_of_certificate(A) is None
    with pytest.raises(Conflict, match="was revoked on 2026-03-03"):
        bind(room)
    assert room.people.certificates("hammer") == (revoked,)


def test_certificates_are_listed_by_site(room: Room) -> None:
    bind(room, B, "hammer")
    bind(room, A, "bakken")
    assert [row.site for row in room.people.certificates()] == ["bakken", "hammer"]
    assert [row.fingerprint for row in room.people.certificates("hammer")] == [B]
    assert room.people.certificates("nordlys") == ()


@pytest.mark.parametrize(
    ("fingerprint", "site", "error", "code"),
    [
        (A, "nowhere", NotFound, "no-such-site"),
        (A.upper(), "hammer", Invalid, "invalid-fingerprint"),
        (A[:-1], "hammer", Invalid, "invalid-fingerprint"),
        (B, "hammer", Conflict, "certificate-exists"),
    ],
)
def test_a_certificate_that_cannot_be_bound_is_refused(
    room: Room, fingerprint: str, site: str, error: type[LysbroError], code: str
) -> None:
    bind(room, B, "bakken")
    with pytest.raises(error) as refused:
        bind(room, fingerprint, site)
    assert refused.value.code == code
    assert [row.fingerprint for row in room.people.certificates()] == [B]


def test_only_its_own_site_can_revoke_a_certificate(room: Room) -> None:
    bind(room)
    with pytest.raises(NotFound, match="lysbro site certificates bakken"):
        room.people.revoke_certificate(A, "bakken")
    assert room.people.site_of_certificate(A) == "hammer"


def test_the_table_takes_nothing_but_fingerprints(room: Room) -> None:
    with (
        pytest.raises(Exception, match="a_fingerprint_is_a_sha256_in_hex"),
        room.database.begin() as conn,
    ):
        conn.execute(
            text(
                "INSERT INTO site_certificates (fingerprint, site, subject, not_after, added_at)"
                " VALUES ('short', 'hammer', '', '', '')"
            )
        )
