"""The tables of orders, their scheduled steps, and of what comes by HL7. No queries.

They stand on the metadata of `storage.tables`. A constraint's name is the sentence it keeps true.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    CheckConstraint,
    Column,
    Date,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from casework.model import Priority
from casework.orders import OrderState
from storage.casebook_tables import _one_of
from storage.tables import BigKey, UtcDateTime, metadata

orders = Table(
    "orders",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("site", ForeignKey("sites.slug"), nullable=False),
    Column("state", String(16), nullable=False),
    Column("accession_number", Text, nullable=False),
    Column("placer_number", Text, nullable=False, server_default=""),
    Column("filler_number", Text, nullable=False, server_default=""),
    Column("patient_id", Text, nullable=False),
    Column("patient_issuer", Text, nullable=False, server_default=""),
    Column("patient_name", Text, nullable=False, server_default=""),
    Column("name_fold", Text, nullable=False, server_default=""),
    Column("ideographic_fold", Text, nullable=False, server_default=""),
    Column("phonetic_fold", Text, nullable=False, server_default=""),
    Column("patient_birth_date", Date),
    Column("patient_sex", String(16), nullable=False, server_default=""),
    Column("study_uid", String(64), nullable=False),
    Column("procedure_id", Text, nullable=False),
    Column("procedure", Text, nullable=False, server_default=""),
    Column("procedure_code", JSON, nullable=False),
    Column("question", Text, nullable=False, server_default=""),
    Column("clinical", JSON, nullable=False),
    Column("priority", String(16), nullable=False),
    Column("referrer", Text, nullable=False, server_default=""),
    Column("requester", Text, nullable=False, server_default=""),
    Column("case_id", String(16), nullable=False, server_default=""),
    Column("first_start", String(16), nullable=False),  # 2026-03-02T10:15, of its first step
    Column("created_by", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("changed_at", UtcDateTime, nullable=False),
    Column("version", Integer, nullable=False, server_default="1"),
    UniqueConstraint("site", "accession_number", name="an_accession_number_is_one_order_of_a_site"),
    _one_of("state", OrderState, name="an_order_is_in_a_state_that_is_known"),
    _one_of("priority", Priority, name="an_order_has_a_priority_that_is_known"),
)
Index(
    "ix_orders_placer_number",
    orders.c.site,
    orders.c.placer_number,
    unique=True,
    sqlite_where=text("placer_number <> ''"),
    postgresql_where=text("placer_number <> ''"),
)
Index("ix_orders_study_uid", orders.c.study_uid)
Index("ix_orders_filler_number", orders.c.site, orders.c.filler_number)
Index("ix_orders_first_start", orders.c.site, orders.c.first_start, orders.c.id)
Index("ix_orders_start", orders.c.first_start, orders.c.id)
Index("ix_orders_accession_number", orders.c.accession_number)
Index("ix_orders_case_id", orders.c.case_id)
Index("ix_orders_patient", orders.c.site, orders.c.patient_issuer, orders.c.patient_id)

order_steps = Table(
    "order_steps",
    metadata,
    Column("order_id", ForeignKey("orders.id"), primary_key=True),
    Column("step_id", String(16), primary_key=True),
    Column("ordinal", Integer, nullable=False),
    Column("site", String(32), nullable=False),  # of the order
    Column("state", String(16), nullable=False),
    Column("modality", String(16), nullable=False),
    Column("start_date", String(8), nullable=False),
    Column("start_time", String(13), nullable=False),
    Column("stations", JSON, nullable=False),
    Column("station_name", Text, nullable=False, server_default=""),
    Column("description", Text, nullable=False, server_default=""),
    Column("protocol", JSON, nullable=False),
    Column("location", Text, nullable=False, server_default=""),
    Column("performer", Text, nullable=False, server_default=""),
    Column("performed_uid", String(64), nullable=False, server_default=""),  # of the last MPPS
    _one_of("state", OrderState, name="a_scheduled_step_is_in_a_state_that_is_known"),
)
Index(
    "ix_order_steps_waiting",
    order_steps.c.site,
    order_steps.c.state,
    order_steps.c.start_date,
    order_steps.c.start_time,
)
Index("ix_order_steps_performed_uid", order_steps.c.performed_uid)

order_stations = Table(
    "order_stations",
    metadata,
    Column("title", String(16), primary_key=True),
    Column("order_id", ForeignKey("orders.id"), primary_key=True),
    Column("step_id", String(16), primary_key=True),
)
Index("ix_order_stations_order_id", order_stations.c.order_id)
"""Which stations a step names, to be looked up by their titles."""

hl7_senders = Table(
    "hl7_senders",
    metadata,
    Column("application", String(180), primary_key=True),
    Column("facility", String(180), primary_key=True),
    Column("site", ForeignKey("sites.slug"), nullable=False),
    Column("address", Text, nullable=False, server_default=""),
    Column("added_at", UtcDateTime, nullable=False),
)

hl7_messages = Table(
    "hl7_messages",
    metadata,
    Column("id", BigKey, primary_key=True),
    Column("application", Text, nullable=False),
    Column("facility", Text, nullable=False),
    Column("control_id", Text, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("site", String(32), nullable=False, server_default=""),  # empty: of nobody known
    Column("peer", Text, nullable=False, server_default=""),
    Column("received_at", UtcDateTime, nullable=False),
    Column("state", String(16), nullable=False),
    Column("code", Text, nullable=False, server_default=""),
    Column("reason", Text, nullable=False, server_default=""),
    Column("size_bytes", Integer, nullable=False),
    Column("content", LargeBinary),
    UniqueConstraint(
        "application",
        "facility",
        "control_id",
        "sha256",
        name="a_message_that_comes_again_is_the_same",
    ),
    _one_of("state", ("taken", "refused"), name="a_message_was_taken_or_refused"),
    CheckConstraint(
        "(state = 'refused') = (content IS NOT NULL)", name="the_text_of_refused_messages_is_kept"
    ),
)
"""Messages by their control ids: that one was taken, or a refused one whole, for an operator."""
Index("ix_hl7_messages_state", hl7_messages.c.state, hl7_messages.c.received_at)
