"""Requests for storage commitment, and what was found of each instance that they name."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.String(27)


def upgrade() -> None:
    """Make the two tables."""
    op.create_table(
        "commitments",
        sa.Column("id", KEY, nullable=False),
        sa.Column("site", sa.String(length=32), nullable=False),
        sa.Column("ae_title", sa.String(length=16), nullable=False),
        sa.Column("transaction_uid", sa.String(length=64), nullable=False),
        sa.Column("use", sa.Integer(), server_default="0", nullable=False),
        sa.Column("asked_sha256", sa.String(length=64), nullable=False),
        sa.Column("association", sa.String(length=32), server_default="", nullable=False),
        sa.Column("requested_at", TIME, nullable=False),
        sa.Column("wait_until", TIME, nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("next_attempt_at", TIME, nullable=True),
        sa.Column("leased_until", TIME, nullable=True),
        sa.Column("last_error", sa.Text(), server_default="", nullable=False),
        sa.Column("judged_at", TIME, nullable=True),
        sa.Column("reported_at", TIME, nullable=True),
        sa.CheckConstraint(
            "state IN ('waiting', 'judged', 'reported', 'given_up')",
            name="a_commitment_is_in_a_state_that_is_known",
        ),
        sa.CheckConstraint(
            "(state IN ('waiting', 'judged')) = (next_attempt_at IS NOT NULL)",
            name="an_open_commitment_has_the_time_of_its_next_step",
        ),
        sa.PrimaryKeyConstraint("id", name="commitments_key"),
        sa.UniqueConstraint(
            "site",
            "ae_title",
            "transaction_uid",
            "use",
            name="each_use_of_a_transaction_uid_by_a_node_has_its_own_number",
        ),
    )
    op.create_index("ix_commitments_due", "commitments", ["state", "next_attempt_at"])
    op.create_index("ix_commitments_association", "commitments", ["association", "state"])
    op.create_table(
        "commitment_items",
        sa.Column("commitment_id", KEY, nullable=False),
        sa.Column("ordinal", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("sop_class_uid", sa.String(length=64), nullable=False),
        sa.Column("sop_instance_uid", sa.String(length=64), nullable=False),
        sa.Column("result", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.Integer(), nullable=True),
        sa.CheckConstraint(
            "result IN ('asked', 'packing', 'committed', 'failed')",
            name="an_instance_of_a_commitment_has_a_result_that_is_known",
        ),
        sa.CheckConstraint(
            "(result = 'failed') = (reason IS NOT NULL)", name="what_is_not_committed_has_a_reason"
        ),
        sa.ForeignKeyConstraint(
            ["commitment_id"],
            ["commitments.id"],
            name="commitment_items_commitment_id_is_of_commitments",
        ),
        sa.PrimaryKeyConstraint("commitment_id", "ordinal", name="commitment_items_key"),
    )
    op.create_index("ix_commitment_items_result", "commitment_items", ["commitment_id", "result"])
    op.create_index(
        "ix_commitment_items_urgent",
        "commitment_items",
        ["sop_instance_uid"],
        sqlite_where=sa.text("result = 'packing'"),
        postgresql_where=sa.text("result = 'packing'"),
    )
