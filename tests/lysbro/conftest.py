"""A desk with a hospital, a GP office and the centre, and a folder of small slices to import."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from casework.model import Site, SiteKind
from lysbro.settings import Settings
from lysbro.wiring import open_parts
from tests.lysbro.calling import Desk
from tests.pacs_bridge.making import ct, part10


@pytest.fixture
def empty_desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """Return a desk whose data folder is not there yet."""
    return Desk(tmp_path / "data", monkeypatch)


@pytest.fixture(scope="session")
def registered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a data folder with three sites."""
    folder = tmp_path_factory.mktemp("registered")
    with open_parts(Settings(data=folder)) as parts:
        for slug, kind in (("hammer", "hospital"), ("fjord", "gp"), ("nordlys", "centre")):
            parts.people.add_site(Site(slug, slug.title(), SiteKind(kind)))
    return folder


@pytest.fixture
def desk(registered: Path, empty_desk: Desk) -> Desk:
    """Return a desk with three sites."""
    shutil.copytree(registered, empty_desk.data)
    return empty_desk


@pytest.fixture
def slices(tmp_path: Path) -> Path:
    """Return a folder with the three slices 1.2.1.1 to 1.2.1.3 of the study 1.2.1."""
    folder = tmp_path / "slices"
    folder.mkdir()
    for i in (1, 2, 3):
        ds = ct(f"1.2.1.{i}", InstanceNumber=i, PixelData=bytes([i] * 8))
        (folder / f"{i}.dcm").write_bytes(part10(ds))
    return folder
