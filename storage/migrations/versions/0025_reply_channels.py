"""Further ways by which replies go, and what their receivers answered.

Revision ID: 0025
Revises: 0024
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

NAME = "a_reply_goes_by_a_channel_that_is_known"
BEFORE = "channel IN ('', 'inbox', 'study', 'ae')"
AFTER = "channel IN ('', 'inbox', 'study', 'ae', 'hl7', 'fhir', 'webhook', 'mail')"


def upgrade() -> None:
    """Make the table and the column; let jobs go the new ways."""
    op.create_table(
        "reply_channels",
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("site", sa.String(length=32), nullable=False),
        sa.Column("way", sa.String(length=16), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("options", sa.JSON(), nullable=False),
        sa.Column(
            "is_on",
            sa.Boolean(create_constraint=False),
            server_default=sa.text("true"),
            nullable=False,
        ),
        sa.Column("added_at", sa.String(length=27), nullable=False),
        sa.CheckConstraint(
            "way IN ('hl7', 'fhir', 'webhook', 'mail')",
            name="a_reply_channel_goes_a_way_that_is_known",
        ),
        sa.ForeignKeyConstraint(["site"], ["sites.slug"], name="reply_channels_site_is_of_sites"),
        sa.PrimaryKeyConstraint("name", name="reply_channels_key"),
    )
    op.create_index("ix_reply_channels_site", "reply_channels", ["site"])
    op.add_column(
        "jobs", sa.Column("acknowledgement", sa.Text(), server_default="", nullable=False)
    )
    _change(BEFORE, AFTER)


def downgrade() -> None:
    """Drop them; what was on its way so goes no more."""
    op.execute("DELETE FROM jobs WHERE channel IN ('hl7', 'fhir', 'webhook', 'mail')")
    _change(AFTER, BEFORE)
    op.drop_column("jobs", "acknowledgement")
    op.drop_index("ix_reply_channels_site", table_name="reply_channels")
    op.drop_table("reply_channels")


def _change(before: str, after: str) -> None:
    """Exchange the rule of a table; SQLite has no statement for it, and other tables refer to it.

    Its text is changed in place there, as SQLite's documentation of ALTER TABLE describes it for
    rules that no stored row depends on.
    """
    conn = op.get_bind()
    if conn.dialect.name != "sqlite":
        op.drop_constraint(NAME, "jobs", type_="check")
        op.create_check_constraint(NAME, "jobs", after)
        return
    version = conn.exec_driver_sql("PRAGMA schema_version").scalar_one()
    conn.exec_driver_sql("PRAGMA writable_schema = ON")
    conn.execute(
        sa.text(
            "UPDATE sqlite_master SET sql = replace(sql, :before, :after) "
            "WHERE type = 'table' AND name = 'jobs'"
        ),
        {"before": before, "after": after},
    )
    conn.exec_driver_sql(f"PRAGMA schema_version = {int(version) + 1}")
    conn.exec_driver_sql("PRAGMA writable_schema = OFF")
