"""Earlier studies: rules by which they are fetched, nodes that are asked, what they told.

Revision ID: 0017
Revises: 0016
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

TIME = sa.String(length=27)
KEY = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "prior_rules",
        sa.Column("id", KEY, nullable=False),
        sa.Column("site", sa.String(length=32), server_default="", nullable=False),
        sa.Column("modality", sa.String(length=16), server_default="", nullable=False),
        sa.Column("body_part", sa.Text(), server_default="", nullable=False),
        sa.Column("nodes", sa.JSON(), nullable=False),
        sa.Column("years", sa.Integer(), nullable=False),
        sa.Column("modalities", sa.JSON(), nullable=False),
        sa.Column("most_studies", sa.Integer(), nullable=False),
        sa.Column("most_images", sa.Integer(), nullable=True),
        sa.Column("most_bytes", sa.BigInteger(), nullable=True),
        sa.Column("large_images", sa.Integer(), nullable=True),
        sa.Column("from_hour", sa.Integer(), server_default="0", nullable=False),
        sa.Column("to_hour", sa.Integer(), server_default="0", nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="prior_rules_key"),
        sa.CheckConstraint(
            "from_hour BETWEEN 0 AND 23 AND to_hour BETWEEN 0 AND 23",
            name="the_hours_of_a_rule_are_of_one_day",
        ),
    )
    op.create_table(
        "prior_questions",
        sa.Column("id", KEY, nullable=False),
        sa.Column("case_id", sa.String(length=16), nullable=False),
        sa.Column("node", sa.String(length=16), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("next_attempt_at", TIME, nullable=True),
        sa.Column("leased_until", TIME, nullable=True),
        sa.Column("last_error", sa.Text(), server_default="", nullable=False),
        sa.Column("mismatched", sa.Integer(), server_default="0", nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("over_at", TIME, nullable=True),
        sa.PrimaryKeyConstraint("id", name="prior_questions_key"),
        sa.ForeignKeyConstraint(
            ["case_id"], ["cases.id"], name="prior_questions_case_id_is_of_cases"
        ),
        sa.UniqueConstraint("case_id", "node", name="a_case_asks_a_node_once_for_earlier_studies"),
        sa.CheckConstraint(
            "state IN ('queued', 'done', 'dead', 'skipped')",
            name="a_question_for_earlier_studies_is_queued_done_dead_or_skipped",
        ),
        sa.CheckConstraint(
            "(state = 'queued') = (next_attempt_at IS NOT NULL)",
            name="a_queued_question_has_the_time_of_its_next_attempt",
        ),
    )
    op.create_index("ix_prior_questions_due", "prior_questions", ["state", "next_attempt_at"])
    op.create_table(
        "prior_answers",
        sa.Column("question_id", KEY, nullable=False),
        sa.Column("study_uid", sa.String(length=64), nullable=False),
        sa.Column("site", sa.String(length=32), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("study_date", sa.String(length=8), server_default="", nullable=False),
        sa.Column("modalities", sa.Text(), server_default="", nullable=False),
        sa.Column("description", sa.Text(), server_default="", nullable=False),
        sa.Column("images", sa.Integer(), nullable=True),
        sa.Column("refusal", sa.String(length=24), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("question_id", "study_uid", name="prior_answers_key"),
        sa.ForeignKeyConstraint(
            ["question_id"],
            ["prior_questions.id"],
            name="prior_answers_question_id_is_of_prior_questions",
        ),
    )
    op.create_index("ix_prior_answers_study", "prior_answers", ["site", "study_uid"])
    op.create_table(
        "prior_fetches",
        sa.Column("id", KEY, nullable=False),
        sa.Column("site", sa.String(length=32), nullable=False),
        sa.Column("study_uid", sa.String(length=64), nullable=False),
        sa.Column("node", sa.String(length=16), nullable=False),
        sa.Column("patient_issuer", sa.Text(), nullable=False),
        sa.Column("patient_id", sa.Text(), nullable=False),
        sa.Column("expected_instances", sa.Integer(), nullable=True),
        sa.Column("modalities", sa.Text(), server_default="", nullable=False),
        sa.Column("from_hour", sa.Integer(), server_default="0", nullable=False),
        sa.Column("to_hour", sa.Integer(), server_default="0", nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("next_attempt_at", TIME, nullable=True),
        sa.Column("leased_until", TIME, nullable=True),
        sa.Column("moving_from", TIME, nullable=True),
        sa.Column("moving_until", TIME, nullable=True),
        sa.Column("last_error", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("over_at", TIME, nullable=True),
        sa.PrimaryKeyConstraint("id", name="prior_fetches_key"),
        sa.UniqueConstraint(
            "site", "study_uid", name="a_study_of_a_site_is_fetched_once_at_a_time"
        ),
        sa.CheckConstraint(
            "state IN ('queued', 'done', 'dead')", name="a_fetch_is_queued_done_or_dead"
        ),
        sa.CheckConstraint(
            "(state = 'queued') = (next_attempt_at IS NOT NULL)",
            name="a_queued_fetch_has_the_time_of_its_next_attempt",
        ),
    )
    op.create_index("ix_prior_fetches_due", "prior_fetches", ["state", "next_attempt_at"])


def downgrade() -> None:
    """Drop them."""
    for name in ("prior_fetches", "prior_answers", "prior_questions", "prior_rules"):
        op.drop_table(name)
