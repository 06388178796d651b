"""Turns at work that one does for all; what a node tells of itself: processes, spool, version.

Revision ID: 0013
Revises: 0012
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

TIME = sa.String(length=27)


def upgrade() -> None:
    """Make the table and the columns."""
    op.create_table(
        "turns",
        sa.Column("work", sa.String(length=32), nullable=False),
        sa.Column("holder", sa.String(length=32), nullable=False),
        sa.Column("until", TIME, nullable=False),
        sa.PrimaryKeyConstraint("work", name="turns_key"),
    )
    for column in (
        sa.Column("kinds", sa.Text(), server_default="", nullable=False),
        sa.Column("version", sa.Text(), server_default="", nullable=False),
        sa.Column("left_at", TIME, nullable=True),
        sa.Column("spool_instances", sa.Integer(), server_default="0", nullable=False),
        sa.Column("spool_bytes", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("spool_oldest_at", TIME, nullable=True),
        sa.Column("drain_s", sa.Float(), nullable=True),
    ):
        op.add_column("nodes", column)


def downgrade() -> None:
    """Drop them."""
    for name in (
        "drain_s", "spool_oldest_at", "spool_bytes", "spool_instances", "left_at", "version",
        "kinds",
    ):  # fmt: skip
        op.drop_column("nodes", name)
    op.drop_table("turns")
