"""The tables of the casebook: who takes part, cases and what hangs on them, queues, audit.

They stand on the metadata of `storage.tables`, and hold no queries. A constraint's name is the
sentence that it keeps true. That `reports` and `audit` only grow is kept by triggers, which the
migration makes.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    Float,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from casework.commitment import Result
from casework.model import CaseState, Priority, Role, SiteKind, Specialty
from casework.outcomes import BASES, MALIGNANT
from casework.reply_channels import Way
from storage.tables import BigKey, UtcDateTime, metadata


def _one_of(column: str, values: Iterable[StrEnum | str], *, name: str) -> CheckConstraint:
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=name)


sites = Table(
    "sites",
    metadata,
    Column("slug", String(32), primary_key=True),
    Column("name", Text, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("issuer", Text, nullable=False, server_default=""),
    Column("recompress", String(8), nullable=False, server_default=""),
    Column("travel_km", Float),
    _one_of("kind", SiteKind, name="a_site_is_a_hospital_a_gp_or_a_centre"),
)

site_quotas = Table(
    "site_quotas",
    metadata,
    Column("site", ForeignKey("sites.slug"), primary_key=True),
    Column("most_bytes", BigInteger),
    Column("most_instances", BigInteger),
)
"""How much a site may keep; without a row, or without a figure, as much as there is room for."""

aes = Table(
    "aes",
    metadata,
    Column("title", String(16), primary_key=True),
    Column("site", ForeignKey("sites.slug"), nullable=False),
    Column("host", Text, nullable=False, server_default=""),
    Column("port", Integer, nullable=False, server_default="0"),
    Column("permissions", JSON, nullable=False),
    Column(
        "tls_only", Boolean(create_constraint=False), nullable=False, server_default=text("false")
    ),
)
Index("ix_aes_site", aes.c.site)

site_certificates = Table(
    "site_certificates",
    metadata,
    Column("fingerprint", String(64), primary_key=True),  # SHA-256 of the DER form, in hex
    Column("site", ForeignKey("sites.slug"), nullable=False),
    Column("subject", Text, nullable=False),
    Column("not_after", UtcDateTime, nullable=False),
    Column("added_at", UtcDateTime, nullable=False),
    Column("revoked_at", UtcDateTime),
    CheckConstraint("length(fingerprint) = 64", name="a_fingerprint_is_a_sha256_in_hex"),
)
Index("ix_site_certificates_site", site_certificates.c.site)

users = Table(
    "users",
    metadata,
    Column("id", BigKey, primary_key=True),
    Column("email", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("site", ForeignKey("sites.slug"), nullable=False),
    Column("role", String(16), nullable=False),
    Column("password_hash", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("disabled_at", UtcDateTime),
    UniqueConstraint("email", name="an_address_is_one_person"),
    _one_of("role", Role, name="a_person_has_a_role_that_is_known"),
)

sessions = Table(
    "sessions",
    metadata,
    Column("token_hash", String(64), primary_key=True),
    Column("user_id", ForeignKey("users.id"), nullable=False),
    Column("opened_at", UtcDateTime, nullable=False),
    Column("seen_at", UtcDateTime, nullable=False),
)
Index("ix_sessions_user_id", sessions.c.user_id)

tokens = Table(
    "tokens",
    metadata,
    Column("id", BigKey, primary_key=True),
    Column("token_hash", String(64), nullable=False),
    Column("user_id", ForeignKey("users.id"), nullable=False),
    Column("name", Text, nullable=False, server_default=""),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Column("seen_at", UtcDateTime),
    Column("revoked_at", UtcDateTime),
    Column("scopes", Text, nullable=False, server_default=""),
    UniqueConstraint("token_hash", name="a_token_is_given_once"),
)

sign_in_failures = Table(
    "sign_in_failures",
    metadata,
    Column("key_hash", String(64), primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("last_at", UtcDateTime, nullable=False),
)
Index("ix_sign_in_failures_last_at", sign_in_failures.c.last_at)

cases = Table(
    "cases",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("state", String(16), nullable=False),
    Column("specialty", String(16), nullable=False),
    Column("priority", String(16), nullable=False),
    Column("site", ForeignKey("sites.slug"), nullable=False),
    Column("patient_id", Text, nullable=False),
    Column("patient_issuer", Text, nullable=False, server_default=""),
    Column("patient_name", Text, nullable=False, server_default=""),
    Column("patient_name_fold", Text, nullable=False, server_default=""),
    Column("patient_birth_date", Date),
    Column("patient_sex", String(16), nullable=False, server_default=""),
    Column("question", Text, nullable=False, server_default=""),
    Column("clinical", JSON, nullable=False),
    Column("consent", JSON, nullable=False),
    Column("referrer", Text, nullable=False, server_default=""),
    Column("created_by", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("submitted_at", UtcDateTime),
    Column("due_at", UtcDateTime),
    Column("paused_at", UtcDateTime),
    Column("holder_id", Text, nullable=False, server_default=""),
    Column("holder_name", Text, nullable=False, server_default=""),
    Column("claimed_at", UtcDateTime),
    Column("signed_at", UtcDateTime),
    Column("read_at", UtcDateTime),
    Column("closed_at", UtcDateTime),
    Column("escalated_at", UtcDateTime),
    Column("waiting_reason", Text, nullable=False, server_default=""),
    Column("draft", JSON(none_as_null=True)),
    Column("draft_by", Text, nullable=False, server_default=""),
    Column("draft_version", Integer, nullable=False, server_default="0"),
    Column("report_version", Integer, nullable=False, server_default="0"),
    Column(
        "changed_since_report",
        Boolean(create_constraint=False),
        nullable=False,
        server_default=text("false"),
    ),
    Column("version", Integer, nullable=False, server_default="1"),
    _one_of("state", CaseState, name="a_case_is_in_a_state_that_is_known"),
    _one_of("specialty", Specialty, name="a_case_asks_a_specialty_that_is_known"),
    _one_of("priority", Priority, name="a_case_has_a_priority_that_is_known"),
    CheckConstraint(
        "state NOT IN ('claimed', 'waiting', 'reported') OR holder_id <> ''",
        name="a_claimed_case_has_a_holder",
    ),
    CheckConstraint(
        "state NOT IN ('draft', 'submitted') OR holder_id = ''",
        name="a_case_in_the_pool_has_no_holder",
    ),
    CheckConstraint(
        "state NOT IN ('signed', 'delivered', 'read') OR report_version > 0",
        name="a_signed_case_has_a_report",
    ),
)
Index("ix_cases_state", cases.c.state, cases.c.due_at)
Index("ix_cases_site", cases.c.site, cases.c.state)
Index("ix_cases_patient_id", cases.c.patient_id)
Index("ix_cases_patient_name_fold", cases.c.patient_name_fold)
Index("ix_cases_created_by", cases.c.created_by)
for _of in ("", "site", "holder_id"):  # finished cases, the newest first: of all, a site, a holder
    _first = [cases.c[_of]] if _of else []
    Index(
        f"ix_cases_signed{_of and '_of_' + _of}",
        *_first,
        cases.c.signed_at,
        cases.c.id,
        sqlite_where=text("signed_at IS NOT NULL"),
        postgresql_where=text("signed_at IS NOT NULL"),
    )
    Index(
        f"ix_cases_unsigned{_of and '_of_' + _of}",
        *_first,
        cases.c.state,
        cases.c.submitted_at,
        cases.c.id,
        sqlite_where=text("signed_at IS NULL"),
        postgresql_where=text("signed_at IS NULL"),
    )
Index("ix_cases_patient", cases.c.site, cases.c.patient_issuer, cases.c.patient_id)

case_studies = Table(
    "case_studies",
    metadata,
    Column("site", String(32), primary_key=True),
    Column("study_uid", String(64), primary_key=True),
    Column("case_id", ForeignKey("cases.id"), nullable=False),
)
Index("ix_case_studies_case_id", case_studies.c.case_id)

messages = Table(
    "messages",
    metadata,
    Column("id", BigKey, primary_key=True),
    Column("case_id", ForeignKey("cases.id"), nullable=False),
    Column("author", Text, nullable=False),
    Column("author_id", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("site", Text, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("text", Text, nullable=False),
    Column("reason", Text, nullable=False, server_default=""),
    Column("at", UtcDateTime, nullable=False),
    _one_of(
        "kind",
        ("question", "answer", "note", "decline", "withdraw"),
        name="a_message_is_of_a_kind_that_is_known",
    ),
)
Index("ix_messages_case_id", messages.c.case_id, messages.c.id)

reports = Table(
    "reports",
    metadata,
    Column("case_id", ForeignKey("cases.id"), primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("kind", String(16), nullable=False),
    Column("uid", String(64), nullable=False),
    Column("content", JSON, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("signed_by", Text, nullable=False),
    Column("signed_by_id", Text, nullable=False),
    Column("signed_at", UtcDateTime, nullable=False),
    UniqueConstraint("uid", name="a_report_uid_is_one_version_of_one_report"),
    _one_of(
        "kind",
        ("original", "addendum", "correction"),
        name="a_report_is_original_addendum_or_correction",
    ),
    CheckConstraint(
        "(version = 1) = (kind = 'original')", name="the_first_version_of_a_report_is_the_original"
    ),
)
Index("ix_reports_signed_at", reports.c.signed_at)

jobs = Table(
    "jobs",
    metadata,
    Column("id", BigKey, primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("case_id", ForeignKey("cases.id")),
    Column("report_version", Integer),
    Column("channel", String(16), nullable=False, server_default=""),
    Column("study_uid", String(64), nullable=False, server_default=""),
    Column("site", String(32), nullable=False),
    Column("destination", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("next_attempt_at", UtcDateTime),
    Column("leased_until", UtcDateTime),
    Column("last_error", Text, nullable=False, server_default=""),
    Column("created_at", UtcDateTime, nullable=False),
    Column("done_at", UtcDateTime),
    Column("urgency", Integer, nullable=False, server_default="0"),
    Column("series_uids", JSON(none_as_null=True)),
    Column("asked", Integer, nullable=False, server_default="1"),
    Column("rule", Text, nullable=False, server_default=""),
    Column("acknowledgement", Text, nullable=False, server_default=""),
    UniqueConstraint(
        "case_id",
        "report_version",
        "channel",
        "destination",
        name="a_report_goes_once_to_each_destination",
    ),
    _one_of("kind", ("delivery", "send"), name="a_job_delivers_a_reply_or_sends_a_study"),
    _one_of(
        "channel",
        ("", "inbox", "study", "ae", *Way),
        name="a_reply_goes_by_a_channel_that_is_known",
    ),
    _one_of("state", ("queued", "done", "dead"), name="a_job_is_queued_done_or_dead"),
    CheckConstraint("(kind = 'delivery') = (case_id IS NOT NULL)", name="a_delivery_is_of_a_case"),
    CheckConstraint(
        "(state = 'queued') = (next_attempt_at IS NOT NULL)",
        name="a_queued_job_has_the_time_of_its_next_attempt",
    ),
)
"""Replies on their way and studies being sent: one queue, leased with an end. `asked` counts how
often a study was queued, so that what came meanwhile is not missed; without `series_uids` all of
it goes."""
Index("ix_jobs_due", jobs.c.kind, jobs.c.state, jobs.c.next_attempt_at)
Index("ix_jobs_destination", jobs.c.destination, jobs.c.state, jobs.c.leased_until)
Index(
    "a_study_has_one_open_job_for_a_destination",
    jobs.c.site,
    jobs.c.study_uid,
    jobs.c.destination,
    unique=True,
    sqlite_where=text("kind = 'send' AND state IN ('queued', 'dead')"),
    postgresql_where=text("kind = 'send' AND state IN ('queued', 'dead')"),
)

sent_instances = Table(
    "sent_instances",
    metadata,
    Column("job_id", ForeignKey("jobs.id"), primary_key=True),
    Column("sop_instance_uid", String(64), primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    Column("sop_class_uid", String(64), nullable=False, server_default=""),
    Column("warning", Integer),
    Column("promise_id", BigInteger),
    Column("committed_at", UtcDateTime),
    Column("refused", Integer),
    Column("resent", Integer, nullable=False, server_default="0"),
)
"""What has arrived by a job: with which warning, whether its receiver has committed to it, or with
which reason it has not; such an instance is sent once more, and then is `resent`."""

destinations = Table(
    "destinations",
    metadata,
    Column("title", String(16), primary_key=True),
    Column("most_at_once", Integer, nullable=False, server_default="1"),
    Column("form", String(16), nullable=False, server_default=""),
    Column("rate_bytes", BigInteger),
    Column(
        "asks_commitment",
        Boolean(create_constraint=False),
        nullable=False,
        server_default=text("false"),
    ),
    Column("commit_wait_s", Integer, nullable=False, server_default="3600"),
    Column("most_attempts", Integer),
    Column("paused_at", UtcDateTime),
    CheckConstraint("most_at_once > 0", name="a_destination_takes_an_association_at_least"),
)
"""How each node is sent to; one without a row is sent to as a new one is."""

promises = Table(
    "promises",
    metadata,
    Column("id", BigKey, primary_key=True),
    Column("job_id", ForeignKey("jobs.id"), nullable=False),
    Column("transaction_uid", String(64), nullable=False),
    Column("destination", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    Column("asks", Integer, nullable=False, server_default="1"),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("next_attempt_at", UtcDateTime),
    Column("leased_until", UtcDateTime),
    Column("last_error", Text, nullable=False, server_default=""),
    Column("created_at", UtcDateTime, nullable=False),
    Column("asked_at", UtcDateTime),
    Column("answered_at", UtcDateTime),
    UniqueConstraint("transaction_uid", name="a_transaction_is_asked_for_once"),
    _one_of(
        "state",
        ("due", "asked", "answered", "given_up"),
        name="a_promise_is_in_a_state_that_is_known",
    ),
    CheckConstraint(
        "(state IN ('due', 'asked')) = (next_attempt_at IS NOT NULL)",
        name="an_open_promise_has_the_time_of_its_next_step",
    ),
)
"""Storage commitments that we ask other nodes for, each for instances that one job has sent."""
Index("ix_promises_due", promises.c.state, promises.c.next_attempt_at)
Index("ix_promises_job_id", promises.c.job_id)

routes = Table(
    "routes",
    metadata,
    Column("id", BigKey, primary_key=True),
    Column("name", Text, nullable=False),
    Column("position", Integer, nullable=False),
    Column("enabled", Boolean(create_constraint=False), nullable=False),
    Column("rule", JSON, nullable=False),
    Column("since", UtcDateTime, nullable=False),
    Column("changed_by", Text, nullable=False, server_default=""),
    UniqueConstraint("name", name="a_name_is_one_routing_rule"),
)
"""Which studies go where by themselves; a rule speaks of what comes after `since`."""

commitments = Table(
    "commitments",
    metadata,
    Column("id", BigKey, primary_key=True),
    Column("site", String(32), nullable=False),
    Column("ae_title", String(16), nullable=False),
    Column("transaction_uid", String(64), nullable=False),
    Column("use", Integer, nullable=False, server_default="0"),
    Column("asked_sha256", String(64), nullable=False),
    Column("association", String(32), nullable=False, server_default=""),
    Column("requested_at", UtcDateTime, nullable=False),
    Column("wait_until", UtcDateTime, nullable=False),
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("next_attempt_at", UtcDateTime),
    Column("leased_until", UtcDateTime),
    Column("last_error", Text, nullable=False, server_default=""),
    Column("judged_at", UtcDateTime),
    Column("reported_at", UtcDateTime),
    Column("outline", Text, nullable=False, server_default=""),
    UniqueConstraint(
        "site",
        "ae_title",
        "transaction_uid",
        "use",
        name="each_use_of_a_transaction_uid_by_a_node_has_its_own_number",
    ),
    _one_of(
        "state",
        ("waiting", "judged", "reported", "given_up"),
        name="a_commitment_is_in_a_state_that_is_known",
    ),
    CheckConstraint(
        "(state IN ('waiting', 'judged')) = (next_attempt_at IS NOT NULL)",
        name="an_open_commitment_has_the_time_of_its_next_step",
    ),
)
"""Requests for storage commitment; `use` 0 is the transaction, others took its UID again.

