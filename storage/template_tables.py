"""The tables of the findings form: templates of centres in their versions, phrases of people.

No queries.
"""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from storage import casebook_tables as _casebook_tables  # noqa: F401 - `sites` is referred to
from storage.tables import BigKey, UtcDateTime, metadata

templates = Table(
    "templates",
    metadata,
    Column("centre", ForeignKey("sites.slug"), primary_key=True),
    Column("name", String(32), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("body", Text, nullable=False),
    Column(
        "is_enabled", Boolean(create_constraint=False), nullable=False, server_default=text("true")
    ),
    Column("made_by", Text, nullable=False, server_default=""),
    Column("made_at", UtcDateTime, nullable=False),
    CheckConstraint("version >= 1", name="the_first_version_of_a_template_is_1"),
)
"""Every version of a template that a centre has made or used; `made_by` empty: as it is shipped."""

phrases = Table(
    "phrases",
    metadata,
    Column("id", BigKey, primary_key=True),
    Column("actor_id", Text, nullable=False),
    Column("short", String(32), nullable=False),
    Column("text", Text, nullable=False),
    Column("made_at", UtcDateTime, nullable=False),
    UniqueConstraint("actor_id", "short", name="a_short_form_is_one_phrase_of_a_person"),
)
"""What people write often, each under the short form by which it is put in."""
