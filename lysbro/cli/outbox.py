"""Commands about what goes out: the queue, its dead letters, and pausing a destination."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import click

from casework.identifiers import normal_ae_title
from lysbro.cli.context import OPERATOR, Parts, json_option, with_parts
from lysbro.cli.output import show, table
from storage.outbox_desk import DEAD, DONE, QUEUED, Listed

_COLUMNS = ("job", "state", "what", "to", "arrived", "committed", "attempts", "reason")


@click.group()
def outbox() -> None:
    """What goes out: studies and replies on their way, and what was given up."""


@outbox.command("list")
@click.option("--to", "title", default="", metavar="AET", help="Of one destination.")
@click.option("--state", default="", type=click.Choice(["", QUEUED, DONE, DEAD]))
@click.option("--study", "study_uid", default="", metavar="UID", help="Of one study.")
@json_option
@with_parts
def outbox_list(parts: Parts, title: str, state: str, study_uid: str, as_json: bool) -> None:
    """List the newest jobs: how far each is, and why it is not further."""
    found = parts.outbox.listed(
        destination=normal_ae_title(title), study_uid=study_uid, state=state
    )
    if as_json:
        show([asdict(each) for each in found], as_json=True, text="")
    else:
        click.echo(table([_row(each) for each in found], _COLUMNS))


@outbox.command("missing")
@click.argument("job", type=int)
@json_option
@with_parts
def outbox_missing(parts: Parts, job: int, as_json: bool) -> None:
    """List the instances of JOB that have not arrived, or that its receiver does not commit to."""
    uids = parts.outbox.missing(job)
    show([{"sop_instance_uid": uid} for uid in uids], as_json=as_json, text="\n".join(uids))


@outbox.command("replay")
@click.argument("job", type=int, required=False)
@click.option("--all-of", "title", default="", metavar="AET", help="All of one destination.")
@json_option
@with_parts
def outbox_replay(parts: Parts, job: int | None, title: str, as_json: bool) -> None:
    """Send again what was given up: one JOB, or all of a destination; only what is missing goes."""
    if (job is None) == (not title):
        raise click.UsageError("name a job, or a destination with --all-of")
    if job is not None:
        parts.outbox.replay(job)
        count, subject = 1, str(job)
    else:
        subject = normal_ae_title(title)
        count = parts.outbox.replay_all(subject)
    parts.note(OPERATOR, "delivery-replayed", subject, detail={"jobs": count})
    show({"replayed": count}, as_json=as_json, text=f"{count} jobs are in the queue again.")


@outbox.command("cancel")
@click.argument("job", type=int)
@json_option
@with_parts
def outbox_cancel(parts: Parts, job: int, as_json: bool) -> None:
    """Take JOB out of the queue; what has arrived stays where it is."""
    study_uid = parts.outbox.cancel(job)
    parts.note(OPERATOR, "send-cancelled", study_uid, detail={"job": job})
    show({"cancelled": job}, as_json=as_json, text=f"Job {job} is out of the queue.")


@outbox.command("pause")
@click.argument("title", metavar="AET")
@with_parts
def outbox_pause(parts: Parts, title: str) -> None:
    """Send AET nothing more until it is resumed; what has begun goes on to its end."""
    paused = parts.destinations.pause(title)
    parts.note(OPERATOR, "destination-paused", paused.title)
    click.echo(f"{paused.title} is sent nothing until 'lysbro outbox resume {paused.title}'.")


@outbox.command("resume")
@click.argument("title", metavar="AET")
@with_parts
def outbox_resume(parts: Parts, title: str) -> None:
    """Send to AET again."""
    resumed = parts.destinations.resume(title)
    parts.note(OPERATOR, "destination-resumed", resumed.title)
    click.echo(f"{resumed.title} is sent to again.")


def _row(each: Listed) -> dict[str, Any]:
    return {
        "job": each.id,
        "state": "under way" if each.is_under_way else each.state,
        "what": each.study_uid or each.case_id,
        "to": each.destination,
        "arrived": f"{each.arrived}" + (f" ({each.warned} with a warning)" if each.warned else ""),
        "committed": each.committed or "",
        "attempts": each.attempts,
        "reason": each.last_error,
    }
