"""The tables behind photographs: the devices of a site, and what each picture was said to be.

No queries.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    CheckConstraint,
    Column,
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

from storage import casebook_tables as _casebook_tables  # noqa: F401 - `cases` is referred to
from storage.tables import BigKey, UtcDateTime, metadata

devices = Table(
    "devices",
    metadata,
    Column("id", BigKey, primary_key=True),
    Column("site", ForeignKey("sites.slug"), nullable=False),
    Column("name", String(64), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("manufacturer", Text, nullable=False, server_default=""),
    Column("model", Text, nullable=False, server_default=""),
    Column("serial", Text, nullable=False, server_default=""),
    Column("software", Text, nullable=False, server_default=""),
    Column("polarization", String(16), nullable=False, server_default=""),
    Column("contact", String(16), nullable=False, server_default=""),
    Column("immersion", String(16), nullable=False, server_default=""),
    Column("magnification", Float),
    Column("added_at", UtcDateTime, nullable=False),
    Column("added_by", Text, nullable=False, server_default=""),
    Column("retired_at", UtcDateTime),
    CheckConstraint("kind IN ('dermatoscope', 'camera')", name="a_device_is_of_a_kind_known"),
    CheckConstraint(
        "immersion = '' OR contact = 'CONTACT'", name="an_immersion_fluid_goes_with_contact"
    ),
)
"""A device that is retired stays: pictures that were taken with it still name it."""
Index(
    "a_site_has_one_device_of_a_name_in_use",
    devices.c.site,
    devices.c.name,
    unique=True,
    sqlite_where=text("retired_at IS NULL"),
    postgresql_where=text("retired_at IS NULL"),
)

photographs = Table(
    "photographs",
    metadata,
    Column("case_id", ForeignKey("cases.id"), primary_key=True),
    Column("capture_id", String(64), primary_key=True),
    Column("number", Integer, nullable=False),
    Column("series_number", Integer, nullable=False),
    Column("sop_instance_uid", String(64), nullable=False),
    Column("sop_class_uid", String(64), nullable=False),
    Column("series_uid", String(64), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("site_code", String(32), nullable=False),
    Column("laterality", String(1), nullable=False, server_default=""),
    Column("lesion_uid", String(64), nullable=False, server_default=""),
    Column("device_id", ForeignKey("devices.id")),
    Column("said", JSON, nullable=False),
    UniqueConstraint("case_id", "number", name="a_number_is_one_photograph_of_a_case"),
)
"""What a photograph is, set before it is stored, so that a repeat is the same object to the byte:
its numbers, its lesion, and in `said` the answers and the references as they stood. It is kept once
`captures` has it."""
