"""The casebook: who takes part, cases, queues; and reports and audit, which only grow."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.String(27)
APPEND_ONLY = ("reports", "audit")
GENESIS = "0" * 64


def upgrade() -> None:
    """Make the casebook's tables beside those of the index."""
    _people()
    _cases()
    _conversation()
    _queues()
    _audit()
    for table in APPEND_ONLY:
        _only_grows(table)


def _people() -> None:
    op.create_table(
        "sites",
        sa.Column("slug", sa.String(length=32), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("issuer", sa.Text(), server_default="", nullable=False),
        sa.CheckConstraint(
            "kind IN ('hospital', 'gp', 'centre')", name="a_site_is_a_hospital_a_gp_or_a_centre"
        ),
        sa.PrimaryKeyConstraint("slug", name="sites_key"),
    )
    op.create_table(
        "aes",
        sa.Column("title", sa.String(length=16), nullable=False),
        sa.Column("site", sa.String(length=32), nullable=False),
        sa.Column("host", sa.Text(), server_default="", nullable=False),
        sa.Column("port", sa.Integer(), server_default="0", nullable=False),
        sa.Column("permissions", sa.JSON(), nullable=False),
        sa.Column("tls_only", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.ForeignKeyConstraint(["site"], ["sites.slug"], name="aes_site_is_of_sites"),
        sa.PrimaryKeyConstraint("title", name="aes_key"),
    )
    op.create_index("ix_aes_site", "aes", ["site"])
    op.create_table(
        "users",
        sa.Column("id", KEY, nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("site", sa.String(length=32), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("disabled_at", TIME, nullable=True),
        sa.CheckConstraint(
            "role IN ('referrer', 'radiologist', 'dermatologist', 'coordinator', 'admin')",
            name="a_person_has_a_role_that_is_known",
        ),
        sa.ForeignKeyConstraint(["site"], ["sites.slug"], name="users_site_is_of_sites"),
        sa.PrimaryKeyConstraint("id", name="users_key"),
        sa.UniqueConstraint("email", name="an_address_is_one_person"),
    )
    op.create_table(
        "sessions",
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("user_id", KEY, nullable=False),
        sa.Column("opened_at", TIME, nullable=False),
        sa.Column("seen_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="sessions_user_id_is_of_users"),
        sa.PrimaryKeyConstraint("token_hash", name="sessions_key"),
    )
    op.create_index("ix_sessions_user_id", "sessions", ["user_id"])
    op.create_table(
        "tokens",
        sa.Column("id", KEY, nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("user_id", KEY, nullable=False),
        sa.Column("name", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.Column("seen_at", TIME, nullable=True),
        sa.Column("revoked_at", TIME, nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="tokens_user_id_is_of_users"),
        sa.PrimaryKeyConstraint("id", name="tokens_key"),
        sa.UniqueConstraint("token_hash", name="a_token_is_given_once"),
    )
    op.create_table(
        "sign_in_failures",
        sa.Column("key_hash", sa.String(length=64), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("last_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("key_hash", name="sign_in_failures_key"),
    )
    op.create_index("ix_sign_in_failures_last_at", "sign_in_failures", ["last_at"])


def _cases() -> None:
    op.create_table(
        "cases",
        sa.Column("id", sa.String(length=16), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("specialty", sa.String(length=16), nullable=False),
        sa.Column("priority", sa.String(length=16), nullable=False),
        sa.Column("site", sa.String(length=32), nullable=False),
        sa.Column("patient_id", sa.Text(), nullable=False),
        sa.Column("patient_issuer", sa.Text(), server_default="", nullable=False),
        sa.Column("patient_name", sa.Text(), server_default="", nullable=False),
        sa.Column("patient_name_fold", sa.Text(), server_default="", nullable=False),
        sa.Column("patient_birth_date", sa.Date(), nullable=True),
        sa.Column("patient_sex", sa.String(length=16), server_default="", nullable=False),
        sa.Column("question", sa.Text(), server_default="", nullable=False),
        sa.Column("clinical", sa.JSON(), nullable=False),
        sa.Column("consent", sa.JSON(), nullable=False),
        sa.Column("referrer", sa.Text(), server_default="", nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("submitted_at", TIME, nullable=True),
        sa.Column("due_at", TIME, nullable=True),
        sa.Column("paused_at", TIME, nullable=True),
        sa.Column("holder_id", sa.Text(), server_default="", nullable=False),
        sa.Column("holder_name", sa.Text(), server_default="", nullable=False),
        sa.Column("claimed_at", TIME, nullable=True),
        sa.Column("signed_at", TIME, nullable=True),
        sa.Column("read_at", TIME, nullable=True),
        sa.Column("closed_at", TIME, nullable=True),
        sa.Column("waiting_reason", sa.Text(), server_default="", nullable=False),
        sa.Column("draft", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("draft_by", sa.Text(), server_default="", nullable=False),
        sa.Column("draft_version", sa.Integer(), server_default="0", nullable=False),
        sa.Column("report_version", sa.Integer(), server_default="0", nullable=False),
        sa.Column(
            "changed_since_report", sa.Boolean(), server_default=sa.text("false"), nullable=False
        ),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.CheckConstraint(
            "priority IN ('routine', 'urgent', 'asap', 'stat')",
            name="a_case_has_a_priority_that_is_known",
        ),
        sa.CheckConstraint(
            "specialty IN ('radiology', 'dermatology')",
            name="a_case_asks_a_specialty_that_is_known",
        ),
        sa.CheckConstraint(
            "state IN ('draft', 'submitted', 'claimed', 'waiting', 'reported', 'signed', "
            "'delivered', 'read', 'closed', 'withdrawn', 'declined')",
            name="a_case_is_in_a_state_that_is_known",
        ),
        sa.CheckConstraint(
            "state NOT IN ('claimed', 'waiting', 'reported') OR holder_id <> ''",
            name="a_claimed_case_has_a_holder",
        ),
        sa.CheckConstraint(
            "state NOT IN ('draft', 'submitted') OR holder_id = ''",
            name="a_case_in_the_pool_has_no_holder",
        ),
        sa.CheckConstraint(
            "state NOT IN ('signed', 'delivered', 'read') OR report_version > 0",
            name="a_signed_case_has_a_report",
        ),
        sa.ForeignKeyConstraint(["site"], ["sites.slug"], name="cases_site_is_of_sites"),
        sa.PrimaryKeyConstraint("id", name="cases_key"),
    )
    op.create_index("ix_cases_patient", "cases", ["site", "patient_issuer", "patient_id"])
    op.create_index("ix_cases_site", "cases", ["site", "state"])
    op.create_index("ix_cases_state", "cases", ["state", "due_at"])
    op.create_table(
        "case_studies",
        sa.Column("site", sa.String(length=32), nullable=False),
        sa.Column("study_uid", sa.String(length=64), nullable=False),
        sa.Column("case_id", sa.String(length=16), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name="case_studies_case_id_is_of_cases"),
        sa.PrimaryKeyConstraint("site", "study_uid", name="case_studies_key"),
    )
    op.create_index("ix_case_studies_case_id", "case_studies", ["case_id"])
    op.create_table(
        "captures",
        sa.Column("case_id", sa.String(length=16), nullable=False),
        sa.Column("capture_id", sa.String(length=64), nullable=False),
        sa.Column("sop_instance_uid", sa.String(length=64), nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name="captures_case_id_is_of_cases"),
        sa.PrimaryKeyConstraint("case_id", "capture_id", name="captures_key"),
    )
    op.create_table(
        "lesions",
        sa.Column("site", sa.String(length=32), nullable=False),
        sa.Column("patient_issuer", sa.Text(), nullable=False),
        sa.Column("patient_id", sa.Text(), nullable=False),
        sa.Column("label", sa.String(length=64), nullable=False),
        sa.Column("uid", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["site"], ["sites.slug"], name="lesions_site_is_of_sites"),
        sa.PrimaryKeyConstraint(
            "site", "patient_issuer", "patient_id", "label", name="lesions_key"
        ),
        sa.UniqueConstraint("uid", name="a_lesion_uid_is_one_lesion"),
    )


def _conversation() -> None:
    op.create_table(
        "messages",
        sa.Column("id", KEY, nullable=False),
        sa.Column("case_id", sa.String(length=16), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("author_id", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.CheckConstraint(
            "kind IN ('question', 'answer', 'note', 'decline', 'withdraw')",
            name="a_message_is_of_a_kind_that_is_known",
        ),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name="messages_case_id_is_of_cases"),
        sa.PrimaryKeyConstraint("id", name="messages_key"),
    )
    op.create_index("ix_messages_case_id", "messages", ["case_id", "id"])
    op.create_table(
        "reports",
        sa.Column("case_id", sa.String(length=16), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("uid", sa.String(length=64), nullable=False),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("signed_by", sa.Text(), nullable=False),
        sa.Column("signed_by_id", sa.Text(), nullable=False),
        sa.Column("signed_at", TIME, nullable=False),
        sa.CheckConstraint(
            "(version = 1) = (kind = 'original')",
            name="the_first_version_of_a_report_is_the_original",
        ),
        sa.CheckConstraint(
            "kind IN ('original', 'addendum', 'correction')",
            name="a_report_is_original_addendum_or_correction",
        ),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name="reports_case_id_is_of_cases"),
        sa.PrimaryKeyConstraint("case_id", "version", name="reports_key"),
        sa.UniqueConstraint("uid", name="a_report_uid_is_one_version_of_one_report"),
    )
    op.create_index("ix_reports_signed_at", "reports", ["signed_at"])


def _queues() -> None:
    op.create_table(
        "jobs",
        sa.Column("id", KEY, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("case_id", sa.String(length=16), nullable=True),
        sa.Column("report_version", sa.Integer(), nullable=True),
        sa.Column("channel", sa.String(length=16), server_default="", nullable=False),
        sa.Column("study_uid", sa.String(length=64), server_default="", nullable=False),
        sa.Column("site", sa.String(length=32), nullable=False),
        sa.Column("destination", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("next_attempt_at", TIME, nullable=True),
        sa.Column("leased_until", TIME, nullable=True),
        sa.Column("last_error", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("done_at", TIME, nullable=True),
        sa.CheckConstraint(
            "(kind = 'delivery') = (case_id IS NOT NULL)", name="a_delivery_is_of_a_case"
        ),
        sa.CheckConstraint(
            "(state = 'queued') = (next_attempt_at IS NOT NULL)",
            name="a_queued_job_has_the_time_of_its_next_attempt",
        ),
        sa.CheckConstraint(
            "channel IN ('', 'inbox', 'study', 'ae')",
            name="a_reply_goes_by_a_channel_that_is_known",
        ),
        sa.CheckConstraint(
            "kind IN ('delivery', 'send')", name="a_job_delivers_a_reply_or_sends_a_study"
        ),
        sa.CheckConstraint(
            "state IN ('queued', 'done', 'dead')", name="a_job_is_queued_done_or_dead"
        ),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name="jobs_case_id_is_of_cases"),
        sa.PrimaryKeyConstraint("id", name="jobs_key"),
        sa.UniqueConstraint(
            "case_id",
            "report_version",
            "channel",
            "destination",
            name="a_report_goes_once_to_each_destination",
        ),
    )
    op.create_index("ix_jobs_due", "jobs", ["kind", "state", "next_attempt_at"])
    op.create_table(
        "sent_instances",
        sa.Column("job_id", KEY, nullable=False),
        sa.Column("sop_instance_uid", sa.String(length=64), nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="sent_instances_job_id_is_of_jobs"),
        sa.PrimaryKeyConstraint("job_id", "sop_instance_uid", name="sent_instances_key"),
    )


def _audit() -> None:
    op.create_table(
        "audit",
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("actor_id", sa.Text(), nullable=False),
        sa.Column("actor_name", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("case_id", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.Column("previous", sa.String(length=64), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="audit_key"),
        sa.UniqueConstraint("previous", name="the_audit_chain_does_not_fork"),
    )
    op.create_index("ix_audit_case_id", "audit", ["case_id"])
    op.create_table(
        "audit_head",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.CheckConstraint("id = 1", name="the_audit_has_one_head"),
        sa.PrimaryKeyConstraint("id", name="audit_head_key"),
    )
    head = sa.table("audit_head", sa.column("id"), sa.column("seq"), sa.column("hash"))
    op.execute(sa.insert(head).values(id=1, seq=0, hash=GENESIS))


def _only_grows(table: str) -> None:
    """Refuse to change or delete a row, whoever asks."""
    sentence = f"rows of {table} are never changed or deleted"
    if op.get_context().dialect.name == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_refuses_{verb.lower()} BEFORE {verb} ON {table}"
                f" BEGIN SELECT RAISE(ABORT, '{sentence}'); END"
            )
        return
    op.execute(
        f"CREATE FUNCTION {table}_only_grows() RETURNS trigger LANGUAGE plpgsql AS"
        f" $$ BEGIN RAISE EXCEPTION '{sentence}'; END $$"
    )
    op.execute(
        f"CREATE TRIGGER {table}_refuses_change BEFORE UPDATE OR DELETE ON {table}"
        f" FOR EACH ROW EXECUTE FUNCTION {table}_only_grows()"
    )
    op.execute(
        f"CREATE TRIGGER {table}_refuses_truncate BEFORE TRUNCATE ON {table}"
        f" FOR EACH STATEMENT EXECUTE FUNCTION {table}_only_grows()"
    )
