"""The devices of a site, and what each photograph of a case was said to be.

Revision ID: 0020
Revises: 0019
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

TIME = sa.String(length=27)
KEY = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "devices",
        sa.Column("id", KEY, nullable=False),
        sa.Column("site", sa.String(32), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("manufacturer", sa.Text(), server_default="", nullable=False),
        sa.Column("model", sa.Text(), server_default="", nullable=False),
        sa.Column("serial", sa.Text(), server_default="", nullable=False),
        sa.Column("software", sa.Text(), server_default="", nullable=False),
        sa.Column("polarization", sa.String(16), server_default="", nullable=False),
        sa.Column("contact", sa.String(16), server_default="", nullable=False),
        sa.Column("immersion", sa.String(16), server_default="", nullable=False),
        sa.Column("magnification", sa.Float()),
        sa.Column("added_at", TIME, nullable=False),
        sa.Column("added_by", sa.Text(), server_default="", nullable=False),
        sa.Column("retired_at", TIME),
        sa.PrimaryKeyConstraint("id", name="devices_key"),
        sa.ForeignKeyConstraint(["site"], ["sites.slug"], name="devices_site_is_of_sites"),
        sa.CheckConstraint(
            "kind IN ('dermatoscope', 'camera')", name="a_device_is_of_a_kind_known"
        ),
        sa.CheckConstraint(
            "immersion = '' OR contact = 'CONTACT'", name="an_immersion_fluid_goes_with_contact"
        ),
    )
    op.create_index(
        "a_site_has_one_device_of_a_name_in_use",
        "devices",
        ["site", "name"],
        unique=True,
        sqlite_where=sa.text("retired_at IS NULL"),
        postgresql_where=sa.text("retired_at IS NULL"),
    )
    op.create_table(
        "photographs",
        sa.Column("case_id", sa.String(16), nullable=False),
        sa.Column("capture_id", sa.String(64), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("series_number", sa.Integer(), nullable=False),
        sa.Column("sop_instance_uid", sa.String(64), nullable=False),
        sa.Column("sop_class_uid", sa.String(64), nullable=False),
        sa.Column("series_uid", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("site_code", sa.String(32), nullable=False),
        sa.Column("laterality", sa.String(1), server_default="", nullable=False),
        sa.Column("lesion_uid", sa.String(64), server_default="", nullable=False),
        sa.Column("device_id", KEY),
        sa.Column("said", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("case_id", "capture_id", name="photographs_key"),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name="photographs_case_id_is_of_cases"),
        sa.ForeignKeyConstraint(
            ["device_id"], ["devices.id"], name="photographs_device_id_is_of_devices"
        ),
        sa.UniqueConstraint("case_id", "number", name="a_number_is_one_photograph_of_a_case"),
    )


def downgrade() -> None:
    """Drop them."""
    op.drop_table("photographs")
    op.drop_index("a_site_has_one_device_of_a_name_in_use", "devices")
    op.drop_table("devices")
