"""What clients of UPS-RS give a case, and who is told of work items.

Revision ID: 0015
Revises: 0014
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

TIME = sa.String(length=27)


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "workitems",
        sa.Column("case_id", sa.String(length=16), nullable=False),
        sa.Column("uid", sa.String(length=64), nullable=True),
        sa.Column("transaction_uid", sa.String(length=64), server_default="", nullable=False),
        sa.Column("holder_id", sa.Text(), server_default="", nullable=False),
        sa.Column("claimed_at", TIME, nullable=True),
        sa.Column("told", sa.JSON(), nullable=False),
        sa.Column("told_at", TIME, nullable=True),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name="workitems_case_id_is_of_cases"),
        sa.PrimaryKeyConstraint("case_id", name="workitems_key"),
        sa.UniqueConstraint("uid", name="a_work_item_uid_is_one_work_item"),
    )
    op.create_table(
        "workitem_subscribers",
        sa.Column("actor_id", sa.Text(), nullable=False),
        sa.Column("ae_title", sa.String(length=16), nullable=False),
        sa.Column("sent_seq", sa.BigInteger(), nullable=False),
        sa.Column("went_down", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.PrimaryKeyConstraint("actor_id", "ae_title", name="workitem_subscribers_key"),
    )
    op.create_table(
        "workitem_subscriptions",
        sa.Column("actor_id", sa.Text(), nullable=False),
        sa.Column("ae_title", sa.String(length=16), nullable=False),
        sa.Column("target", sa.String(length=64), nullable=False),
        sa.Column("case_id", sa.String(length=16), nullable=True),
        sa.Column("criteria", sa.JSON(), nullable=False),
        sa.Column("is_on", sa.Boolean(), nullable=False),
        sa.Column("is_told", sa.Boolean(), nullable=False),
        sa.Column("suspended_at", TIME, nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(
            ["case_id"], ["cases.id"], name="workitem_subscriptions_case_id_is_of_cases"
        ),
        sa.PrimaryKeyConstraint(
            "actor_id", "ae_title", "target", name="workitem_subscriptions_key"
        ),
    )
    op.create_index("ix_workitem_subscriptions_case_id", "workitem_subscriptions", ["case_id"])


def downgrade() -> None:
    """Drop them."""
    op.drop_table("workitem_subscriptions")
    op.drop_table("workitem_subscribers")
    op.drop_table("workitems")
