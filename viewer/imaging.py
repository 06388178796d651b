"""The application's one reader, renderer and maker of frames, made when first asked for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from flask import current_app

from storage.archive import Archive
from storage.remade import PREVIEWS
from viewer.frame_source import FrameSource
from viewer.frame_tables import FrameTables
from viewer.making import FrameMaker
from viewer.preview_cache import PreviewCache
from viewer.render import Renderer
from viewer.services import services

_KEY = "lysbro-imaging"


@dataclass(frozen=True)
class Imaging:
    """What turns objects into something to look at."""

    source: FrameSource
    renderer: Renderer
    maker: FrameMaker
    tables: FrameTables


def make_imaging(archive: Archive, *, cache: Path | None, cache_bytes: int) -> Imaging:
    """Return a reader and a renderer over an archive, with previews kept in a folder."""
    source = FrameSource(archive)
    previews = PreviewCache(cache / PREVIEWS if cache else None, limit_bytes=cache_bytes)
    return Imaging(
        source,
        Renderer(source, previews),
        FrameMaker(archive, previews),
        FrameTables(source, previews),
    )


def imaging() -> Imaging:
    """Return the reader and renderer of the application that serves this request."""
    found = current_app.extensions.get(_KEY)
    if not isinstance(found, Imaging):
        known = services()
        found = make_imaging(
            known.archive, cache=known.settings.cache, cache_bytes=known.settings.cache_bytes
        )
        current_app.extensions[_KEY] = found
    return found
