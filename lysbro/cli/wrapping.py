"""The command that makes DICOM objects of photographs, which needs no exchange."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from casework.errors import Invalid, Unavailable
from derm_capture import clip, meta
from derm_capture.clip_object import wrap_clip
from derm_capture.context import CaptureContext, Kind
from derm_capture.dicomize import Wrapped
from derm_capture.dicomize import wrap as wrap_photo
from derm_capture.photo import open_photo
from lysbro.cli.options import json_option
from lysbro.cli.output import show


@click.command()
@click.argument(
    "photos",
    metavar="PHOTO...",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
)
@click.option(
    "--meta",
    "meta_path",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="JSON that says whose and what they are.",
)
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path),
    help="The file of the object; a folder for those of several photographs.",
)
@json_option
def wrap(photos: tuple[Path, ...], meta_path: Path, output: Path, as_json: bool) -> None:
    """Make a DICOM object of a photograph or a short film, offline.

    Several photographs become objects of one study, each in a file named by its UID; those that are
    refused are told, and the others are made.
    """
    try:
        described = json.loads(meta_path.read_text("utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise Invalid(f"{meta_path} is not JSON: {error}") from error
    context = meta.read_meta(described)
    if not output.is_dir():
        if len(photos) > 1:
            raise Invalid(f"{output} is no folder. Name one with --output for several photographs.")
        told = _write(_wrapped(photos[0], context), output)
        show(told, as_json=as_json, text=_said(told))
        return
    results = list(_all_wrapped(photos, context, output))
    show(results, as_json=as_json, text="\n".join(_said(result) for result in results))
    if any("error" in result for result in results):
        raise click.exceptions.Exit(1)


def _all_wrapped(
    photos: tuple[Path, ...], context: CaptureContext, folder: Path
) -> Iterator[dict[str, Any]]:
    """Yield what became of each photograph; the study of the first is that of all."""
    capture = context.capture_id
    for number, source in enumerate(photos, 1):
        one = replace(context, instance_number=number)
        if capture and len(photos) > 1:
            one = replace(one, capture_id=f"{capture}-{number}")
        try:
            wrapped = _wrapped(source, one)
        except Invalid as error:
            told = {"code": error.code, "message": error.message}
            yield {"photo": str(source), "error": told}
            continue
        context = replace(context, study_uid=wrapped.study_uid)
        yield _write(wrapped, folder / f"{wrapped.sop_instance_uid}.dcm")


def _wrapped(source: Path, context: CaptureContext) -> Wrapped:
    if context.kind is Kind.CLIP:
        return wrap_clip(clip.open_clip(source.read_bytes()), context)
    opened = open_photo(source.read_bytes())
    return wrap_photo(opened, context, scale=opened.scale)


def _write(wrapped: Wrapped, output: Path) -> dict[str, Any]:
    try:
        wrapped.write(output)
    except OSError as error:
        raise Unavailable(
            f"{output} cannot be written ({error.strerror}). Choose another place with --output."
        ) from error
    return {
        "file": str(output),
        "sop_class_uid": wrapped.sop_class_uid,
        "sop_instance_uid": wrapped.sop_instance_uid,
        "transfer_syntax_uid": wrapped.transfer_syntax_uid,
    }


def _said(told: dict[str, Any]) -> str:
    if "error" in told:
        return f"{told['photo']}: refused: {told['error']['message']}"
    return f"{told['file']}: SOP instance {told['sop_instance_uid']}"