Those that were asked over the web have no AE title: nobody is reported to, the result is fetched.
`outline` is how such a request named its instances, by study and series; empty: one by one.
"""
Index("ix_commitments_due", commitments.c.state, commitments.c.next_attempt_at)
Index("ix_commitments_association", commitments.c.association, commitments.c.state)

commitment_items = Table(
    "commitment_items",
    metadata,
    Column("commitment_id", ForeignKey("commitments.id"), primary_key=True),
    Column("ordinal", Integer, primary_key=True, autoincrement=False),
    Column("sop_class_uid", String(64), nullable=False),
    Column("sop_instance_uid", String(64), nullable=False),
    Column("result", String(16), nullable=False),
    Column("reason", Integer),
    _one_of("result", Result, name="an_instance_of_a_commitment_has_a_result_that_is_known"),
    CheckConstraint(
        "(result = 'failed') = (reason IS NOT NULL)", name="what_is_not_committed_has_a_reason"
    ),
)
Index("ix_commitment_items_result", commitment_items.c.commitment_id, commitment_items.c.result)
Index(
    "ix_commitment_items_urgent",
    commitment_items.c.sop_instance_uid,
    sqlite_where=text("result = 'packing'"),
    postgresql_where=text("result = 'packing'"),
)

ATTACHMENT = "attachment/"
"""What the names of captures that are attachments begin with; no photograph's name may hold a /."""

