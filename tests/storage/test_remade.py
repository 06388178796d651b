"""What was made from objects goes with their erasure or repair; nothing comes in between."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from storage import care, remade
from storage.database import Database
from storage.objects import FolderStore
from tests.databases import ON_SQLITE
from tests.storage.archives import Clock
from tests.storage.erasing import opened
from tests.storage.everywhere import World, let


def made(data: Path) -> list[Path]:
    """Make a file of each kind."""
    files = [data / "cache" / kind / "ab" / "cdef" for kind in (remade.PREVIEWS, remade.METADATA)]
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"of an object")
    return files


def test_all_of_it_goes_once_nobody_keeps_anything(tmp_path: Path) -> None:
    remade.forget_all(tmp_path)  # there is no folder yet
    files = made(tmp_path)
    forgetting = threading.Thread(target=remade.forget_all, args=(tmp_path,))
    with remade.keeping(tmp_path / "cache"), remade.keeping(tmp_path / "cache"):
        forgetting.start()
        forgetting.join(0.05)
        assert [file.exists() for file in files] == [True, True]
    forgetting.join(10)
    assert [file.exists() for file in files] == [False, False]


@ON_SQLITE
@pytest.mark.slow
def test_what_may_have_been_made_from_damaged_bytes_goes_with_their_repair(
    sited: Database, tmp_path: Path, clock: Clock
) -> None:
    let(sited)
    mirror = FolderStore(tmp_path / "mirror")
    with opened(tmp_path / "here", sited, clock, mirror=mirror) as archive:
        world = World(tmp_path, sited, clock, archive)
        world.receive(1)
        world.pack()
        world.mirrored()
        files = made(tmp_path / "here")
        assert care.verify(archive, repair=True).is_clean
        assert all(file.exists() for file in files)
        world.spoil(world.rows()[0].location.container)
        assert care.verify(archive, repair=True).left == ()
        assert not any(file.exists() for file in files)
