"""Commands about objects: import, send, verify."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass, field
from pathlib import Path

import click

from casework.custody import Door, Origin
from casework.errors import Invalid, LysbroError, NotFound, Unavailable
from casework.model import Priority
from lysbro import disk_import
from lysbro.cli.context import OPERATOR, Parts, json_option, with_parts
from lysbro.cli.output import progress, show, table


@click.command("import")
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--site", "site_slug", required=True, help="The site that the objects belong to.")
@json_option
@with_parts
def import_(parts: Parts, paths: tuple[Path, ...], site_slug: str, as_json: bool) -> None:
    """Read DICOM from files, folders and ZIPs, through the same intake as the network."""
    if parts.people.site(site_slug) is None:
        raise NotFound(
            f"There is no site {site_slug}. Add it with 'lysbro site add {site_slug} …'."
        )
    done = _take_in(parts, paths, site_slug)
    parts.note(
        OPERATOR,
        "imported",
        site_slug,
        site=site_slug,
        detail={"kept": done.imported, "refused": len(done.refused)},
    )
    lines = [f"{done.imported} objects are in the archive of {site_slug}."]
    if done == _Imported():
        lines = [f"There is no file to import in {', '.join(map(str, paths))}."]
    if done.refused:
        refused = table(done.refused, ("file", "reason"))
        lines += [f"{len(done.refused)} were not taken in:", refused]
    if done.stopped:
        lines.append(done.stopped)
    show(asdict(done), as_json=as_json, text="\n".join(lines))
    if done.refused or done.stopped or not done.imported:
        raise click.exceptions.Exit(1)


@dataclass
class _Imported:
    """What has become of the files so far."""

    imported: int = 0
    refused: list[dict[str, str]] = field(default_factory=list)
    stopped: str = ""  # why the rest was not tried


def _take_in(parts: Parts, paths: tuple[Path, ...], site_slug: str) -> _Imported:
    origin = Origin(
        site=site_slug,
        door=Door.IMPORT,
        actor=OPERATOR.id,
        association=f"import-{os.getpid()}-{parts.clock():%Y%m%dT%H%M%S}",
    )
    done = _Imported()
    parts.archive.start()
    limits = disk_import.ImportLimits(object_bytes=parts.settings.dicom_max_object_bytes)
    for found in progress(disk_import.objects_under(paths, limits), total=None, label="Importing"):
        try:
            if isinstance(found.content, LysbroError):
                raise found.content
            parts.archive.receive_part10(found.content, origin)
            done.imported += 1
        except (Invalid, NotFound) as error:
            done.refused.append({"file": found.name, "reason": error.message})
        except Unavailable as error:
            done.stopped = f"Stopped at {found.name}: {error.message}"
            break
    parts.archive.settle()
    return done


@click.command()
@click.argument("study_uid")
@click.option(
    "--to", "title", required=True, metavar="AET", help="The application entity to send to."
)
@click.option(
    "--site", "site_slug", default=None, help="The site of the study, when several have it."
)
@click.option(
    "--priority",
    default=Priority.ROUTINE.value,
    show_default=True,
    type=click.Choice([p.value for p in Priority]),
    help="The more urgent goes first.",
)
@json_option
@with_parts
def send(
    parts: Parts,
    *,
    study_uid: str,
    title: str,
    site_slug: str | None,
    priority: str,
    as_json: bool,
) -> None:
    """Forward a study; it is queued and retried until it has arrived."""
    target = parts.people.ae(title)
    if target is None or not target.host:
        raise NotFound(
            f"There is no application entity {title} with an address. "
            f"Add it with 'lysbro ae add {title} --host … --port …'."
        )
    sites = parts.index.sites_of_study(study_uid)
    if site_slug is not None:
        sites = [s for s in sites if s == site_slug]
    if not sites:
        raise NotFound(f"There is no study {study_uid}.", code="no-such-study")
    if len(sites) > 1:
        raise Invalid(f"The sites {', '.join(sites)} each have this study: choose one with --site.")
    title = target.title
    job = parts.outbox.enqueue_send(study_uid, sites[0], title, priority=Priority(priority))
    parts.note(OPERATOR, "send-queued", study_uid, site=sites[0], detail={"to": title})
    show(
        {"job": job, "study_uid": study_uid, "to": title, "state": "queued"},
        as_json=as_json,
        text=f"Queued for {title} as job {job}. 'lysbro status' shows how it goes.",
    )
