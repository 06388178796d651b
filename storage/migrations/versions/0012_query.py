"""Indexes for lists in their order and for names by any part of them, at a region's size.

Revision ID: 0012
Revises: 0011
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

NAMES = "patient_names"
TRIGRAMS = "ix_patients_name_trigrams"
OF_CASES = ("patient_id", "patient_name_fold", "created_by")
GROUPS = ("ideographic_fold", "phonetic_fold")
ADD = "INSERT INTO patient_names(rowid, name_fold) VALUES (new.pk, new.name_fold);"
REMOVE = (
    "INSERT INTO patient_names(patient_names, rowid, name_fold) "
    "VALUES ('delete', old.pk, old.name_fold);"
)
KEPT_IN_STEP = {
    "insert": ("INSERT", "", ADD),
    "delete": ("DELETE", "", REMOVE),
    "update": (
        "UPDATE OF name_fold",
        "WHEN old.name_fold IS NOT new.name_fold",
        f"{REMOVE} {ADD}",
    ),
}


def upgrade() -> None:
    """Make them."""
    for column in ("name_fold", *GROUPS):
        op.drop_index(f"ix_patients_{column}", "patients")
    op.create_index("ix_patients_name_fold", "patients", ["name_fold", "pk"])
    op.create_index("ix_patients_site_name", "patients", ["site", "name_fold", "pk"])
    for column in GROUPS:
        present = sa.text(f"{column} <> ''")
        op.create_index(
            f"ix_patients_{column}",
            "patients",
            [column],
            sqlite_where=present,
            postgresql_where=present,
        )
    op.create_index(
        "ix_studies_newest_of_site", "studies", ["site", "study_date", "study_time", "pk"]
    )
    op.create_index("ix_series_modality_of_site", "series", ["site", "modality", "study_pk"])
    for column in OF_CASES:
        op.create_index(f"ix_cases_{column}", "cases", [column])
    for of in ("", "site", "holder_id"):
        first = [of] if of else []
        for kind, by, rule in (
            ("signed", ["signed_at"], "signed_at IS NOT NULL"),
            ("unsigned", ["state", "submitted_at"], "signed_at IS NULL"),
        ):
            op.create_index(
                _of(kind, of),
                "cases",
                [*first, *by, "id"],
                sqlite_where=sa.text(rule),
                postgresql_where=sa.text(rule),
            )
    if op.get_bind().dialect.name == "sqlite":
        _make_table_of_names()
    else:
        _make_index_of_trigrams()


def downgrade() -> None:
    """Drop them, and make what stood in their place."""
    if op.get_bind().dialect.name == "sqlite":
        for verb in KEPT_IN_STEP:
            op.execute(f"DROP TRIGGER {NAMES}_hear_of_{verb}")
        op.execute(f"DROP TABLE {NAMES}")
    else:
        op.execute(f"DROP INDEX IF EXISTS {TRIGRAMS}")
    for of in ("", "site", "holder_id"):
        op.drop_index(_of("signed", of), "cases")
        op.drop_index(_of("unsigned", of), "cases")
    for column in OF_CASES:
        op.drop_index(f"ix_cases_{column}", "cases")
    op.drop_index("ix_series_modality_of_site", "series")
    op.drop_index("ix_studies_newest_of_site", "studies")
    op.drop_index("ix_patients_site_name", "patients")
    for column in ("name_fold", *GROUPS):
        op.drop_index(f"ix_patients_{column}", "patients")
        op.create_index(
            f"ix_patients_{column}",
            "patients",
            [column],
            postgresql_ops={column: "text_pattern_ops"},
        )


def _of(what: str, of: str) -> str:
    return f"ix_cases_{what}" + (f"_of_{of}" if of else "")


def _make_table_of_names() -> None:
    """FTS5 keeps where each three letters stand; the names themselves stay in `patients` only."""
    op.execute(
        f"CREATE VIRTUAL TABLE {NAMES} USING fts5(name_fold, content='patients', "
        "content_rowid='pk', tokenize='trigram case_sensitive 1', detail=none, columnsize=0)"
    )
    op.execute("INSERT INTO patient_names(patient_names) VALUES ('rebuild')")
    for verb, (event, when, act) in KEPT_IN_STEP.items():
        op.execute(
            f"CREATE TRIGGER {NAMES}_hear_of_{verb} AFTER {event} ON patients {when} "
            f"BEGIN {act} END"
        )


def _make_index_of_trigrams() -> None:
    """Where the server has no `pg_trgm`, or not for us, names are searched without it."""
    bind = op.get_bind()
    known = sa.text("SELECT 1 FROM pg_available_extensions WHERE name = 'pg_trgm'")
    if bind.execute(known).first() is None:
        return
    try:
        with bind.begin_nested():
            op.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
    except sa.exc.ProgrammingError:  # the owner of a database may, another user may not
        return
    op.execute(f"CREATE INDEX {TRIGRAMS} ON patients USING gin (name_fold gin_trgm_ops)")
