"""The tables of erasure: what was erased, what is under way, legal holds, retention rules.

No queries. A tombstone (`erasures`) holds marks and counts and nobody's name. What an erasure still
has to do stands in tables of its own, which are empty once it is finished.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from storage.tables import BigKey, UtcDateTime, metadata

erasures = Table(
    "erasures",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("finished_at", UtcDateTime),
    Column("not_before", UtcDateTime),
    Column("waits_for", Text, nullable=False, server_default=""),
    Column("tombstone", JSON, nullable=False),
    CheckConstraint(
        "kind IN ('study', 'patient', 'retention')",
        name="an_erasure_is_of_a_study_a_patient_or_by_a_rule",
    ),
    CheckConstraint(
        "state IN ('erasing', 'cleaning', 'done')",
        name="an_erasure_is_erasing_cleaning_or_done",
    ),
    CheckConstraint(
        "(state = 'done') = (finished_at IS NOT NULL)",
        name="an_erasure_that_is_done_has_its_time",
    ),
)
Index("ix_erasures_at", erasures.c.at)
Index(
    "ix_erasures_unfinished",
    erasures.c.at,
    sqlite_where=text("state <> 'done'"),
    postgresql_where=text("state <> 'done'"),
)

erased_cases = Table(
    "erased_cases",
    metadata,
    Column("case_id", String(16), primary_key=True),
    Column("erasure_id", ForeignKey("erasures.id"), nullable=False),
)
"""Numbers of cases that are gone: they are not given again, and their reports may be deleted."""

erasing_instances = Table(
    "erasing_instances",
    metadata,
    Column("instance_pk", BigInteger, primary_key=True, autoincrement=False),
)
"""Instances whose ledger may be deleted: filled and emptied in the transaction that does so."""

erasure_objects = Table(
    "erasure_objects",
    metadata,
    Column("erasure_id", String(32), primary_key=True),
    Column("site", String(32), primary_key=True),
    Column("sop_instance_uid", String(64), primary_key=True),
    Column("sha256", String(64), primary_key=True),
)
"""What a spool is still looked through for."""

erasure_studies = Table(
    "erasure_studies",
    metadata,
    Column("erasure_id", String(32), primary_key=True),
    Column("site", String(32), primary_key=True),
    Column("study_uid", String(64), primary_key=True),
)
"""What is still looked for in files that were cut short, and among what is indexed late."""

erasure_packs = Table(
    "erasure_packs",
    metadata,
    Column("erasure_id", String(32), primary_key=True),
    Column("key", Text, primary_key=True),
)
"""Packs that hold, or have held, something of what is erased; each goes, or is written anew."""
Index("ix_erasure_packs_key", erasure_packs.c.key)

erasure_nodes = Table(
    "erasure_nodes",
    metadata,
    Column("erasure_id", String(32), primary_key=True),
    Column("node", Text, primary_key=True),
)
"""Nodes that have yet to look through their data folder."""

legal_holds = Table(
    "legal_holds",
    metadata,
    Column("id", BigKey, primary_key=True),  # of its entry in the audit: never given again
    Column("site", String(32), nullable=False, server_default=""),
    Column("study_uid", String(64), nullable=False, server_default=""),
    Column("patient_issuer", Text, nullable=False, server_default=""),
    Column("patient_id", Text, nullable=False, server_default=""),
    Column("reason", Text, nullable=False),
    Column("placed_by", Text, nullable=False),
    Column("placed_at", UtcDateTime, nullable=False),
    CheckConstraint(
        "(study_uid <> '') <> (patient_id <> '')", name="a_hold_is_on_one_study_or_one_patient"
    ),
    UniqueConstraint(
        "site", "study_uid", "patient_issuer", "patient_id", name="a_thing_is_held_once"
    ),
)
"""Legal holds that stand; one that is lifted is gone, and the audit tells of it."""

retention_rules = Table(
    "retention_rules",
    metadata,
    Column("id", BigKey, primary_key=True),
    Column("site", ForeignKey("sites.slug"), nullable=False),
    Column("modality", String(16), nullable=False, server_default=""),
    Column("keep_days", Integer, nullable=False),
    Column("since", String(16), nullable=False),
    Column("set_by", Text, nullable=False),
    Column("set_at", UtcDateTime, nullable=False),
    CheckConstraint("keep_days > 0", name="a_rule_keeps_for_some_days"),
    CheckConstraint(
        "since IN ('received', 'closed')",
        name="a_rule_counts_since_receipt_or_since_the_case_was_closed",
    ),
    UniqueConstraint("site", "modality", name="a_site_has_one_rule_for_a_modality"),
)
