"""TLS client certificates, each bound to the site that may call with it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

TIME = sa.String(27)


def upgrade() -> None:
    """Make the table of certificates."""
    op.create_table(
        "site_certificates",
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("site", sa.String(length=32), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("not_after", TIME, nullable=False),
        sa.Column("added_at", TIME, nullable=False),
        sa.Column("revoked_at", TIME),
        sa.CheckConstraint("length(fingerprint) = 64", name="a_fingerprint_is_a_sha256_in_hex"),
        sa.ForeignKeyConstraint(
            ["site"], ["sites.slug"], name="site_certificates_site_is_of_sites"
        ),
        sa.PrimaryKeyConstraint("fingerprint", name="site_certificates_key"),
    )
    op.create_index("ix_site_certificates_site", "site_certificates", ["site"])
