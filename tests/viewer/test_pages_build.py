"""The wheel's build makes the pages whole, with the Node that it brings itself."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_OUTSIDE = shutil.ignore_patterns(
    ".git", ".venv", "node_modules", "dist", ".dist-*", "lysbro-data", "__pycache__", ".*_cache"
)
FREE = {"MIT", "ISC", "BSD-2-Clause", "BSD-3-Clause", "Apache-2.0", "Zlib"}


@pytest.fixture
def without_node(tmp_path: Path) -> dict[str, str]:
    """Return an environment whose PATH holds a shell, and no Node."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "sh").symlink_to(shutil.which("sh") or "/bin/sh")
    assert shutil.which("node", path=str(folder)) is None
    return os.environ | {"PATH": str(folder)}


@pytest.mark.slow
def test_a_wheel_from_a_clean_tree_holds_the_pages(
    tmp_path: Path, without_node: dict[str, str]
) -> None:
    tree = tmp_path / "tree"
    shutil.copytree(ROOT, tree, ignore=_OUTSIDE)
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    done = subprocess.run(
        build, check=False, cwd=tree, env=without_node, capture_output=True, text=True, timeout=280
    )
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        manifest = json.loads(archive.read("viewer/static/dist/.vite/manifest.json"))
        licences = archive.read("viewer/static/dist/THIRD_PARTY.txt").decode()
    files = {f"viewer/static/dist/{chunk['file']}" for chunk in manifest.values()}
    assert files <= names
    assert {f"{name}.br" for name in files if name.endswith("base.css")} <= names
    assert "openseadragon" in licences
    assert not any(name.startswith("viewer/frontend/") for name in names)
    assert "viewer/templates/base.html" in names
    assert "viewer/translations/nb/common.json" in names


def test_nothing_in_the_bundle_has_a_licence_that_binds_its_users() -> None:
    lock = json.loads((ROOT / "viewer" / "frontend" / "package-lock.json").read_text("utf-8"))
    bundled = {
        path: locked.get("license", "none")
        for path, locked in lock["packages"].items()
        if path and not locked.get("dev") and not locked.get("devOptional")
    }
    assert bundled, "nothing is looked at"
    assert {path: licence for path, licence in bundled.items() if licence not in FREE} == {}


def test_a_build_that_fits_its_sources_is_not_made_again(tmp_path: Path) -> None:
    sys.path.insert(0, str(ROOT))
    try:
        import hatch_build
    finally:
        sys.path.remove(str(ROOT))
    frontend, dist = tmp_path / "frontend", tmp_path / "dist"
    (frontend / "src").mkdir(parents=True)
    for name in ("package.json", "package-lock.json", "tsconfig.json", "vite.config.ts"):
        (frontend / name).write_text("{}")
    (dist / ".vite").mkdir(parents=True)
    (dist / hatch_build.STAMP).write_text(hatch_build.sources_fingerprint(frontend))
    assert not hatch_build.is_fresh(frontend, dist)
    (dist / ".vite" / "manifest.json").write_text("{}")
    assert hatch_build.is_fresh(frontend, dist)
    (frontend / "src" / "new.ts").write_text("export {};")
    assert not hatch_build.is_fresh(frontend, dist)
