"""The command that judges photographs, which needs no exchange."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from casework.errors import Invalid
from derm_capture import clip, photo, quality
from lysbro.cli.options import json_option
from lysbro.cli.output import show


@click.command()
@click.argument(
    "photos", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@json_option
def assess(photos: tuple[Path, ...], as_json: bool) -> None:
    """Give the quality advice for photographs and short films."""
    results: list[dict[str, Any]] = []
    for path in photos:
        try:
            results.append({"photo": str(path), "advice": [asdict(a) for a in _judged(path)]})
        except Invalid as error:
            results.append(
                {"photo": str(path), "error": {"code": error.code, "message": error.message}}
            )
    show(results, as_json=as_json, text="\n".join(_advice_lines(results)))
    if any("error" in result for result in results):
        raise click.exceptions.Exit(1)


def _judged(path: Path) -> tuple[quality.Advice, ...]:
    data = path.read_bytes()
    if clip.is_film(data):
        return clip.assess(clip.open_clip(data))
    return quality.assess(photo.open_photo(data, limits=photo.PhotoLimits()))


def _advice_lines(results: list[dict[str, Any]]) -> list[str]:
    lines = []
    for result in results:
        lines.append(result["photo"])
        if "error" in result:
            lines.append(f"  refused: {result['error']['message']}")
        lines += [
            f"  {a['verdict']:8} {a['check']:12} {a['message']}" for a in result.get("advice", [])
        ]
    return lines
