"""When the person of a session last proved who they are, for a signature.

Revision ID: 0030
Revises: 0029
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the column."""
    op.add_column("sessions", sa.Column("proved_at", sa.String(length=27), nullable=True))


def downgrade() -> None:
    """Drop it."""
    op.drop_column("sessions", "proved_at")
