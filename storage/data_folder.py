"""The version of a data folder: written once, and a newer one is refused. Reads nothing else."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path

from casework.errors import Unavailable
from storage.disk import sync_folder

FILE_NAME = "data-format"
FORMAT = 1
"""The version of the spool and of what else lies in a data folder."""


def settle_format(data: Path) -> None:
    """Raise Unavailable when a newer Lysbro has kept the folder; a new folder gets our version."""
    path = data / FILE_NAME
    try:
        with suppress(FileNotFoundError):
            _require_known(path.read_text("ascii", errors="replace").strip(), data)
            return
        fresh = data / f".{FILE_NAME}-{secrets.token_hex(8)}"
        try:
            fresh.write_text(f"{FORMAT}\n", "ascii")
            with suppress(FileExistsError):  # another process was first
                os.link(fresh, path)
        finally:
            fresh.unlink(missing_ok=True)
        sync_folder(data)
    except OSError as error:
        raise not_ours_to_write(data, error) from error


def not_ours_to_write(data: Path, error: OSError) -> Unavailable:
    """Return the error for a data folder that this process may not use."""
    return Unavailable(
        f"The data folder {data} cannot be used ({error.strerror or error}). "
        "Give another with --data or LYSBRO_DATA, or the right to read and write there to the "
        "user that runs Lysbro.",
        code="data-folder",
    )


def _require_known(found: str, data: Path) -> None:
    if found.isdecimal() and int(found) <= FORMAT:
        return
    raise Unavailable(
        f"The data folder {data} is of version {found or 'none'}, which this Lysbro does not know: "
        "a newer one has been here. Nothing was changed; start that one.",
        code="data-newer",
    )
