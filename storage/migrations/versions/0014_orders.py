"""Orders with their scheduled steps; who sends HL7, and which messages came.

Revision ID: 0014
Revises: 0013
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

TIME = sa.String(length=27)
_STATES = "('scheduled', 'in-progress', 'completed', 'discontinued', 'cancelled')"


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), server_default="", nullable=False)


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "orders",
        sa.Column("id", sa.String(length=16), nullable=False),
        sa.Column("site", sa.String(length=32), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("accession_number", sa.Text(), nullable=False),
        _text("placer_number"),
        _text("filler_number"),
        sa.Column("patient_id", sa.Text(), nullable=False),
        _text("patient_issuer"),
        _text("patient_name"),
        _text("name_fold"),
        _text("ideographic_fold"),
        _text("phonetic_fold"),
        sa.Column("patient_birth_date", sa.Date(), nullable=True),
        sa.Column("patient_sex", sa.String(length=16), server_default="", nullable=False),
        sa.Column("study_uid", sa.String(length=64), nullable=False),
        sa.Column("procedure_id", sa.Text(), nullable=False),
        _text("procedure"),
        sa.Column("procedure_code", sa.JSON(), nullable=False),
        _text("question"),
        sa.Column("clinical", sa.JSON(), nullable=False),
        sa.Column("priority", sa.String(length=16), nullable=False),
        _text("referrer"),
        _text("requester"),
        sa.Column("case_id", sa.String(length=16), server_default="", nullable=False),
        sa.Column("first_start", sa.String(length=16), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("changed_at", TIME, nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.CheckConstraint(f"state IN {_STATES}", name="an_order_is_in_a_state_that_is_known"),
        sa.CheckConstraint(
            "priority IN ('routine', 'urgent', 'asap', 'stat')",
            name="an_order_has_a_priority_that_is_known",
        ),
        sa.ForeignKeyConstraint(["site"], ["sites.slug"], name="orders_site_is_of_sites"),
        sa.PrimaryKeyConstraint("id", name="orders_key"),
        sa.UniqueConstraint(
            "site", "accession_number", name="an_accession_number_is_one_order_of_a_site"
        ),
    )
    op.create_index(
        "ix_orders_placer_number",
        "orders",
        ["site", "placer_number"],
        unique=True,
        sqlite_where=sa.text("placer_number <> ''"),
        postgresql_where=sa.text("placer_number <> ''"),
    )
    op.create_index("ix_orders_study_uid", "orders", ["study_uid"])
    op.create_index("ix_orders_filler_number", "orders", ["site", "filler_number"])
    op.create_index("ix_orders_first_start", "orders", ["site", "first_start", "id"])
    op.create_index("ix_orders_start", "orders", ["first_start", "id"])
    op.create_index("ix_orders_accession_number", "orders", ["accession_number"])
    op.create_index("ix_orders_case_id", "orders", ["case_id"])
    op.create_index("ix_orders_patient", "orders", ["site", "patient_issuer", "patient_id"])
    op.create_table(
        "order_steps",
        sa.Column("order_id", sa.String(length=16), nullable=False),
        sa.Column("step_id", sa.String(length=16), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("site", sa.String(length=32), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("modality", sa.String(length=16), nullable=False),
        sa.Column("start_date", sa.String(length=8), nullable=False),
        sa.Column("start_time", sa.String(length=13), nullable=False),
        sa.Column("stations", sa.JSON(), nullable=False),
        _text("station_name"),
        _text("description"),
        sa.Column("protocol", sa.JSON(), nullable=False),
        _text("location"),
        _text("performer"),
        sa.Column("performed_uid", sa.String(length=64), server_default="", nullable=False),
        sa.CheckConstraint(
            f"state IN {_STATES}", name="a_scheduled_step_is_in_a_state_that_is_known"
        ),
        sa.ForeignKeyConstraint(
            ["order_id"], ["orders.id"], name="order_steps_order_id_is_of_orders"
        ),
        sa.PrimaryKeyConstraint("order_id", "step_id", name="order_steps_key"),
    )
    op.create_index(
        "ix_order_steps_waiting", "order_steps", ["site", "state", "start_date", "start_time"]
    )
    op.create_index("ix_order_steps_performed_uid", "order_steps", ["performed_uid"])
    op.create_table(
        "order_stations",
        sa.Column("title", sa.String(length=16), nullable=False),
        sa.Column("order_id", sa.String(length=16), nullable=False),
        sa.Column("step_id", sa.String(length=16), nullable=False),
        sa.ForeignKeyConstraint(
            ["order_id"], ["orders.id"], name="order_stations_order_id_is_of_orders"
        ),
        sa.PrimaryKeyConstraint("title", "order_id", "step_id", name="order_stations_key"),
    )
    op.create_index("ix_order_stations_order_id", "order_stations", ["order_id"])
    op.create_table(
        "hl7_senders",
        sa.Column("application", sa.String(length=180), nullable=False),
        sa.Column("facility", sa.String(length=180), nullable=False),
        sa.Column("site", sa.String(length=32), nullable=False),
        _text("address"),
        sa.Column("added_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(["site"], ["sites.slug"], name="hl7_senders_site_is_of_sites"),
        sa.PrimaryKeyConstraint("application", "facility", name="hl7_senders_key"),
    )
    op.create_table(
        "hl7_messages",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("application", sa.Text(), nullable=False),
        sa.Column("facility", sa.Text(), nullable=False),
        sa.Column("control_id", sa.Text(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("site", sa.String(length=32), server_default="", nullable=False),
        _text("peer"),
        sa.Column("received_at", TIME, nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        _text("code"),
        _text("reason"),
        sa.Column("size_bytes", sa.Integer(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=True),
        sa.CheckConstraint("state IN ('taken', 'refused')", name="a_message_was_taken_or_refused"),
        sa.CheckConstraint(
            "(state = 'refused') = (content IS NOT NULL)",
            name="the_text_of_refused_messages_is_kept",
        ),
        sa.PrimaryKeyConstraint("id", name="hl7_messages_key"),
        sa.UniqueConstraint(
            "application",
            "facility",
            "control_id",
            "sha256",
            name="a_message_that_comes_again_is_the_same",
        ),
    )
    op.create_index("ix_hl7_messages_state", "hl7_messages", ["state", "received_at"])


def downgrade() -> None:
    """Drop them."""
    for name in ("hl7_messages", "hl7_senders", "order_stations", "order_steps", "orders"):
        op.drop_table(name)
