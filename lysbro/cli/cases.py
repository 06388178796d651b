"""Commands about whole cases: export."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from lysbro.cli.context import OPERATOR, Parts, json_option, with_parts
from lysbro.cli.output import progress, show
from lysbro.export import export_case


@click.command()
@click.argument("case_id", metavar="CASE")
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The ZIP to write; one that is there already is left as it is.",
)
@json_option
@with_parts
def export(parts: Parts, case_id: str, output: Path, as_json: bool) -> None:
    """Write one case whole: images, referral, conversation, reports, ledger."""
    done = export_case(
        parts,
        case_id,
        output,
        actor=OPERATOR,
        watch=lambda rows: progress(rows, total=len(rows), label="Exporting"),
    )
    show(
        asdict(done),
        as_json=as_json,
        text=f"{done.file}: case {done.case_id}, {done.images} objects, {done.reports} reports.",
    )
