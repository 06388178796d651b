"""Routing rules, what each destination takes, urgency, and commitments that we ask for.

Revision ID: 0016
Revises: 0015
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

TIME = sa.String(length=27)
KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
ONE_OPEN_JOB = "kind = 'send' AND state IN ('queued', 'dead')"
TO_ROUTE = "routed_instances <> instance_count OR routed_as <> completeness"


def upgrade() -> None:
    """Make the tables and the columns; of a study queued twice for a node, the first job stays."""
    for column in (
        sa.Column("urgency", sa.Integer(), server_default="0", nullable=False),
        sa.Column("series_uids", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("asked", sa.Integer(), server_default="1", nullable=False),
        sa.Column("rule", sa.Text(), server_default="", nullable=False),
    ):
        op.add_column("jobs", column)
    for column in (
        sa.Column("sop_class_uid", sa.String(length=64), server_default="", nullable=False),
        sa.Column("warning", sa.Integer(), nullable=True),
        sa.Column("promise_id", sa.BigInteger(), nullable=True),
        sa.Column("committed_at", TIME, nullable=True),
        sa.Column("refused", sa.Integer(), nullable=True),
        sa.Column("resent", sa.Integer(), server_default="0", nullable=False),
    ):
        op.add_column("sent_instances", column)
    twice = (
        "SELECT later.id FROM jobs AS later JOIN jobs AS first ON first.id < later.id "
        "AND first.site = later.site AND first.study_uid = later.study_uid "
        "AND first.destination = later.destination "
        "WHERE first.kind = 'send' AND first.state IN ('queued', 'dead') "
        "AND later.kind = 'send' AND later.state IN ('queued', 'dead')"
    )
    op.execute(f"DELETE FROM sent_instances WHERE job_id IN ({twice})")  # noqa: S608
    op.execute(f"DELETE FROM jobs WHERE id IN ({twice})")  # noqa: S608
    op.create_index(
        "a_study_has_one_open_job_for_a_destination",
        "jobs",
        ["site", "study_uid", "destination"],
        unique=True,
        sqlite_where=sa.text(ONE_OPEN_JOB),
        postgresql_where=sa.text(ONE_OPEN_JOB),
    )
    op.create_index("ix_jobs_destination", "jobs", ["destination", "state", "leased_until"])
    op.create_table(
        "destinations",
        sa.Column("title", sa.String(length=16), nullable=False),
        sa.Column("most_at_once", sa.Integer(), server_default="1", nullable=False),
        sa.Column("form", sa.String(length=16), server_default="", nullable=False),
        sa.Column("rate_bytes", sa.BigInteger(), nullable=True),
        sa.Column(
            "asks_commitment",
            sa.Boolean(create_constraint=False),
            server_default=sa.text("false"),
            nullable=False,
        ),
        sa.Column("commit_wait_s", sa.Integer(), server_default="3600", nullable=False),
        sa.Column("most_attempts", sa.Integer(), nullable=True),
        sa.Column("paused_at", TIME, nullable=True),
        sa.CheckConstraint("most_at_once > 0", name="a_destination_takes_an_association_at_least"),
        sa.PrimaryKeyConstraint("title", name="destinations_key"),
    )
    op.create_table(
        "promises",
        sa.Column("id", KEY, nullable=False),
        sa.Column("job_id", KEY, nullable=False),
        sa.Column("transaction_uid", sa.String(length=64), nullable=False),
        sa.Column("destination", sa.String(length=16), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("asks", sa.Integer(), server_default="1", nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("next_attempt_at", TIME, nullable=True),
        sa.Column("leased_until", TIME, nullable=True),
        sa.Column("last_error", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("asked_at", TIME, nullable=True),
        sa.Column("answered_at", TIME, nullable=True),
        sa.CheckConstraint(
            "state IN ('due', 'asked', 'answered', 'given_up')",
            name="a_promise_is_in_a_state_that_is_known",
        ),
        sa.CheckConstraint(
            "(state IN ('due', 'asked')) = (next_attempt_at IS NOT NULL)",
            name="an_open_promise_has_the_time_of_its_next_step",
        ),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="promises_job_id_is_of_jobs"),
        sa.PrimaryKeyConstraint("id", name="promises_key"),
        sa.UniqueConstraint("transaction_uid", name="a_transaction_is_asked_for_once"),
    )
    op.create_index("ix_promises_due", "promises", ["state", "next_attempt_at"])
    op.create_index("ix_promises_job_id", "promises", ["job_id"])
    op.create_table(
        "routes",
        sa.Column("id", KEY, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("enabled", sa.Boolean(create_constraint=False), nullable=False),
        sa.Column("rule", sa.JSON(), nullable=False),
        sa.Column("since", TIME, nullable=False),
        sa.Column("changed_by", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id", name="routes_key"),
        sa.UniqueConstraint("name", name="a_name_is_one_routing_rule"),
    )
    op.add_column(
        "studies", sa.Column("routed_instances", sa.Integer(), server_default="0", nullable=False)
    )
    op.add_column(
        "studies", sa.Column("routed_as", sa.String(length=16), server_default="", nullable=False)
    )
    op.create_index(
        "ix_studies_to_route",
        "studies",
        ["last_received_at", "pk"],
        sqlite_where=sa.text(TO_ROUTE),
        postgresql_where=sa.text(TO_ROUTE),
    )


def downgrade() -> None:
    """Drop them."""
    op.drop_index("ix_studies_to_route", "studies")
    op.drop_column("studies", "routed_as")
    op.drop_column("studies", "routed_instances")
    op.drop_table("routes")
    op.drop_table("promises")
    op.drop_table("destinations")
    op.drop_index("ix_jobs_destination", "jobs")
    op.drop_index("a_study_has_one_open_job_for_a_destination", "jobs")
    for name in ("resent", "refused", "committed_at", "promise_id", "warning", "sop_class_uid"):
        op.drop_column("sent_instances", name)
    for name in ("rule", "asked", "series_uids", "urgency"):
        op.drop_column("jobs", name)
