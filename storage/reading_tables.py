"""The tables of second readings, of the rules that ask for them, and of people's saved filters.

They stand on the metadata of `storage.tables`, and hold no queries.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import (
    JSON,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from casework.model import Specialty
from casework.second_readings import Comparison, Need, ReadingState
from storage.tables import BigKey, UtcDateTime, metadata


def _one_of(column: str, values: Iterable[str], *, name: str) -> CheckConstraint:
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=name)


readings = Table(
    "readings",
    metadata,
    Column("id", BigKey, primary_key=True),
    Column("case_id", ForeignKey("cases.id"), nullable=False),
    Column("state", String(16), nullable=False),
    Column("is_blinded", Boolean(create_constraint=False), nullable=False),
    Column("asked_by_id", Text, nullable=False),
    Column("asked_by", Text, nullable=False),
    Column("asked_at", UtcDateTime, nullable=False),
    Column("note", Text, nullable=False, server_default=""),
    Column("wanted_id", Text, nullable=False, server_default=""),
    Column("wanted_name", Text, nullable=False, server_default=""),
    Column("reader_id", Text, nullable=False, server_default=""),
    Column("reader_name", Text, nullable=False, server_default=""),
    Column("taken_until", UtcDateTime),
    Column("draft", JSON(none_as_null=True)),
    Column("draft_version", Integer, nullable=False, server_default="0"),
    Column("content", JSON(none_as_null=True)),
    Column("sha256", String(64), nullable=False, server_default=""),
    Column("signed_at", UtcDateTime),
    Column("after_version", Integer, nullable=False, server_default="0"),
    Column("first_id", Text, nullable=False, server_default=""),
    Column("first_name", Text, nullable=False, server_default=""),
    Column("comparison", String(16), nullable=False, server_default=""),
    Column("comparison_text", Text, nullable=False, server_default=""),
    Column("compared_by", Text, nullable=False, server_default=""),
    Column("compared_at", UtcDateTime),
    Column("decided_by", Text, nullable=False, server_default=""),
    Column("decided_at", UtcDateTime),
    _one_of("state", ReadingState, name="a_second_reading_is_in_a_state_that_is_known"),
    _one_of("comparison", ("", *Comparison), name="two_readings_compare_in_a_way_that_is_known"),
    CheckConstraint(
        "state NOT IN ('taken', 'signed') OR reader_id <> ''",
        name="a_taken_second_reading_has_a_reader",
    ),
    CheckConstraint(
        "(state = 'signed') = (signed_at IS NOT NULL)",
        name="a_signed_second_reading_has_a_time",
    ),
    CheckConstraint(
        "comparison = '' OR state = 'signed'", name="only_a_signed_second_reading_is_compared"
    ),
    CheckConstraint(
        "comparison = '' OR reader_id <> first_id", name="two_readings_are_of_two_readers"
    ),
)
"""Second readings: each is a reading of its own, which goes out to nobody."""
Index("ix_readings_case_id", readings.c.case_id)
Index(
    "a_case_has_one_open_second_reading",
    readings.c.case_id,
    unique=True,
    sqlite_where=text("state IN ('asked', 'taken')"),
    postgresql_where=text("state IN ('asked', 'taken')"),
)

reading_rules = Table(
    "reading_rules",
    metadata,
    Column("site", String(32), primary_key=True),  # empty: all sites
    Column("specialty", String(16), primary_key=True),
    Column("need", String(8), nullable=False),
    Column("is_blinded", Boolean(create_constraint=False), nullable=False),
    _one_of("specialty", Specialty, name="a_reading_rule_is_of_a_specialty_that_is_known"),
    _one_of("need", Need, name="a_reading_rule_asks_never_for_urgent_cases_or_always"),
)
"""Which cases are read by two; a site's own rule counts before the one for all."""

saved_filters = Table(
    "saved_filters",
    metadata,
    Column("id", BigKey, primary_key=True),
    Column("actor_id", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("position", Integer, nullable=False),
    Column("wanted", JSON, nullable=False),
    Column(
        "is_default", Boolean(create_constraint=False), nullable=False, server_default=text("false")
    ),
    UniqueConstraint("actor_id", "name", name="a_person_gives_a_name_to_one_filter"),
)
"""What people narrow the worklist to, by the names they gave it."""
Index("ix_saved_filters_actor_id", saved_filters.c.actor_id, saved_filters.c.position)
