"""Sites whose images are kept in another lossless form, and how such images were received.

Revision ID: 0011
Revises: 0010
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

HASH = sa.String(length=64)


def upgrade() -> None:
    """Make the columns and the table."""
    op.add_column(
        "sites", sa.Column("recompress", sa.String(length=8), server_default="", nullable=False)
    )
    op.add_column("copies", sa.Column("kept_sha256", HASH, server_default="", nullable=False))
    op.add_column("instances", sa.Column("kept_sha256", HASH, server_default="", nullable=False))
    op.add_column("instances", sa.Column("received", sa.JSON(none_as_null=True), nullable=True))
    op.create_table(
        "recompressions",
        sa.Column("site", sa.String(length=32), nullable=False),
        sa.Column("outcome", sa.String(length=24), nullable=False),
        sa.Column("instances", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("received_bytes", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("kept_bytes", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("site", "outcome", name="recompressions_key"),
    )


def downgrade() -> None:
    """Drop them."""
    op.drop_table("recompressions")
    op.drop_column("instances", "received")
    op.drop_column("instances", "kept_sha256")
    op.drop_column("copies", "kept_sha256")
    op.drop_column("sites", "recompress")
