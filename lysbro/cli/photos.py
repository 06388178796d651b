"""Commands about photographs, which need no exchange: wrap, assess."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from casework.errors import Invalid, Unavailable
from derm_capture import clip, meta, photo, quality
from derm_capture.clip_object import wrap_clip
from derm_capture.context import Kind
from derm_capture.dicomize import wrap as wrap_photo
from derm_capture.scale_card import scale_card as draw_scale_card
from lysbro.cli.context import json_option
from lysbro.cli.output import show


@click.command()
@click.argument(
    "source", metavar="PHOTO", type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@click.option(
    "--meta",
    "meta_path",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
)
@click.option("-o", "--output", required=True, type=click.Path(dir_okay=False, path_type=Path))
@json_option
def wrap(source: Path, meta_path: Path, output: Path, as_json: bool) -> None:
    """Make a DICOM object of a photograph or a short film, offline."""
    try:
        described = json.loads(meta_path.read_text("utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise Invalid(f"{meta_path} is not JSON: {error}") from error
    context = meta.read_meta(described)
    if context.kind is Kind.CLIP:
        wrapped = wrap_clip(clip.open_clip(source.read_bytes()), context)
    else:
        opened = photo.open_photo(source.read_bytes(), limits=photo.PhotoLimits())
        wrapped = wrap_photo(opened, context, scale=opened.scale)
    try:
        wrapped.write(output)
    except OSError as error:
        raise Unavailable(
            f"{output} cannot be written ({error.strerror}). Choose another place with --output."
        ) from error
    told = {
        "file": str(output),
        "sop_class_uid": wrapped.sop_class_uid,
        "sop_instance_uid": wrapped.sop_instance_uid,
        "transfer_syntax_uid": wrapped.transfer_syntax_uid,
    }
    show(told, as_json=as_json, text=f"{output}: SOP instance {wrapped.sop_instance_uid}")


@click.command("scale-card")
@click.option("-o", "--output", required=True, type=click.Path(dir_okay=False, path_type=Path))
def scale_card(output: Path) -> None:
    """Write the scale card as a page to print (PDF)."""
    try:
        output.write_bytes(draw_scale_card())
    except OSError as error:
        raise Unavailable(
            f"{output} cannot be written ({error.strerror}). Choose another place with --output."
        ) from error


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
