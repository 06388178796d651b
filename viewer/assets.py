"""Finds and serves the built scripts and styles. Builds none: hatch_build.py does."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flask import Blueprint, Response, current_app, request, send_from_directory, url_for
from flask.blueprints import BlueprintSetupState
from markupsafe import Markup

from casework.errors import Unavailable
from viewer.guard import open_to_all

DIST = Path(__file__).parent / "static" / "dist"

bp = Blueprint("assets", __name__)

_KEY = "lysbro-assets"
_PACKED = (("br", ".br"), ("gzip", ".gz"))


@dataclass(frozen=True)
class Entry:
    """What a page needs of the built files: a script, the scripts that it imports at once, and each
    style that its parts bring.
    """

    script: str
    styles: tuple[str, ...]
    imported: tuple[str, ...] = ()


class Manifest:
    """Vite's manifest, read again when a new build has replaced it."""

    def __init__(self, dist: Path) -> None:
        self._path = dist / ".vite" / "manifest.json"
        self._read_at_ns = -1
        self._entries: Mapping[str, Entry] = {}

    def entry(self, name: str) -> Entry:
        """Return the files of `src/entries/NAME.ts`, or raise Unavailable when it is not built."""
        found = self._fresh().get(name)
        if found is None:
            raise Unavailable(
                f"The pages' script '{name}' is not built."
                " Run 'python hatch_build.py' in the source tree.",
                code="not-built",
            )
        return found

    def _fresh(self) -> Mapping[str, Entry]:
        try:
            changed_at_ns = self._path.stat().st_mtime_ns
        except FileNotFoundError:
            return {}
        if changed_at_ns != self._read_at_ns:
            self._entries = entries_of(json.loads(self._path.read_text("utf-8")))
            self._read_at_ns = changed_at_ns
        return self._entries


def entries_of(manifest: Mapping[str, Any]) -> Mapping[str, Entry]:
    """Return the entries of a Vite manifest by name."""
    return {
        Path(source).stem: Entry(
            script=chunk["file"],
            styles=tuple(dict.fromkeys(_styles(manifest, source, seen=set()))),
            imported=tuple(dict.fromkeys(_imported(manifest, source, seen=set()))),
        )
        for source, chunk in manifest.items()
        if chunk.get("isEntry")
    }


def _styles(manifest: Mapping[str, Any], source: str, *, seen: set[str]) -> Iterator[str]:
    if source in seen:
        return
    seen.add(source)
    for imported in manifest[source].get("imports", ()):
        yield from _styles(manifest, imported, seen=seen)
    yield from manifest[source].get("css", ())


def _imported(manifest: Mapping[str, Any], source: str, *, seen: set[str]) -> Iterator[str]:
    for imported in manifest[source].get("imports", ()):
        if imported in seen:
            continue
        seen.add(imported)
        yield manifest[imported]["file"]
        yield from _imported(manifest, imported, seen=seen)


@bp.app_template_global()
def asset(name: str) -> Markup:
    """Return the tags that bring one entry's styles and script to a page, and what the script
    imports on one journey with it.
    """
    entry = _manifest().entry(name)
    link = Markup('<link rel="stylesheet" href="{}">')
    tags = [link.format(_address(style)) for style in entry.styles]
    tags.append(Markup('<script type="module" src="{}"></script>').format(_address(entry.script)))
    preload = Markup('<link rel="modulepreload" href="{}">')
    tags += [preload.format(_address(script)) for script in entry.imported]
    return Markup("\n").join(tags)


@bp.get("/static/dist/<path:name>")
@open_to_all
def built(name: str) -> Response:
    """Serve a built file, packed as the browser can take it; the packing was done by the build."""
    for coding, suffix in _PACKED:
        if request.accept_encodings.quality(coding) and (DIST / (name + suffix)).is_file():
            response = send_from_directory(DIST, name + suffix, mimetype=_media_type(name))
            response.headers["Content-Encoding"] = coding
            break
    else:
        response = send_from_directory(DIST, name, mimetype=_media_type(name))
    response.vary.add("Accept-Encoding")
    return response


_MEDIA_TYPES = {
    ".js": "text/javascript",
    ".css": "text/css",
    ".wasm": "application/wasm",
    ".svg": "image/svg+xml",
    ".txt": "text/plain",
}


def _media_type(name: str) -> str | None:
    """Name the type ourselves: what `mimetypes` says of .js depends on the machine."""
    return _MEDIA_TYPES.get(Path(name).suffix)


def _address(name: str) -> str:
    return url_for("assets.built", name=name)


def _manifest() -> Manifest:
    found: Manifest = current_app.extensions[_KEY]
    return found


@bp.record_once
def _keep_manifest(state: BlueprintSetupState) -> None:
    state.app.extensions[_KEY] = Manifest(DIST)
