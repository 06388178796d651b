"""Erasure, legal holds, retention rules; what only grows may be deleted by an erasure, and then.

Revision ID: 0009
Revises: 0008
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.String(length=27)

CUSTODY = (
    "lines of custody are never changed or deleted",
    "SELECT 1 FROM erasing_instances WHERE instance_pk = OLD.instance_pk",
)
REPORTS = (
    "rows of reports are never changed or deleted",
    "SELECT 1 FROM erased_cases WHERE case_id = OLD.case_id",
)


def upgrade() -> None:
    """Make the tables, and let an erasure delete what nobody else may."""
    _tables()
    op.create_index(
        "ix_instances_quarantined",
        "instances",
        ["site", "study_uid"],
        sqlite_where=sa.text("state = 'quarantined'"),
        postgresql_where=sa.text("state = 'quarantined'"),
    )
    for table, (sentence, erased) in (("custody", CUSTODY), ("reports", REPORTS)):
        _allow(table, sentence, f"NOT EXISTS ({erased})")


def downgrade() -> None:
    """Refuse every deletion again, and drop the tables."""
    for table, (sentence, _) in (("custody", CUSTODY), ("reports", REPORTS)):
        _allow(table, sentence, "")
    op.drop_index("ix_instances_quarantined", "instances")
    for table in (
        "retention_rules",
        "legal_holds",
        "erasure_nodes",
        "erasure_packs",
        "erasure_studies",
        "erasure_objects",
        "erasing_instances",
        "erased_cases",
        "erasures",
    ):
        op.drop_table(table)


def _allow(table: str, sentence: str, condition: str) -> None:
    """Let rows be deleted where a condition is false; without one never."""
    if op.get_bind().dialect.name == "sqlite":
        op.execute(f"DROP TRIGGER {table}_refuses_delete")
        when = f" WHEN {condition}" if condition else ""
        op.execute(
            f"CREATE TRIGGER {table}_refuses_delete BEFORE DELETE ON {table}{when}"
            f" BEGIN SELECT RAISE(ABORT, '{sentence}'); END"
        )
        return
    refuse = f"RAISE EXCEPTION '{sentence}';"
    body = refuse
    if condition:  # a TRUNCATE has no OLD row; each branch is looked at only when it is reached
        body = (
            f"IF TG_OP = 'DELETE' THEN IF {condition} THEN {refuse} END IF; RETURN OLD; END IF;"
            f" {refuse}"
        )
    op.execute(
        f"CREATE OR REPLACE FUNCTION {table}_only_grows() RETURNS trigger LANGUAGE plpgsql AS"
        f" $$ BEGIN {body} END $$"
    )


def _tables() -> None:
    op.create_table(
        "erasures",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("finished_at", TIME, nullable=True),
        sa.Column("not_before", TIME, nullable=True),
        sa.Column("waits_for", sa.Text(), server_default="", nullable=False),
        sa.Column("tombstone", sa.JSON(), nullable=False),
        sa.CheckConstraint(
            "kind IN ('study', 'patient', 'retention')",
            name="an_erasure_is_of_a_study_a_patient_or_by_a_rule",
        ),
        sa.CheckConstraint(
            "state IN ('erasing', 'cleaning', 'done')",
            name="an_erasure_is_erasing_cleaning_or_done",
        ),
        sa.CheckConstraint(
            "(state = 'done') = (finished_at IS NOT NULL)",
            name="an_erasure_that_is_done_has_its_time",
        ),
        sa.PrimaryKeyConstraint("id", name="erasures_key"),
    )
    op.create_index("ix_erasures_at", "erasures", ["at"])
    op.create_index(
        "ix_erasures_unfinished",
        "erasures",
        ["at"],
        sqlite_where=sa.text("state <> 'done'"),
        postgresql_where=sa.text("state <> 'done'"),
    )
    op.create_table(
        "erased_cases",
        sa.Column("case_id", sa.String(length=16), nullable=False),
        sa.Column("erasure_id", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(
            ["erasure_id"], ["erasures.id"], name="erased_cases_erasure_id_is_of_erasures"
        ),
        sa.PrimaryKeyConstraint("case_id", name="erased_cases_key"),
    )
    op.create_table(
        "erasing_instances",
        sa.Column("instance_pk", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("instance_pk", name="erasing_instances_key"),
    )
    op.create_table(
        "erasure_objects",
        sa.Column("erasure_id", sa.String(length=32), nullable=False),
        sa.Column("site", sa.String(length=32), nullable=False),
        sa.Column("sop_instance_uid", sa.String(length=64), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint(
            "erasure_id", "site", "sop_instance_uid", "sha256", name="erasure_objects_key"
        ),
    )
    op.create_table(
        "erasure_studies",
        sa.Column("erasure_id", sa.String(length=32), nullable=False),
        sa.Column("site", sa.String(length=32), nullable=False),
        sa.Column("study_uid", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("erasure_id", "site", "study_uid", name="erasure_studies_key"),
    )
    op.create_table(
        "erasure_packs",
        sa.Column("erasure_id", sa.String(length=32), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("erasure_id", "key", name="erasure_packs_key"),
    )
    op.create_index("ix_erasure_packs_key", "erasure_packs", ["key"])
    op.create_table(
        "erasure_nodes",
        sa.Column("erasure_id", sa.String(length=32), nullable=False),
        sa.Column("node", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("erasure_id", "node", name="erasure_nodes_key"),
    )
    op.create_table(
        "legal_holds",
        sa.Column("id", KEY, nullable=False),
        sa.Column("site", sa.String(length=32), server_default="", nullable=False),
        sa.Column("study_uid", sa.String(length=64), server_default="", nullable=False),
        sa.Column("patient_issuer", sa.Text(), server_default="", nullable=False),
        sa.Column("patient_id", sa.Text(), server_default="", nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("placed_by", sa.Text(), nullable=False),
        sa.Column("placed_at", TIME, nullable=False),
        sa.CheckConstraint(
            "(study_uid <> '') <> (patient_id <> '')",
            name="a_hold_is_on_one_study_or_one_patient",
        ),
        sa.PrimaryKeyConstraint("id", name="legal_holds_key"),
        sa.UniqueConstraint(
            "site", "study_uid", "patient_issuer", "patient_id", name="a_thing_is_held_once"
        ),
    )
    op.create_table(
        "retention_rules",
        sa.Column("id", KEY, nullable=False),
        sa.Column("site", sa.String(length=32), nullable=False),
        sa.Column("modality", sa.String(length=16), server_default="", nullable=False),
        sa.Column("keep_days", sa.Integer(), nullable=False),
        sa.Column("since", sa.String(length=16), nullable=False),
        sa.Column("set_by", sa.Text(), nullable=False),
        sa.Column("set_at", TIME, nullable=False),
        sa.CheckConstraint("keep_days > 0", name="a_rule_keeps_for_some_days"),
        sa.CheckConstraint(
            "since IN ('received', 'closed')",
            name="a_rule_counts_since_receipt_or_since_the_case_was_closed",
        ),
        sa.ForeignKeyConstraint(["site"], ["sites.slug"], name="retention_rules_site_is_of_sites"),
        sa.PrimaryKeyConstraint("id", name="retention_rules_key"),
        sa.UniqueConstraint("site", "modality", name="a_site_has_one_rule_for_a_modality"),
    )
