"""Which lesion a photograph counts for, and where on the body that is.

Revision ID: 0019
Revises: 0018
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the columns; of photographs that are there, their objects say it."""
    for name, length in (("lesion_uid", 64), ("site_code", 32), ("laterality", 1)):
        column = sa.Column(name, sa.String(length), server_default="", nullable=False)
        op.add_column("captures", column)


def downgrade() -> None:
    """Drop them."""
    for name in ("laterality", "site_code", "lesion_uid"):
        op.drop_column("captures", name)
