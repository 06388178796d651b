"""The SQL of what may be seen says of every row what `casework.access.Scope` says of it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from casework.access import NOTHING, Scope
from casework.lifecycle import HELD
from casework.model import CaseState, Specialty
from storage.casebook_tables import cases, sites
from storage.database import Database
from storage.tables import patients, studies
from storage.testing import fresh_database
from storage.visibility import case_clause, study_clause

NOW = datetime(2025, 3, 1, tzinfo=UTC)
SITES = ("hammer", "vardo", "gp", "centre")

_some_sites = st.none() | st.frozensets(st.sampled_from(SITES))
_some_specialties = st.none() | st.frozensets(st.sampled_from(Specialty))
SCOPES = st.builds(
    Scope,
    sites=_some_sites,
    specialties=_some_specialties,
    own_site=st.sampled_from((*SITES, "")),
)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory, database_server: str) -> Iterator[Database]:
    """Give a database with a case, and its study, of each site, specialty and state."""
    with fresh_database(tmp_path_factory.mktemp("visibility"), server=database_server) as database:
        with database.begin() as conn:
            conn.execute(
                sites.insert(), [{"slug": s, "name": s, "kind": "hospital"} for s in SITES]
            )
            for site in SITES:
                conn.execute(
                    patients.insert().values(site=site, issuer="x", patient_id=f"p-{site}")
                )
            found = conn.execute(select(patients.c.site, patients.c.pk))
            owners = {row.site: row.pk for row in found}
            rows = []
            for number, (site, specialty, state) in enumerate(product(SITES, Specialty, CaseState)):
                case_id = f"CASE-{number}"
                conn.execute(
                    cases.insert().values(
                        id=case_id,
                        state=state,
                        specialty=specialty,
                        priority="routine",
                        site=site,
                        patient_id="1",
                        clinical={},
                        consent={},
                        created_by="test",
                        created_at=NOW,
                        submitted_at=None if state is CaseState.DRAFT else NOW,
                        holder_id="user:1" if state in HELD else "",
                        report_version=1,
                    )
                )
                rows.append((site, case_id))
            rows += [(site, None) for site in SITES]
            rows.append(("hammer", "GONE-CASE"))
            for site, case_id in rows:
                conn.execute(
                    studies.insert().values(
                        site=site,
                        study_uid=f"1.2.{len(case_id or '')}.{case_id}",
                        patient_pk=owners[site],
                        case_id=case_id,
                        first_received_at=NOW,
                        last_received_at=NOW,
                        attributes={},
                    )
                )
        yield database


@settings(max_examples=200, deadline=None)
@given(scope=SCOPES)
def test_the_cases_that_sql_finds_are_those_in_sight(filled: Database, scope: Scope) -> None:
    with filled.read() as conn:
        every = conn.execute(select(cases.c.id, cases.c.site, cases.c.specialty, cases.c.state))
        wanted = {
            row.id
            for row in every
            if scope.covers_case(
                site=row.site, specialty=Specialty(row.specialty), state=CaseState(row.state)
            )
        }
        found = set(conn.execute(select(cases.c.id).where(case_clause(scope))).scalars())
    assert found == wanted


@settings(max_examples=200, deadline=None)
@given(scope=SCOPES)
def test_the_studies_that_sql_finds_are_those_in_sight(filled: Database, scope: Scope) -> None:
    with filled.read() as conn:
        every = conn.execute(
            select(
                studies.c.pk, studies.c.site, studies.c.case_id, cases.c.specialty, cases.c.state
            ).outerjoin(cases, cases.c.id == studies.c.case_id)
        )
        wanted = {
            row.pk
            for row in every
            if row.case_id != "GONE-CASE"
            and scope.covers_study(
                site=row.site,
                specialty=Specialty(row.specialty) if row.specialty else None,
                state=CaseState(row.state) if row.state else None,
            )
        }
        found = set(conn.execute(select(studies.c.pk).where(study_clause(scope))).scalars())
        other = studies.alias()
        aliased = set(conn.execute(select(other.c.pk).where(study_clause(scope, other))).scalars())
    assert found == wanted
    assert aliased == wanted


def test_a_study_whose_case_is_lost_is_seen_by_nobody(filled: Database) -> None:
    all_seeing = Scope(sites=None, specialties=None, own_site="hammer")
    with filled.read() as conn:
        found = conn.execute(select(studies.c.case_id).where(study_clause(all_seeing))).scalars()
        assert "GONE-CASE" not in set(found)


def test_who_may_see_nothing_sees_nothing(filled: Database) -> None:
    with filled.read() as conn:
        assert conn.execute(select(cases.c.id).where(case_clause(NOTHING))).all() == []
        assert conn.execute(select(studies.c.pk).where(study_clause(NOTHING))).all() == []
