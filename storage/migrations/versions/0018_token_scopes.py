"""What bearer tokens are limited to; how a commitment over the web named its instances.

Revision ID: 0018
Revises: 0017
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the columns."""
    op.add_column("tokens", sa.Column("scopes", sa.Text(), server_default="", nullable=False))
    op.add_column("commitments", sa.Column("outline", sa.Text(), server_default="", nullable=False))


def downgrade() -> None:
    """Drop them."""
    op.drop_column("commitments", "outline")
    op.drop_column("tokens", "scopes")
