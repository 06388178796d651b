"""The index: patients, studies, series, instances, packs, segments and the custody ledger."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.String(27)


def upgrade() -> None:
    """Make the tables of an empty database."""
    _patients()
    _studies()
    _series()
    _instances()
    _packs()
    _segments()
    _custody()
    _custody_only_grows()


def _patients() -> None:
    op.create_table(
        "patients",
        sa.Column("pk", KEY, nullable=False),
        sa.Column("site", sa.String(length=32), nullable=False),
        sa.Column("issuer", sa.Text(), nullable=False),
        sa.Column("patient_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), server_default="", nullable=False),
        sa.Column("name_fold", sa.Text(), server_default="", nullable=False),
        sa.Column("ideographic_fold", sa.Text(), server_default="", nullable=False),
        sa.Column("phonetic_fold", sa.Text(), server_default="", nullable=False),
        sa.Column("birth_date", sa.String(length=8), server_default="", nullable=False),
        sa.Column("sex", sa.String(length=16), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("pk", name="patients_key"),
        sa.UniqueConstraint(
            "site", "issuer", "patient_id", name="a_number_of_an_issuer_is_one_patient_of_a_site"
        ),
    )
    op.create_index("ix_patients_birth_date", "patients", ["birth_date"])
    op.create_index(
        "ix_patients_ideographic_fold",
        "patients",
        ["ideographic_fold"],
        postgresql_ops={"ideographic_fold": "text_pattern_ops"},
    )
    op.create_index(
        "ix_patients_name_fold",
        "patients",
        ["name_fold"],
        postgresql_ops={"name_fold": "text_pattern_ops"},
    )
    op.create_index(
        "ix_patients_patient_id",
        "patients",
        ["patient_id"],
        postgresql_ops={"patient_id": "text_pattern_ops"},
    )
    op.create_index(
        "ix_patients_phonetic_fold",
        "patients",
        ["phonetic_fold"],
        postgresql_ops={"phonetic_fold": "text_pattern_ops"},
    )


def _studies() -> None:
    op.create_table(
        "studies",
        sa.Column("pk", KEY, nullable=False),
        sa.Column("site", sa.String(length=32), nullable=False),
        sa.Column("study_uid", sa.String(length=64), nullable=False),
        sa.Column("patient_pk", KEY, nullable=False),
        sa.Column("case_id", sa.String(length=16), nullable=True),
        sa.Column("study_date", sa.String(length=8), server_default="", nullable=False),
        sa.Column("study_time", sa.String(length=13), server_default="", nullable=False),
        sa.Column("accession_number", sa.Text(), server_default="", nullable=False),
        sa.Column("study_id", sa.Text(), server_default="", nullable=False),
        sa.Column("description", sa.Text(), server_default="", nullable=False),
        sa.Column("referrer_fold", sa.Text(), server_default="", nullable=False),
        sa.Column("modalities", sa.Text(), server_default="", nullable=False),
        sa.Column("series_count", sa.Integer(), server_default="0", nullable=False),
        sa.Column("instance_count", sa.Integer(), server_default="0", nullable=False),
        sa.Column("completeness", sa.String(length=16), server_default="arriving", nullable=False),
        sa.Column("first_received_at", TIME, nullable=False),
        sa.Column("last_received_at", TIME, nullable=False),
        sa.Column("attributes", sa.JSON(), nullable=False),
        sa.CheckConstraint(
            "completeness IN ('arriving', 'complete', 'presumed')",
            name="a_study_is_arriving_complete_or_presumed_so",
        ),
        sa.ForeignKeyConstraint(
            ["patient_pk"], ["patients.pk"], name="studies_patient_pk_is_of_patients"
        ),
        sa.PrimaryKeyConstraint("pk", name="studies_key"),
        sa.UniqueConstraint("site", "study_uid", name="a_study_uid_is_one_study_of_a_site"),
    )
    op.create_index(
        "ix_studies_accession_number",
        "studies",
        ["accession_number"],
        postgresql_ops={"accession_number": "text_pattern_ops"},
    )
    op.create_index("ix_studies_case_id", "studies", ["case_id"])
    op.create_index("ix_studies_newest", "studies", ["study_date", "study_time", "pk"])
    op.create_index("ix_studies_patient_pk", "studies", ["patient_pk"])
    op.create_index("ix_studies_counted", "studies", ["instance_count", "series_count"])
    op.create_index("ix_studies_last_heard", "studies", ["site", "last_received_at"])
    op.create_index("ix_studies_quiet", "studies", ["completeness", "last_received_at"])
    op.create_index(
        "ix_studies_referrer_fold",
        "studies",
        ["referrer_fold"],
        postgresql_ops={"referrer_fold": "text_pattern_ops"},
    )
    op.create_index(
        "ix_studies_study_id",
        "studies",
        ["study_id"],
        postgresql_ops={"study_id": "text_pattern_ops"},
    )
    op.create_index(
        "ix_studies_study_uid",
        "studies",
        ["study_uid"],
        postgresql_ops={"study_uid": "text_pattern_ops"},
    )


def _series() -> None:
    op.create_table(
        "series",
        sa.Column("pk", KEY, nullable=False),
        sa.Column("site", sa.String(length=32), nullable=False),
        sa.Column("series_uid", sa.String(length=64), nullable=False),
        sa.Column("study_pk", KEY, nullable=False),
        sa.Column("modality", sa.Text(), server_default="", nullable=False),
        sa.Column("number", sa.Integer(), nullable=True),
        sa.Column("description", sa.Text(), server_default="", nullable=False),
        sa.Column("body_part", sa.Text(), server_default="", nullable=False),
        sa.Column("laterality", sa.Text(), server_default="", nullable=False),
        sa.Column("instance_count", sa.Integer(), server_default="0", nullable=False),
        sa.Column("first_received_at", TIME, nullable=False),
        sa.Column("last_received_at", TIME, nullable=False),
        sa.Column("attributes", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["study_pk"], ["studies.pk"], name="series_study_pk_is_of_studies"),
        sa.PrimaryKeyConstraint("pk", name="series_key"),
        sa.UniqueConstraint(
            "site", "study_pk", "series_uid", name="a_series_uid_is_one_series_of_a_study"
        ),
    )
    op.create_index("ix_series_modality", "series", ["modality", "study_pk"])
    op.create_index(
        "ix_series_series_uid",
        "series",
        ["series_uid"],
        postgresql_ops={"series_uid": "text_pattern_ops"},
    )
    op.create_index("ix_series_study_pk", "series", ["study_pk", "modality"])


def _instances() -> None:
    op.create_table(
        "instances",
        sa.Column("pk", KEY, nullable=False),
        sa.Column("site", sa.String(length=32), nullable=False),
        sa.Column("sop_instance_uid", sa.String(length=64), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("study_uid", sa.String(length=64), nullable=False),
        sa.Column("series_uid", sa.String(length=64), nullable=False),
        sa.Column("series_pk", KEY, nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("conflict", sa.String(length=16), server_default="", nullable=False),
        sa.Column("settled_at", TIME, nullable=True),
        sa.Column("settled_by", sa.Text(), server_default="", nullable=False),
        sa.Column("sop_class_uid", sa.String(length=64), nullable=False),
        sa.Column("transfer_syntax_uid", sa.String(length=64), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=True),
        sa.Column("rows", sa.Integer(), nullable=True),
        sa.Column("columns", sa.Integer(), nullable=True),
        sa.Column("frames", sa.Integer(), nullable=True),
        sa.Column("attributes", sa.JSON(), nullable=False),
        sa.Column("pixel", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("location", sa.String(length=8), nullable=False),
        sa.Column("container", sa.Text(), nullable=False),
        sa.Column("offset", sa.BigInteger(), nullable=False),
        sa.Column("length", sa.BigInteger(), nullable=False),
        sa.Column("dataset_offset", sa.Integer(), nullable=False),
        sa.Column("received_at", TIME, nullable=False),
        sa.CheckConstraint(
            "(state = 'current') = (series_pk IS NOT NULL)",
            name="current_instances_stand_in_a_series",
        ),
        sa.CheckConstraint(
            "location IN ('spool', 'pack')", name="an_instance_lies_in_the_spool_or_a_pack"
        ),
        sa.CheckConstraint(
            "state IN ('current', 'quarantined')", name="an_instance_is_current_or_quarantined"
        ),
        sa.ForeignKeyConstraint(
            ["series_pk"], ["series.pk"], name="instances_series_pk_is_of_series"
        ),
        sa.PrimaryKeyConstraint("pk", name="instances_key"),
        sa.UniqueConstraint(
            "site", "sop_instance_uid", "sha256", name="the_same_bytes_from_a_site_are_one_instance"
        ),
    )
    op.create_index("ix_instances_container", "instances", ["location", "container"])
    op.create_index("ix_instances_series_pk", "instances", ["series_pk", "number"])
    op.create_index(
        "ix_instances_sop_instance_uid",
        "instances",
        ["sop_instance_uid"],
        postgresql_ops={"sop_instance_uid": "text_pattern_ops"},
    )
    op.create_index(
        "ix_instances_spooled_series",
        "instances",
        ["site", "study_uid", "series_uid", "received_at"],
        sqlite_where=sa.text("location = 'spool'"),
        postgresql_where=sa.text("location = 'spool'"),
    )
    op.create_index(
        "ix_instances_unsettled",
        "instances",
        ["pk"],
        sqlite_where=sa.text("state = 'quarantined' AND settled_at IS NULL"),
        postgresql_where=sa.text("state = 'quarantined' AND settled_at IS NULL"),
    )
    op.create_index(
        "one_current_instance_for_each_uid_of_a_site",
        "instances",
        ["site", "sop_instance_uid"],
        unique=True,
        sqlite_where=sa.text("state = 'current'"),
        postgresql_where=sa.text("state = 'current'"),
    )


def _packs() -> None:
    op.create_table(
        "packs",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("site", sa.String(length=32), nullable=False),
        sa.Column("study_uid", sa.String(length=64), nullable=False),
        sa.Column("series_uid", sa.String(length=64), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("instance_count", sa.Integer(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("verified_at", TIME, nullable=True),
        sa.PrimaryKeyConstraint("key", name="packs_key"),
    )
    op.create_index("ix_packs_series", "packs", ["site", "study_uid", "series_uid"])


def _segments() -> None:
    op.create_table(
        "segments",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("node", sa.Text(), nullable=False),
        sa.Column("indexed_through", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("sealed", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("state", sa.String(length=16), server_default="open", nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("name", name="segments_key"),
    )
    op.create_index("ix_segments_node", "segments", ["node", "state"])


def _custody() -> None:
    op.create_table(
        "custody",
        sa.Column("pk", KEY, nullable=False),
        sa.Column("instance_pk", KEY, nullable=False),
        sa.Column("event", sa.String(length=16), nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("record", sa.Text(), nullable=True),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["instance_pk"], ["instances.pk"], name="custody_instance_pk_is_of_instances"
        ),
        sa.PrimaryKeyConstraint("pk", name="custody_key"),
        sa.UniqueConstraint("record", "event", name="a_spool_record_enters_the_ledger_once"),
    )
    op.create_index("ix_custody_instance_pk", "custody", ["instance_pk", "pk"])


def _custody_only_grows() -> None:
    """Refuse to change or delete a line of custody, whoever asks."""
    sentence = "lines of custody are never changed or deleted"
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER custody_refuses_{verb.lower()} BEFORE {verb} ON custody"
                f" BEGIN SELECT RAISE(ABORT, '{sentence}'); END"
            )
        return
    op.execute(
        "CREATE FUNCTION custody_only_grows() RETURNS trigger LANGUAGE plpgsql AS"
        f" $$ BEGIN RAISE EXCEPTION '{sentence}'; END $$"
    )
    op.execute(
        "CREATE TRIGGER custody_refuses_change BEFORE UPDATE OR DELETE ON custody"
        " FOR EACH ROW EXECUTE FUNCTION custody_only_grows()"
    )
