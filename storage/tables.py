"""The tables of the index, from patients down to instances and their custody. No queries here.

A constraint's name is the sentence that it keeps true. The casebook's tables stand beside these on
the same `metadata`; the index does not refer to them, so that the store alone can rebuild it.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
)

CURRENT = "current"
QUARANTINED = "quarantined"
SET_ASIDE = "set-aside"
"""The `conflict` of a photograph that its taker took out of a draft: settled, and no rival's."""

IN_SPOOL = "spool"
IN_PACK = "pack"

metadata = MetaData(
    naming_convention={
        "pk": "%(table_name)s_key",
        "fk": "%(table_name)s_%(column_0_name)s_is_of_%(referred_table_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)


class UtcDateTime(TypeDecorator[datetime]):
    """An aware time, kept as UTC text of fixed width, so that the order of text is that of time."""

    impl = String(27)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> str | None:
        """Return the text of an aware time; a naive one is a defect."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"a time without a zone cannot be kept: {value!r}")
        return value.astimezone(UTC).isoformat(timespec="microseconds")[:-6] + "Z"

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """Return the aware time of a text."""
        if value is None:
            return None
        return datetime.fromisoformat(value)


BigKey = BigInteger().with_variant(Integer, "sqlite")
"""A row number; SQLite counts by itself only in a column declared INTEGER."""


def _prefix_index(name: str, *columns: Column[Any]) -> Index:
    """Return an index that also serves `LIKE 'beginning%'` where the collation is not binary."""
    return Index(name, *columns, postgresql_ops={columns[0].name: "text_pattern_ops"})


patients = Table(
    "patients",
    metadata,
    Column("pk", BigKey, primary_key=True),
    Column("site", String(32), nullable=False),
    Column("issuer", Text, nullable=False),
    Column("patient_id", Text, nullable=False),
    Column("name", Text, nullable=False, server_default=""),
    Column("name_fold", Text, nullable=False, server_default=""),
    Column("ideographic_fold", Text, nullable=False, server_default=""),
    Column("phonetic_fold", Text, nullable=False, server_default=""),
    Column("birth_date", String(8), nullable=False, server_default=""),
    Column("sex", String(16), nullable=False, server_default=""),
    UniqueConstraint(
        "site", "issuer", "patient_id", name="a_number_of_an_issuer_is_one_patient_of_a_site"
    ),
)
_prefix_index("ix_patients_patient_id", patients.c.patient_id)
Index("ix_patients_name_fold", patients.c.name_fold, patients.c.pk)
Index("ix_patients_site_name", patients.c.site, patients.c.name_fold, patients.c.pk)
Index(
    "ix_patients_ideographic_fold",
    patients.c.ideographic_fold,
    sqlite_where=text("ideographic_fold <> ''"),
    postgresql_where=text("ideographic_fold <> ''"),
)
Index(
    "ix_patients_phonetic_fold",
    patients.c.phonetic_fold,
    sqlite_where=text("phonetic_fold <> ''"),
    postgresql_where=text("phonetic_fold <> ''"),
)
Index("ix_patients_birth_date", patients.c.birth_date)

studies = Table(
    "studies",
    metadata,
    Column("pk", BigKey, primary_key=True),
    Column("site", String(32), nullable=False),
    Column("study_uid", String(64), nullable=False),
    Column("patient_pk", ForeignKey("patients.pk"), nullable=False),
    Column("case_id", String(16)),
    Column("study_date", String(8), nullable=False, server_default=""),
    Column("study_time", String(13), nullable=False, server_default=""),
    Column("accession_number", Text, nullable=False, server_default=""),
    Column("study_id", Text, nullable=False, server_default=""),
    Column("description", Text, nullable=False, server_default=""),
    Column("referrer_fold", Text, nullable=False, server_default=""),
    Column("modalities", Text, nullable=False, server_default=""),
    Column("series_count", Integer, nullable=False, server_default="0"),
    Column("instance_count", Integer, nullable=False, server_default="0"),
    Column("completeness", String(16), nullable=False, server_default="arriving"),
    Column("completeness_evidence", Text, nullable=False, server_default=""),
    Column("expected_instances", Integer),
    Column("missing_instances", Integer, nullable=False, server_default="0"),
    Column("judged", String(8), nullable=False, server_default=""),
    Column("first_received_at", UtcDateTime, nullable=False),
    Column("last_received_at", UtcDateTime, nullable=False),
    Column("attributes", JSON, nullable=False),
    Column("routed_instances", Integer, nullable=False, server_default="0"),
    Column("routed_as", String(16), nullable=False, server_default=""),
    UniqueConstraint("site", "study_uid", name="a_study_uid_is_one_study_of_a_site"),
    CheckConstraint(
        "completeness IN ('arriving', 'complete', 'presumed')",
        name="a_study_is_arriving_complete_or_presumed_so",
    ),
)
_prefix_index("ix_studies_study_uid", studies.c.study_uid)
_prefix_index("ix_studies_accession_number", studies.c.accession_number)
_prefix_index("ix_studies_study_id", studies.c.study_id)
_prefix_index("ix_studies_referrer_fold", studies.c.referrer_fold)
Index("ix_studies_patient_pk", studies.c.patient_pk)
Index("ix_studies_case_id", studies.c.case_id)
Index("ix_studies_newest", studies.c.study_date, studies.c.study_time, studies.c.pk)
Index(
    "ix_studies_newest_of_site",
    studies.c.site,
    studies.c.study_date,
    studies.c.study_time,
    studies.c.pk,
)
Index("ix_studies_counted", studies.c.instance_count, studies.c.series_count)
Index("ix_studies_last_heard", studies.c.site, studies.c.last_received_at)
Index(
    "ix_studies_to_route",
    studies.c.last_received_at,
    studies.c.pk,
    sqlite_where=text("routed_instances <> instance_count OR routed_as <> completeness"),
    postgresql_where=text("routed_instances <> instance_count OR routed_as <> completeness"),
)
"""Studies that have changed since the routing rules looked at them."""
Index("ix_studies_to_judge", studies.c.completeness, studies.c.judged, studies.c.last_received_at)

series = Table(
    "series",
    metadata,
    Column("pk", BigKey, primary_key=True),
    Column("site", String(32), nullable=False),
    Column("series_uid", String(64), nullable=False),
    Column("study_pk", ForeignKey("studies.pk"), nullable=False),
    Column("modality", Text, nullable=False, server_default=""),
    Column("number", Integer),
    Column("description", Text, nullable=False, server_default=""),
    Column("body_part", Text, nullable=False, server_default=""),
    Column("laterality", Text, nullable=False, server_default=""),
    Column("instance_count", Integer, nullable=False, server_default="0"),
    Column("first_received_at", UtcDateTime, nullable=False),
    Column("last_received_at", UtcDateTime, nullable=False),
    Column("attributes", JSON, nullable=False),
    UniqueConstraint(
        "site", "study_pk", "series_uid", name="a_series_uid_is_one_series_of_a_study"
    ),
)
_prefix_index("ix_series_series_uid", series.c.series_uid)
Index("ix_series_study_pk", series.c.study_pk, series.c.modality)
Index("ix_series_modality", series.c.modality, series.c.study_pk)
Index("ix_series_modality_of_site", series.c.site, series.c.modality, series.c.study_pk)

instances = Table(
    "instances",
    metadata,
    Column("pk", BigKey, primary_key=True),
    Column("site", String(32), nullable=False),
    Column("sop_instance_uid", String(64), nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("study_uid", String(64), nullable=False),
    Column("series_uid", String(64), nullable=False),
    Column("series_pk", ForeignKey("series.pk")),
    Column("state", String(16), nullable=False),
    Column("conflict", String(16), nullable=False, server_default=""),
    Column("settled_at", UtcDateTime),
    Column("settled_by", Text, nullable=False, server_default=""),
    Column("sop_class_uid", String(64), nullable=False),
    Column("transfer_syntax_uid", String(64), nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("number", Integer),
    Column("rows", Integer),
    Column("columns", Integer),
    Column("frames", Integer),
    Column("attributes", JSON, nullable=False),
    Column("pixel", JSON(none_as_null=True)),
    Column("location", String(8), nullable=False),
    Column("container", Text, nullable=False),
    Column("offset", BigInteger, nullable=False),
    Column("length", BigInteger, nullable=False),
    Column("dataset_offset", Integer, nullable=False),
    Column("received_at", UtcDateTime, nullable=False),
    Column("kept_sha256", String(64), nullable=False, server_default=""),
    Column("received", JSON(none_as_null=True)),
    UniqueConstraint(
        "site", "sop_instance_uid", "sha256", name="the_same_bytes_from_a_site_are_one_instance"
    ),
    CheckConstraint(
        "state IN ('current', 'quarantined')", name="an_instance_is_current_or_quarantined"
    ),
    CheckConstraint(
        "(state = 'current') = (series_pk IS NOT NULL)", name="current_instances_stand_in_a_series"
    ),
    CheckConstraint(
        "location IN ('spool', 'pack')", name="an_instance_lies_in_the_spool_or_a_pack"
    ),
)
"""`sha256` is of what was received and never changes; `transfer_syntax_uid`, `size_bytes` and
`pixel` are of what is kept. Where that is another form, `kept_sha256` is its hash, and `received`
says how it came."""
Index(
    "one_current_instance_for_each_uid_of_a_site",
    instances.c.site,
    instances.c.sop_instance_uid,
    unique=True,
    sqlite_where=text("state = 'current'"),
    postgresql_where=text("state = 'current'"),
)
_prefix_index("ix_instances_sop_instance_uid", instances.c.sop_instance_uid)
Index("ix_instances_series_pk", instances.c.series_pk, instances.c.number)
Index("ix_instances_container", instances.c.location, instances.c.container)
Index(
    "ix_instances_spooled_series",
    instances.c.site,
    instances.c.study_uid,
    instances.c.series_uid,
    instances.c.received_at,
    sqlite_where=text("location = 'spool'"),
    postgresql_where=text("location = 'spool'"),
)
Index(
    "ix_instances_unsettled",
    instances.c.pk,
    sqlite_where=text("state = 'quarantined' AND settled_at IS NULL"),
    postgresql_where=text("state = 'quarantined' AND settled_at IS NULL"),
)
Index(
    "ix_instances_quarantined",
    instances.c.site,
    instances.c.study_uid,
    sqlite_where=text("state = 'quarantined'"),
    postgresql_where=text("state = 'quarantined'"),
)

packs = Table(
    "packs",
    metadata,
    Column("key", Text, primary_key=True),
    Column("site", String(32), nullable=False),
    Column("study_uid", String(64), nullable=False),
    Column("series_uid", String(64), nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("instance_count", Integer, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("verified_at", UtcDateTime),
    Column("checked_at", UtcDateTime),
    Column("fault", String(16), nullable=False, server_default=""),
    Column("faulty_instances", Integer, nullable=False, server_default="0"),
)
"""A pack is verified when it is put and checked from then on; without a time it never was."""
Index("ix_packs_series", packs.c.site, packs.c.study_uid, packs.c.series_uid)
Index("ix_packs_checked_at", packs.c.checked_at)
Index("ix_packs_created_at", packs.c.created_at)
Index(
    "ix_packs_at_fault",
    packs.c.key,
    sqlite_where=text("fault <> ''"),
    postgresql_where=text("fault <> ''"),
)

copies = Table(
    "copies",
    metadata,
    Column("pk", BigKey, primary_key=True),
    Column("site", String(32), nullable=False),
    Column("sop_instance_uid", String(64), nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("container", Text, nullable=False),
    Column("offset", BigInteger, nullable=False),
    Column("length", BigInteger, nullable=False),
    Column("dataset_offset", Integer, nullable=False),
    Column("verified_at", UtcDateTime, nullable=False),
    Column("superseded_at", UtcDateTime),
    Column("kept_sha256", String(64), nullable=False, server_default=""),
    UniqueConstraint(
        "site",
        "sop_instance_uid",
        "sha256",
        "container",
        name="an_object_has_one_copy_in_a_pack",
    ),
)
Index("ix_copies_container", copies.c.container, copies.c.superseded_at)

recompressions = Table(
    "recompressions",
    metadata,
    Column("site", String(32), primary_key=True),
    Column("outcome", String(24), primary_key=True),
    Column("instances", BigInteger, nullable=False, server_default="0"),
    Column("received_bytes", BigInteger, nullable=False, server_default="0"),
    Column("kept_bytes", BigInteger, nullable=False, server_default="0"),
)
"""What became of the objects of sites that have them recompressed: the form, or why none."""

pack_intents = Table(
    "pack_intents",
    metadata,
    Column("key", Text, primary_key=True),
    Column("node", Text, nullable=False),
    Column("kind", String(8), nullable=False),
    Column("site", String(32), nullable=False),
    Column("study_uid", String(64), nullable=False),
    Column("series_uid", String(64), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("orphaned_at", UtcDateTime),
    CheckConstraint("kind IN ('series', 'copy')", name="a_pack_is_of_a_series_or_a_copy"),
)
Index("ix_pack_intents_node", pack_intents.c.node, pack_intents.c.orphaned_at)

segments = Table(
    "segments",
    metadata,
    Column("name", Text, primary_key=True),
    Column("node", Text, nullable=False),
    Column("indexed_through", BigInteger, nullable=False, server_default="0"),
    Column(
        "sealed", Boolean(create_constraint=False), nullable=False, server_default=text("false")
    ),
    Column("state", String(16), nullable=False, server_default="open"),
    Column("created_at", UtcDateTime, nullable=False),
)
Index("ix_segments_node", segments.c.node, segments.c.state)

nodes = Table(
    "nodes",
    metadata,
    Column("name", Text, primary_key=True),
    Column("folder_id", String(32), nullable=False),
    Column("address", Text, nullable=False, server_default=""),
    Column("started_at", UtcDateTime, nullable=False),
    Column("heard_at", UtcDateTime),
    Column("kinds", Text, nullable=False, server_default=""),
    Column("version", Text, nullable=False, server_default=""),
    Column("left_at", UtcDateTime),
    Column("spool_instances", Integer, nullable=False, server_default="0"),
    Column("spool_bytes", BigInteger, nullable=False, server_default="0"),
    Column("spool_oldest_at", UtcDateTime),
    Column("drain_s", Float),
    UniqueConstraint("folder_id", name="a_data_folder_is_one_node"),
)
"""Who writes to which spool; `segments` and `pack_intents` name their node."""

turns = Table(
    "turns",
    metadata,
    Column("work", String(32), primary_key=True),
    Column("holder", String(32), nullable=False),
    Column("until", UtcDateTime, nullable=False),
)
"""Who does the work that one process does for all, and until when it is theirs."""

custody = Table(
    "custody",
    metadata,
    Column("pk", BigKey, primary_key=True),
    Column("instance_pk", ForeignKey("instances.pk"), nullable=False),
    Column("event", String(16), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("record", Text),
    Column("detail", JSON, nullable=False),
    UniqueConstraint("record", "event", name="a_spool_record_enters_the_ledger_once"),
)
Index("ix_custody_instance_pk", custody.c.instance_pk, custody.c.pk)

completeness_evidence = Table(
    "completeness_evidence",
    metadata,
    Column("site", String(32), primary_key=True),
    Column("study_uid", String(64), primary_key=True),
    Column("kind", String(16), primary_key=True),
    Column("source", String(255), primary_key=True),
    Column("expected_instances", Integer),
    Column("expected_uids", JSON(none_as_null=True)),
    Column("at", UtcDateTime, nullable=False),
    CheckConstraint(
        "kind IN ('counts', 'mpps', 'commitment', 'sender')",
        name="evidence_is_of_a_kind_that_is_known",
    ),
    CheckConstraint(
        "expected_instances IS NOT NULL OR expected_uids IS NOT NULL",
        name="evidence_says_how_many_or_which",
    ),
)
"""What was said of a study; it may be here before the first instance is, so it names no row."""

sender_questions = Table(
    "sender_questions",
    metadata,
    Column("site", String(32), primary_key=True),
    Column("study_uid", String(64), primary_key=True),
    Column("ae", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("next_attempt_at", UtcDateTime, nullable=False),
    Column("last_error", Text, nullable=False, server_default=""),
    CheckConstraint(
        "state IN ('open', 'answered', 'given-up')",
        name="a_question_is_open_answered_or_given_up",
    ),
)
"""Studies whose sender is asked how much there is of them."""
Index("ix_sender_questions_due", sender_questions.c.state, sender_questions.c.next_attempt_at)

performed_steps = Table(
    "performed_steps",
    metadata,
    Column("site", String(32), primary_key=True),
    Column("sop_instance_uid", String(64), primary_key=True),
    Column("ae", String(16), nullable=False),
    Column("status", String(16), nullable=False),
    Column("study_uids", JSON, nullable=False),
    Column("started", Text, nullable=False, server_default=""),
    Column("ended", Text, nullable=False, server_default=""),
    Column("references", JSON, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    CheckConstraint(
        "status IN ('IN PROGRESS', 'COMPLETED', 'DISCONTINUED')",
        name="a_step_is_in_progress_completed_or_discontinued",
    ),
)
"""Modality performed procedure steps (PS3.4 annex F), as their modality has told of them."""

rebuild_runs = Table(
    "rebuild_runs",
    metadata,
    Column("id", BigKey, primary_key=True),
    Column("backup_key", Text, nullable=False, server_default=""),
    Column("backup_at", UtcDateTime),
    Column("casebook", String(16), nullable=False),
    Column("started_at", UtcDateTime, nullable=False),
    Column("finished_at", UtcDateTime),
    CheckConstraint(
        "casebook IN ('restored', 'left', 'none')",
        name="a_rebuild_restores_the_casebook_leaves_it_or_has_none",
    ),
)
"""Rebuilds of this database from the store; the one without an end goes on where it stopped."""

rebuild_packs = Table(
    "rebuild_packs",
    metadata,
    Column("key", Text, primary_key=True),
    Column("site", String(32), nullable=False, server_default=""),
    Column("study_uid", String(64), nullable=False, server_default=""),
    Column("series_uid", String(64), nullable=False, server_default=""),
    Column("size_bytes", BigInteger, nullable=False),
    Column("instance_count", Integer, nullable=False, server_default="0"),
    Column("first_received_at", UtcDateTime),
    Column("state", String(8), nullable=False),
    Column("reason", Text, nullable=False, server_default=""),
    CheckConstraint(
        "state IN ('found', 'done', 'broken')", name="a_pack_of_a_rebuild_is_found_done_or_broken"
    ),
)
"""The packs of the rebuild that is under way, and how far it is with each."""
Index("ix_rebuild_packs_study", rebuild_packs.c.site, rebuild_packs.c.study_uid)

mirror_objects = Table(
    "mirror_objects",
    metadata,
    Column("key", Text, primary_key=True),
    Column("size_bytes", BigInteger, nullable=False),
    Column("noticed_at", UtcDateTime, nullable=False),
    Column("mirrored_at", UtcDateTime),
    Column("took_s", Float),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("next_attempt_at", UtcDateTime, nullable=False),
    Column("taken_by", Text, nullable=False, server_default=""),
    Column("last_error", Text, nullable=False, server_default=""),
)
"""What the mirror has of the store, or is to have: one row for each pack and each backup."""
Index(
    "ix_mirror_objects_waiting",
    mirror_objects.c.next_attempt_at,
    mirror_objects.c.noticed_at,
    sqlite_where=text("mirrored_at IS NULL"),
    postgresql_where=text("mirrored_at IS NULL"),
)
Index("ix_mirror_objects_mirrored_at", mirror_objects.c.mirrored_at)

mirror_reads = Table(
    "mirror_reads",
    metadata,
    Column("reason", String(16), primary_key=True),
    Column("count", BigInteger, nullable=False),
    Column("last_at", UtcDateTime, nullable=False),
)
"""How often somebody was given bytes from the mirror, and why the store did not have them."""

site_usage = Table(
    "site_usage",
    metadata,
    Column("site", String(32), primary_key=True),
    Column("used_bytes", BigInteger, nullable=False),
    Column("used_instances", BigInteger, nullable=False),
)
"""What the instances of each site add up to; triggers of the migration keep it so."""
