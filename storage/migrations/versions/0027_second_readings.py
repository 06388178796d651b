"""How long claims last, who handed a case over, second readings, and people's saved filters.

Revision ID: 0027
Revises: 0026
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

_TEXTS = ("handed_by_id", "handed_by_name", "handed_note")
_TIMES = ("claim_until", "handed_at")


def upgrade() -> None:
    """Make the columns and the tables. Claims that there are last until they are renewed."""
    for name in _TEXTS:
        op.add_column("cases", sa.Column(name, sa.Text(), server_default="", nullable=False))
    for name in _TIMES:
        op.add_column("cases", sa.Column(name, sa.String(length=27), nullable=True))
    for name, column, where in (
        ("ix_cases_claim_until", "claim_until", "claim_until IS NOT NULL"),
        ("ix_cases_changed", "id", "changed_since_report"),
    ):
        op.create_index(
            name, "cases", [column], sqlite_where=sa.text(where), postgresql_where=sa.text(where)
        )
    _readings()
    _rules_and_filters()


def downgrade() -> None:
    """Drop them."""
    op.drop_table("saved_filters")
    op.drop_table("reading_rules")
    op.drop_table("readings")
    for name in ("ix_cases_changed", "ix_cases_claim_until"):
        op.drop_index(name, table_name="cases")
    for name in (*_TIMES, *_TEXTS):
        op.drop_column("cases", name)


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), server_default="", nullable=False)


def _time(name: str, *, may_lack: bool = True) -> sa.Column[str]:
    return sa.Column(name, sa.String(length=27), nullable=may_lack)


def _key() -> sa.Column[int]:
    return sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False)


def _yes_or_no(name: str, default: str | None = None) -> sa.Column[bool]:
    told = None if default is None else sa.text(default)
    return sa.Column(name, sa.Boolean(create_constraint=False), nullable=False, server_default=told)


def _readings() -> None:
    op.create_table(
        "readings",
        _key(),
        sa.Column("case_id", sa.String(length=16), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        _yes_or_no("is_blinded"),
        sa.Column("asked_by_id", sa.Text(), nullable=False),
        sa.Column("asked_by", sa.Text(), nullable=False),
        _time("asked_at", may_lack=False),
        _text("note"),
        _text("wanted_id"),
        _text("wanted_name"),
        _text("reader_id"),
        _text("reader_name"),
        _time("taken_until"),
        sa.Column("draft", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("draft_version", sa.Integer(), server_default="0", nullable=False),
        sa.Column("content", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("sha256", sa.String(length=64), server_default="", nullable=False),
        _time("signed_at"),
        sa.Column("after_version", sa.Integer(), server_default="0", nullable=False),
        _text("first_id"),
        _text("first_name"),
        sa.Column("comparison", sa.String(length=16), server_default="", nullable=False),
        _text("comparison_text"),
        _text("compared_by"),
        _time("compared_at"),
        _text("decided_by"),
        _time("decided_at"),
        sa.CheckConstraint(
            "state IN ('asked', 'taken', 'signed', 'dropped')",
            name="a_second_reading_is_in_a_state_that_is_known",
        ),
        sa.CheckConstraint(
            "comparison IN ('', 'agree', 'minor', 'major')",
            name="two_readings_compare_in_a_way_that_is_known",
        ),
        sa.CheckConstraint(
            "state NOT IN ('taken', 'signed') OR reader_id <> ''",
            name="a_taken_second_reading_has_a_reader",
        ),
        sa.CheckConstraint(
            "(state = 'signed') = (signed_at IS NOT NULL)",
            name="a_signed_second_reading_has_a_time",
        ),
        sa.CheckConstraint(
            "comparison = '' OR state = 'signed'", name="only_a_signed_second_reading_is_compared"
        ),
        sa.CheckConstraint(
            "comparison = '' OR reader_id <> first_id", name="two_readings_are_of_two_readers"
        ),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name="readings_case_id_is_of_cases"),
        sa.PrimaryKeyConstraint("id", name="readings_key"),
    )
    op.create_index("ix_readings_case_id", "readings", ["case_id"])
    op.create_index(
        "a_case_has_one_open_second_reading",
        "readings",
        ["case_id"],
        unique=True,
        sqlite_where=sa.text("state IN ('asked', 'taken')"),
        postgresql_where=sa.text("state IN ('asked', 'taken')"),
    )


def _rules_and_filters() -> None:
    op.create_table(
        "reading_rules",
        sa.Column("site", sa.String(length=32), nullable=False),
        sa.Column("specialty", sa.String(length=16), nullable=False),
        sa.Column("need", sa.String(length=8), nullable=False),
        _yes_or_no("is_blinded"),
        sa.CheckConstraint(
            "specialty IN ('radiology', 'dermatology')",
            name="a_reading_rule_is_of_a_specialty_that_is_known",
        ),
        sa.CheckConstraint(
            "need IN ('never', 'urgent', 'always')",
            name="a_reading_rule_asks_never_for_urgent_cases_or_always",
        ),
        sa.PrimaryKeyConstraint("site", "specialty", name="reading_rules_key"),
    )
    op.create_table(
        "saved_filters",
        _key(),
        sa.Column("actor_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("wanted", sa.JSON(), nullable=False),
        _yes_or_no("is_default", "false"),
        sa.PrimaryKeyConstraint("id", name="saved_filters_key"),
        sa.UniqueConstraint("actor_id", "name", name="a_person_gives_a_name_to_one_filter"),
    )
    op.create_index("ix_saved_filters_actor_id", "saved_filters", ["actor_id", "position"])
