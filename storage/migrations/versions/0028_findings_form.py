"""Templates of findings in their versions, and the phrases of people.

Revision ID: 0028
Revises: 0027
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "templates",
        sa.Column("centre", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column(
            "is_enabled",
            sa.Boolean(create_constraint=False),
            server_default=sa.text("true"),
            nullable=False,
        ),
        sa.Column("made_by", sa.Text(), server_default="", nullable=False),
        sa.Column("made_at", sa.String(length=27), nullable=False),
        sa.CheckConstraint("version >= 1", name="the_first_version_of_a_template_is_1"),
        sa.ForeignKeyConstraint(["centre"], ["sites.slug"], name="templates_centre_is_of_sites"),
        sa.PrimaryKeyConstraint("centre", "name", "version", name="templates_key"),
    )
    op.create_table(
        "phrases",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("actor_id", sa.Text(), nullable=False),
        sa.Column("short", sa.String(length=32), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("made_at", sa.String(length=27), nullable=False),
        sa.UniqueConstraint("actor_id", "short", name="a_short_form_is_one_phrase_of_a_person"),
        sa.PrimaryKeyConstraint("id", name="phrases_key"),
    )


def downgrade() -> None:
    """Drop them."""
    op.drop_table("phrases")
    op.drop_table("templates")
