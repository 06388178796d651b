"""The command that draws the scale card."""

from __future__ import annotations

from pathlib import Path

import click

from casework.errors import Unavailable
from derm_capture.scale_card import scale_card as draw_scale_card


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
