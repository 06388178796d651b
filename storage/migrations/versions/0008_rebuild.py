"""When packs were checked last and what was wrong with them; how far a rebuild has come.

Revision ID: 0008
Revises: 0006
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.String(length=27)


def upgrade() -> None:
    """Make the columns and tables."""
    op.add_column("packs", sa.Column("checked_at", TIME, nullable=True))
    op.execute("UPDATE packs SET checked_at = verified_at")
    op.add_column(
        "packs", sa.Column("fault", sa.String(length=16), server_default="", nullable=False)
    )
    op.add_column(
        "packs", sa.Column("faulty_instances", sa.Integer(), server_default="0", nullable=False)
    )
    op.create_index("ix_packs_checked_at", "packs", ["checked_at"])
    op.create_index(
        "ix_packs_at_fault",
        "packs",
        ["key"],
        sqlite_where=sa.text("fault <> ''"),
        postgresql_where=sa.text("fault <> ''"),
    )
    op.create_table(
        "rebuild_runs",
        sa.Column("id", KEY, nullable=False),
        sa.Column("backup_key", sa.Text(), server_default="", nullable=False),
        sa.Column("backup_at", TIME, nullable=True),
        sa.Column("casebook", sa.String(length=16), nullable=False),
        sa.Column("started_at", TIME, nullable=False),
        sa.Column("finished_at", TIME, nullable=True),
        sa.CheckConstraint(
            "casebook IN ('restored', 'left', 'none')",
            name="a_rebuild_restores_the_casebook_leaves_it_or_has_none",
        ),
        sa.PrimaryKeyConstraint("id", name="rebuild_runs_key"),
    )
    op.create_table(
        "rebuild_packs",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("site", sa.String(length=32), server_default="", nullable=False),
        sa.Column("study_uid", sa.String(length=64), server_default="", nullable=False),
        sa.Column("series_uid", sa.String(length=64), server_default="", nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("instance_count", sa.Integer(), server_default="0", nullable=False),
        sa.Column("first_received_at", TIME, nullable=True),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.CheckConstraint(
            "state IN ('found', 'done', 'broken')",
            name="a_pack_of_a_rebuild_is_found_done_or_broken",
        ),
        sa.PrimaryKeyConstraint("key", name="rebuild_packs_key"),
    )
    op.create_index("ix_rebuild_packs_study", "rebuild_packs", ["site", "study_uid"])


def downgrade() -> None:
    """Drop them."""
    op.drop_table("rebuild_packs")
    op.drop_table("rebuild_runs")
    op.drop_index("ix_packs_at_fault", "packs")
    op.drop_index("ix_packs_checked_at", "packs")
    op.drop_column("packs", "faulty_instances")
    op.drop_column("packs", "fault")
    op.drop_column("packs", "checked_at")
