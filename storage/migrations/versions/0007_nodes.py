"""The nodes that work as one exchange: which data folder each has, and where its spool is read."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

TIME = sa.String(27)


def upgrade() -> None:
    """Make the table of nodes."""
    op.create_table(
        "nodes",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("folder_id", sa.String(length=32), nullable=False),
        sa.Column("address", sa.Text(), server_default="", nullable=False),
        sa.Column("started_at", TIME, nullable=False),
        sa.Column("heard_at", TIME),
        sa.PrimaryKeyConstraint("name", name="nodes_key"),
        sa.UniqueConstraint("folder_id", name="a_data_folder_is_one_node"),
    )
