"""The migrations make exactly the tables that the code speaks of."""

from __future__ import annotations

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from storage import casebook_tables
from storage.database import Database
from storage.tables import metadata


def test_migrated_tables_are_those_of_the_metadata(database: Database) -> None:
    assert casebook_tables.cases.metadata is metadata
    with database.read() as conn:
        context = MigrationContext.configure(conn, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_every_rule_of_the_metadata_is_in_the_migrated_tables(database: Database) -> None:
    with database.read() as conn:
        made = "\n".join(
            conn.exec_driver_sql("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL").scalars()
        )
    rules = {
        str(constraint.name)
        for table in metadata.tables.values()
        for constraint in table.constraints
        if constraint.name is not None
    }
    assert {rule for rule in rules if rule not in made} == set()
