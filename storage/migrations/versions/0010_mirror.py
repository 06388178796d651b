"""What the mirror has of the store, how much each site keeps, and how much it may.

`site_usage` is kept right by triggers, in the transaction that adds, changes or removes instances:
whoever does it. PostgreSQL counts a statement at once, SQLite each row.

Revision ID: 0010
Revises: 0009
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

TIME = sa.String(length=27)


def upgrade() -> None:
    """Make the tables, count what is there, and go on counting."""
    op.create_table(
        "mirror_objects",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("noticed_at", TIME, nullable=False),
        sa.Column("mirrored_at", TIME, nullable=True),
        sa.Column("took_s", sa.Float(), nullable=True),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("next_attempt_at", TIME, nullable=False),
        sa.Column("taken_by", sa.Text(), server_default="", nullable=False),
        sa.Column("last_error", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("key", name="mirror_objects_key"),
    )
    waits = sa.text("mirrored_at IS NULL")
    op.create_index(
        "ix_mirror_objects_waiting",
        "mirror_objects",
        ["next_attempt_at", "noticed_at"],
        sqlite_where=waits,
        postgresql_where=waits,
    )
    op.create_index("ix_mirror_objects_mirrored_at", "mirror_objects", ["mirrored_at"])
    op.create_table(
        "mirror_reads",
        sa.Column("reason", sa.String(length=16), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("last_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("reason", name="mirror_reads_key"),
    )
    op.create_index("ix_packs_created_at", "packs", ["created_at"])
    op.create_table(
        "site_quotas",
        sa.Column("site", sa.String(length=32), nullable=False),
        sa.Column("most_bytes", sa.BigInteger(), nullable=True),
        sa.Column("most_instances", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("site", name="site_quotas_key"),
        sa.ForeignKeyConstraint(["site"], ["sites.slug"], name="site_quotas_site_is_of_sites"),
    )
    op.create_table(
        "site_usage",
        sa.Column("site", sa.String(length=32), nullable=False),
        sa.Column("used_bytes", sa.BigInteger(), nullable=False),
        sa.Column("used_instances", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("site", name="site_usage_key"),
    )
    op.execute(
        "INSERT INTO site_usage (site, used_bytes, used_instances)"
        " SELECT site, SUM(length), COUNT(*) FROM instances GROUP BY site"
    )
    if op.get_context().dialect.name == "sqlite":
        _count_each_row()
    else:
        _count_each_statement()


def _count_each_row() -> None:
    add = (
        "INSERT INTO site_usage (site, used_bytes, used_instances)"
        " VALUES (NEW.site, NEW.length, 1) ON CONFLICT (site) DO UPDATE SET"
        " used_bytes = used_bytes + excluded.used_bytes, used_instances = used_instances + 1;"
    )
    take_off = (
        "UPDATE site_usage SET used_bytes = used_bytes - OLD.length,"
        " used_instances = used_instances - 1 WHERE site = OLD.site;"
    )
    for name, when, what in (
        ("instances_add_to_usage", "AFTER INSERT ON instances", add),
        ("instances_leave_usage", "AFTER DELETE ON instances", take_off),
        (
            "instances_change_usage",
            "AFTER UPDATE OF length ON instances WHEN OLD.length <> NEW.length",
            take_off + " " + add,
        ),
    ):
        op.execute(f"CREATE TRIGGER {name} {when} BEGIN {what} END")


def _count_each_statement() -> None:
    add = (
        "INSERT INTO site_usage (site, used_bytes, used_instances)"
        " SELECT site, SUM(length), COUNT(*) FROM {rows} GROUP BY site ORDER BY site"
        " ON CONFLICT (site) DO UPDATE SET"
        " used_bytes = site_usage.used_bytes + excluded.used_bytes,"
        " used_instances = site_usage.used_instances + excluded.used_instances;"
    )
    take_off = (
        "UPDATE site_usage SET used_bytes = site_usage.used_bytes - gone.sum_bytes,"
        " used_instances = site_usage.used_instances - gone.number"
        " FROM (SELECT site, SUM(length) AS sum_bytes, COUNT(*) AS number FROM {rows}"
        " GROUP BY site) AS gone WHERE site_usage.site = gone.site;"
    )
    of_old = "(SELECT OLD.site AS site, OLD.length AS length) AS old_row"
    of_new = "(SELECT NEW.site AS site, NEW.length AS length) AS new_row"
    for name, body in (
        ("instances_add_to_usage", add.format(rows="added")),
        ("instances_leave_usage", take_off.format(rows="removed")),
        ("instances_change_usage", take_off.format(rows=of_old) + add.format(rows=of_new)),
    ):
        op.execute(
            f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS"
            f" $$ BEGIN {body} RETURN NULL; END $$"
        )
    op.execute(
        "CREATE TRIGGER instances_add_to_usage AFTER INSERT ON instances"
        " REFERENCING NEW TABLE AS added FOR EACH STATEMENT"
        " EXECUTE FUNCTION instances_add_to_usage()"
    )
    op.execute(
        "CREATE TRIGGER instances_leave_usage AFTER DELETE ON instances"
        " REFERENCING OLD TABLE AS removed FOR EACH STATEMENT"
        " EXECUTE FUNCTION instances_leave_usage()"
    )
    op.execute(
        "CREATE TRIGGER instances_change_usage AFTER UPDATE OF length ON instances"
        " FOR EACH ROW WHEN (OLD.length <> NEW.length)"
        " EXECUTE FUNCTION instances_change_usage()"
    )
