"""Copies of what waits in the spool, and the packs that are about to be put.

Revision ID: 0006
Revises: 0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.String(length=27)


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "copies",
        sa.Column("pk", KEY, nullable=False),
        sa.Column("site", sa.String(length=32), nullable=False),
        sa.Column("sop_instance_uid", sa.String(length=64), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("container", sa.Text(), nullable=False),
        sa.Column("offset", sa.BigInteger(), nullable=False),
        sa.Column("length", sa.BigInteger(), nullable=False),
        sa.Column("dataset_offset", sa.Integer(), nullable=False),
        sa.Column("verified_at", TIME, nullable=False),
        sa.Column("superseded_at", TIME, nullable=True),
        sa.PrimaryKeyConstraint("pk", name="copies_key"),
        sa.UniqueConstraint(
            "site",
            "sop_instance_uid",
            "sha256",
            "container",
            name="an_object_has_one_copy_in_a_pack",
        ),
    )
    op.create_index("ix_copies_container", "copies", ["container", "superseded_at"])
    op.create_table(
        "pack_intents",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("node", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("site", sa.String(length=32), nullable=False),
        sa.Column("study_uid", sa.String(length=64), nullable=False),
        sa.Column("series_uid", sa.String(length=64), nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("orphaned_at", TIME, nullable=True),
        sa.CheckConstraint("kind IN ('series', 'copy')", name="a_pack_is_of_a_series_or_a_copy"),
        sa.PrimaryKeyConstraint("key", name="pack_intents_key"),
    )
    op.create_index("ix_pack_intents_node", "pack_intents", ["node", "orphaned_at"])


def downgrade() -> None:
    """Drop the tables."""
    op.drop_table("pack_intents")
    op.drop_table("copies")
