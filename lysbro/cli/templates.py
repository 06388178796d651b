"""Commands about templates of findings: list a centre's, write one out, read one in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from casework.errors import Invalid
from casework.model import SiteKind
from lysbro.cli.context import OPERATOR, Parts, json_option, with_parts
from lysbro.cli.output import show, table
from storage.templates import KeptTemplate

_COLUMNS = ("name", "version", "offered", "title", "made_by")
_site = click.option("--site", default="", help="The centre. [the only one]")


@click.group("template")
def template() -> None:
    """Templates of findings: the forms in which the readers of a centre write."""


@template.command("list")
@_site
@json_option
@with_parts
def list_(parts: Parts, site: str, as_json: bool) -> None:
    """List the templates of a centre."""
    rows = [_row(each) for each in parts.templates.listed(_centre(parts, site))]
    show(rows, as_json=as_json, text=table(rows, _COLUMNS))


@template.command("export")
@click.argument("name")
@click.option("--version", "number", default=0, help="Which version. [the present one]")
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="A file.")
@_site
@with_parts
def export(parts: Parts, name: str, number: int, output: Path | None, site: str) -> None:
    """Write a template out as text, which `import` reads."""
    kept = parts.templates.one(_centre(parts, site), name, number)
    if output is None:
        click.echo(kept.text, nl=False)
        return
    try:
        output.write_text(kept.text, "utf-8")
    except OSError as error:
        raise Invalid(
            f"{output} cannot be written: {error.strerror}. Name another file.", code="no-file"
        ) from error
    click.echo(f"Version {kept.template.version} of {name} is in {output}.", err=True)


@template.command("import")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--name", default="", help="What it is called. [the file's name]")
@_site
@json_option
@with_parts
def import_(parts: Parts, file: Path, name: str, site: str, as_json: bool) -> None:
    """Read a template from a text as the next version; a wrong line is told, and nothing kept."""
    centre, name = _centre(parts, site), name or file.stem
    try:
        text = file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid(f"{file} is no text in UTF-8. Name another file.", code="no-file") from error
    kept = parts.templates.save(centre, name, text, by=OPERATOR)
    detail = {"centre": centre, "version": kept.template.version}
    parts.note(OPERATOR, "template-saved", name, site=centre, detail=detail)
    said = f"{name} is kept for {centre} as version {kept.template.version}."
    show(_row(kept), as_json=as_json, text=said)


def _centre(parts: Parts, site: str) -> str:
    """Return the centre that is meant, or raise Invalid when it must be named."""
    if site:
        return site
    centres = [each.slug for each in parts.people.sites() if each.kind is SiteKind.CENTRE]
    if len(centres) != 1:
        raise Invalid(
            f"Name the centre with --site: there are {len(centres)}.", code="centre-unnamed"
        )
    return centres[0]


def _row(kept: KeptTemplate) -> dict[str, Any]:
    return {
        "name": kept.template.name,
        "version": kept.template.version,
        "offered": "yes" if kept.is_enabled else "no",
        "title": kept.template.title.en,
        "made_by": kept.made_by or "shipped",
    }
