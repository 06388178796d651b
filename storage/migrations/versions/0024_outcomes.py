"""What was warned of photographs, what cases were in the end, how far sites are from the centre.

Revision ID: 0024
Revises: 0023
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table and the columns."""
    op.add_column("captures", sa.Column("kind", sa.String(16), nullable=False, server_default=""))
    op.add_column("sites", sa.Column("travel_km", sa.Float()))
    op.create_table(
        "outcomes",
        sa.Column("case_id", sa.String(16), sa.ForeignKey("cases.id"), primary_key=True),
        sa.Column("basis", sa.String(16), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False, server_default=""),
        sa.Column("system", sa.Text(), nullable=False, server_default=""),
        sa.Column("malignant", sa.String(8), nullable=False),
        sa.Column("noted_by", sa.Text(), nullable=False),
        sa.Column("noted_at", sa.String(length=27), nullable=False),
        sa.CheckConstraint(
            "basis IN ('histology', 'visit')", name="an_outcome_rests_on_histology_or_a_visit"
        ),
        sa.CheckConstraint(
            "malignant IN ('yes', 'no', 'unknown')",
            name="an_outcome_is_malignant_or_not_or_not_known",
        ),
    )


def downgrade() -> None:
    """Drop them."""
    op.drop_table("outcomes")
    op.drop_column("sites", "travel_km")
    op.drop_column("captures", "kind")
