"""How complete a study is and by what evidence; questions to senders; performed procedure steps."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

TIME = sa.String(27)


def upgrade() -> None:
    """Add what is known of a study's completeness, and where it comes from."""
    _studies()
    _evidence()
    _questions()
    _performed_steps()


def _studies() -> None:
    for column in (
        sa.Column("completeness_evidence", sa.Text(), server_default="", nullable=False),
        sa.Column("expected_instances", sa.Integer()),
        sa.Column("missing_instances", sa.Integer(), server_default="0", nullable=False),
        sa.Column("judged", sa.String(length=8), server_default="", nullable=False),
    ):
        op.add_column("studies", column)
    op.drop_index("ix_studies_quiet", table_name="studies")
    op.create_index(
        "ix_studies_to_judge", "studies", ["completeness", "judged", "last_received_at"]
    )


def _evidence() -> None:
    op.create_table(
        "completeness_evidence",
        sa.Column("site", sa.String(length=32), nullable=False),
        sa.Column("study_uid", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("source", sa.String(length=255), nullable=False),
        sa.Column("expected_instances", sa.Integer()),
        sa.Column("expected_uids", sa.JSON(none_as_null=True)),
        sa.Column("at", TIME, nullable=False),
        sa.CheckConstraint(
            "kind IN ('counts', 'mpps', 'commitment', 'sender')",
            name="evidence_is_of_a_kind_that_is_known",
        ),
        sa.CheckConstraint(
            "expected_instances IS NOT NULL OR expected_uids IS NOT NULL",
            name="evidence_says_how_many_or_which",
        ),
        sa.PrimaryKeyConstraint(
            "site", "study_uid", "kind", "source", name="completeness_evidence_key"
        ),
    )


def _questions() -> None:
    op.create_table(
        "sender_questions",
        sa.Column("site", sa.String(length=32), nullable=False),
        sa.Column("study_uid", sa.String(length=64), nullable=False),
        sa.Column("ae", sa.String(length=16), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("next_attempt_at", TIME, nullable=False),
        sa.Column("last_error", sa.Text(), server_default="", nullable=False),
        sa.CheckConstraint(
            "state IN ('open', 'answered', 'given-up')",
            name="a_question_is_open_answered_or_given_up",
        ),
        sa.PrimaryKeyConstraint("site", "study_uid", name="sender_questions_key"),
    )
    op.create_index("ix_sender_questions_due", "sender_questions", ["state", "next_attempt_at"])


def _performed_steps() -> None:
    op.create_table(
        "performed_steps",
        sa.Column("site", sa.String(length=32), nullable=False),
        sa.Column("sop_instance_uid", sa.String(length=64), nullable=False),
        sa.Column("ae", sa.String(length=16), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("study_uids", sa.JSON(), nullable=False),
        sa.Column("started", sa.Text(), server_default="", nullable=False),
        sa.Column("ended", sa.Text(), server_default="", nullable=False),
        sa.Column("references", sa.JSON(), nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.CheckConstraint(
            "status IN ('IN PROGRESS', 'COMPLETED', 'DISCONTINUED')",
            name="a_step_is_in_progress_completed_or_discontinued",
        ),
        sa.PrimaryKeyConstraint("site", "sop_instance_uid", name="performed_steps_key"),
    )
