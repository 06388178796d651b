"""Clients name the referrals that they start; browsers lock what they have not sent.

Revision ID: 0021
Revises: 0020
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "draft_keys",
        sa.Column("actor_id", sa.Text(), nullable=False),
        sa.Column("draft_key", sa.String(64), nullable=False),
        sa.Column("case_id", sa.String(16), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name="draft_keys_case_id_is_of_cases"),
        sa.PrimaryKeyConstraint("actor_id", "draft_key", name="draft_keys_key"),
    )
    op.create_index("ix_draft_keys_case_id", "draft_keys", ["case_id"])
    op.create_table(
        "queue_keys",
        sa.Column("actor_id", sa.Text(), nullable=False),
        sa.Column("secret", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("actor_id", name="queue_keys_key"),
    )


def downgrade() -> None:
    """Drop them."""
    op.drop_table("queue_keys")
    op.drop_table("draft_keys")