captures = Table(
    "captures",
    metadata,
    Column("case_id", ForeignKey("cases.id"), primary_key=True),
    Column("capture_id", String(64), primary_key=True),
    Column("sop_instance_uid", String(64), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("kind", String(16), nullable=False, server_default=""),
    Column("lesion_uid", String(64), nullable=False, server_default=""),
    Column("site_code", String(32), nullable=False, server_default=""),
    Column("laterality", String(1), nullable=False, server_default=""),
    Column("judged", JSON(none_as_null=True)),
    Column("set_aside_at", UtcDateTime),
    Column("set_aside_by", Text, nullable=False, server_default=""),
)
"""What each press of a shutter has become, for which lesion it counts (empty: as its object says),
what the check said of it, and whether it was taken out of its draft again."""

reply_channels = Table(
    "reply_channels",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("site", ForeignKey("sites.slug"), nullable=False),
    Column("way", String(16), nullable=False),
    Column("address", Text, nullable=False),
    Column("options", JSON, nullable=False),
    Column("is_on", Boolean(create_constraint=False), nullable=False, server_default=text("true")),
    Column("added_at", UtcDateTime, nullable=False),
    _one_of("way", Way, name="a_reply_channel_goes_a_way_that_is_known"),
)
"""Further ways by which the replies of sites go; a secret is a file's name here, never itself."""
Index("ix_reply_channels_site", reply_channels.c.site)

outcomes = Table(
    "outcomes",
    metadata,
    Column("case_id", ForeignKey("cases.id"), primary_key=True),
    Column("basis", String(16), nullable=False),
    Column("text", Text, nullable=False),
    Column("code", Text, nullable=False, server_default=""),
    Column("system", Text, nullable=False, server_default=""),
    Column("malignant", String(8), nullable=False),
    Column("noted_by", Text, nullable=False),
    Column("noted_at", UtcDateTime, nullable=False),
    _one_of("basis", BASES, name="an_outcome_rests_on_histology_or_a_visit"),
    _one_of("malignant", MALIGNANT, name="an_outcome_is_malignant_or_not_or_not_known"),
)
"""What a case was in the end."""

reading_preferences = Table(
    "reading_preferences",
    metadata,
    Column("actor_id", Text, primary_key=True),
    Column("kind", String(64), primary_key=True),
    Column("hung", JSON, nullable=False),
    Column("changed_at", UtcDateTime, nullable=False),
)
"""How a person has hung a kind of case (modality and part of the body) the last time."""

draft_keys = Table(
    "draft_keys",
    metadata,
    Column("actor_id", Text, primary_key=True),
    Column("draft_key", String(64), primary_key=True),
    Column("case_id", ForeignKey("cases.id"), nullable=False),
)
"""The name that a client gave a referral when it started it: the same again is the same case."""
Index("ix_draft_keys_case_id", draft_keys.c.case_id)

queue_keys = Table(
    "queue_keys",
    metadata,
    Column("actor_id", Text, primary_key=True),
    Column("secret", String(64), nullable=False),
)
"""With what a person's browser locks the pictures that it has not sent yet."""

lesions = Table(
    "lesions",
    metadata,
    Column("site", ForeignKey("sites.slug"), primary_key=True),
    Column("patient_issuer", Text, primary_key=True),
    Column("patient_id", Text, primary_key=True),
    Column("label", String(64), primary_key=True),
    Column("uid", String(64), nullable=False),
    UniqueConstraint("uid", name="a_lesion_uid_is_one_lesion"),
)

workitems = Table(
    "workitems",
    metadata,
    Column("case_id", ForeignKey("cases.id"), primary_key=True),
    Column("uid", String(64)),
    Column("transaction_uid", String(64), nullable=False, server_default=""),
    Column("holder_id", Text, nullable=False, server_default=""),
    Column("claimed_at", UtcDateTime),
    Column("told", JSON, nullable=False),
    Column("told_at", UtcDateTime),
    UniqueConstraint("uid", name="a_work_item_uid_is_one_work_item"),
)
"""What clients of UPS-RS gave a case: its UID when they made it, the Transaction UID of a claim (by
this holder at this time), progress and comments. A case that no client has touched has no row."""

workitem_subscribers = Table(
    "workitem_subscribers",
    metadata,
    Column("actor_id", Text, primary_key=True),
    Column("ae_title", String(16), primary_key=True),
    Column("sent_seq", BigInteger, nullable=False),
    Column(
        "went_down", Boolean(create_constraint=False), nullable=False, server_default=text("false")
    ),
)
"""Who is told of work items, and up to which entry of the audit they were."""

workitem_subscriptions = Table(
    "workitem_subscriptions",
    metadata,
    Column("actor_id", Text, primary_key=True),
    Column("ae_title", String(16), primary_key=True),
    Column("target", String(64), primary_key=True),
    Column("case_id", ForeignKey("cases.id")),
    Column("criteria", JSON, nullable=False),
    Column("is_on", Boolean(create_constraint=False), nullable=False),
    Column("is_told", Boolean(create_constraint=False), nullable=False),
    Column("suspended_at", UtcDateTime),
    Column("created_at", UtcDateTime, nullable=False),
)
"""To what: the worklist, a filter on it, or one case, which may be taken out of the worklist's."""
Index("ix_workitem_subscriptions_case_id", workitem_subscriptions.c.case_id)

audit = Table(
    "audit",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("at", UtcDateTime, nullable=False),
    Column("actor_id", Text, nullable=False),
    Column("actor_name", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("site", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("case_id", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("detail", JSON, nullable=False),
    Column("previous", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
    UniqueConstraint("previous", name="the_audit_chain_does_not_fork"),
)
Index("ix_audit_case_id", audit.c.case_id)

audit_head = Table(
    "audit_head",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, nullable=False),
    Column("hash", String(64), nullable=False),
    CheckConstraint("id = 1", name="the_audit_has_one_head"),
)
