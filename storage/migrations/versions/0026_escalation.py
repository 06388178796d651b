"""Since when an urgent reply has been called unread.

Revision ID: 0026
Revises: 0025
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the column."""
    op.add_column("cases", sa.Column("escalated_at", sa.String(length=27), nullable=True))


def downgrade() -> None:
    """Drop it."""
    op.drop_column("cases", "escalated_at")
