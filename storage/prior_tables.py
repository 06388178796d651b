"""The tables of earlier studies: rules, nodes that are asked, what they told, what is fetched.

No queries. A question is of one case to one node; a fetch is of one study, whoever wanted it.
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
)

from storage import casebook_tables as _casebook_tables  # noqa: F401 - `cases` is referred to
from storage.tables import BigKey, UtcDateTime, metadata

prior_rules = Table(
    "prior_rules",
    metadata,
    Column("id", BigKey, primary_key=True),
    Column("site", String(32), nullable=False, server_default=""),
    Column("modality", String(16), nullable=False, server_default=""),
    Column("body_part", Text, nullable=False, server_default=""),
    Column("nodes", JSON, nullable=False),
    Column("years", Integer, nullable=False),
    Column("modalities", JSON, nullable=False),
    Column("most_studies", Integer, nullable=False),
    Column("most_images", Integer),
    Column("most_bytes", BigInteger),
    Column("large_images", Integer),
    Column("from_hour", Integer, nullable=False, server_default="0"),
    Column("to_hour", Integer, nullable=False, server_default="0"),
    Column("created_at", UtcDateTime, nullable=False),
    CheckConstraint(
        "from_hour BETWEEN 0 AND 23 AND to_hour BETWEEN 0 AND 23",
        name="the_hours_of_a_rule_are_of_one_day",
    ),
)

prior_questions = Table(
    "prior_questions",
    metadata,
    Column("id", BigKey, primary_key=True),
    Column("case_id", ForeignKey("cases.id"), nullable=False),
    Column("node", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("next_attempt_at", UtcDateTime),
    Column("leased_until", UtcDateTime),
    Column("last_error", Text, nullable=False, server_default=""),
    Column("mismatched", Integer, nullable=False, server_default="0"),
    Column("created_at", UtcDateTime, nullable=False),
    Column("over_at", UtcDateTime),
    UniqueConstraint("case_id", "node", name="a_case_asks_a_node_once_for_earlier_studies"),
    CheckConstraint(
        "state IN ('queued', 'done', 'dead', 'skipped')",
        name="a_question_for_earlier_studies_is_queued_done_dead_or_skipped",
    ),
    CheckConstraint(
        "(state = 'queued') = (next_attempt_at IS NOT NULL)",
        name="a_queued_question_has_the_time_of_its_next_attempt",
    ),
)
"""`mismatched` answers were of another person: they are counted, and nothing of them is kept."""
Index("ix_prior_questions_due", prior_questions.c.state, prior_questions.c.next_attempt_at)

prior_answers = Table(
    "prior_answers",
    metadata,
    Column("question_id", ForeignKey("prior_questions.id"), primary_key=True),
    Column("study_uid", String(64), primary_key=True),
    Column("site", String(32), nullable=False),
    Column("ordinal", Integer, nullable=False),
    Column("study_date", String(8), nullable=False, server_default=""),
    Column("modalities", Text, nullable=False, server_default=""),
    Column("description", Text, nullable=False, server_default=""),
    Column("images", Integer),
    Column("refusal", String(24), nullable=False, server_default=""),
)
"""What a node told of the patient's studies; `site` is the node's, `refusal` empty: fetched."""
Index("ix_prior_answers_study", prior_answers.c.site, prior_answers.c.study_uid)

prior_fetches = Table(
    "prior_fetches",
    metadata,
    Column("id", BigKey, primary_key=True),
    Column("site", String(32), nullable=False),
    Column("study_uid", String(64), nullable=False),
    Column("node", String(16), nullable=False),
    Column("patient_issuer", Text, nullable=False),
    Column("patient_id", Text, nullable=False),
    Column("expected_instances", Integer),
    Column("modalities", Text, nullable=False, server_default=""),
    Column("from_hour", Integer, nullable=False, server_default="0"),
    Column("to_hour", Integer, nullable=False, server_default="0"),
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("next_attempt_at", UtcDateTime),
    Column("leased_until", UtcDateTime),
    Column("moving_from", UtcDateTime),
    Column("moving_until", UtcDateTime),
    Column("last_error", Text, nullable=False, server_default=""),
    Column("created_at", UtcDateTime, nullable=False),
    Column("over_at", UtcDateTime),
    UniqueConstraint("site", "study_uid", name="a_study_of_a_site_is_fetched_once_at_a_time"),
    CheckConstraint("state IN ('queued', 'done', 'dead')", name="a_fetch_is_queued_done_or_dead"),
    CheckConstraint(
        "(state = 'queued') = (next_attempt_at IS NOT NULL)",
        name="a_queued_fetch_has_the_time_of_its_next_attempt",
    ),
)
"""Studies that are fetched as earlier ones, and so are no cases; between `moving_from` and
`moving_until` the node was sending them to us by C-MOVE. The hours are those of large ones."""
Index("ix_prior_fetches_due", prior_fetches.c.state, prior_fetches.c.next_attempt_at)
