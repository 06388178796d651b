"""What was said of a photograph when it was taken, and whether it was set aside since.

Revision ID: 0023
Revises: 0021
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the columns."""
    op.add_column("captures", sa.Column("judged", sa.JSON(), nullable=True))
    op.add_column("captures", sa.Column("set_aside_at", sa.String(length=27), nullable=True))
    op.add_column(
        "captures", sa.Column("set_aside_by", sa.Text(), server_default="", nullable=False)
    )


def downgrade() -> None:
    """Drop them."""
    for name in ("set_aside_by", "set_aside_at", "judged"):
        op.drop_column("captures", name)
