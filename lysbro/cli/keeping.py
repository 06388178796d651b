"""Commands about what is kept for the day that something is lost: backup, rebuild."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import asdict
from datetime import datetime

import click

from casework.errors import NotFound
from lysbro.cli.context import OPERATOR, Parts, json_option, with_parts
from lysbro.cli.output import counter, show, table
from lysbro.mirroring import mirror_soon
from lysbro.processes import ROLES, only_one
from storage import backup as backups
from storage.belonging import mark_as_ours, require_known_format
from storage.mirror_restore import Restored, restore_from_mirror
from storage.mover import packing_folder
from storage.rebuild import RebuildReport, rebuild


@click.command()
@click.option("--list", "listed", is_flag=True, help="Name the backups in the store; make none.")
@json_option
@with_parts
def backup(parts: Parts, listed: bool, as_json: bool) -> None:
    """Put the casebook into the store: people, cases, reports, audit, and what no pack knows."""
    if listed:
        rows = [
            {"at": kept.at.isoformat(), "bytes": kept.size_bytes, "key": kept.key}
            for kept in backups.backups(parts.store)
        ]
        show(rows, as_json=as_json, text=table(rows, ("at", "bytes", "key")))
        return
    folder = packing_folder(parts.archive.data)
    require_known_format(parts.store)
    mark_as_ours(parts.database, parts.store)
    kept = backups.back_up(parts.database, parts.store, folder, now=parts.clock())
    mirror_soon(parts, kept)
    removed = backups.remove_older(parts.store, keep=parts.settings.backups_kept)
    parts.note(OPERATOR, backups.BACKED_UP, kept.key, detail={"rows": kept.rows})
    told = {"key": kept.key, "rows": kept.rows, "bytes": kept.size_bytes, "removed": removed}
    lines = [f"{kept.rows} rows are in {kept.key} ({kept.size_bytes} bytes)."]
    if removed:
        lines.append(f"{len(removed)} older backups were removed.")
    show(told, as_json=as_json, text="\n".join(lines))


@click.command("rebuild")
@click.option("--backup", "key", default=None, metavar="KEY", help="Not the newest backup: this.")
@click.option("--into-existing", is_flag=True, help="Add to an index that is not empty.")
@click.option(
    "--from", "source", type=click.Choice(["store", "mirror"]), default="store",
    help="mirror: first put back into the store what it lacks, or has cut short.",
)  # fmt: skip
@json_option
@with_parts
def rebuild_(
    parts: Parts, key: str | None, into_existing: bool, source: str, as_json: bool
) -> None:
    """Restore the index and the newest casebook from the store alone; goes on where it stopped.

    Stop `lysbro serve` first. No pack and no backup in the store is changed, but by what comes
    from the mirror.
    """
    restored: Restored | None = None
    with ExitStack() as held:
        for role in ROLES:
            held.enter_context(only_one(parts.settings, role))
        started = parts.clock()
        if source == "mirror":
            restored = _from_mirror(parts)
        with counter("Rebuilding") as watch:
            report = rebuild(
                parts.archive, backup_key=key, into_existing=into_existing, progress=watch
            )
        seconds = (parts.clock() - started).total_seconds()
    if report.casebook != "none":
        parts.note(
            OPERATOR,
            backups.REBUILT,
            report.backup,
            detail={
                "instances": report.instances,
                "broken": len(report.broken),
                "erased": report.erased,
            },
        )
        mark_as_ours(parts.database, parts.store)
    told = asdict(report) | {"seconds": round(seconds, 3)}
    if restored is not None:
        told["mirror"] = asdict(restored)
    lines = _of_the_mirror(restored) + _in_words(report, seconds)
    show(told, as_json=as_json, text="\n".join(lines))
    if not report.is_whole or (restored is not None and restored.damaged):
        raise click.exceptions.Exit(1)


def _from_mirror(parts: Parts) -> Restored:
    if parts.archive.mirror is None:
        raise NotFound("There is no mirror. Set LYSBRO_MIRROR.", code="no-mirror")
    folder = packing_folder(parts.archive.data)
    with counter("Restoring") as watch:
        return restore_from_mirror(parts.store, parts.archive.mirror, folder, progress=watch)


def _of_the_mirror(restored: Restored | None) -> list[str]:
    if restored is None:
        return []
    lines = [
        f"{restored.objects} packs and backups ({restored.size_bytes} bytes) came back from the "
        f"mirror; {restored.there} were in the store."
    ]
    for name, names in (
        ("are damaged in the mirror too", restored.damaged),
        ("of the store were not whole, and are kept aside", restored.set_aside),
    ):
        lines += [f"{len(names)} {name}:"] + [f"  {each}" for each in names] if names else []
    return lines


def _in_words(report: RebuildReport, seconds: float) -> list[str]:
    rate = f", {report.registered / seconds:.0f} a second" if seconds > 1 else ""
    lines = [
        f"{report.instances} objects of {report.studies} studies in {report.packs} packs are in "
        f"the index ({report.registered} by this call{rate}); {report.conflicts} in conflict.",
        _of_the_casebook(report.casebook, report.backup, report.backup_at),
    ]
    if report.erased:
        lines.append(
            f"{report.erased} objects in packs had been erased: they were left out, and the worker "
            "takes them out of the packs."
        )
    for name, names in (
        ("cannot be read and were passed over", report.broken),
        ("are known to the backup and not in the store", report.lost),
        ("are backups that cannot be read", report.unreadable_backups),
    ):
        lines += [f"{len(names)} {name}:"] + [f"  {each}" for each in names] if names else []
    lines.append("Run 'lysbro verify' now: it hashes every object.")
    return lines


def _of_the_casebook(casebook: str, key: str, at: datetime | None) -> str:
    when = f"{at:%Y-%m-%d %H:%M} UTC" if at else ""
    if casebook == "restored":
        return f"The casebook is as it was at {when} ({key}). Everybody signs in again."
    if casebook == "left":
        return (
            f"The casebook was begun already and left as it is. To have that of {when}, move the "
            "database aside and rebuild into a new one."
            if key
            else "The casebook was begun already and left as it is; the store has no backup of one."
        )
    return (
        "The store has no backup of the casebook: sites, people and cases are to be added anew, "
        "and patient numbers are taken for each site's own."
    )
