"""How each person hangs a kind of case.

Revision ID: 0029
Revises: 0026
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "reading_preferences",
        sa.Column("actor_id", sa.Text(), primary_key=True),
        sa.Column("kind", sa.String(64), primary_key=True),
        sa.Column("hung", sa.JSON(), nullable=False),
        sa.Column("changed_at", sa.String(length=27), nullable=False),
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_table("reading_preferences")
